//! A moving average of latencies.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::Moment;

/// The time in which an average falls to half, if nothing else is heard. What is slow now is told by requests in flight at
/// once, and by the average within a second or so; and one answer that took long for a reason of its own is forgotten soon.
const HALF_LIFE: Duration = Duration::from_secs(3);
/// In steps: of the samples within so long of the last one that counted, none counts. So no endpoint's average is written
/// more than a thousand times a second, however many requests it gets, and threads seldom wait for each other's writes.
const BETWEEN_SAMPLES: u32 = 16;

/// Microseconds as a floating-point number in the upper half, and when they were written in the lower half, in steps of
/// 2^16 nanoseconds; 0 is nothing yet.
#[derive(Debug, Default)]
pub(super) struct Latency(AtomicU64);

impl Latency {
    /// The average at this moment, in microseconds.
    #[inline]
    pub(super) fn micros(&self, now: Moment) -> Option<f32> {
        let word = self.0.load(Relaxed);
        (word != 0).then(|| {
            let (average, at) = unpack(word);
            average * faded(elapsed(at, now))
        })
    }

    /// Forgets what was known.
    pub(super) fn forget(&self) {
        self.0.store(0, Relaxed);
    }

    /// Forgets what was known, but for this sample.
    pub(super) fn restart(&self, sample: u64, now: Moment) {
        self.0.store(pack(micros(sample).max(1.0), now), Relaxed);
    }

    /// Takes in that a sample would be so many nanoseconds long at least.
    pub(super) fn note_least(&self, sample: u64, now: Moment) {
        if self.micros(now).is_none_or(|average| micros(sample) > average) {
            self.note(sample, now);
        }
    }

    /// Takes a sample in, in nanoseconds: it weighs as much as the time since the last one. Of two threads that do so at the
    /// same time, one may be in vain.
    #[inline]
    pub(super) fn note(&self, sample: u64, now: Moment) {
        // Whatever is faster than the clock tells is as fast as it tells.
        let sample = micros(sample).max(1.0);
        let word = self.0.load(Relaxed);
        if word == 0 {
            self.0.store(pack(sample, now), Relaxed);
            return;
        }
        let (average, at) = unpack(word);
        let elapsed = elapsed(at, now);
        if elapsed >= BETWEEN_SAMPLES {
            let old = faded(elapsed);
            self.0.store(pack(average * old + sample * (1.0 - old), now), Relaxed);
        }
    }
}

#[inline]
fn micros(nanos: u64) -> f32 {
    // Signed numbers are converted by one instruction.
    nanos as i64 as f32 * 1e-3
}

fn pack(average: f32, now: Moment) -> u64 {
    u64::from(average.to_bits()) << 32 | u64::from(steps(now))
}

fn unpack(word: u64) -> (f32, u32) {
    (f32::from_bits((word >> 32) as u32), word as u32)
}

fn steps(now: Moment) -> u32 {
    (now.nanos() >> 16) as u32
}

/// In steps. Threads read their clocks at different times: of what another one wrote later no time has passed. It begins
/// again after 39 hours, when an endpoint of which nothing was heard seems to have been heard of lately.
#[inline]
fn elapsed(at: u32, now: Moment) -> u32 {
    (steps(now).wrapping_sub(at) as i32).max(0) as u32
}

/// What is left of 1 after so many steps: two to the power of minus the half lives, between whole ones in a straight line,
/// which is at most 6 % too much. That is how a float's bits are its logarithm, so the half lives are taken from those of 1.
#[inline]
fn faded(elapsed: u32) -> f32 {
    const ONE: u64 = 127 << 23;
    /// Half lives in a step, in units of 2^-23, and 2^16 of them.
    const IN_STEP: u64 = (1 << (23 + 16 + 16)) / HALF_LIFE.as_nanos() as u64;
    let halves = (u64::from(elapsed) * IN_STEP) >> 16;
    f32::from_bits((ONE - halves.min(ONE)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn after(millis: u64) -> Moment {
        Moment::START + Duration::from_millis(5000 + millis)
    }

    #[test]
    fn an_average_fades_as_an_exponential_does() {
        for tenths in 0..400u32 {
            let time = Duration::from_millis(u64::from(tenths) * 100);
            let exact = (-time.as_secs_f32() / HALF_LIFE.as_secs_f32()).exp2();
            let found = faded((time.as_nanos() >> 16) as u32);
            assert!((found / exact - 1.0).abs() < 0.063, "{found} for {exact} after {time:?}");
        }
        assert_eq!(faded(u32::MAX / 2), 0.0);
    }

    #[test]
    fn what_lasts_counts_within_a_second_and_what_happens_once_does_not() {
        let latency = Latency::default();
        assert_eq!(latency.micros(after(0)), None);
        (0..1000).for_each(|n| latency.note(10 * MS, after(4 * n)));
        latency.note(1000 * MS, after(4000));
        let once = latency.micros(after(4000)).unwrap();
        assert!((10_000.0..12_000.0).contains(&once), "{once}");
        (0..250).for_each(|n| latency.note(100 * MS, after(4004 + 4 * n)));
        let lasting = latency.micros(after(5000)).unwrap();
        assert!((20_000.0..40_000.0).contains(&lasting), "{lasting}");
        (0..5000).for_each(|n| latency.note(10 * MS, after(5004 + 4 * n)));
        let settled = latency.micros(after(25_000)).unwrap();
        assert!((9_900.0..12_000.0).contains(&settled), "{settled}");
    }

    #[test]
    fn many_samples_at_once_are_one_write() {
        let latency = Latency::default();
        latency.note(10 * MS, after(0));
        let word = latency.0.load(Relaxed);
        latency.note(5 * MS, after(0));
        latency.note(500 * MS, Moment::START);
        assert_eq!(latency.0.load(Relaxed), word);
        assert_eq!(latency.micros(Moment::START), Some(10_000.0), "read with a moment before it");
        latency.note(5 * MS, after(2));
        assert_ne!(latency.0.load(Relaxed), word);
    }
}
