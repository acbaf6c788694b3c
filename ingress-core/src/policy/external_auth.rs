//! A service that says who may pass.

use super::Callee;

/// That a service of yours is asked about each request, without its body: 2xx lets it pass, what else is answered is the
/// client's answer, and where nobody answers the request is refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ExternalAuth {
    /// Whom.
    pub callee: Callee,
}
