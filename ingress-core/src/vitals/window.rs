//! Success rates, compared from time to time among the endpoints of a set.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::Moment;

/// The time from one comparison to the next.
const INTERVAL: Duration = Duration::from_secs(10);
/// Who had fewer requests in that time says nothing, and so do fewer endpoints that had as many.
const MIN_REQUESTS: u32 = 100;
const MIN_ENDPOINTS: usize = 5;
/// Of how many requests the part that fails says something.
const MIN_SHARE: u32 = 5;

/// The requests of one endpoint that failed, and what was counted when this was last looked at.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// Answered with an error, or not at all.
    bad: AtomicU32,
    seen_bad: AtomicU32,
    /// Failures of the endpoint itself.
    failed: AtomicU32,
    seen_failed: AtomicU32,
    seen_ended: AtomicU32,
}

/// When the endpoints of a backend are compared, or begin to be counted anew, next.
#[derive(Debug, Default)]
pub(crate) struct Sweep(AtomicU64);

impl Window {
    #[inline]
    pub(super) fn ended_badly(&self, is_failure: bool) {
        self.bad.fetch_add(1, Relaxed);
        if is_failure {
            self.failed.fetch_add(1, Relaxed);
        }
    }

    /// The part of the requests that failed since [`Window::take`]; nothing where there were few.
    pub(super) fn failure_share(&self, ended: u32) -> Option<f32> {
        let failed = self.failed.load(Relaxed).wrapping_sub(self.seen_failed.load(Relaxed));
        let ended = ended.wrapping_sub(self.seen_ended.load(Relaxed)).max(failed);
        (ended >= MIN_SHARE).then(|| failed as f32 / ended as f32)
    }

    /// How many requests ended since this was last called, given how many ever did, and how many of them well.
    pub(super) fn take(&self, ended: u32) -> (u32, u32) {
        let bad = self.bad.load(Relaxed);
        self.seen_failed.store(self.failed.load(Relaxed), Relaxed);
        let now_ended = ended.wrapping_sub(self.seen_ended.swap(ended, Relaxed));
        let now_bad = bad.wrapping_sub(self.seen_bad.swap(bad, Relaxed));
        (now_ended, now_ended.saturating_sub(now_bad))
    }
}

impl Sweep {
    /// Whether it is time, which is said to one caller only. The first one begins the time.
    pub(crate) fn is_due(&self, now: Moment) -> bool {
        let at = self.0.load(Relaxed);
        let next = (now + INTERVAL).nanos();
        now.nanos() >= at && self.0.compare_exchange(at, next, Relaxed, Relaxed).is_ok() && at != 0
    }

    /// The places of those whose success rate is below the mean by more than `thousandths` of a standard deviation, for
    /// how many requests ended at each, and how many of them well.
    pub(crate) fn outliers(windows: &[(u32, u32)], thousandths: u32) -> Vec<usize> {
        let rate =
            |&(ended, well): &(u32, u32)| (ended >= MIN_REQUESTS).then(|| f64::from(well) / f64::from(ended));
        let rates: Vec<_> =
            windows.iter().enumerate().filter_map(|(at, window)| Some((at, rate(window)?))).collect();
        if rates.len() < MIN_ENDPOINTS {
            return Vec::new();
        }
        let count = rates.len() as f64;
        let mean = rates.iter().map(|(_, rate)| rate).sum::<f64>() / count;
        let variance = rates.iter().map(|(_, rate)| (rate - mean).powi(2)).sum::<f64>() / count;
        let least = mean - variance.sqrt() * f64::from(thousandths) / 1000.0;
        rates.into_iter().filter(|&(_, rate)| rate < least).map(|(at, _)| at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_far_below_the_mean_is_an_outlier() {
        let good = [(1000, 999), (1000, 1000), (1000, 998), (1000, 997), (500, 499)];
        let with = |more: &[(u32, u32)]| -> Vec<usize> {
            Sweep::outliers(&good.iter().chain(more).copied().collect::<Vec<_>>(), 1900)
        };
        assert_eq!(with(&[(1000, 700)]), [5]);
        assert_eq!(with(&[(99, 0)]), [0; 0], "too few requests");
        assert_eq!(with(&[(1000, 999)]), [0; 0]);
        assert_eq!(Sweep::outliers(&[(1000, 0), (1000, 1000), (1000, 1000), (1000, 1000)], 1900), [0; 0]);
    }

    #[test]
    fn windows_begin_where_the_last_one_ended() {
        let window = Window::default();
        window.ended_badly(true);
        assert_eq!(window.take(10), (10, 9));
        assert_eq!(window.take(15), (5, 5));
        window.ended_badly(true);
        assert_eq!(window.take(u32::MAX), (u32::MAX - 15, u32::MAX - 16));
        assert_eq!(window.take(4), (5, 5), "the count began again");
    }

    #[test]
    fn one_caller_compares_each_time() {
        let (sweep, start) = (Sweep::default(), Moment::START + Duration::from_secs(1));
        assert!(!sweep.is_due(start), "nothing was counted yet");
        assert!(!sweep.is_due(start + INTERVAL / 2));
        assert!(sweep.is_due(start + INTERVAL));
        assert!(!sweep.is_due(start + INTERVAL));
    }
}
