//! How much each client may ask for.

use std::num::NonZeroU64;

/// How much each client may ask for. What is `None` has no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClientLimits {
    /// How many bytes of an answer's body are sent a second.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub bandwidth: Option<NonZeroU64>,
}

impl ClientLimits {
    /// What it says, and what it leaves open as `other` says it.
    pub(super) fn or(&self, other: &Self) -> Self {
        Self { bandwidth: self.bandwidth.or(other.bandwidth) }
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
