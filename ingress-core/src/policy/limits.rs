//! How much a backend may have to do at a time.

/// How much a backend and each of its endpoints may have to do at a time. What is `None` is left to whoever serves the
/// table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Limits {
    /// How many requests each endpoint works on at a time. Over HTTP/1.1 each of them has a connection of its own. 0, or
    /// `None`, is any number.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub max_connections: Option<u32>,
    /// How many requests all endpoints of a backend work on together, of those that have this limit. 0, or `None`, is any
    /// number.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub max_requests: Option<u32>,
    /// How many requests for a backend wait where these numbers are reached, as long as a connection may take to be made;
    /// what is more is answered with 503 at once. `None` is 1024.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub max_pending: Option<u32>,
    /// What percentage of a backend's requests its retries may be, besides ten a second; `None` is 20.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub retry_budget: Option<u8>,
}

impl Limits {
    /// What it says, and what it leaves open as `other` says it.
    pub(super) fn or(&self, other: &Self) -> Self {
        Self {
            max_connections: self.max_connections.or(other.max_connections),
            max_requests: self.max_requests.or(other.max_requests),
            max_pending: self.max_pending.or(other.max_pending),
            retry_budget: self.retry_budget.or(other.retry_budget),
        }
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
