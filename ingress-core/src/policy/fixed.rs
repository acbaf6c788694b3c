//! Answers that no endpoint is asked for.

/// An answer that is always the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FixedAnswer {
    /// Its status.
    pub status: u16,
    /// What its body is (`Content-Type`).
    pub content_type: Box<str>,
    /// Its body.
    pub body: Box<str>,
}

/// Whether clients are told that the service is being worked on: 503.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Maintenance {
    /// Whether it is.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub on: Option<bool>,
}

impl Maintenance {
    /// What it says, and what it leaves open as `other` says it.
    pub(super) fn or(&self, other: &Self) -> Self {
        Self { on: self.on.or(other.on) }
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
