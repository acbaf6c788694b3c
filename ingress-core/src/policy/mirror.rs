//! Copies of requests.

use crate::BackendRef;

/// That a copy of some requests is sent to another backend, whose answers nobody sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Mirror {
    /// To which.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::callee::as_text"))]
    pub backend: BackendRef,
}
