//! What is simulated: endpoints that are queues, and requests for them.

use std::collections::VecDeque;
use std::ops::Range;

use super::{SECOND, Time};
use crate::Random;

/// The mean time in which a healthy endpoint works on a request.
const SERVICE: f64 = 0.02;
/// How widely times of service vary: the standard deviation of their logarithm.
const SPREAD: f64 = 0.5;
/// The time in which a failing endpoint answers.
const FAILURE: Time = SECOND / 1000;
/// How many times as long the slow and the cold endpoint take.
const SLOWNESS: f64 = 10.0;
/// Who asks, and how much more some of them do than others: the n-th asks n^-0.8 times as often as the first.
const CLIENTS: usize = 100_000;
const SKEW: f64 = 0.8;

/// One backend in a bad minute. All endpoints have the same number of workers and a queue without limit. The last three
/// are, in this order, one that is slow from the first third on, one that fails fast in the middle third, and one that
/// comes in the middle and is cold.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// How many endpoints there are once all are.
    pub endpoints: usize,
    /// How many requests each works on at a time.
    pub workers: usize,
    /// How long requests arrive, in seconds.
    pub seconds: usize,
    /// The part of what all endpoints could do, if they were well.
    pub load: f64,
    /// How long clients wait.
    pub timeout: Time,
    /// How many times as long as others the slow endpoint takes.
    pub slowness: f64,
    /// The part of all answers that are failures, at whichever endpoint.
    pub failures: f64,
    /// The part of all answers that are errors of the request's own, which say nothing of the endpoint.
    pub errors: f64,
    /// The part of all requests that are fifty times as much work as others.
    pub heavy: f64,
    /// Of all that is left to chance.
    pub seed: u64,
}

/// An endpoint.
#[derive(Clone, Debug)]
pub(super) struct Server {
    workers: usize,
    busy: usize,
    waiting: VecDeque<usize>,
    condition: Condition,
    /// How many requests clients wait for.
    pub(super) open: usize,
}

#[derive(Clone, Debug)]
enum Condition {
    Healthy,
    /// From then on.
    Slow(Time, f64),
    Failing(Range<Time>),
    /// From the worst to well in this time.
    Cold(Range<Time>),
}

/// Who asks how often.
pub(super) struct Clients(Vec<f64>);

// ===== impl Scenario =====

impl Scenario {
    /// A minute with 20 endpoints of 8 workers, which have six tenths of what they could do, and clients that wait two
    /// seconds.
    pub const FULL: Self = Self {
        endpoints: 20,
        workers: 8,
        seconds: 60,
        load: 0.6,
        timeout: 2 * SECOND,
        slowness: SLOWNESS,
        failures: 0.0,
        errors: 0.0,
        heavy: 0.0,
        seed: 1,
    };
    /// The same in small, for a test.
    pub const TINY: Self = Self { endpoints: 8, workers: 1, seconds: 12, ..Self::FULL };

    /// The place of the one that becomes slow.
    pub fn slow(&self) -> usize {
        self.endpoints - 3
    }

    /// The place of the one that fails.
    pub fn failing(&self) -> usize {
        self.endpoints - 2
    }

    /// The place of the one that comes.
    pub fn cold(&self) -> usize {
        self.endpoints - 1
    }

    /// The seconds in which nothing is wrong.
    pub fn calm(&self) -> Range<usize> {
        0..self.seconds / 3
    }

    /// The seconds from the first thing that goes wrong on, in which the slow one is slow.
    pub fn bad(&self) -> Range<usize> {
        self.seconds / 3..self.seconds
    }

    /// The seconds in which the failing one fails.
    pub fn failing_seconds(&self) -> Range<usize> {
        self.seconds / 3..self.seconds * 2 / 3
    }

    /// The seconds in which the cold one is cold.
    pub fn cold_seconds(&self) -> Range<usize> {
        self.seconds / 2..self.seconds * 2 / 3
    }

    pub(super) fn end(&self) -> Time {
        self.seconds as Time * SECOND
    }

    /// When the cold one comes.
    pub(super) fn joins(&self) -> Time {
        self.cold_seconds().start as Time * SECOND
    }

    pub(super) fn servers(&self) -> Vec<Server> {
        let times = |seconds: Range<usize>| seconds.start as Time * SECOND..seconds.end as Time * SECOND;
        let condition = |place| match place {
            _ if place == self.slow() => Condition::Slow(times(self.bad()).start, self.slowness),
            _ if place == self.failing() => Condition::Failing(times(self.failing_seconds())),
            _ if place == self.cold() => Condition::Cold(times(self.cold_seconds())),
            _ => Condition::Healthy,
        };
        let server = |place| Server {
            workers: self.workers,
            busy: 0,
            waiting: VecDeque::new(),
            condition: condition(place),
            open: 0,
        };
        (0..self.endpoints).map(server).collect()
    }

    pub(super) fn clients(&self) -> Clients {
        let mut sum = 0.0;
        let sums = (1..=CLIENTS).map(|rank| {
            sum += (rank as f64).powf(-SKEW);
            sum
        });
        Clients(sums.collect())
    }

    /// The time from one request to the next: exponential, so that they arrive as a Poisson process.
    pub(super) fn until_next(&self, random: &mut Random) -> Time {
        let rate = self.load * (self.endpoints * self.workers) as f64 / SERVICE;
        to_time(-(1.0 - random.fraction()).ln() / rate)
    }
}

// ===== impl Server =====

impl Server {
    /// How much longer than usual it takes for a request now.
    fn slowness(&self, now: Time) -> f64 {
        match &self.condition {
            Condition::Slow(from, slowness) if now >= *from => *slowness,
            Condition::Cold(time) if now < time.end => {
                let part = now.saturating_sub(time.start) as f64 / (time.end - time.start) as f64;
                SLOWNESS + (1.0 - SLOWNESS) * part
            }
            _ => 1.0,
        }
    }

    pub(super) fn fails(&self, now: Time) -> bool {
        matches!(&self.condition, Condition::Failing(time) if time.contains(&now))
    }

    /// How long a request would take that is sent now, in seconds, for who knows everything.
    pub(super) fn expected_time(&self, now: Time) -> f64 {
        if self.fails(now) {
            return f64::INFINITY;
        }
        let before = (self.open + 1).saturating_sub(self.workers) as f64 / self.workers as f64;
        SERVICE * self.slowness(now) * (1.0 + before)
    }

    /// Takes a request in.
    pub(super) fn enter(&mut self, request: usize) {
        self.open += 1;
        self.waiting.push_back(request);
    }

    /// The next request to work on, if there is one that is not over, and a worker.
    pub(super) fn next(&mut self, is_over: impl Fn(usize) -> bool) -> Option<usize> {
        if self.busy == self.workers {
            return None;
        }
        while let Some(request) = self.waiting.pop_front() {
            if !is_over(request) {
                self.busy += 1;
                return Some(request);
            }
        }
        None
    }

    /// A worker has done its work.
    pub(super) fn free(&mut self) {
        self.busy -= 1;
    }

    /// How long a worker takes that begins now: log-normal.
    pub(super) fn service_time(&self, now: Time, random: &mut Random) -> Time {
        if self.fails(now) {
            return FAILURE;
        }
        let normal = (-2.0 * (1.0 - random.fraction()).ln()).sqrt()
            * (std::f64::consts::TAU * random.fraction()).cos();
        to_time(SERVICE * self.slowness(now) * (SPREAD * normal - SPREAD * SPREAD / 2.0).exp())
    }
}

// ===== impl Clients =====

impl Clients {
    pub(super) fn draw(&self, random: &mut Random) -> usize {
        let place = random.fraction() * self.0.last().copied().unwrap_or(0.0);
        self.0.partition_point(|&end| end <= place)
    }
}

fn to_time(seconds: f64) -> Time {
    (seconds * SECOND as f64) as Time
}
