//! Of two at random, the one with fewer requests in flight.

use super::draw::Draw;
use super::random::{Random, one_of};
use super::{Balance, Members};

/// The power of two choices (Mitzenmacher 2001). Both are drawn by weight; the one with fewer requests for its weight is
/// taken, and the first where they have equally many, so that without load the shares are those of the weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeastRequest<'s>(pub(crate) &'s Random);

impl Balance for LeastRequest<'_> {
    #[inline]
    fn pick(&self, members: Members<'_>, draw: &Draw) -> Option<usize> {
        better_of_two(self.0, draw, |first, second| {
            let load = |at: usize| members.vitals(at).in_flight(draw.now);
            let weight = |at: usize| u64::from(members.endpoint(at).weight());
            load(second) * weight(first) < load(first) * weight(second)
        })
    }
}

/// Draws two, and takes the second where it is better.
#[inline]
pub(super) fn better_of_two(
    random: &Random,
    draw: &Draw,
    is_better: impl FnOnce(usize, usize) -> bool,
) -> Option<usize> {
    let (first, second) = random.pair(draw.bits())?;
    let take_second = match draw.second {
        Some(second) => second,
        None => is_better(first, second),
    };
    Some(one_of(take_second, second, first))
}
