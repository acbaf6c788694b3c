//! What is known of an endpoint from its use. It outlives every change of the table that keeps the endpoint.

mod ejection;
mod in_flight;
mod latency;
mod window;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::Moment;
use crate::policy::{Outlier, SlowStart};

use ejection::{Ejection, Failed};
use in_flight::InFlight;
use latency::Latency;
pub(crate) use window::{Sweep, Window};

/// A failure counts as an answer that took at least so long, lest who fails fast seems to be fast.
const FAILURE_NANOS: u64 = 1_000_000_000;
/// The part of its share that a new endpoint begins with, in percent.
const MINIMUM: u8 = 10;

/// What is known of an endpoint from its use: how many requests it works on, how fast it answers, whether it fails.
///
/// Kept for each endpoint of each backend in atomics: reading and writing it takes no lock. What every request writes lies
/// apart from what every request reads.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Vitals {
    ejection: Ejection,
    unhealthy: AtomicBool,
    /// When it was first drawn since it is ready; 0 for not yet.
    since: AtomicU64,
    latency: Latency,
    window: Window,
    in_flight: InFlight,
}

/// How a request ended for its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was answered.
    Success,
    /// It was answered, with an error that says nothing of the endpoint as such.
    Error,
    /// Nobody waited for its answer any more, which says of the endpoint that it took so long at least.
    Abandoned,
    /// The endpoint failed, as [`Outlier::on`](crate::Outlier::on) has it.
    Failure,
}

/// What a request's end changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointChange {
    /// The endpoint is ejected for so long.
    Ejected(Duration),
    /// It is back.
    Returned,
}

impl Vitals {
    /// How many requests it works on: what this thread counts, and the others did no more than a millisecond ago.
    #[inline]
    pub fn in_flight(&self, now: Moment) -> u64 {
        u64::from(self.in_flight.about(now))
    }

    /// How many requests it works on at this moment; more work than [`Vitals::in_flight`].
    pub fn in_flight_now(&self) -> u32 {
        self.in_flight.exact().in_flight
    }

    /// The average time until it begins to answer, in microseconds, as [`Algorithm::PeakEwma`](crate::Algorithm::PeakEwma)
    /// sees it; nothing before the first answer.
    #[inline]
    pub fn latency_micros(&self, now: Moment) -> Option<f32> {
        self.latency.micros(now)
    }

    /// Whether it is ejected, or is to answer one request before it gets others.
    pub fn is_ejected(&self) -> bool {
        self.ejection.is_out()
    }

    /// Whether health checks say that it is not well.
    pub fn is_unhealthy(&self) -> bool {
        self.unhealthy.load(Relaxed)
    }

    /// Notes what health checks say. Who is well again starts slowly.
    pub fn set_unhealthy(&self, unhealthy: bool) {
        if self.unhealthy.swap(unhealthy, Relaxed) && !unhealthy {
            self.cool();
        }
    }

    /// Begins a request.
    #[inline]
    pub(crate) fn begin(&self) {
        self.in_flight.begin();
    }

    /// Begins a request unless that were more than `max`.
    pub(crate) fn begin_within(&self, max: u32) -> bool {
        self.in_flight.begin_within(max)
    }

    /// Ends a request.
    #[inline]
    pub(crate) fn end(&self) {
        self.in_flight.end();
    }

    /// Whether it is neither ejected nor unhealthy.
    #[inline]
    pub(crate) fn is_well(&self) -> bool {
        !self.unhealthy.load(Relaxed) && !self.ejection.is_out()
    }

    /// Whether a request may go there for all that is known of it. Where it is at the end of an ejection, that is the one
    /// request that tries it.
    #[inline]
    pub(crate) fn admits(&self, outlier: Option<&Outlier>, now: Moment) -> bool {
        !self.unhealthy.load(Relaxed) && outlier.is_none_or(|outlier| self.ejection.admits(outlier, now))
    }

    /// Whether it gets requests as others do.
    pub(crate) fn is_available(&self, outlier: Option<&Outlier>) -> bool {
        !self.unhealthy.load(Relaxed) && (outlier.is_none() || !self.ejection.is_out())
    }

    /// The part of its share that it gets at this moment, from 0 to 1. The first one to ask begins its time.
    pub(crate) fn warmth(&self, slow_start: &SlowStart, now: Moment) -> f64 {
        let Some(window) = slow_start.window.filter(|window| !window.is_zero()) else { return 1.0 };
        let since = match self.since.load(Relaxed) {
            0 => {
                self.since.store(now.nanos().max(1), Relaxed);
                now
            }
            since => Moment::from_nanos(since),
        };
        let minimum = f64::from(slow_start.minimum.unwrap_or(MINIMUM).min(100)) / 100.0;
        (now.since(since).as_secs_f64() / window.as_secs_f64()).clamp(minimum, 1.0)
    }

    /// Starts slowly when it is drawn again.
    pub(crate) fn cool(&self) {
        self.since.store(0, Relaxed);
    }

    /// Takes in how a request ended. Returns whether the endpoint is to be ejected, or is back.
    #[inline]
    pub(crate) fn note(&self, ending: Ending, outlier: &Outlier, began: Moment, now: Moment) -> Noted {
        let elapsed = now.nanos().saturating_sub(began.nanos());
        match ending {
            Ending::Success => self.latency.note(elapsed, now),
            Ending::Abandoned => {
                self.latency.note_least(elapsed, now);
                return Noted::Nothing;
            }
            Ending::Error | Ending::Failure => {
                self.window.ended_badly(ending == Ending::Failure);
                // Once it is left out, those that were on their way say nothing new.
                if !self.ejection.is_out() {
                    self.latency.note(elapsed.max(FAILURE_NANOS), now);
                }
            }
        }
        if ending == Ending::Failure {
            return match self.ejection.failed(outlier, began, now) {
                Failed::Nothing => Noted::Nothing,
                Failed::InARow(failures) => Noted::Failing(failures),
                Failed::Again => Noted::FailedAgain,
            };
        }
        if !self.ejection.succeeded(began, now) {
            return Noted::Nothing;
        }
        // What was known of it while it failed says nothing any more.
        self.latency.restart(if ending == Ending::Error { elapsed.max(FAILURE_NANOS) } else { elapsed }, now);
        // Who is well again starts slowly.
        self.cool();
        Noted::Returned
    }

    /// Leaves it out, if no other thread just did. What its failures say of its latency is forgotten, or nobody would try
    /// it when that is over.
    pub(crate) fn eject(&self, outlier: &Outlier, now: Moment, random: u64) -> Option<Duration> {
        let time = self.ejection.eject(outlier, now, random)?;
        self.latency.forget();
        Some(time)
    }

    /// Goes on leaving it out.
    pub(crate) fn eject_again(&self, outlier: &Outlier, now: Moment, random: u64) -> Duration {
        self.latency.forget();
        self.ejection.eject_again(outlier, now, random)
    }

    /// The part of the requests that failed lately; nothing where there were few.
    pub(crate) fn failure_share(&self) -> Option<f32> {
        self.window.failure_share(self.in_flight.exact().ended)
    }

    /// How many requests ended since this was last asked, and how many of them well.
    pub(crate) fn take_window(&self) -> (u32, u32) {
        self.window.take(self.in_flight.exact().ended)
    }
}

/// What is to be done about an ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    Nothing,
    /// So many failures in a row would eject it.
    Failing(u32),
    /// The request that tried it failed.
    FailedAgain,
    Returned,
}
