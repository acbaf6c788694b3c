//! Consistent hashing by table.

use std::fmt;

use super::draw::{Draw, below, hash_key, mix};
use super::{Balance, Members};
use crate::Endpoint;

/// A prime that is more than a hundred times as large as most sets, so that shares are exact within a percent.
const SLOTS: usize = 65_537;

/// The table of Maglev (Eisenbud et al. 2016, section 3.4): each endpoint takes slots in an order of its own until all
/// are taken, by weight. A choice is one look; where endpoints come or go, few of the others' keys move.
#[derive(Clone)]
pub(crate) struct Maglev(Option<Box<[u16]>>);

/// In which order an endpoint takes slots.
struct Order {
    at: usize,
    slot: usize,
    skip: usize,
    /// Its weight as a part of the greatest one.
    share: f64,
    /// How many slots it is due.
    due: f64,
}

impl Maglev {
    /// Nothing where no endpoint has any weight. The first 65,536 take part.
    pub(crate) fn new(endpoints: &[Endpoint]) -> Self {
        let greatest = endpoints.iter().map(Endpoint::weight).max().unwrap_or(0);
        if greatest == 0 {
            return Self(None);
        }
        let members = endpoints.iter().take(usize::from(u16::MAX) + 1).enumerate();
        let weighted = members.filter(|(_, endpoint)| endpoint.weight() > 0);
        let order = |(at, endpoint): (usize, &Endpoint)| {
            let hash = hash_key(endpoint.authority().as_str().as_bytes());
            Order {
                at,
                slot: below(hash, SLOTS as u64) as usize,
                skip: 1 + below(mix(hash), SLOTS as u64 - 1) as usize,
                share: f64::from(endpoint.weight()) / f64::from(greatest),
                due: 0.0,
            }
        };
        Self(Some(fill(weighted.map(order).collect())))
    }

    #[inline]
    pub(crate) fn at(&self, hash: u64) -> Option<usize> {
        // Keys may be hashes of a program's own, whose upper bits say little.
        let slot = below(mix(hash), SLOTS as u64) as usize;
        self.0.as_ref().map(|slots| usize::from(slots[slot]))
    }
}

impl Balance for Maglev {
    #[inline]
    fn pick(&self, _: Members<'_>, draw: &Draw) -> Option<usize> {
        self.at(draw.hash())
    }
}

impl fmt::Debug for Maglev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Maglev").finish_non_exhaustive()
    }
}

fn fill(mut orders: Vec<Order>) -> Box<[u16]> {
    const FREE: u32 = u32::MAX;
    let mut slots = vec![FREE; SLOTS];
    let mut taken = 0;
    loop {
        for order in &mut orders {
            order.due += order.share;
            if order.due < 1.0 {
                continue;
            }
            order.due -= 1.0;
            while slots[order.slot] != FREE {
                order.slot += order.skip;
                if order.slot >= SLOTS {
                    order.slot -= SLOTS;
                }
            }
            slots[order.slot] = order.at as u32;
            taken += 1;
            if taken == SLOTS {
                return slots.into_iter().map(|at| at as u16).collect();
            }
        }
    }
}
