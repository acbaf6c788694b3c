//! How an endpoint is chosen: built-in algorithms, and an open trait for others.
//!
//! Whatever can be worked out from the endpoints and their weights is worked out when the set is built;
//! a choice is then a look-up by the request's ticket.

mod order;

use std::fmt;
use std::sync::Arc;

use crate::Endpoint;
pub(crate) use order::SmoothOrder;
use order::WeightedRandom;

/// How the endpoints of a backend share its requests.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Algorithm {
    /// In turn, by weight, spread as evenly as whole requests allow: with weights 3 and 1 the order is
    /// `a a b a`, over and over.
    #[default]
    RoundRobin,
    /// At random, by weight; the ticket is the seed of the one choice.
    Random,
    /// The embedding program's own.
    Custom(Arc<dyn Balance>),
}

/// An algorithm of the embedding program.
pub trait Balance: fmt::Debug + Send + Sync {
    /// The place in `endpoints` of the one to use for the request with this ticket, or `None` when there
    /// is none that may be used. An index out of range counts as `None`.
    ///
    /// Endpoints are sorted by address, each address once. The ticket is a number from the caller; see
    /// [`EndpointSet::pick`](crate::EndpointSet::pick). This is on the path of every request: it should
    /// neither allocate nor block.
    fn pick(&self, endpoints: &[Endpoint], ticket: u64) -> Option<usize>;
}

/// An algorithm made ready for one set of endpoints.
#[derive(Clone, Debug)]
pub(crate) enum Picker {
    RoundRobin(SmoothOrder),
    Random(WeightedRandom),
    Custom(Arc<dyn Balance>),
}

impl Algorithm {
    pub(crate) fn prepare(&self, endpoints: &[Endpoint]) -> Picker {
        let weights = || endpoints.iter().map(|endpoint| u64::from(endpoint.weight()));
        match self {
            Self::RoundRobin => Picker::RoundRobin(SmoothOrder::new(weights())),
            Self::Random => Picker::Random(WeightedRandom::new(weights())),
            Self::Custom(balance) => Picker::Custom(balance.clone()),
        }
    }
}

impl Picker {
    #[inline]
    pub(crate) fn pick(&self, endpoints: &[Endpoint], ticket: u64) -> Option<usize> {
        match self {
            Self::RoundRobin(order) => order.at(ticket),
            Self::Random(random) => random.at(ticket),
            Self::Custom(balance) => balance.pick(endpoints, ticket),
        }
    }

    pub(crate) fn algorithm_name(&self) -> &'static str {
        match self {
            Self::RoundRobin(_) => "RoundRobin",
            Self::Random(_) => "Random",
            Self::Custom(_) => "Custom",
        }
    }
}
