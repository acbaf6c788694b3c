//! Several backends behind one rule, each with its share of the requests.

use crate::BackendRef;
use crate::balance::{Random, Rendezvous, SmoothOrder, mix};

/// What serves the requests of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Backends {
    /// One backend takes them all.
    One(BackendRef),
    /// Several share them by weight (`HTTPRouteRule.backendRefs`).
    Split(SplitRef),
}

/// Backends with weights, by reference; each once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SplitRef(Box<[(BackendRef, u32)]>);

/// Backends of a table that share a route's requests.
#[derive(Debug)]
pub(crate) struct Split {
    /// Its number among all backends and splits of the table.
    pub(crate) index: u32,
    pub(crate) reference: SplitRef,
    /// The numbers of the backends, and their weights.
    pub(crate) shares: Box<[(u32, u32)]>,
    order: SmoothOrder,
    random: Random,
    by_key: Rendezvous,
}

/// By what one of several backends is chosen that share a route's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Turn {
    /// A number that is counted up by one: each backend gets exactly its weight's share of a period.
    Ticket(u64),
    /// Random bits: each backend gets about its share.
    Random(u64),
    /// What a part of the request hashes to: requests with the same key go to the same backend, and a change of weights moves
    /// no more of the keys than the shares that changed.
    Key(u64),
}

// ===== impl Backends =====

impl Backends {
    /// Backends that share requests in proportion to their weights. The order does not matter; the weights
    /// of a backend that is named twice are added up. A backend without weight takes nothing, and where none
    /// has any, nobody answers: 503.
    pub fn split(shares: impl IntoIterator<Item = (BackendRef, u32)>) -> Self {
        let mut shares: Vec<_> = shares.into_iter().collect();
        shares.sort();
        shares.dedup_by(|(other, weight), (kept, sum)| {
            let same = other == kept;
            if same {
                *sum = sum.saturating_add(*weight);
            }
            same
        });
        Self::Split(SplitRef(shares.into()))
    }

    /// Each backend and its weight; a single one has weight 1.
    pub fn iter(&self) -> impl Iterator<Item = (&BackendRef, u32)> {
        let (one, split) = match self {
            Self::One(backend) => (Some((backend, 1)), None),
            Self::Split(split) => (None, Some(split.iter())),
        };
        one.into_iter().chain(split.into_iter().flatten())
    }
}

impl From<BackendRef> for Backends {
    fn from(backend: BackendRef) -> Self {
        Self::One(backend)
    }
}

// ===== impl SplitRef =====

impl SplitRef {
    /// Each backend and its weight, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&BackendRef, u32)> {
        self.0.iter().map(|(backend, weight)| (backend, *weight))
    }
}

// ===== impl Split =====

impl Split {
    pub(crate) fn new(index: u32, reference: SplitRef, shares: Box<[(u32, u32)]>) -> Self {
        let weights = || shares.iter().map(|(_, weight)| u64::from(*weight));
        let (order, random) = (SmoothOrder::new(weights()), Random::new(weights()));
        let names: Vec<_> = reference.iter().map(|(backend, weight)| (backend.to_string(), weight)).collect();
        let by_key = Rendezvous::new(names.iter().map(|(name, weight)| (&**name, *weight)));
        Self { index, reference, shares, order, random, by_key }
    }

    /// The number of a backend.
    #[inline]
    pub(crate) fn pick(&self, turn: Turn) -> Option<u32> {
        let place = match turn {
            Turn::Ticket(ticket) => self.order.at(ticket),
            Turn::Random(bits) => self.random.at(mix(bits)),
            Turn::Key(key) => self.by_key.at(mix(key)),
        };
        self.shares.get(place?).map(|(backend, _)| *backend)
    }
}
