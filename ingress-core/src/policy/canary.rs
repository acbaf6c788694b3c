//! Requests that go to a new version of a Service.

/// Which requests go to one of the backends that share a route, whatever the weights say.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Canary {
    /// The name of the Service that is the canary, one of those that share the route's requests.
    pub service: Box<str>,
}
