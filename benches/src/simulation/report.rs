//! What came of the requests.

use std::ops::Range;

use super::queue::Scenario;
use super::{SECOND, Time};

/// What came of the requests, by the second in which they arrived.
#[derive(Clone, Debug)]
pub struct Report {
    seconds: Vec<Second>,
    /// Whose shares are compared.
    healthy: usize,
}

#[derive(Clone, Debug, Default)]
struct Second {
    /// By endpoint.
    sent: Vec<u64>,
    /// Seconds to an answer.
    latencies: Vec<f64>,
    errors: usize,
}

/// What came of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered,
    Failed,
    TimedOut,
    /// By an error that is the request's own fault, and no failure to its client.
    Error,
}

impl Report {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let second = Second { sent: vec![0; scenario.endpoints], ..Second::default() };
        Self { seconds: vec![second; scenario.seconds], healthy: scenario.slow() }
    }

    pub(super) fn sent(&mut self, second: usize, server: usize) {
        self.seconds[second].sent[server] += 1;
    }

    pub(super) fn count(&mut self, second: usize, outcome: Outcome, time: Time) {
        let second = &mut self.seconds[second];
        match outcome {
            Outcome::Answered | Outcome::Error => second.latencies.push(time as f64 / SECOND as f64),
            Outcome::Failed | Outcome::TimedOut => second.errors += 1,
        }
    }

    /// How many requests there were.
    pub fn requests(&self, seconds: Range<usize>) -> usize {
        self.seconds[seconds].iter().map(|second| second.latencies.len() + second.errors).sum()
    }

    /// The latency in seconds that this part of the answers of these seconds do not exceed; 0 without any.
    pub fn quantile(&self, seconds: Range<usize>, part: f64) -> f64 {
        let mut all: Vec<f64> =
            self.seconds[seconds].iter().flat_map(|second| &second.latencies).copied().collect();
        if all.is_empty() {
            return 0.0;
        }
        let place = ((all.len() as f64 * part) as usize).min(all.len() - 1);
        *all.select_nth_unstable_by(place, f64::total_cmp).1
    }

    /// The part of the requests of these seconds that failed or took too long.
    pub fn error_share(&self, seconds: Range<usize>) -> f64 {
        let errors: usize = self.seconds[seconds.clone()].iter().map(|second| second.errors).sum();
        errors as f64 / self.requests(seconds).max(1) as f64
    }

    /// The part of the requests of these seconds that were sent to one endpoint.
    pub fn share(&self, seconds: Range<usize>, server: usize) -> f64 {
        let sent: u64 = self.seconds[seconds.clone()].iter().map(|second| second.sent[server]).sum();
        sent as f64 / self.requests(seconds).max(1) as f64
    }

    /// How many times as many requests as the mean the busiest one of the healthy endpoints was sent.
    pub fn imbalance(&self) -> f64 {
        let shares = (0..self.healthy).map(|server| self.share(0..self.seconds.len(), server));
        let (sum, most) = shares.fold((0.0, 0.0f64), |(sum, most), share| (sum + share, most.max(share)));
        most * self.healthy as f64 / sum
    }
}
