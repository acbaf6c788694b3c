//! TLS with rustls and ring: for [`Server`](crate::server::Server), with certificates of the routing table, and for
//! [`HttpClient`](crate::HttpClient) with endpoints that speak it.
//!
//! Which certificate a client sees depends on the name that it asks for and on the table of that moment: a table with
//! other certificates concerns new handshakes only. What no certificate is for gets the default one, of the table or of
//! [`Tls::default_certificate`]; without one the handshake is refused.
//!
//! Clients are asked for certificates of their own where the table wants one, and any is taken that the client has the key
//! of: the route that takes a request says whether it is good. Connections for the hosts that the table passes through are
//! not decrypted but carried to an endpoint, which sees the client's handshake as it was sent.

mod any_client;
mod certificate;
mod client_chain;
mod identity;
mod passing;
mod recorded;
mod resolver;
pub(crate) mod trust;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ingress_core::{Certificate, Policy, TableReader};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::StartHandshake;
use tokio_rustls::server::TlsStream;

use crate::ServerName;
use crate::spread::Queues;
use any_client::AnyClient;
use passing::Passing;
use recorded::Recorded;
use resolver::CertResolver;

pub use certificate::{CertificateError, certificate};
pub use client_chain::ClientChain;
pub use trust::trust;

/// How clients are met that speak TLS.
#[derive(Clone, Debug)]
#[must_use]
pub struct Tls {
    reader: TableReader,
    default: Option<Certificate>,
    min_version: TlsVersion,
    http2: bool,
    ask_all: bool,
    policy: Option<Arc<Policy>>,
    queues: Arc<Queues>,
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
    reader: TableReader,
    ask_all: bool,
    policy: Option<Arc<Policy>>,
    queues: Arc<Queues>,
    /// For clients that are asked for no certificate.
    silent: Arc<ServerConfig>,
    /// For those that are. It has sessions of its own, so that none in which the client was not asked is resumed where it
    /// should have been.
    asking: Arc<ServerConfig>,
    pub(crate) handshake_timeout: Duration,
}

/// What becomes of a connection.
pub(crate) enum Met<S> {
    /// TLS is ended here.
    Ended(Box<Accepted<S>>),
    /// It is carried on, from the bytes that were read of it.
    Passed(S, Vec<u8>, Box<Passing>),
}

/// What was agreed upon in a handshake.
pub(crate) struct Accepted<S> {
    pub(crate) stream: TlsStream<S>,
    pub(crate) server_name: Option<ServerName>,
    /// What the client presented, if it was asked for a certificate.
    pub(crate) chain: Option<ClientChain>,
    /// Whether HTTP/2 was chosen; HTTP/1.1 is spoken otherwise.
    pub(crate) http2: bool,
}

// ===== impl Tls =====

impl Tls {
    /// TLS with the certificates of the tables, from version 1.2 on.
    pub fn new(reader: TableReader) -> Self {
        Self {
            reader,
            default: None,
            min_version: TlsVersion::default(),
            http2: true,
            ask_all: false,
            policy: None,
            queues: Arc::default(),
            handshake_timeout: Duration::from_secs(10),
        }
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

    /// Whether each client is asked for a certificate of its own, as is needed for a policy of
    /// [`IngressLayer::policy`](crate::IngressLayer::policy) that wants one. Default: no, only where the table says so
    /// ([`RouteTable::wants_certificate`](ingress_core::RouteTable::wants_certificate)).
    pub fn client_certificates(mut self, ask_all: bool) -> Self {
        self.ask_all = ask_all;
        self
    }

    /// Says how connections are treated that are carried to endpoints undecrypted
    /// ([`RouteTable::passthrough`](ingress_core::RouteTable::passthrough)), where neither the rule of their host nor the
    /// backend says anything else; the same as for [`IngressLayer::policy`](crate::IngressLayer::policy), as a rule. Of a
    /// policy count the addresses of clients that may come, how endpoints are chosen, and timeouts. Where it wants clients
    /// to prove something in requests, limits how many each client sends, answers in place of endpoints (maintenance, or a
    /// fixed answer), or has anything [`custom`](Policy::custom), the connection is closed; who is exempt from that limit or
    /// maintenance may have it. Default: nothing.
    pub fn passthrough_policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy).filter(|policy| !policy.is_empty()).map(Arc::new);
        self
    }

    /// How long a client may take for the handshake. Default: 10 seconds.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    pub(crate) fn acceptor(&self) -> Acceptor {
        let resolver = Arc::new(CertResolver::new(self.reader.clone(), self.default.clone()));
        Acceptor {
            reader: self.reader.clone(),
            ask_all: self.ask_all,
            policy: self.policy.clone(),
            queues: self.queues.clone(),
            silent: Arc::new(self.config(false, resolver.clone())),
            asking: Arc::new(self.config(true, resolver)),
            handshake_timeout: self.handshake_timeout,
        }
    }

    fn config(&self, asking: bool, resolver: Arc<CertResolver>) -> ServerConfig {
        let versions = match self.min_version {
            TlsVersion::Tls12 => &[&TLS13, &TLS12][..],
            TlsVersion::Tls13 => &[&TLS13],
        };
        let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions);
        // It fails only for a provider without any cipher suite for the versions.
        let Ok(builder) = builder else { unreachable!("ring has suites for both versions") };
        let builder = match asking {
            true => builder.with_client_cert_verifier(Arc::new(AnyClient(provider()))),
            false => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(resolver);
        config.alpn_protocols =
            if self.http2 { vec![b"h2".into(), b"http/1.1".into()] } else { vec![b"http/1.1".into()] };
        config
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

// ===== impl Acceptor =====

impl Acceptor {
    /// Reads what the client asks for, and makes the handshake unless the connection is another's; without a limit of its
    /// own.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<Met<S>> {
        if !self.reader.with(|table| table.has_passthroughs()) {
            let start = LazyConfigAcceptor::new(Default::default(), stream).await?;
            return self.finish(start).await;
        }
        let StartHandshake { accepted, io, .. } =
            LazyConfigAcceptor::new(Default::default(), Recorded::new(stream)).await?;
        let passing = accepted.client_hello().server_name().and_then(|name| {
            self.reader.with(|table| Passing::of(table, name, self.policy.as_deref(), &self.queues))
        });
        let (stream, first) = io.into_parts();
        match passing {
            Some(passing) => Ok(Met::Passed(stream, first, Box::new(passing))),
            None => self.finish(StartHandshake::from_parts(accepted, stream)).await,
        }
    }

    async fn finish<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        start: StartHandshake<S>,
    ) -> io::Result<Met<S>> {
        let asking = self.ask_all || {
            let hello = start.client_hello();
            self.reader.with(|table| table.wants_certificate(hello.server_name()))
        };
        let config = if asking { &self.asking } else { &self.silent };
        let stream = start.into_stream(config.clone()).await?;
        let (_, session) = stream.get_ref();
        let chain = asking.then(|| {
            let presented = session.peer_certificates().unwrap_or_default();
            ClientChain::new(presented.iter().map(|one| one.clone().into_owned()).collect::<Vec<_>>())
        });
        let server_name = session.server_name().map(ServerName::new);
        let http2 = session.alpn_protocol() == Some(b"h2");
        Ok(Met::Ended(Box::new(Accepted { stream, server_name, chain, http2 })))
    }
}
