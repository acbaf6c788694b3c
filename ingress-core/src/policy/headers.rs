//! Fields of requests and answers that are set, added or taken out.

/// What is changed in the fields of requests and answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Headers {}

impl Headers {
    /// What it says, and what it leaves open as `other` says it.
    pub(super) fn or(&self, _other: &Self) -> Self {
        self.clone()
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
