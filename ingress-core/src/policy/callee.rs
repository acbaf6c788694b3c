//! Whom the gateway asks on its own account.

use crate::{BackendRef, EndpointAddress, Protocol, Template};

/// Whom the gateway asks on its own account, besides the endpoint that a request is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Callee {
    /// Who answers.
    pub to: CalleeAddress,
    /// The path that is asked for, and perhaps a query. What stands in it of a request is escaped as in
    /// [`PathRewrite::Full`](crate::PathRewrite::Full).
    pub path: Template,
}

/// Where a [`Callee`] is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CalleeAddress {
    /// A backend of the table, with its endpoints and as its policy says; see [`Policy::backends`](crate::Policy::backends).
    Backend(#[cfg_attr(feature = "serde", serde(serialize_with = "as_text"))] BackendRef),
    /// One address that is no backend's, as a URL has it, and what is spoken there. `Host` is that address.
    Url(#[cfg_attr(feature = "serde", serde(serialize_with = "as_text"))] EndpointAddress, Protocol),
}

impl Callee {
    /// A callee, asked for this path.
    pub fn new(to: CalleeAddress, path: Template) -> Self {
        Self { to, path }
    }

    /// The backend, if it is one.
    pub fn backend(&self) -> Option<&BackendRef> {
        match &self.to {
            CalleeAddress::Backend(backend) => Some(backend),
            CalleeAddress::Url(..) => None,
        }
    }
}

#[cfg(feature = "serde")]
pub(super) fn as_text<S: serde::Serializer>(
    shown: &impl std::fmt::Display,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(shown)
}

#[cfg(feature = "serde")]
pub(super) fn as_optional_text<S: serde::Serializer>(
    shown: &Option<impl std::fmt::Display>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match shown {
        Some(shown) => serializer.collect_str(shown),
        None => serializer.serialize_none(),
    }
}
