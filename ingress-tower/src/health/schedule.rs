//! When whom is asked.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::checked::CheckedId;

/// The time from one to the next of those that are new at the same time, unless all of them would take longer than the
/// interval.
const GAP: Duration = Duration::from_millis(10);
/// The part of the interval by which it varies, so that gateways that were started together do not go on together.
const VARIATION: f64 = 0.1;

/// When which endpoint is asked next. One that is being asked is not in it.
#[derive(Debug)]
pub(super) struct Schedule {
    random: fastrand::Rng,
    queue: BTreeSet<(Instant, CheckedId)>,
    times: HashMap<CheckedId, Instant>,
}

impl Schedule {
    pub(super) fn new(random: fastrand::Rng) -> Self {
        Self { random, queue: BTreeSet::new(), times: HashMap::new() }
    }

    /// Plans the first questions to endpoints, each with its interval: one at once, many in random order over the interval.
    pub(super) fn begin(&mut self, mut new: Vec<(CheckedId, Duration)>, now: Instant) {
        self.random.shuffle(&mut new);
        let count = new.len();
        for (number, (id, interval)) in new.into_iter().enumerate() {
            let evenly = interval.mul_f64(number as f64 / count as f64);
            let soon = u32::try_from(number).map_or(evenly, |number| GAP.saturating_mul(number));
            self.set(id, now + evenly.min(soon));
        }
    }

    /// Plans the next question to an endpoint, whose last began at this moment.
    pub(super) fn again(&mut self, id: CheckedId, interval: Duration, began: Instant, now: Instant) {
        let factor = 1.0 - VARIATION + 2.0 * VARIATION * self.random.f64();
        self.set(id, (began + interval.mul_f64(factor)).max(now));
    }

    fn set(&mut self, id: CheckedId, time: Instant) {
        self.forget(id);
        self.queue.insert((time, id));
        self.times.insert(id, time);
    }

    /// Asks an endpoint no more.
    pub(super) fn forget(&mut self, id: CheckedId) {
        if let Some(time) = self.times.remove(&id) {
            self.queue.remove(&(time, id));
        }
    }

    /// When the next one is to be asked.
    pub(super) fn due(&self) -> Option<Instant> {
        self.queue.first().map(|(time, _)| *time)
    }

    /// The one that has waited longest of those whose time has come.
    pub(super) fn take(&mut self, now: Instant) -> Option<CheckedId> {
        self.due().filter(|time| *time <= now)?;
        let (_, id) = self.queue.pop_first()?;
        self.times.remove(&id);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);

    fn schedule() -> Schedule {
        Schedule::new(fastrand::Rng::with_seed(7))
    }

    fn new(count: u64) -> Vec<(CheckedId, Duration)> {
        (0..count).map(|number| (CheckedId(number), INTERVAL)).collect()
    }

    /// When each is asked, in order, after `now`.
    fn times(schedule: &mut Schedule, now: Instant) -> Vec<(Duration, u64)> {
        let mut times = Vec::new();
        while let Some(due) = schedule.due() {
            assert_eq!(schedule.take(due - Duration::from_nanos(1)), None);
            times.push((due - now, schedule.take(due).unwrap().0));
        }
        times
    }

    #[tokio::test(start_paused = true)]
    async fn one_is_asked_at_once_and_many_are_spread_over_the_interval() {
        let now = Instant::now();
        let mut schedule = schedule();
        schedule.begin(new(1), now);
        assert_eq!(times(&mut schedule, now), [(Duration::ZERO, 0)]);

        schedule.begin(new(3), now);
        let few: Vec<_> = times(&mut schedule, now).into_iter().map(|(time, _)| time).collect();
        assert_eq!(few, [0, 10, 20].map(Duration::from_millis));

        schedule.begin(new(10_000), now);
        let many = times(&mut schedule, now);
        let millis: Vec<_> = many.iter().map(|(time, _)| time.as_millis()).collect();
        assert_eq!(millis, (0..10_000).collect::<Vec<_>>());
        assert!(!many.is_sorted_by_key(|(_, number)| number), "each gateway has an order of its own");
        let mut numbers: Vec<_> = many.into_iter().map(|(_, number)| number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..10_000).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn intervals_vary_by_a_tenth_and_begin_with_the_question() {
        let now = Instant::now();
        let mut schedule = schedule();
        let count = 1000;
        for number in 0..count {
            schedule.again(CheckedId(number), INTERVAL, now, now + Duration::from_secs(2));
        }
        let times: Vec<_> = times(&mut schedule, now).into_iter().map(|(time, _)| time).collect();
        let (first, last) = (times[0], times[times.len() - 1]);
        assert!(first >= Duration::from_secs(9) && first < Duration::from_millis(9050), "{first:?}");
        assert!(last <= Duration::from_secs(11) && last > Duration::from_millis(10_950), "{last:?}");
        let mean = times.iter().sum::<Duration>() / count as u32;
        assert!(mean.abs_diff(INTERVAL) < Duration::from_millis(100), "{mean:?}");

        // An answer that took longer than the interval is followed by the next question.
        let late = now + Duration::from_secs(60);
        schedule.again(CheckedId(0), INTERVAL, now, late);
        assert_eq!(schedule.due(), Some(late));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_forgotten_is_not_asked_and_who_is_planned_again_is_asked_once() {
        let now = Instant::now();
        let mut schedule = schedule();
        schedule.begin(new(3), now);
        schedule.forget(CheckedId(1));
        schedule.forget(CheckedId(9));
        schedule.begin(new(1), now);
        let mut numbers: Vec<_> = times(&mut schedule, now).into_iter().map(|(_, number)| number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 2]);
        assert!(schedule.times.is_empty() && schedule.queue.is_empty());
    }
}
