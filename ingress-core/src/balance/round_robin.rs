//! In turn, by weight.

use std::collections::HashMap;

use super::draw::Draw;
use super::{Balance, Members};

/// The longest period for which the whole order is written down, in tickets.
const MAX_WRITTEN_PERIOD: u64 = 4096;

/// An order in which every index comes exactly as often in a period as its weight says, as evenly spread
/// as that allows.
#[derive(Clone, Debug)]
pub(crate) enum SmoothOrder {
    /// All weights are equal: one after another.
    Even(u64),
    /// The period written down.
    Written(Box<[u32]>),
    /// Too long to write down: tickets walk the period in golden-ratio steps, which visit each of its
    /// places once and keep neighbours apart.
    Strided { shares: Shares, step: u64 },
}

/// The line from 0 to the sum of all weights, cut into one piece for each index.
#[derive(Clone, Debug)]
pub(crate) struct Shares {
    /// Where each index's piece ends.
    ends: Box<[u64]>,
}

// ===== impl SmoothOrder =====

impl SmoothOrder {
    pub(crate) fn new(weights: impl Iterator<Item = u64>) -> Self {
        let weights: Vec<u64> = weights.collect();
        let divisor = weights.iter().fold(0, |a, &b| gcd(a, b)).max(1);
        let weights: Vec<u64> = weights.iter().map(|weight| weight / divisor).collect();
        let period: u64 = weights.iter().sum();
        if weights.iter().all(|&weight| weight == 1) || period == 0 {
            Self::Even(period)
        } else if period <= MAX_WRITTEN_PERIOD {
            Self::Written(written(&weights))
        } else {
            Self::Strided { step: golden_step(period), shares: Shares::new(weights.into_iter()) }
        }
    }

    #[inline]
    pub(crate) fn at(&self, ticket: u64) -> Option<usize> {
        match self {
            Self::Even(0) => None,
            Self::Even(count) => Some((ticket % count) as usize),
            Self::Written(order) => {
                order.get((ticket % order.len() as u64) as usize).map(|&index| index as usize)
            }
            Self::Strided { shares, step } => Some(shares.strided(ticket, *step)),
        }
    }
}

impl Balance for SmoothOrder {
    /// In turn; whoever comes after one that could not be used is drawn at random, lest the next in the order gets the
    /// requests of two.
    #[inline]
    fn pick(&self, _: Members<'_>, draw: &Draw) -> Option<usize> {
        self.at(if draw.step == 0 { draw.ticket } else { draw.bits() })
    }
}

// ===== impl Shares =====

impl Shares {
    fn new(weights: impl Iterator<Item = u64>) -> Self {
        let ends = weights.scan(0u64, |end, weight| {
            *end += weight;
            Some(*end)
        });
        Self { ends: ends.collect() }
    }

    #[inline(never)]
    fn strided(&self, ticket: u64, step: u64) -> usize {
        let period = self.total();
        let place = u128::from(ticket % period) * u128::from(step) % u128::from(period);
        self.at(place as u64)
    }

    fn total(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    fn at(&self, place: u64) -> usize {
        self.ends.partition_point(|&end| end <= place)
    }
}

// ===== helpers =====

/// Each pick of an index is due somewhere in its equal part of the period, and the order is by due date: in the middle of
/// the part, but where several have the same weight, each at another place, or their picks would come all at once.
fn written(weights: &[u64]) -> Box<[u32]> {
    let mut of_weight: HashMap<u64, u64> = HashMap::new();
    weights.iter().for_each(|&weight| *of_weight.entry(weight).or_default() += 1);
    let mut before: HashMap<u64, u64> = HashMap::new();
    let mut picks: Vec<(u64, u64, u64, u32)> = Vec::new();
    for (index, &weight) in weights.iter().enumerate() {
        let (all, before) = (of_weight[&weight], before.entry(weight).or_default());
        let due = |pick: u64| 2 * all * pick + 2 * *before + 1;
        picks.extend((0..weight).map(|pick| (due(pick), all * weight, weight, index as u32)));
        *before += 1;
    }
    // The first number by the second one, compared by cross multiplication; both stay far below 2^32.
    picks.sort_by(|a, b| (a.0 * b.1).cmp(&(b.0 * a.1)).then(b.2.cmp(&a.2)).then(a.3.cmp(&b.3)));
    picks.into_iter().map(|(.., index)| index).collect()
}

/// A step near the golden section of `period` that shares no divisor with it, so that it visits all.
fn golden_step(period: u64) -> u64 {
    let golden = (period as f64 * 0.618_033_988_749_895) as u64;
    (golden..period).find(|&step| gcd(step, period) == 1).unwrap_or(1)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(weights: &[u64], order: &SmoothOrder, from: u64, tickets: u64) -> Vec<u64> {
        let mut counts = vec![0; weights.len()];
        for ticket in from..from + tickets {
            counts[order.at(ticket).unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn small_orders_read_as_expected() {
        let order = |weights: &[u64]| -> Vec<usize> {
            let order = SmoothOrder::new(weights.iter().copied());
            (0..weights.iter().sum()).map(|ticket| order.at(ticket).unwrap()).collect()
        };
        assert_eq!(order(&[1, 1, 1]), [0, 1, 2]);
        assert_eq!(order(&[3, 1]), [0, 0, 1, 0]);
        assert_eq!(order(&[5, 1, 1]), [0, 1, 0, 0, 0, 2, 0]);
        assert_eq!(order(&[0, 2, 1]), [1, 2, 1]);
        assert!(SmoothOrder::new([0, 0].into_iter()).at(7).is_none());
    }

    /// Round and round, nobody comes more often in a row than needed, give or take one.
    #[test]
    fn nobody_comes_many_times_in_a_row() {
        for (weights, most) in
            [(&[5, 1, 1][..], 3), (&[5, 1, 1, 1], 2), (&[9, 3, 3], 3), (&[2, 2, 1], 2), (&[4, 1], 4)]
        {
            let order = SmoothOrder::new(weights.iter().copied());
            let period: u64 = weights.iter().sum();
            let (mut run, mut longest, mut last) = (0, 0, None);
            for ticket in 0..3 * period {
                let index = order.at(ticket);
                run = if index == last { run + 1 } else { 1 };
                (last, longest) = (index, longest.max(run));
            }
            assert!(longest <= most, "{weights:?}: {longest}");
        }
    }

    proptest! {
        /// Over any window of one period, wherever it begins, each index comes exactly by its weight.
        #[test]
        fn exact_over_each_period(weights in prop::collection::vec(0u64..400, 1..12), from in 0u64..1_000_000) {
            let order = SmoothOrder::new(weights.iter().copied());
            let divisor = weights.iter().fold(0, |a, &b| gcd(a, b)).max(1);
            let want: Vec<_> = weights.iter().map(|weight| weight / divisor).collect();
            let period = want.iter().sum::<u64>();
            prop_assume!(period > 0);
            prop_assert_eq!(counts(&weights, &order, from, period), want);
        }

        /// The same for periods that are not written down.
        #[test]
        fn exact_over_a_long_period(a in 5000u64..9000, b in 1u64..9000, from in 0u64..1_000_000) {
            prop_assume!(gcd(a, b) == 1);
            let order = SmoothOrder::new([a, b].into_iter());
            prop_assert!(!matches!(order, SmoothOrder::Even(_) | SmoothOrder::Written(_)));
            prop_assert_eq!(counts(&[a, b], &order, from, a + b), vec![a, b]);
        }

        /// Over any window at all no index is more than a few picks away from its share.
        #[test]
        fn smooth(weights in prop::collection::vec(1u64..40, 2..6), from in 0u64..1000, len in 1u64..300) {
            let order = SmoothOrder::new(weights.iter().copied());
            let total: u64 = weights.iter().sum();
            for (index, count) in counts(&weights, &order, from, len).into_iter().enumerate() {
                let share = len as f64 * weights[index] as f64 / total as f64;
                prop_assert!((count as f64 - share).abs() <= weights.len() as f64, "{} of {}", count, share);
            }
        }
    }
}
