//! Certificates, and clients that check them.
#![allow(dead_code, reason = "each test uses what it needs")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use ingress_core::Certificate;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::within;

/// Issues certificates: a root, and an intermediate in between.
pub(crate) struct Authority {
    root: rcgen::Certificate,
    intermediate: (rcgen::Certificate, Issuer<'static, KeyPair>),
}

/// A chain and its key.
pub(crate) struct Pem {
    pub(crate) chain: String,
    pub(crate) key: String,
}

/// What a client offers.
pub(crate) struct Hello<'a> {
    /// The name that it asks for, if it does.
    pub(crate) name: Option<&'a str>,
    pub(crate) alpn: &'a [&'a str],
    pub(crate) versions: &'a [&'static SupportedProtocolVersion],
}

impl Default for Hello<'_> {
    fn default() -> Self {
        Self { name: Some("shop.example"), alpn: &[], versions: rustls::ALL_VERSIONS }
    }
}

impl Authority {
    pub(crate) fn new() -> Self {
        let ca = || {
            let mut params = CertificateParams::new([]).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            (params, KeyPair::generate().unwrap())
        };
        let (params, key) = ca();
        let root = params.self_signed(&key).unwrap();
        let root_issuer = Issuer::new(params, key);
        let (params, key) = ca();
        let intermediate = params.signed_by(&key, &root_issuer).unwrap();
        Self { root, intermediate: (intermediate, Issuer::new(params, key)) }
    }

    /// The certificate that everybody has who trusts this authority.
    pub(crate) fn root(&self) -> String {
        self.root.pem()
    }

    pub(crate) fn root_der(&self) -> CertificateDer<'static> {
        self.root.der().clone()
    }

    pub(crate) fn issue(&self, names: &[&str]) -> Pem {
        self.issue_for(names, &KeyPair::generate().unwrap())
    }

    pub(crate) fn issue_for(&self, names: &[&str], key: &KeyPair) -> Pem {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let (intermediate, issuer) = &self.intermediate;
        let own = CertificateParams::new(names).unwrap().signed_by(key, issuer).unwrap();
        Pem { chain: own.pem() + &intermediate.pem(), key: key.serialize_pem() }
    }

    /// Connects, and trusts this authority only.
    pub(crate) async fn connect(
        &self,
        addr: SocketAddr,
        hello: Hello<'_>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_and_verify(addr, hello, self.verifier()).await
    }

    /// The OCSP answer that a client is shown.
    pub(crate) async fn staple(&self, addr: SocketAddr) -> Vec<u8> {
        let seen = Arc::new(Staple { inner: self.verifier(), seen: Mutex::default() });
        self.connect_and_verify(addr, Hello::default(), seen.clone()).await.unwrap();
        seen.seen.lock().unwrap().clone()
    }

    /// Settings of a client that trusts this authority only, and presents what it has if it is asked. It resumes the
    /// sessions of connections that were made with the same settings.
    pub(crate) fn client(
        &self,
        own: Option<&Pem>,
        alpn: &[&str],
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions);
        let builder = builder.unwrap().dangerous().with_custom_certificate_verifier(self.verifier());
        let mut config = match own {
            Some(own) => builder.with_client_auth_cert(own.certificates(), own.key()).unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    fn verifier(&self) -> Arc<dyn ServerCertVerifier> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.der().clone()).unwrap();
        WebPkiServerVerifier::builder_with_provider(roots.into(), provider()).build().unwrap()
    }

    async fn connect_and_verify(
        &self,
        addr: SocketAddr,
        hello: Hello<'_>,
        verifier: Arc<dyn ServerCertVerifier>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(hello.versions);
        let builder = builder.unwrap().dangerous().with_custom_certificate_verifier(verifier);
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = hello.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config.enable_sni = hello.name.is_some();
        let name = ServerName::try_from(hello.name.unwrap_or("shop.example").to_owned()).unwrap();
        let stream = within("connect", TcpStream::connect(addr)).await?;
        within("the handshake", TlsConnector::from(Arc::new(config)).connect(name, stream)).await
    }
}

impl Pem {
    pub(crate) fn certificates(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(self.chain.as_bytes()).collect::<Result<_, _>>().unwrap()
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap()
    }

    pub(crate) fn load(&self) -> Certificate {
        ingress_tower::tls::certificate(self.chain.as_bytes(), self.key.as_bytes(), None).unwrap()
    }
}

/// Connects with settings, and asks for a name.
pub(crate) async fn connect(
    addr: SocketAddr,
    config: &Arc<ClientConfig>,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = within("connect", TcpStream::connect(addr)).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    within("the handshake", TlsConnector::from(config.clone()).connect(name, stream)).await
}

/// What a client says first when it asks for this name.
pub(crate) fn hello(name: &str, extra: usize) -> Vec<u8> {
    let mut config = (*Authority::new().client(None, &[], &[&rustls::version::TLS13])).clone();
    // Names of protocols make it as long as wanted.
    config.alpn_protocols = (0..extra).map(|number| format!("{number:0>200}").into_bytes()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

/// The same handshake message in records of so many bytes.
pub(crate) fn in_records(hello: &[u8], size: usize) -> Vec<u8> {
    let (header, message) = hello.split_at(5);
    let record = |part: &[u8]| [&header[..3], &(part.len() as u16).to_be_bytes(), part].concat();
    message.chunks(size).flat_map(record).collect()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Notes the OCSP answer that comes with a certificate.
#[derive(Debug)]
struct Staple {
    inner: Arc<dyn ServerCertVerifier>,
    seen: Mutex<Vec<u8>>,
}

impl ServerCertVerifier for Staple {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.seen.lock().unwrap() = ocsp.to_vec();
        self.inner.verify_server_cert(own, rest, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, own, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, own, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
