//! TLS with rustls and ring: for [`Server`](crate::server::Server), with certificates of the routing table, and for
//! [`HttpClient`](crate::HttpClient) with endpoints that speak it.
//!
//! Which certificate a client sees depends on the name that it asks for and on the table of that moment: a table with
//! other certificates concerns new handshakes only. What no certificate is for gets the default one, of the table or of
//! [`Tls::default_certificate`]; without one the handshake is refused.

mod certificate;
mod resolver;
pub(crate) mod trust;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ingress_core::{Certificate, TableReader};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::ServerName;
use resolver::CertResolver;

pub use certificate::{CertificateError, certificate};
pub use trust::trust;

/// How clients are met that speak TLS.
#[derive(Clone, Debug)]
#[must_use]
pub struct Tls {
    reader: TableReader,
    default: Option<Certificate>,
    min_version: TlsVersion,
    http2: bool,
    handshake_timeout: Duration,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TlsVersion {
    /// RFC 5246.
    #[default]
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// The settings in the form in which connections are accepted with them.
#[derive(Clone)]
pub(crate) struct Acceptor {
    acceptor: TlsAcceptor,
    pub(crate) handshake_timeout: Duration,
}

/// What was agreed upon in a handshake.
pub(crate) struct Accepted<S> {
    pub(crate) stream: TlsStream<S>,
    pub(crate) server_name: Option<ServerName>,
    /// Whether HTTP/2 was chosen; HTTP/1.1 is spoken otherwise.
    pub(crate) http2: bool,
}

// ===== impl Tls =====

impl Tls {
    /// TLS with the certificates of the tables, from version 1.2 on.
    pub fn new(reader: TableReader) -> Self {
        let handshake_timeout = Duration::from_secs(10);
        Self { reader, default: None, min_version: TlsVersion::default(), http2: true, handshake_timeout }
    }

    /// What is presented where neither the name has a certificate nor the table a default one.
    pub fn default_certificate(mut self, certificate: Certificate) -> Self {
        self.default = Some(certificate);
        self
    }

    /// The oldest version that clients may speak. Default: 1.2.
    pub fn min_version(mut self, version: TlsVersion) -> Self {
        self.min_version = version;
        self
    }

    /// Whether HTTP/2 is offered (by ALPN, RFC 7301) before HTTP/1.1. Default: yes.
    pub fn http2(mut self, offered: bool) -> Self {
        self.http2 = offered;
        self
    }

    /// How long a client may take for the handshake. Default: 10 seconds.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    pub(crate) fn acceptor(&self) -> Acceptor {
        let versions = match self.min_version {
            TlsVersion::Tls12 => &[&TLS13, &TLS12][..],
            TlsVersion::Tls13 => &[&TLS13],
        };
        let resolver = CertResolver::new(self.reader.clone(), self.default.clone());
        let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions);
        // It fails only for a provider without any cipher suite for the versions.
        let Ok(builder) = builder else { unreachable!("ring has suites for both versions") };
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols =
            if self.http2 { vec![b"h2".into(), b"http/1.1".into()] } else { vec![b"http/1.1".into()] };
        Acceptor { acceptor: Arc::new(config).into(), handshake_timeout: self.handshake_timeout }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

// ===== impl Acceptor =====

impl Acceptor {
    /// Makes the handshake; without a limit of its own.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<Accepted<S>> {
        let stream = self.acceptor.accept(stream).await?;
        let (_, session) = stream.get_ref();
        let server_name = session.server_name().map(ServerName::new);
        let http2 = session.alpn_protocol() == Some(b"h2");
        Ok(Accepted { stream, server_name, http2 })
    }
}
