//! Certificates of clients.

use crate::Trust;

/// That a client has a certificate of its own (RFC 8446 section 4.3.2).
///
/// A server asks for one in handshakes for the hosts whose rules want one
/// ([`RouteTable::wants_certificate`](crate::RouteTable::wants_certificate)). Whether it is good is decided for each request,
/// by the route that takes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClientCertificate {
    /// Who may have issued it.
    pub trust: Trust,
    /// Whether clients without one are served, too. A client with one that is not good is served in neither case. Beside
    /// [`Authentication::any`](crate::Authentication::any) a client without one has proved nothing.
    pub optional: bool,
    /// Whether endpoints are told of it: the certificate in `Client-Cert` (RFC 9440), and what is in it in
    /// `X-Client-Cert-Subject`, `X-Client-Cert-SAN` and `X-Client-Cert-Fingerprint`.
    pub forwarded: bool,
}

impl ClientCertificate {
    /// One that these have issued: clients without are refused, and endpoints are told of it.
    pub fn new(trust: Trust) -> Self {
        Self { trust, optional: false, forwarded: true }
    }
}
