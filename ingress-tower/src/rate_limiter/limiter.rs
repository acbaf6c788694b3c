//! The limiter itself.

use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::Quota;
use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use ingress_core::Rate;
use tokio::time::Instant;

use super::Room;
use super::store::{Store, Table};

/// With the longest interval, an hour, a larger burst would last for longer than the nanoseconds of 64 bits.
const MAX_BURST: u32 = 1_000_000;

/// Lets so many requests of each key in, as routes with a [`RateLimit`](ingress_core::RateLimit) do; for policies of an
/// embedding program. Its memory is bounded whatever the number of keys, and no two threads wait for each other unless
/// their keys are in the same sixteenth of the table.
///
/// ```
/// use ingress_core::Rate;
/// use ingress_tower::RateLimiter;
///
/// let rate: Rate = "1/h".parse()?;
/// let limiter = RateLimiter::new(rate, rate.default_burst());
/// assert_eq!(limiter.check("a").unwrap().remaining, 0);
/// assert!(limiter.check("a").is_err());
/// assert!(limiter.check("b").is_ok());
/// # Ok::<(), ingress_core::RateError>(())
/// ```
pub struct RateLimiter {
    limiter: governor::RateLimiter<u64, Store, Since, StateInformationMiddleware>,
    table: Arc<Table>,
    seed: RandomState,
    since: Since,
    interval: Duration,
    burst: NonZeroU32,
}

/// A request that is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Allowed {
    /// How many more may come at once.
    pub remaining: u32,
    /// The time after which the whole burst may come at once, if none comes until then.
    pub whole_after: Duration,
}

/// A request that is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more requests than may come; the next after {retry_after:?}")]
#[non_exhaustive]
pub struct Refused {
    /// The time after which one may come.
    pub retry_after: Duration,
}

/// Tokio's clock, so that tests may stop it, from some instant on.
#[derive(Clone, Copy, Debug)]
struct Since(Instant);

// ===== impl RateLimiter =====

impl RateLimiter {
    /// Lets requests of each key in at this rate, and so many, a million at most, at once.
    pub fn new(rate: Rate, burst: NonZeroU32) -> Self {
        Self::with_room(rate, burst, Arc::default())
    }

    /// The same, where several limiters share what they may grow by.
    pub(crate) fn with_room(rate: Rate, burst: NonZeroU32, room: Arc<Room>) -> Self {
        let interval = rate.interval().max(Duration::from_nanos(1));
        let burst = burst.min(NonZeroU32::new(MAX_BURST).unwrap_or(NonZeroU32::MIN));
        let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        let table = Arc::new(Table::new(nanos, room));
        let since = Since(Instant::now());
        let quota = Quota::with_period(interval).unwrap_or(Quota::per_hour(NonZeroU32::MIN));
        let store = Store(table.clone());
        let limiter = governor::RateLimiter::new(quota.allow_burst(burst), store, since);
        Self { limiter, table, seed: RandomState::new(), since, interval, burst }
    }

    /// Counts a request of a key, or refuses it; then it does not count.
    ///
    /// # Errors
    ///
    /// [`Refused`], which says when another one may come.
    pub fn check(&self, key: impl Hash) -> Result<Allowed, Refused> {
        match self.limiter.check_key(&self.seed.hash_one(key)) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let whole_after = self.interval.saturating_mul(self.burst.get().saturating_sub(remaining));
                Ok(Allowed { remaining, whole_after })
            }
            Err(not_until) => Err(Refused { retry_after: not_until.wait_time_from(self.since.now()) }),
        }
    }

    /// How many requests may come at once.
    pub fn burst(&self) -> NonZeroU32 {
        self.burst
    }

    /// The time in which a whole burst may come again.
    pub fn window(&self) -> Duration {
        self.interval.saturating_mul(self.burst.get())
    }

    /// Whether it says of every key what a new limiter would.
    pub(crate) fn is_idle(&self) -> bool {
        self.table.is_over(self.since.now().as_u64())
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter")
            .field("interval", &self.interval)
            .field("burst", &self.burst)
            .finish_non_exhaustive()
    }
}

impl Clock for Since {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let nanos = Instant::now().saturating_duration_since(self.0).as_nanos();
        Nanos::new(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limiter(rate: &str, burst: u32) -> RateLimiter {
        RateLimiter::new(rate.parse().unwrap(), NonZeroU32::new(burst).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_then_the_rate() {
        let limiter = limiter("10/s", 3);
        for remaining in [2, 1, 0] {
            assert_eq!(limiter.check("a").unwrap().remaining, remaining);
        }
        let refused = limiter.check("a").unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_millis(100));
        assert_eq!(limiter.check("b").unwrap().remaining, 2, "keys are apart");
        tokio::time::advance(Duration::from_millis(99)).await;
        assert_eq!(limiter.check("a").unwrap_err().retry_after, Duration::from_millis(1));
        tokio::time::advance(Duration::from_millis(1)).await;
        let allowed = limiter.check("a").unwrap();
        assert_eq!((allowed.remaining, allowed.whole_after), (0, Duration::from_millis(300)));
        assert!(limiter.check("a").is_err() && !limiter.is_idle());
        tokio::time::advance(limiter.window()).await;
        assert!(limiter.is_idle());
        assert_eq!(limiter.check("a").unwrap().remaining, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_largest_numbers_are_counted() {
        let limiter = RateLimiter::new("1/h".parse().unwrap(), NonZeroU32::MAX);
        for passed in 1..=1000 {
            assert_eq!(limiter.check(1).unwrap().remaining, MAX_BURST - passed);
        }
        let limiter = self::limiter("1/h", 1);
        tokio::time::advance(Duration::from_secs(3600 * 24 * 365 * 100)).await;
        assert!(limiter.check(1).is_ok() && limiter.check(1).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_limited_client_stays_limited_while_a_million_others_pass() {
        let limiter = limiter("10/s", 5);
        while limiter.check("busy").is_ok() {}
        let mut refused = 0;
        for other in 0..1_000_000_u32 {
            refused += u32::from(limiter.check(other).is_err());
            if other % 1000 == 0 {
                assert!(limiter.check("busy").is_err(), "after {other} others");
            }
        }
        assert_eq!(refused, 0, "to be forgotten refuses nobody");
        assert!(limiter.table.len() <= super::super::store::MAX_KEYS);
        tokio::time::advance(Duration::from_millis(100)).await;
        assert!(limiter.check("busy").is_ok());
        assert!(limiter.check("busy").is_err());
    }

    #[test]
    fn threads_let_in_no_more_together() {
        let limiter = limiter("1/h", 1000);
        let passed = std::thread::scope(|scope| {
            let one = || (0..1000).filter(|_| limiter.check("one").is_ok()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(passed, 1000);
    }

    /// The algorithm in its shortest form: the moment at which the burst is whole again.
    struct Oracle {
        interval: u128,
        burst: u128,
        whole: u128,
    }

    impl Oracle {
        fn lets_in(&mut self, now: u128) -> bool {
            let next = self.whole.max(now) + self.interval;
            let may = next <= now + self.interval * self.burst;
            if may {
                self.whole = next;
            }
            may
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_window_lets_in_more_than_its_share(
            rate in (1_u32..2000, prop::sample::select(vec!["s", "m", "h"])),
            burst in 1_u32..50,
            pauses in prop::collection::vec(prop_oneof![Just(0_u64), 0..2_000_000_u64, 0..3_000_000_000_u64], 1..300),
        ) {
            let rate: Rate = format!("{}/{}", rate.0, rate.1).parse().unwrap();
            let interval = rate.interval().as_nanos();
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let limiter = RateLimiter::new(rate, NonZeroU32::new(burst).unwrap());
                let mut oracle = Oracle { interval, burst: burst.into(), whole: 0 };
                let mut passed = Vec::new();
                let start = Instant::now();
                for pause in pauses {
                    tokio::time::advance(Duration::from_nanos(pause)).await;
                    let now = start.elapsed().as_nanos();
                    let may = limiter.check("one").is_ok();
                    prop_assert_eq!(may, oracle.lets_in(now));
                    if may {
                        passed.push(now);
                    }
                }
                for (first, from) in passed.iter().enumerate() {
                    for (last, to) in passed.iter().enumerate().skip(first) {
                        let count = (last - first + 1) as u128;
                        prop_assert!(count <= u128::from(burst) + (to - from) / interval + 1);
                    }
                }
                Ok(())
            })?;
        }
    }
}
