//! Of two at random, the one that promises the shorter wait.

use super::draw::Draw;
use super::least_request::better_of_two;
use super::random::Random;
use super::{Balance, Members};

/// Latency times requests in flight, for two that are drawn by weight, after Finagle's and ingress-nginx's balancers. The
/// latency is a moving average that an answer moves by as much as time has passed since the last one; it halves in three
/// seconds. As in ingress-nginx, and not as in Finagle, one slow answer does not become the average at once: requests in
/// flight tell a peak sooner, and an answer that was slow for a reason of its own would keep requests away from a good
/// endpoint for long (`benches/simulation.rs` has the figures of both). A failure counts as a slow answer, so that who fails
/// fast gets no more than others. While nothing is known of one of both, their requests in flight are compared.
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
            // In flight for each unit of weight, and one more in units of the mean weight of both, all times both weights: who
            // has nothing to do is not taken for its weight once more, for which it was drawn.
            let weight = |at: usize| members.endpoint(at).weight() as f32;
            let (of_first, of_second) = (weight(first), weight(second));
            let in_flight = |at: usize| members.vitals(at).in_flight(draw.now) as f32;
            let one = (of_first + of_second) / 2.0;
            latencies.1 * (in_flight(second) * of_first + one)
                < latencies.0 * (in_flight(first) * of_second + one)
        })
    }
}
