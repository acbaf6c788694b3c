//! A moving average of latencies that follows peaks at once.

use std::f32::consts::LN_2;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::Moment;

/// The time in which an average falls to half, if nothing else is heard: that to 1/e is ten seconds, as in Finagle.
const HALF_LIFE: Duration = Duration::from_nanos(6_931_471_806);
/// Of the samples within so long of the last one that counted, only peaks count. So no endpoint's average is written more
/// than a thousand times a second, however many requests it gets, and threads seldom wait for each other's writes.
const BETWEEN_SAMPLES: Duration = Duration::from_millis(1);
/// A sample is a peak if it is so many times the average.
const PEAK: f32 = 1.25;

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

    /// Forgets all samples but this one.
    pub(super) fn restart(&self, sample: Duration, now: Moment) {
        self.0.store(pack(micros(sample), now), Relaxed);
    }

    /// Takes in that a sample would be so long at least.
    pub(super) fn note_peak(&self, sample: Duration, now: Moment) {
        if self.micros(now).is_none_or(|average| micros(sample) > average) {
            self.note(sample, now);
        }
    }

    /// Takes a sample in. Of two threads that do so at the same time, one may be in vain.
    #[inline]
    pub(super) fn note(&self, sample: Duration, now: Moment) {
        let sample = micros(sample);
        let word = self.0.load(Relaxed);
        if word == 0 {
            self.0.store(pack(sample, now), Relaxed);
            return;
        }
        let (average, at) = unpack(word);
        let elapsed = elapsed(at, now);
        if sample > average * faded(elapsed) * PEAK {
            self.0.store(pack(sample, now), Relaxed);
        } else if elapsed >= BETWEEN_SAMPLES {
            let old = faded(elapsed);
            self.0.store(pack(average * old + sample * (1.0 - old), now), Relaxed);
        }
    }
}

/// Whatever is faster than the clock tells is as fast as it tells.
fn micros(sample: Duration) -> f32 {
    (sample.as_nanos() as u64 as f32 / 1e3).max(1.0)
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

/// It begins again after 78 hours, when an endpoint of which nothing was heard seems to have been heard of lately.
fn elapsed(at: u32, now: Moment) -> Duration {
    Duration::from_nanos(u64::from(steps(now).wrapping_sub(at)) << 16)
}

/// What is left of 1 after some time: two to the power of minus the half lives, between whole ones by the parabola that has
/// the right ends and the right slope at the beginning, which is at most 1 % too little.
#[inline]
fn faded(elapsed: Duration) -> f32 {
    let halves = elapsed.as_nanos() as u64 as f32 / HALF_LIFE.as_nanos() as f32;
    let whole = halves.floor();
    if whole >= 64.0 {
        return 0.0;
    }
    let power = f32::from_bits((127 - whole as u32) << 23);
    let part = halves - whole;
    power * (1.0 - part * (LN_2 - part * (LN_2 - 0.5)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn an_average_fades_as_an_exponential_does() {
        for tenths in 0..400u32 {
            let time = Duration::from_millis(u64::from(tenths) * 100);
            let exact = (-time.as_secs_f32() / 10.0).exp();
            let found = faded(time);
            assert!((found / exact - 1.0).abs() < 0.01, "{found} for {exact} after {time:?}");
        }
        assert_eq!(faded(Duration::from_secs(3600)), 0.0);
    }

    #[test]
    fn peaks_count_at_once_and_are_forgotten_slowly() {
        let latency = Latency::default();
        let mut now = Moment::START + Duration::from_secs(5);
        assert_eq!(latency.micros(now), None);
        latency.note(10 * MS, now);
        latency.note(500 * MS, now);
        assert_eq!(latency.micros(now).map(|micros| micros as u32), Some(500_000));
        latency.note(10 * MS, now);
        assert_eq!(latency.micros(now).map(|micros| micros as u32), Some(500_000));
        for _ in 0..100 {
            now = now + 100 * MS;
            latency.note(10 * MS, now);
        }
        let after_ten = latency.micros(now).unwrap();
        assert!((180_000.0..210_000.0).contains(&after_ten), "{after_ten}");
        for _ in 0..1000 {
            now = now + 100 * MS;
            latency.note(10 * MS, now);
        }
        let settled = latency.micros(now).unwrap();
        assert!((9_500.0..10_500.0).contains(&settled), "{settled}");
    }

    #[test]
    fn many_samples_at_once_are_one_write() {
        let (latency, now) = (Latency::default(), Moment::START + Duration::from_secs(1));
        latency.note(10 * MS, now);
        let word = latency.0.load(Relaxed);
        latency.note(5 * MS, now);
        latency.note(12 * MS, now + MS / 4);
        assert_eq!(latency.0.load(Relaxed), word);
        latency.note(5 * MS, now + 2 * MS);
        assert_ne!(latency.0.load(Relaxed), word);
    }
}
