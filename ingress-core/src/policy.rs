//! How requests are treated, beyond where they go.

use std::fmt;
use std::time::Duration;

/// How the requests of a rule are treated. What is `None` is left to whoever serves the table.
///
/// ```
/// use std::time::Duration;
/// use ingress_core::{Policy, Retries, Timeout};
///
/// let mut policy = Policy::default();
/// policy.response_timeout = Some(Timeout::After(Duration::from_secs(5)));
/// policy.retries = Some(Retries::up_to(2));
/// assert!(!policy.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Policy {
    /// How long a connection to an endpoint may take to be made.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub connect_timeout: Option<Timeout>,
    /// How long an endpoint may take to begin its answer while the request makes no progress; 504 then.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub response_timeout: Option<Timeout>,
    /// How long an endpoint may say nothing in the middle of its answer, and both sides of a tunnel.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub idle_timeout: Option<Timeout>,
    /// How long the whole exchange may take, from the request's head to the last byte of the answer, retries
    /// included; 504 if the answer has not begun by then, and broken off if it has.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub request_timeout: Option<Timeout>,
    /// Whether other endpoints are asked where one failed.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub retries: Option<Retries>,
    /// How many bytes the body of a request may have; 413 beyond.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub max_body_size: Option<u64>,
}

/// How long something may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timeout {
    /// So long.
    After(Duration),
    /// Any time.
    Never,
}

/// When another endpoint is asked, and how often.
///
/// A request of which nothing was sent goes to another endpoint without any of this (ruling R15). Beyond that only
/// requests without a body are repeated, and of these only those with an idempotent method (RFC 9110 section 9.2.2) unless
/// [`Retries::non_idempotent`] says that all may be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Retries {
    /// How many more endpoints are asked at most, each once.
    pub attempts: u32,
    /// After an endpoint that broke off before it answered.
    pub reset: bool,
    /// After an endpoint that did not begin to answer in time.
    pub timeout: bool,
    /// After answers with these statuses, from the first to the last of each pair.
    pub statuses: Vec<(u16, u16)>,
    /// Whether requests are repeated which may then have been acted on twice.
    pub non_idempotent: bool,
}

// ===== impl Policy =====

impl Policy {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

// ===== impl Timeout =====

impl Timeout {
    /// The time, if there is a limit.
    pub fn limit(self) -> Option<Duration> {
        match self {
            Self::After(time) => Some(time),
            Self::Never => None,
        }
    }
}

impl fmt::Display for Timeout {
    /// `1.5s`, or `never`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(time) => write!(f, "{time:?}"),
            Self::Never => f.write_str("never"),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Timeout {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

// ===== impl Retries =====

impl Retries {
    /// So many, after endpoints that broke off or did not begin to answer in time.
    pub fn up_to(attempts: u32) -> Self {
        Self { attempts, reset: true, timeout: true, statuses: Vec::new(), non_idempotent: false }
    }

    /// Whether an answer with this status is given up for another one.
    pub fn is_for_status(&self, status: u16) -> bool {
        self.statuses.iter().any(|&(first, last)| (first..=last).contains(&status))
    }
}
