//! The endpoints of one backend, and which of them a request goes to.

mod choose;
mod note;
mod record;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::balance::{Members, Pickers};
use crate::vitals::Sweep;
use crate::{Algorithm, Endpoint, EndpointState, Locality, Vitals};

pub use choose::{Choice, Unchosen};
pub use record::{ChoiceRecord, ChoiceRecordError};

/// The endpoints of one backend, and what is known of each from its use.
#[derive(Clone, Debug)]
pub struct EndpointSet {
    /// Those that are meant for this place; the others that may be used; those that may not. Each part is sorted by
    /// address.
    endpoints: Box<[Endpoint]>,
    /// Of each endpoint, in the same order.
    vitals: Box<[Arc<Vitals>]>,
    near: usize,
    usable: usize,
    pickers: Pickers,
    /// For all that may be used, where that is more than those that are meant for this place.
    wide: OnceLock<Pickers>,
    sweep: Arc<Sweep>,
}

impl EndpointSet {
    /// Builds a set of which nothing is known yet. The order does not matter: of endpoints with the same address the one
    /// in the best state is kept, then the one with the greatest weight, then the one with the first protocol.
    pub fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self::build(endpoints.into_iter().collect(), &Locality::default(), None)
    }

    /// As [`EndpointSet::new`], for a program in this place; what `old` knows of endpoints that are still there is kept,
    /// and shared with it.
    pub fn after(old: &Self, endpoints: Vec<Endpoint>, locality: &Locality) -> Self {
        Self::build(endpoints, locality, Some(old))
    }

    /// The same endpoints, with what `old` knows of them.
    pub(crate) fn recalling(&self, old: &Self) -> Self {
        let mut vitals: HashMap<_, _> =
            old.all().map(Endpoint::address).zip(old.vitals.iter().cloned()).collect();
        let vitals = self
            .all()
            .zip(&self.vitals)
            .map(|(endpoint, own)| vitals.remove(endpoint.address()).unwrap_or_else(|| own.clone()));
        Self { vitals: vitals.collect(), sweep: old.sweep.clone(), ..self.clone() }
    }

    fn build(mut endpoints: Vec<Endpoint>, locality: &Locality, old: Option<&Self>) -> Self {
        endpoints.sort_by(|a, b| {
            let key =
                |endpoint: &Endpoint| (endpoint.state(), Reverse(endpoint.weight()), endpoint.protocol());
            a.address().cmp(b.address()).then_with(|| key(a).cmp(&key(b)))
        });
        endpoints.dedup_by(|other, kept| other.address() == kept.address());
        let vitals = known(&endpoints, old);
        let mut members: Vec<_> = endpoints.into_iter().zip(vitals).collect();
        let best = members.iter().map(|(endpoint, _)| endpoint.state()).min().unwrap_or_default();
        let is_usable = |endpoint: &Endpoint| endpoint.state() == best && best != EndpointState::NotServing;
        members.sort_by_key(|(endpoint, _)| !is_usable(endpoint));
        let usable = members.partition_point(|(endpoint, _)| is_usable(endpoint));
        let (mut endpoints, mut vitals): (Vec<_>, Vec<_>) = members.into_iter().unzip();
        let narrowed = locality.narrow(&endpoints[..usable]);
        let near = endpoints[..usable].iter().filter(|endpoint| narrowed.has(endpoint)).count();
        if near < usable {
            let mut members: Vec<_> = endpoints.into_iter().zip(vitals).collect();
            members[..usable].sort_by_key(|(endpoint, _)| !narrowed.has(endpoint));
            (endpoints, vitals) = members.into_iter().unzip();
        }
        // Who is not ready starts slowly when it is.
        endpoints.iter().zip(&vitals).for_each(|(endpoint, vitals)| {
            if endpoint.state() != EndpointState::Ready {
                vitals.cool();
            }
        });
        let sweep = old.map(|old| old.sweep.clone()).unwrap_or_default();
        let pickers = Pickers::new(&endpoints[..near]);
        let (endpoints, vitals, wide) = (endpoints.into(), vitals.into(), OnceLock::new());
        let set = Self { endpoints, vitals, near, usable, pickers, wide, sweep };
        if let Some(old) = old {
            // What requests asked for before they will ask for again, and should not have to wait for.
            set.pickers.prepare_as(&old.pickers, set.members());
        }
        set
    }

    /// The endpoints that are chosen, by address: those that are ready, or where none is, those that still serve while
    /// they terminate; and of these those that are meant for this place ([`Locality`]).
    pub fn as_slice(&self) -> &[Endpoint] {
        &self.endpoints[..self.near]
    }

    /// The endpoints that are meant for other places, by address: they are chosen where none of
    /// [`EndpointSet::as_slice`] can be used.
    pub fn elsewhere(&self) -> &[Endpoint] {
        &self.endpoints[self.near..self.usable]
    }

    /// The endpoints that are not chosen in their present state, by address.
    pub fn unusable(&self) -> &[Endpoint] {
        &self.endpoints[self.usable..]
    }

    /// All of these, in this order.
    pub fn all(&self) -> impl ExactSizeIterator<Item = &Endpoint> {
        self.endpoints.iter()
    }

    /// The endpoint at a place among all.
    #[inline]
    pub fn get(&self, place: usize) -> Option<&Endpoint> {
        self.endpoints.get(place)
    }

    /// What is known of the endpoint at a place among all.
    #[inline]
    pub fn vitals(&self, place: usize) -> Option<&Vitals> {
        self.vitals.get(place).map(|vitals| &**vitals)
    }

    /// Works out what an algorithm needs, which otherwise the first request does that is chosen for by it.
    pub fn prepare(&self, algorithm: &Algorithm) {
        self.pickers.prepare(algorithm, self.members());
    }

    #[inline]
    fn members(&self) -> Members<'_> {
        Members::new(&self.endpoints[..self.near], &self.vitals[..self.near])
    }
}

/// What is known does not count.
impl PartialEq for EndpointSet {
    fn eq(&self, other: &Self) -> bool {
        self.endpoints == other.endpoints && (self.near, self.usable) == (other.near, other.usable)
    }
}

/// What is known of each of the endpoints, which are sorted by address: what the old set knows, or nothing.
fn known(endpoints: &[Endpoint], old: Option<&EndpointSet>) -> Vec<Arc<Vitals>> {
    let mut known: Vec<_> = old.iter().flat_map(|old| old.endpoints.iter().zip(&old.vitals)).collect();
    known.sort_by(|(a, _), (b, _)| a.address().cmp(b.address()));
    let mut known = known.into_iter().peekable();
    let vitals = |endpoint: &Endpoint| {
        while known.next_if(|(old, _)| old.address() < endpoint.address()).is_some() {}
        let same = known.next_if(|(old, _)| old.address() == endpoint.address());
        same.map_or_else(Arc::default, |(_, vitals)| vitals.clone())
    };
    endpoints.iter().map(vitals).collect()
}
