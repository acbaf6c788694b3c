//! Certificates of clients.

use crate::Trust;

/// That a client has a certificate of its own (RFC 8446 section 4.3.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClientCertificate {
    /// Who may have issued it.
    pub trust: Trust,
    /// Whether clients without one are served, too.
    pub optional: bool,
}
