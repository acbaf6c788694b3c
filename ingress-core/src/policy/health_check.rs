//! Asking endpoints whether they are well.

use std::time::Duration;

/// How endpoints are asked whether they are well, besides being watched. What is `None` is left to whoever serves the
/// table; without a protocol and a path nobody is asked.
///
/// An endpoint is shared by all routes to its backend, so that this is said of a backend, or of all of them, and never of
/// a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct HealthCheck {
    /// How they are asked; with a path, `None` is [`HealthProtocol::Http`].
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub protocol: Option<HealthProtocol>,
    /// The path that is asked for with [`HealthProtocol::Http`]; `None` is `/`.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub path: Option<Box<str>>,
    /// The service that is asked about with [`HealthProtocol::Grpc`]; `None` is the server as a whole.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub service: Option<Box<str>>,
    /// The statuses of a healthy endpoint, from the first to the last of each pair; empty is 200 to 299.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub statuses: Vec<(u16, u16)>,
    /// The time from one question to the next, which varies by a tenth; `None` is 10 seconds.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub interval: Option<Duration>,
    /// How long an answer may take; `None` is 2 seconds.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub timeout: Option<Duration>,
    /// How many failures in a row make an endpoint unhealthy; `None` is 3.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub failures: Option<u32>,
    /// How many successes in a row make it healthy again; `None` is 2.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub successes: Option<u32>,
}

/// In what endpoints are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum HealthProtocol {
    /// Nobody is asked, whatever is said elsewhere.
    Off,
    /// A GET over the protocol that the endpoint speaks.
    Http,
    /// A connection that is made.
    Tcp,
    /// `grpc.health.v1.Health/Check` over HTTP/2.
    Grpc,
}

// ===== impl HealthCheck =====

impl HealthCheck {
    /// How endpoints are asked, if they are.
    pub fn asked(&self) -> Option<HealthProtocol> {
        match self.protocol {
            Some(HealthProtocol::Off) => None,
            None => self.path.as_ref().map(|_| HealthProtocol::Http),
            some => some,
        }
    }

    /// What it says, and what it leaves open as `other` says it.
    pub(super) fn or(&self, other: &Self) -> Self {
        Self {
            protocol: self.protocol.or(other.protocol),
            path: self.path.as_ref().or(other.path.as_ref()).cloned(),
            service: self.service.as_ref().or(other.service.as_ref()).cloned(),
            statuses: if self.statuses.is_empty() { &other.statuses } else { &self.statuses }.clone(),
            interval: self.interval.or(other.interval),
            timeout: self.timeout.or(other.timeout),
            failures: self.failures.or(other.failures),
            successes: self.successes.or(other.successes),
        }
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
