//! What a choice depends on besides the endpoints: numbers from outside, so that it can be repeated.

use std::ops::Add;
use std::time::Duration;

/// A moment, as time since one that the caller has chosen once and for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Moment(u64);

/// The numbers by which one endpoint is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Draw {
    /// Counted up by one for each request for a backend.
    pub ticket: u64,
    /// 64 random bits.
    pub random: u64,
    /// What a part of the request hashes to ([`hash_key`]), if requests are told apart by it.
    pub key: Option<u64>,
    /// How many endpoints were drawn before and could not be used.
    pub step: u32,
    /// Of two endpoints whose loads are compared, whether to take the second, whatever their loads are: to repeat a
    /// choice.
    pub second: Option<bool>,
    /// The present.
    pub now: Moment,
}

// ===== impl Moment =====

impl Moment {
    /// The one at which a program begins to count.
    pub const START: Self = Self(0);

    /// So long after the start.
    pub fn after(time: Duration) -> Self {
        Self(nanos(time))
    }

    /// The time since an earlier moment; none since a later one.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    pub(crate) fn nanos(self) -> u64 {
        self.0
    }

    pub(crate) fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(nanos(time)))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

// ===== impl Draw =====

impl Draw {
    /// The first draw of a request.
    pub fn new(ticket: u64, random: u64, now: Moment) -> Self {
        Self { ticket, random, now, ..Self::default() }
    }

    /// That of a program without randomness or a clock: of equal tickets equal choices.
    pub fn at(ticket: u64) -> Self {
        Self::new(ticket, ticket, Moment::START)
    }

    /// Tells requests apart by a part of them.
    #[must_use]
    pub fn with_key(mut self, key: Option<u64>) -> Self {
        self.key = key;
        self
    }

    /// Other random bits for each step.
    #[inline]
    pub fn bits(&self) -> u64 {
        mix(self.random.wrapping_add(u64::from(self.step)))
    }

    /// The key, another one for each step; without a key it is random.
    #[inline]
    pub fn hash(&self) -> u64 {
        match (self.key, self.step) {
            (Some(key), 0) => key,
            (Some(key), step) => mix(key.wrapping_add(u64::from(step))),
            (None, _) => self.bits(),
        }
    }
}

/// What a part of a request hashes to, the same on all machines and in all versions (SipHash-1-3 without a key).
pub fn hash_key(bytes: &[u8]) -> u64 {
    siphasher::sip::SipHasher13::new().hash(bytes)
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014): neighbouring numbers give unrelated ones.
#[inline]
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number below `limit`, as likely as any other as far as matters (Lemire 2019).
#[inline]
pub(crate) fn below(bits: u64, limit: u64) -> u64 {
    ((u128::from(bits) * u128::from(limit)) >> 64) as u64
}

/// A number from 0 to 1.
#[inline]
pub(crate) fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}
