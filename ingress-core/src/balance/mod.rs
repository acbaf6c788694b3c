//! How an endpoint is chosen: built-in algorithms, one file each, and an open trait for others.
//!
//! Whatever can be worked out from the endpoints and their weights is worked out once for a set; a choice is then a
//! look-up by numbers that come from outside.

mod draw;
mod least_request;
mod maglev;
mod peak_ewma;
mod random;
mod rendezvous;
mod round_robin;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use crate::{Endpoint, Vitals};

pub use draw::{Draw, Moment, hash_key};
pub(crate) use draw::{below, fraction, mix};
use least_request::LeastRequest;
use maglev::Maglev;
use peak_ewma::PeakEwma;
pub(crate) use random::Random;
pub(crate) use rendezvous::Rendezvous;
pub(crate) use round_robin::SmoothOrder;

/// How the endpoints of a backend share its requests.
///
/// | algorithm | who gets a request | use it when |
/// |---|---|---|
/// | `RoundRobin` | the next one in an order that gives each exactly its weight's share | requests cost about the same |
/// | `Random` | anyone, by weight | many gateways share few endpoints |
/// | `LeastRequest` | of two at random, the one with fewer requests in flight | requests differ in cost |
/// | `PeakEwma` | of two at random, the one with the shorter wait to expect | endpoints differ in speed, or change it |
/// | `Maglev` | the one that the key's place in a table of 128 KiB names | clients should meet the same endpoint; any number of endpoints |
/// | `Rendezvous` | the one with the highest score for the key | as `Maglev`, for few endpoints and many backends |
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// In turn, by weight, spread as evenly as whole requests allow: with weights 3 and 1 the order is
    /// `a a b a`, over and over.
    #[default]
    RoundRobin,
    /// At random, by weight.
    Random,
    /// Of two at random the one with fewer requests in flight for its weight.
    LeastRequest,
    /// Of two at random the one whose latency, as a moving average with a half-life of three seconds, times its requests in
    /// flight is lower. A failure counts as an answer that took a second.
    PeakEwma,
    /// By the request's key, through the table of Maglev.
    Maglev,
    /// By the request's key, through the scores of all endpoints.
    Rendezvous,
    /// The embedding program's own.
    Custom(CustomBalance),
}

/// An algorithm of the embedding program. Clones are one and the same.
#[derive(Clone, Debug)]
pub struct CustomBalance(Arc<dyn Balance>);

/// A way to choose an endpoint.
pub trait Balance: fmt::Debug + Send + Sync {
    /// The place of the one to use for a request, or `None` when there is none that may be used. A place out of range
    /// counts as `None`. Where the one that was named cannot be used, for it is ejected, say, this is asked again with the
    /// next [`Draw::step`], some times.
    ///
    /// This is on the path of every request: it should neither allocate nor block.
    fn pick(&self, members: Members<'_>, draw: &Draw) -> Option<usize>;
}

/// The endpoints among which one is chosen, sorted by address, each address once, and what is known of them.
#[derive(Clone, Copy, Debug)]
pub struct Members<'s> {
    endpoints: &'s [Endpoint],
    vitals: &'s [Arc<Vitals>],
}

/// What was worked out for one set of endpoints; what takes time or space, when it is first asked for.
#[derive(Clone, Debug)]
pub(crate) struct Pickers {
    round_robin: SmoothOrder,
    random: OnceLock<Random>,
    maglev: OnceLock<Maglev>,
    rendezvous: OnceLock<Rendezvous>,
}

// ===== impl Algorithm =====

impl Algorithm {
    /// All built-in ones.
    pub const ALL: [Self; 6] =
        [Self::RoundRobin, Self::Random, Self::LeastRequest, Self::PeakEwma, Self::Maglev, Self::Rendezvous];

    /// The embedding program's own.
    pub fn custom(balance: impl Balance + 'static) -> Self {
        Self::Custom(CustomBalance(Arc::new(balance)))
    }

    /// Its name, as in `ingress.gateway/load-balance`: `round-robin`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::Random => "random",
            Self::LeastRequest => "least-request",
            Self::PeakEwma => "peak-ewma",
            Self::Maglev => "maglev",
            Self::Rendezvous => "rendezvous",
            Self::Custom(_) => "custom",
        }
    }

    /// Whether it goes by the key of a request.
    pub fn is_by_key(&self) -> bool {
        matches!(self, Self::Maglev | Self::Rendezvous | Self::Custom(_))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Algorithm {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

// ===== impl CustomBalance =====

impl CustomBalance {
    fn address(&self) -> usize {
        Arc::as_ptr(&self.0).cast::<()>().addr()
    }
}

impl PartialEq for CustomBalance {
    fn eq(&self, other: &Self) -> bool {
        self.address() == other.address()
    }
}

impl Eq for CustomBalance {}

impl Hash for CustomBalance {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address().hash(state);
    }
}

impl Ord for CustomBalance {
    fn cmp(&self, other: &Self) -> Ordering {
        self.address().cmp(&other.address())
    }
}

impl PartialOrd for CustomBalance {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

// ===== impl Members =====

impl<'s> Members<'s> {
    pub(crate) fn new(endpoints: &'s [Endpoint], vitals: &'s [Arc<Vitals>]) -> Self {
        Self { endpoints, vitals }
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.endpoints.len()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.endpoints.is_empty()
    }

    /// The one at a place below [`Members::len`].
    #[inline]
    pub fn endpoint(self, at: usize) -> &'s Endpoint {
        &self.endpoints[at]
    }

    /// What is known of it.
    #[inline]
    pub fn vitals(self, at: usize) -> &'s Vitals {
        &self.vitals[at]
    }
}

// ===== impl Pickers =====

impl Pickers {
    pub(crate) fn new(endpoints: &[Endpoint]) -> Self {
        Self {
            round_robin: SmoothOrder::new(weights(endpoints)),
            random: OnceLock::new(),
            maglev: OnceLock::new(),
            rendezvous: OnceLock::new(),
        }
    }

    #[inline(always)]
    pub(crate) fn pick(&self, algorithm: &Algorithm, members: Members<'_>, draw: &Draw) -> Option<usize> {
        match algorithm {
            Algorithm::RoundRobin => self.round_robin.pick(members, draw),
            Algorithm::Random => self.random(members).pick(members, draw),
            Algorithm::Maglev => self.maglev(members.endpoints).pick(members, draw),
            _ => self.pick_among(algorithm, members, draw),
        }
    }

    /// For those that look at the members. Apart, so that the others are few instructions in their caller.
    #[inline(never)]
    fn pick_among(&self, algorithm: &Algorithm, members: Members<'_>, draw: &Draw) -> Option<usize> {
        match algorithm {
            Algorithm::LeastRequest => LeastRequest(self.random(members)).pick(members, draw),
            Algorithm::PeakEwma => PeakEwma(self.random(members)).pick(members, draw),
            Algorithm::Rendezvous => self.rendezvous(members.endpoints).pick(members, draw),
            Algorithm::Custom(custom) => custom.0.pick(members, draw).filter(|&at| at < members.len()),
            Algorithm::RoundRobin | Algorithm::Random | Algorithm::Maglev => None,
        }
    }

    /// Works out what the algorithm needs, lest the first request has to.
    pub(crate) fn prepare(&self, algorithm: &Algorithm, members: Members<'_>) {
        match algorithm {
            Algorithm::RoundRobin | Algorithm::Custom(_) => {}
            Algorithm::Random | Algorithm::LeastRequest | Algorithm::PeakEwma => _ = self.random(members),
            Algorithm::Maglev => _ = self.maglev(members.endpoints),
            Algorithm::Rendezvous => _ = self.rendezvous(members.endpoints),
        }
    }

    /// Works out what was worked out for another set.
    pub(crate) fn prepare_as(&self, other: &Self, members: Members<'_>) {
        if other.random.get().is_some() {
            self.random(members);
        }
        if other.maglev.get().is_some() {
            self.maglev(members.endpoints);
        }
        if other.rendezvous.get().is_some() {
            self.rendezvous(members.endpoints);
        }
    }

    #[inline]
    fn random(&self, members: Members<'_>) -> &Random {
        self.random.get_or_init(|| Random::new(weights(members.endpoints)))
    }

    #[inline]
    fn maglev(&self, endpoints: &[Endpoint]) -> &Maglev {
        self.maglev.get_or_init(|| Maglev::new(endpoints))
    }

    #[inline]
    fn rendezvous(&self, endpoints: &[Endpoint]) -> &Rendezvous {
        let name = |endpoint| Endpoint::authority(endpoint).as_str();
        self.rendezvous.get_or_init(|| {
            Rendezvous::new(endpoints.iter().map(|endpoint| (name(endpoint), endpoint.weight())))
        })
    }
}

fn weights(endpoints: &[Endpoint]) -> impl Iterator<Item = u64> {
    endpoints.iter().map(|endpoint| u64::from(endpoint.weight()))
}
