//! So many in so long.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// The most of a rate and of a burst: what is more is no limit for one client.
const MAX: u32 = 1_000_000;

/// How many requests may come in which time.
///
/// ```
/// use std::time::Duration;
/// use ingress_core::{Period, Rate, RateLimit};
///
/// let rate: Rate = "600/m".parse()?;
/// assert_eq!(rate, Rate::new(600, Period::Minute)?);
/// assert_eq!(rate.interval(), Duration::from_millis(100));
/// assert_eq!(rate.default_burst().get(), 10);
/// assert_eq!("0".parse(), Ok(RateLimit::Unlimited));
/// # Ok::<(), ingress_core::RateError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rate {
    requests: NonZeroU32,
    period: Period,
}

/// The time of a [`Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Period {
    /// A second, `s`.
    Second,
    /// A minute, `m`.
    Minute,
    /// An hour, `h`.
    Hour,
}

/// How many requests a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RateLimit {
    /// So many in so long.
    UpTo(Rate),
    /// Any number, whatever else is said elsewhere.
    Unlimited,
}

/// A text that is no rate, or a number that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no rate such as 10/s, 600/m or 5000/h, of at most {MAX}")]
pub struct RateError(String);

// ===== impl Rate =====

impl Rate {
    /// So many requests in this time.
    ///
    /// # Errors
    ///
    /// [`RateError`] where there are none, or more than a million.
    pub fn new(requests: u32, period: Period) -> Result<Self, RateError> {
        match NonZeroU32::new(requests).filter(|requests| requests.get() <= MAX) {
            Some(requests) => Ok(Self { requests, period }),
            None => Err(RateError(format!("{requests}/{}", period.letter()))),
        }
    }

    /// The time from one request to the next, where they come evenly; not shorter than the rate says.
    pub fn interval(self) -> Duration {
        let nanos = self.period.time().as_nanos().div_ceil(u128::from(self.requests.get()));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How many requests may come at once where nobody says it: as many as a second has, rounded up.
    pub fn default_burst(self) -> NonZeroU32 {
        let seconds = u32::try_from(self.period.time().as_secs()).unwrap_or(u32::MAX);
        NonZeroU32::new(self.requests.get().div_ceil(seconds)).unwrap_or(NonZeroU32::MIN)
    }
}

/// `10/s`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.requests, self.period.letter())
    }
}

/// A number, `/`, and `s`, `m` or `h`. Spaces may stand around each.
impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let error = || RateError(text.into());
        let (requests, period) = text.split_once('/').ok_or_else(error)?;
        let period = match period.trim() {
            "s" => Period::Second,
            "m" => Period::Minute,
            "h" => Period::Hour,
            _ => return Err(error()),
        };
        let requests = requests.trim();
        let requests = requests.parse().ok().filter(|_| requests.bytes().all(|byte| byte.is_ascii_digit()));
        requests.and_then(|requests| Self::new(requests, period).ok()).ok_or_else(error)
    }
}

impl Period {
    /// How long it is.
    pub fn time(self) -> Duration {
        Duration::from_secs(match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
        })
    }

    fn letter(self) -> char {
        match self {
            Self::Second => 's',
            Self::Minute => 'm',
            Self::Hour => 'h',
        }
    }
}

// ===== impl RateLimit =====

impl RateLimit {
    /// The rate, if there is a limit.
    pub fn rate(self) -> Option<Rate> {
        match self {
            Self::UpTo(rate) => Some(rate),
            Self::Unlimited => None,
        }
    }
}

/// `10/s`, or `0` for any number.
impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UpTo(rate) => rate.fmt(f),
            Self::Unlimited => f.write_str("0"),
        }
    }
}

impl FromStr for RateLimit {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        match text.trim() {
            "0" => Ok(Self::Unlimited),
            text => text.parse().map(Self::UpTo),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for RateLimit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_written() {
        // The rate, the nanoseconds between two, and how many may come at once.
        let table = [
            ("10/s", 100_000_000, 10),
            ("3/s", 333_333_334, 3),
            ("600/m", 100_000_000, 10),
            ("59/m", 1_016_949_153, 1),
            ("61/m", 983_606_558, 2),
            ("5000/h", 720_000_000, 2),
            ("1/h", 3_600_000_000_000, 1),
            ("1000000/s", 1000, 1_000_000),
        ];
        for (text, nanos, burst) in table {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(rate.to_string(), text);
            assert_eq!((rate.interval().as_nanos(), rate.default_burst().get()), (nanos, burst), "{text}");
            assert_eq!(text.parse(), Ok(RateLimit::UpTo(rate)));
        }
        assert_eq!(" 10 / s\n".parse::<RateLimit>().unwrap().to_string(), "10/s");
        assert_eq!(" 0 ".parse::<RateLimit>().unwrap(), RateLimit::Unlimited);
        assert_eq!(RateLimit::Unlimited.to_string(), "0");
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in [
            "",
            "10",
            "/s",
            "10/",
            "10/d",
            "10/sec",
            "10/S",
            "0/s",
            "-1/s",
            "+1/s",
            "1.5/s",
            "1000001/s",
            "10/s/s",
            "99999999999/s",
            "s/10",
            "00",
        ] {
            assert!(text.parse::<RateLimit>().is_err(), "{text:?}");
        }
        assert!(Rate::new(0, Period::Hour).is_err() && Rate::new(MAX + 1, Period::Second).is_err());
    }
}
