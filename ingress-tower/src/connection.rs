//! What is known of the connection on which a request came.

use std::net::SocketAddr;

/// What the accepting server knows of a request's connection; it stands in the request's extensions.
///
/// [`server`](crate::server) puts it there. Another server can do the same, or tell the layer where to find
/// the client's address ([`IngressLayer::client_addr`](crate::IngressLayer::client_addr)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The address from which the client connected.
    pub client: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

impl ConnectionInfo {
    /// A plaintext connection from this address.
    pub fn new(client: SocketAddr) -> Self {
        Self { client, tls: false }
    }

    /// Says whether the connection is encrypted.
    #[must_use]
    pub fn with_tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }
}
