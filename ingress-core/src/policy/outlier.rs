//! Leaving out endpoints that fail.

use std::time::Duration;

/// When an endpoint is ejected: left out for a while because requests to it fail. What is `None` is left to whoever
/// serves the table.
///
/// An ejected endpoint is tried with one request each time that its ejection ends; if that succeeds it is back, and if not,
/// it is out for twice as long. Where too few endpoints are left, ejections count for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Outlier {
    /// How many failures in a row eject an endpoint; 0 is any number, and `None` is 5.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub failures: Option<u32>,
    /// What a failure is; `None` is [`Failures::default`].
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub on: Option<Failures>,
    /// How long the first ejection lasts; each one after it twice as long, all of them by a fifth more or less. `None` is 5
    /// seconds.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub time: Option<Duration>,
    /// How long an ejection lasts at most; `None` is 5 minutes.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub max_time: Option<Duration>,
    /// The percentage of the endpoints that may be ejected at a time, but always one of several; `None` is 50.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub max_ejected: Option<u8>,
    /// The percentage of available endpoints below which all are used, ejected and unhealthy ones too; `None` is 25.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub panic: Option<u8>,
    /// How many thousandths of a standard deviation the share of an endpoint's requests that succeed may be below the mean
    /// of the set, looked at every 10 seconds where at least 5 endpoints had 100 requests or more each; 0, or `None`, is
    /// any number.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub success_rate: Option<u32>,
}

/// Which outcomes of a request are failures of its endpoint. That no connection can be made always is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Failures {
    /// It broke off before it answered.
    pub reset: bool,
    /// It did not begin to answer in time.
    pub timeout: bool,
    /// Answers with these statuses, from the first to the last of each pair.
    pub statuses: Vec<(u16, u16)>,
}

// ===== impl Outlier =====

impl Outlier {
    /// What holds where nothing is said.
    pub(crate) const DEFAULT: Self = Self {
        failures: None,
        on: None,
        time: None,
        max_time: None,
        max_ejected: None,
        panic: None,
        success_rate: None,
    };

    /// Whether anything makes it eject an endpoint, so that ejections count.
    pub(crate) fn ejects(&self) -> bool {
        self.failures != Some(0) || self.success_rate.is_some_and(|limit| limit > 0)
    }

    /// What it says, and what it leaves open as `other` says it.
    pub(super) fn or(&self, other: &Self) -> Self {
        Self {
            failures: self.failures.or(other.failures),
            on: self.on.as_ref().or(other.on.as_ref()).cloned(),
            time: self.time.or(other.time),
            max_time: self.max_time.or(other.max_time),
            max_ejected: self.max_ejected.or(other.max_ejected),
            panic: self.panic.or(other.panic),
            success_rate: self.success_rate.or(other.success_rate),
        }
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

// ===== impl Failures =====

impl Default for Failures {
    /// Whatever a gateway would answer for an endpoint: it breaks off, is silent, or answers 502, 503 or 504.
    fn default() -> Self {
        Self { reset: true, timeout: true, statuses: vec![(502, 504)] }
    }
}

impl Failures {
    /// Of these only.
    pub fn new(reset: bool, timeout: bool, statuses: Vec<(u16, u16)>) -> Self {
        Self { reset, timeout, statuses }
    }

    /// Whether an answer with this status is one.
    pub fn has_status(&self, status: u16) -> bool {
        self.statuses.iter().any(|&(first, last)| (first..=last).contains(&status))
    }
}
