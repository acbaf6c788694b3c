//! What is known of the connection on which a request came.

use std::net::SocketAddr;
use std::sync::Arc;

#[cfg(any(feature = "client", feature = "server"))]
use {std::convert::Infallible, tokio::sync::mpsc};

/// What the accepting server knows of a request's connection; it stands in the request's extensions.
///
/// [`server`](crate::server) puts it there. Another server can do the same, or tell the layer where to find
/// the client's address ([`IngressLayer::client_addr`](crate::IngressLayer::client_addr)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The address from which the client connected.
    pub client: SocketAddr,
    /// The address to which the client connected, if it is known.
    pub local: Option<SocketAddr>,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

impl ConnectionInfo {
    /// A plaintext connection from this address.
    pub fn new(client: SocketAddr) -> Self {
        Self { client, local: None, tls: false }
    }

    /// Says to which address the client connected; its port is the `X-Forwarded-Port`.
    #[must_use]
    pub fn with_local(mut self, local: SocketAddr) -> Self {
        self.local = Some(local);
        self
    }

    /// Says whether the connection is encrypted.
    #[must_use]
    pub fn with_tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }
}

/// The name that the client asked for in its TLS handshake (SNI, RFC 6066 section 3); it stands in the extensions of the
/// connection's requests.
///
/// [`server`](crate::server) puts it there, and another server that ends TLS can do the same. A request for a host that
/// neither is this one nor is covered by its certificate is answered with 421 (RFC 9110 section 15.5.20).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerName(Arc<str>);

impl ServerName {
    /// This name.
    pub fn new(name: &str) -> Self {
        Self(name.to_ascii_lowercase().into())
    }

    /// The name, lower-case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Held by a tunnel for as long as it uses the client's connection, so that the server counts the connection as open.
/// It is in the extensions of requests that ask for one.
#[cfg(any(feature = "client", feature = "server"))]
#[cfg_attr(not(feature = "client"), expect(dead_code, reason = "without a client there is no tunnel"))]
#[derive(Clone, Debug)]
pub(crate) struct Held(mpsc::Sender<Infallible>);

#[cfg(any(feature = "client", feature = "server"))]
impl Held {
    /// The other end has no more senders when all tunnels have ended; they end when it is gone.
    #[cfg(feature = "server")]
    pub(crate) fn new() -> (Self, mpsc::Receiver<Infallible>) {
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), receiver)
    }

    /// Waits until the server no longer waits.
    #[cfg(feature = "client")]
    pub(crate) async fn cut(&self) {
        self.0.closed().await;
    }
}
