//! When an endpoint is left out because requests to it fail.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::Moment;
use crate::balance::fraction;
use crate::policy::Outlier;

const FAILURES: u32 = 5;
const TIME: Duration = Duration::from_secs(5);
const MAX_TIME: Duration = Duration::from_secs(300);

/// Failures in a row, and what came of them. Written only when something fails, or is well again.
#[derive(Debug, Default)]
pub(super) struct Ejection {
    failures: AtomicU32,
    /// How often in a row it was ejected.
    times: AtomicU32,
    /// When the present ejection began, and when it ends; 0 without one. After its end it is kept until a request succeeds.
    begun: AtomicU64,
    until: AtomicU64,
    /// When the last one was lifted.
    lifted: AtomicU64,
}

impl Ejection {
    /// Whether it is ejected, or waits for a request to succeed.
    #[inline]
    pub(super) fn is_out(&self) -> bool {
        self.until.load(Relaxed) != 0
    }

    /// Whether a request may go there. At the end of an ejection one may, and the ejection begins anew until that has
    /// succeeded.
    #[inline]
    pub(super) fn admits(&self, outlier: &Outlier, now: Moment) -> bool {
        self.until.load(Relaxed) == 0 || self.admits_probe(outlier, now)
    }

    #[cold]
    fn admits_probe(&self, outlier: &Outlier, now: Moment) -> bool {
        let until = self.until.load(Relaxed);
        if until == 0 || now.nanos() < until {
            return until == 0;
        }
        // As if it had failed, so that one which never answers is tried ever more seldom.
        let times = self.times.load(Relaxed).saturating_add(1);
        let next = now + nth(outlier, times);
        let is_first = self.until.compare_exchange(until, next.nanos(), Relaxed, Relaxed).is_ok();
        if is_first {
            self.times.store(times, Relaxed);
        }
        is_first
    }

    /// A request succeeded that began then. Returns whether that lifts an ejection; what was sent before it says nothing.
    #[inline]
    pub(super) fn succeeded(&self, began: Moment, now: Moment) -> bool {
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
        self.until.load(Relaxed) != 0 && self.lift(began, now)
    }

    #[cold]
    fn lift(&self, began: Moment, now: Moment) -> bool {
        let lifts = began.nanos() > self.begun.load(Relaxed) && self.until.swap(0, Relaxed) != 0;
        if lifts {
            self.lifted.store(now.nanos(), Relaxed);
        }
        lifts
    }

    /// A request failed that began then. Returns whether the endpoint is to be ejected.
    pub(super) fn failed(&self, outlier: &Outlier, began: Moment, now: Moment) -> Failed {
        let failures = self.failures.fetch_add(1, Relaxed).saturating_add(1);
        if self.is_out() {
            // Once for each time that one was let through.
            let begun = Moment::from_nanos(self.begun.load(Relaxed));
            let is_probe = began > begun && now.since(begun) >= self.time(outlier) / 4;
            return if is_probe { Failed::Again } else { Failed::Nothing };
        }
        match outlier.failures.unwrap_or(FAILURES) {
            most if most > 0 && failures >= most => Failed::InARow(failures),
            _ => Failed::Nothing,
        }
    }

    /// Ejects it, for longer each time that it has not been well for as long as it was out. Returns for how long; nothing
    /// where another thread was faster.
    pub(super) fn eject(&self, outlier: &Outlier, now: Moment, random: u64) -> Option<Duration> {
        let times = self.times.load(Relaxed);
        let lifted = Moment::from_nanos(self.lifted.load(Relaxed));
        let is_new = now.since(lifted) >= nth(outlier, times);
        let times = if is_new { 1 } else { times.saturating_add(1) };
        let time = vary(nth(outlier, times), random);
        self.until.compare_exchange(0, (now + time).nanos().max(1), Relaxed, Relaxed).ok()?;
        self.begin(times, now);
        Some(time)
    }

    /// Goes on with an ejection, after the request that tried the endpoint failed. Returns for how long.
    pub(super) fn eject_again(&self, outlier: &Outlier, now: Moment, random: u64) -> Duration {
        let times = self.times.load(Relaxed);
        let time = vary(nth(outlier, times), random);
        self.until.store((now + time).nanos().max(1), Relaxed);
        self.begin(times, now);
        time
    }

    fn begin(&self, times: u32, now: Moment) {
        self.times.store(times, Relaxed);
        self.failures.store(0, Relaxed);
        self.begun.store(now.nanos(), Relaxed);
    }

    /// How long the present ejection lasts, but for chance.
    fn time(&self, outlier: &Outlier) -> Duration {
        nth(outlier, self.times.load(Relaxed))
    }
}

/// What a failure makes of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    Nothing,
    /// So many in a row, which are enough to eject it.
    InARow(u32),
    /// The request that tried an ejected endpoint failed.
    Again,
}

/// A fifth more or less.
fn vary(time: Duration, random: u64) -> Duration {
    time.mul_f64(0.8 + 0.4 * fraction(random))
}

/// How long the nth ejection in a row lasts.
fn nth(outlier: &Outlier, times: u32) -> Duration {
    let (first, most) = (outlier.time.unwrap_or(TIME), outlier.max_time.unwrap_or(MAX_TIME));
    first.saturating_mul(1 << times.saturating_sub(1).min(20)).min(most.max(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    /// Of 0.8 to 1.2 the middle.
    const HALF: u64 = 1 << 63;

    fn outlier() -> Outlier {
        Outlier { failures: Some(2), time: Some(SECOND), max_time: Some(4 * SECOND), ..Outlier::default() }
    }

    #[test]
    fn failures_in_a_row_eject_for_twice_as_long_each_time() {
        let (state, outlier) = (Ejection::default(), outlier());
        let mut now = Moment::START + SECOND;
        assert_eq!(state.failed(&outlier, now, now), Failed::Nothing);
        assert!(!state.succeeded(now, now));
        assert_eq!(state.failed(&outlier, now, now), Failed::Nothing);
        assert_eq!(state.failed(&outlier, now, now), Failed::InARow(2));
        assert_eq!(state.eject(&outlier, now, HALF), Some(SECOND));
        assert_eq!(state.eject(&outlier, now, HALF), None, "another thread was faster");
        for (lasts, next) in [(1, 2), (2, 4), (4, 4)] {
            let before = now;
            assert!(!state.admits(&outlier, now + lasts * SECOND / 2));
            now = now + lasts * SECOND;
            assert!(state.admits(&outlier, now), "one request");
            assert!(!state.admits(&outlier, now), "and no other");
            assert!(!state.succeeded(before, now), "what was sent before says nothing");
            assert_eq!(state.failed(&outlier, before, now), Failed::Nothing);
            assert_eq!(state.failed(&outlier, now, now), Failed::Again);
            assert_eq!(state.eject_again(&outlier, now, HALF), next * SECOND);
        }
    }

    #[test]
    fn who_never_answers_is_tried_ever_more_seldom() {
        let (state, outlier) = (Ejection::default(), Outlier { max_time: Some(60 * SECOND), ..outlier() });
        let mut now = Moment::START + SECOND;
        state.eject(&outlier, now, HALF);
        let mut tried = 0;
        for _ in 0..600 {
            now = now + SECOND / 10;
            tried += u32::from(state.admits(&outlier, now));
        }
        assert_eq!(tried, 5, "after 1, 3, 7, 15 and 31 seconds");
    }

    #[test]
    fn a_success_lifts_an_ejection_and_health_makes_the_next_one_short() {
        let (state, outlier) = (Ejection::default(), outlier());
        let mut now = Moment::START + SECOND;
        for wait in [0, 10] {
            now = now + wait * SECOND;
            assert_eq!(state.eject(&outlier, now, HALF), Some(SECOND));
            now = now + SECOND;
            assert!(state.is_out() && state.admits(&outlier, now));
            assert!(state.succeeded(now, now + SECOND / 100));
            assert!(!state.is_out() && state.admits(&outlier, now));
        }
        now = now + SECOND / 10;
        assert!(state.eject(&outlier, now, HALF).is_some_and(|time| time >= 2 * SECOND));
    }

    #[test]
    fn chance_keeps_gateways_apart() {
        let times = [0, u64::MAX].map(|random| {
            let state = Ejection::default();
            state.eject(&outlier(), Moment::START + SECOND, random).unwrap().as_millis()
        });
        assert_eq!(times, [800, 1200]);
        let never = Outlier { failures: Some(0), ..outlier() };
        assert_eq!(Ejection::default().failed(&never, Moment::START, Moment::START), Failed::Nothing);
    }
}
