//! What clients see in place of errors.

use crate::BackendRef;

/// What clients see in place of answers with some statuses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ErrorPages {
    /// Which statuses, from the first to the last of each pair.
    pub statuses: Vec<(u16, u16)>,
    /// Who answers in their place.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub backend: Option<BackendRef>,
}

impl ErrorPages {
    /// What it says, and what it leaves open as `other` says it.
    pub(super) fn or(&self, other: &Self) -> Self {
        if self.is_default() { other.clone() } else { self.clone() }
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
