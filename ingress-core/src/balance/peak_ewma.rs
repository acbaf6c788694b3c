//! Of two at random, the one that promises the shorter wait.

use super::draw::Draw;
use super::least_request::better_of_two;
use super::random::Random;
use super::{Balance, Members};

/// Latency times requests in flight, for two that are drawn by weight. The latency is a moving average that a slower
/// answer raises at once and faster ones lower over some ten seconds, as in Finagle's and Linkerd's balancers; a failure
/// counts as a slow answer, so that who fails fast gets no more than others. While nothing is known of one of both, their
/// requests in flight are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeakEwma<'s>(pub(crate) &'s Random);

impl Balance for PeakEwma<'_> {
    #[inline]
    fn pick(&self, members: Members<'_>, draw: &Draw) -> Option<usize> {
        better_of_two(self.0, draw, |first, second| {
            let latency = |at: usize| members.vitals(at).latency_micros(draw.now);
            let latencies = match (latency(first), latency(second)) {
                (Some(first), Some(second)) => (first, second),
                _ => (1.0, 1.0),
            };
            let wait = |at: usize, latency: f32| {
                latency * (members.vitals(at).in_flight(draw.now) + 1) as f32
                    / members.endpoint(at).weight().max(1) as f32
            };
            let (wait_first, wait_second) = (wait(first, latencies.0), wait(second, latencies.1));
            wait_second < wait_first
        })
    }
}
