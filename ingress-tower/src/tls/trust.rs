//! Whom to trust about the certificates of endpoints.

use std::sync::Arc;

use ingress_core::Trust;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::{CertificateError, provider};

/// Authorities, and settings of handshakes with endpoints for each version of HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Roots {
    /// Nothing where everybody is trusted.
    store: Option<Arc<RootCertStore>>,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

/// Accepts any certificate that the other side has the key of.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

/// Reads the certificates of authorities, as PEM.
///
/// # Errors
///
/// What is no PEM, holds no certificate, or one that cannot be an authority's.
pub fn trust(pem: &[u8]) -> Result<Trust, CertificateError> {
    let authorities = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let authorities = authorities.map_err(CertificateError::Chain)?;
    if authorities.is_empty() {
        return Err(CertificateError::Empty);
    }
    let mut store = RootCertStore::empty();
    for authority in &authorities {
        store.add(authority.clone()).map_err(CertificateError::Authority)?;
    }
    let id: Vec<&[u8]> = authorities.iter().map(AsRef::as_ref).collect();
    Ok(Trust::new(id.concat(), Roots::of(store)))
}

/// Those whom the system trusts, or why they cannot be found.
pub(crate) fn system() -> Result<Roots, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        return Err(format!("this system trusts no authority {}", errors.join(", ")).trim_end().into());
    }
    Ok(Roots::of(store))
}

/// Everybody.
pub(crate) fn unverified() -> Roots {
    let verifier = Arc::new(Anybody(provider()));
    Roots::new(None, |builder| {
        builder.dangerous().with_custom_certificate_verifier(verifier.clone()).with_no_client_auth()
    })
}

impl Roots {
    fn of(store: RootCertStore) -> Self {
        let store = Arc::new(store);
        Self::new(Some(store.clone()), |builder| {
            builder.with_root_certificates(store.clone()).with_no_client_auth()
        })
    }

    fn new(
        store: Option<Arc<RootCertStore>>,
        finish: impl Fn(ConfigBuilder<ClientConfig, rustls::WantsVerifier>) -> ClientConfig,
    ) -> Self {
        let config = |alpn: &[u8]| {
            let builder = ClientConfig::builder_with_provider(provider());
            let builder = builder.with_safe_default_protocol_versions();
            // It fails only for a provider without any cipher suite for the versions.
            let Ok(builder) = builder else { unreachable!("ring has suites for both versions") };
            let mut config = finish(builder);
            config.alpn_protocols = vec![alpn.to_vec()];
            Arc::new(config)
        };
        Self { store, http1: config(b"http/1.1"), http2: config(b"h2") }
    }

    /// The authorities, if it is not everybody.
    pub(super) fn store(&self) -> Option<&RootCertStore> {
        self.store.as_deref()
    }

    pub(crate) fn config(&self, http2: bool) -> Arc<ClientConfig> {
        if http2 { self.http2.clone() } else { self.http1.clone() }
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, own, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, own, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
