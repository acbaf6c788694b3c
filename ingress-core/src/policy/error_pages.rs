//! What clients see in place of errors.

use crate::BackendRef;

use super::MediaType;

/// What clients see in place of answers with some statuses, of an endpoint or of the gateway itself. The status stays, and so
/// do the fields that are not about the content that is replaced.
///
/// The backend is asked first, if there is one; where it fails, the text stands in, and where there is none, the answer is
/// sent as it came. It is asked by GET for `/`, with `X-Code` for the status, `X-Format` for what the client
/// accepts and `X-Original-URI`, and its answer counts with 2xx, or with the status that it stands for.
///
/// Answers to calls of gRPC are not replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ErrorPages {
    /// Which statuses, from the first to the last of each pair; what is no error, below 400, is left alone.
    pub statuses: Vec<(u16, u16)>,
    /// Who answers in their place, for so many requests at a time; the text, or the answer as it came, is for those beyond.
    #[cfg_attr(
        feature = "serde",
        serde(skip_serializing_if = "Option::is_none", serialize_with = "super::callee::as_optional_text")
    )]
    pub backend: Option<BackendRef>,
    /// The text that stands in their place.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub body: Option<Box<str>>,
    /// What the text is; `None` is [`ErrorPages::CONTENT_TYPE`].
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub content_type: Option<MediaType>,
}

impl ErrorPages {
    /// What the text is if nothing else is said.
    pub const CONTENT_TYPE: &str = "text/html; charset=utf-8";

    /// What it says, or all that `other` says where it says nothing: the pages of two are not mixed.
    pub(super) fn or(&self, other: &Self) -> Self {
        if self.is_default() { other.clone() } else { self.clone() }
    }

    /// Whether answers with this status are replaced.
    pub fn is_for_status(&self, status: u16) -> bool {
        status >= 400 && self.statuses.iter().any(|&(first, last)| (first..=last).contains(&status))
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
