//! By weight, at random.

use super::draw::{Draw, below, mix};
use super::{Balance, Members};

/// A weighted choice at the cost of one (Walker 1977, in the form of Vose 1991): the weights are cut into columns of equal
/// height, each of which holds parts of at most two.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    columns: Option<Box<[Column]>>,
    /// There are several, and all have the same weight.
    even: bool,
}

#[derive(Clone, Copy, Debug)]
struct Column {
    /// The part of the column, of 2^32, that is its own.
    own: u32,
    /// Whose the rest is.
    other: u32,
}

// ===== impl Random =====

impl Random {
    /// Nothing where no index has any weight.
    pub(crate) fn new(weights: impl Iterator<Item = u64>) -> Self {
        let weights: Vec<u64> = weights.collect();
        let total: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
        let even = weights.len() > 1 && weights.iter().all(|&weight| weight == weights[0]);
        Self { columns: (total > 0).then(|| columns(&weights, total)), even }
    }

    #[inline]
    pub(crate) fn at(&self, bits: u64) -> Option<usize> {
        let columns = self.columns.as_ref()?;
        // The whole part of the product is the column, and what is left of it the place in the column.
        let product = u128::from(bits) * columns.len() as u128;
        let (at, place) = ((product >> 64) as usize, (product as u64 >> 32) as u32);
        let column = columns[at];
        Some(one_of(place < column.own, at, column.other as usize))
    }

    /// Two of them, different ones if there are two with weight.
    #[inline]
    pub(crate) fn pair(&self, bits: u64) -> Option<(usize, usize)> {
        let first = self.at(bits)?;
        let count = self.columns.as_ref()?.len();
        if self.even {
            let second = first + 1 + below(mix(bits), count as u64 - 1) as usize;
            return Some((first, if second < count { second } else { second - count }));
        }
        let mut bits = bits;
        for _ in 0..4 {
            bits = mix(bits);
            let second = self.at(bits)?;
            if second != first {
                return Some((first, second));
            }
        }
        Some((first, first))
    }
}

impl Balance for Random {
    #[inline]
    fn pick(&self, _: Members<'_>, draw: &Draw) -> Option<usize> {
        self.at(draw.bits())
    }
}

/// One of both, without a branch that nobody could predict.
#[inline]
pub(super) fn one_of(is_first: bool, first: usize, second: usize) -> usize {
    second ^ ((first ^ second) & usize::from(is_first).wrapping_neg())
}

fn columns(weights: &[u64], total: u128) -> Box<[Column]> {
    let count = weights.len();
    // In parts of which each column holds `total`.
    let mut left: Vec<u128> = weights.iter().map(|&weight| u128::from(weight) * count as u128).collect();
    let mut columns: Vec<_> = (0..count).map(|at| Column { own: u32::MAX, other: at as u32 }).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..count).partition(|&at| left[at] < total);
    while let (Some(low), Some(&high)) = (small.pop(), large.last()) {
        let own = (left[low] << 32) / total;
        columns[low] = Column { own: u32::try_from(own).unwrap_or(u32::MAX), other: high as u32 };
        left[high] -= total - left[low];
        if left[high] < total {
            large.pop();
            small.push(high);
        }
    }
    columns.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shares are those of the weights: chi-square below the bound that one in ten thousand exceeds.
    #[test]
    fn shares_are_those_of_the_weights() {
        // Degrees of freedom 1, 3 and 9.
        let table: [(&[u64], f64); 3] =
            [(&[1, 3], 15.1), (&[1, 0, 5, 1, 1000], 21.1), (&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 33.7)];
        for (weights, bound) in table {
            let random = Random::new(weights.iter().copied());
            let total: u64 = weights.iter().sum();
            let draws = 200_000u64;
            let mut counts = vec![0u64; weights.len()];
            for seed in 0..draws {
                counts[random.at(mix(seed)).unwrap()] += 1;
            }
            let expected = |weight: u64| draws as f64 * weight as f64 / total as f64;
            let squares = counts.iter().zip(weights).filter(|(_, weight)| **weight > 0);
            let chi: f64 = squares
                .map(|(&count, &weight)| (count as f64 - expected(weight)).powi(2) / expected(weight))
                .sum();
            assert!(chi < bound, "{weights:?}: {counts:?} has {chi}");
            assert!(counts.iter().zip(weights).all(|(&count, &weight)| weight > 0 || count == 0));
        }
        assert!(Random::new([0, 0].into_iter()).at(1).is_none());
        assert!(Random::new([].into_iter()).at(1).is_none());
    }

    #[test]
    fn pairs_are_two_wherever_there_are_two() {
        let random = Random::new([1, 0, 1].into_iter());
        let same = (0..1000).filter(|&seed| random.pair(mix(seed)).is_some_and(|(a, b)| a == b)).count();
        assert!(same < 120, "{same} of 1000 with a chance of a sixteenth");
        assert_eq!(Random::new([0, 7].into_iter()).pair(3), Some((1, 1)));
    }
}
