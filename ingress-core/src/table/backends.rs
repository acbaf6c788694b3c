//! Who serves: backends and splits by number.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use rpds::HashTrieMapSync;

use super::radix::Radix;
use crate::split::{Split, SplitRef};
use crate::{Backend, BackendRef, Backends, Endpoint, EndpointSet, Locality, Policy};

/// The backends and splits of one table, by number. A backend keeps its number for as long as it is there, so that
/// other endpoints change its place only.
#[derive(Clone, Debug, Default)]
pub(super) struct BackendTable {
    places: Radix<Option<Serving>>,
    /// Backends that policies name.
    named: HashTrieMapSync<BackendRef, u32>,
    backends: usize,
    endpoints: usize,
    /// How many backends there are whose policy wants certificates of clients, those that no route points at included.
    wanting: usize,
}

/// What a route's number leads to.
#[derive(Clone, Debug)]
pub(super) enum Serving {
    Backend(Arc<Backend>),
    Split(Arc<Split>),
}

/// The numbers of a table that is kept up to date, and how many routes use each.
#[derive(Debug, Default)]
pub(super) struct Registry {
    pub(super) table: BackendTable,
    backends: HashMap<BackendRef, Entry, RandomState>,
    splits: HashMap<SplitRef, (u32, u32), RandomState>,
    /// How often policies name a backend.
    named: HashMap<BackendRef, u32, RandomState>,
    free: Vec<u32>,
    next: u32,
    locality: Locality,
}

#[derive(Debug)]
struct Entry {
    backend: Arc<Backend>,
    uses: u32,
}

// ===== impl BackendTable =====

impl BackendTable {
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&Serving> {
        self.places.get(number as usize)?.as_ref()
    }

    #[inline]
    pub(super) fn backend(&self, number: u32) -> Option<&Arc<Backend>> {
        match self.get(number)? {
            Serving::Backend(backend) => Some(backend),
            Serving::Split(_) => None,
        }
    }

    /// A backend that a policy names.
    pub(super) fn named(&self, reference: &BackendRef) -> Option<&Arc<Backend>> {
        self.backend(*self.named.get(reference)?)
    }

    /// All backends, in the order of their references.
    pub(super) fn sorted(&self) -> Vec<&Arc<Backend>> {
        let backends = self.places.iter().filter_map(|place| match place {
            Some(Serving::Backend(backend)) => Some(backend),
            _ => None,
        });
        let mut all: Vec<_> = backends.collect();
        all.sort_by(|a, b| a.reference().cmp(b.reference()));
        all
    }

    pub(super) fn backend_count(&self) -> usize {
        self.backends
    }

    /// Whether the policy of a backend wants certificates of clients.
    pub(super) fn want_certificates(&self) -> bool {
        self.wanting > 0
    }

    pub(super) fn endpoint_count(&self) -> usize {
        self.endpoints
    }

    /// Lets backends that the other table has as well go on with what it knows of their endpoints.
    pub(super) fn recall(&mut self, before: &Self) {
        let known: HashMap<&BackendRef, &Arc<Backend>, RandomState> =
            before.sorted().into_iter().map(|backend| (backend.reference(), backend)).collect();
        let numbers: Vec<u32> = self.sorted().into_iter().map(|backend| backend.index()).collect();
        for number in numbers {
            let Some(backend) = self.backend(number) else { continue };
            if let Some(old) = known.get(backend.reference()) {
                let backend = backend.with_endpoints(backend.endpoints().recalling(old.endpoints()));
                self.put(number, Some(Serving::Backend(Arc::new(backend))));
            }
        }
    }

    fn put(&mut self, number: u32, serving: Option<Serving>) {
        let place = self.places.slot(number as usize);
        let count = |serving: &Option<Serving>| match serving {
            Some(Serving::Backend(backend)) => {
                let endpoints = backend.endpoints();
                (1, endpoints.as_slice().len() + endpoints.elsewhere().len())
            }
            _ => (0, 0),
        };
        let (before, after) = (count(place), count(&serving));
        *place = serving;
        self.backends = self.backends + after.0 - before.0;
        self.endpoints = self.endpoints + after.1 - before.1;
    }
}

// ===== impl Registry =====

impl Registry {
    /// The number of what serves a route; it is kept until it is given back as often as it was asked for.
    pub(super) fn acquire(&mut self, backends: &Backends) -> u32 {
        match backends {
            Backends::One(backend) => self.acquire_backend(backend),
            Backends::Split(split) => self.acquire_split(split),
        }
    }

    pub(super) fn acquire_backend(&mut self, reference: &BackendRef) -> u32 {
        if let Some(entry) = self.backends.get_mut(reference) {
            entry.uses += 1;
            if entry.uses == 1 {
                self.table.put(entry.backend.index(), Some(Serving::Backend(entry.backend.clone())));
            }
            return entry.backend.index();
        }
        let set = EndpointSet::new([]);
        let entry = self.insert(reference.clone(), set, 1);
        let backend = entry.backend.clone();
        let number = backend.index();
        self.table.put(number, Some(Serving::Backend(backend)));
        number
    }

    fn acquire_split(&mut self, reference: &SplitRef) -> u32 {
        if let Some((number, uses)) = self.splits.get_mut(reference) {
            *uses += 1;
            return *number;
        }
        let shares =
            reference.iter().map(|(backend, weight)| (self.acquire_backend(backend), weight)).collect();
        let number = self.number();
        self.splits.insert(reference.clone(), (number, 1));
        let split = Split::new(number, reference.clone(), shares);
        self.table.put(number, Some(Serving::Split(Arc::new(split))));
        number
    }

    /// Takes back what [`Registry::acquire`] gave.
    pub(super) fn release(&mut self, number: u32) {
        match self.table.get(number).cloned() {
            Some(Serving::Backend(backend)) => self.release_backend(backend.reference()),
            Some(Serving::Split(split)) => {
                let Some((_, uses)) = self.splits.get_mut(&split.reference) else { return };
                *uses -= 1;
                if *uses == 0 {
                    self.splits.remove(&split.reference);
                    self.table.put(number, None);
                    self.free.push(number);
                    split.reference.iter().for_each(|(backend, _)| self.release_backend(backend));
                }
            }
            None => {}
        }
    }

    fn release_backend(&mut self, reference: &BackendRef) {
        let Some(entry) = self.backends.get_mut(reference) else { return };
        entry.uses -= 1;
        if entry.uses == 0 {
            self.table.put(entry.backend.index(), None);
            if !entry.is_set() {
                self.forget(reference);
            }
        }
    }

    /// Keeps the backends that a policy names, until they are given back as often.
    pub(super) fn acquire_named(&mut self, policy: Option<&Policy>) {
        for reference in policy.into_iter().flat_map(Policy::backends) {
            let number = self.acquire_backend(reference);
            let uses = self.named.entry(reference.clone()).or_default();
            *uses += 1;
            if *uses == 1 {
                self.table.named.insert_mut(reference.clone(), number);
            }
        }
    }

    /// Takes back what [`Registry::acquire_named`] kept.
    pub(super) fn release_named(&mut self, policy: Option<&Policy>) {
        for reference in policy.into_iter().flat_map(Policy::backends) {
            let Some(uses) = self.named.get_mut(reference) else { continue };
            *uses -= 1;
            if *uses == 0 {
                self.named.remove(reference);
                self.table.named.remove_mut(reference);
            }
            self.release_backend(reference);
        }
    }

    /// Sets all endpoints of a backend, whether a route points at it or not.
    pub(super) fn set_endpoints(&mut self, reference: BackendRef, endpoints: Vec<Endpoint>) {
        let locality = self.locality.clone();
        self.change(reference, |entry| entry.replace_endpoints(endpoints, &locality));
    }

    /// Sets the policy of a backend, whether a route points at it or not.
    pub(super) fn set_policy(&mut self, reference: BackendRef, policy: Option<Arc<Policy>>) {
        let wants = |policy: Option<&Arc<Policy>>| {
            usize::from(policy.is_some_and(|policy| policy.authentication.certificate.is_some()))
        };
        let before = self.backends.get(&reference).and_then(|entry| entry.backend.policy());
        self.table.wanting = self.table.wanting + wants(policy.as_ref()) - wants(before);
        self.change(reference, |entry| entry.backend = Arc::new(entry.backend.with_policy(policy)));
    }

    fn change(&mut self, reference: BackendRef, change: impl FnOnce(&mut Entry)) {
        if !self.backends.contains_key(&reference) {
            let set = EndpointSet::new([]);
            self.insert(reference.clone(), set, 0);
        }
        let Some(entry) = self.backends.get_mut(&reference) else { return };
        change(entry);
        if entry.uses > 0 {
            self.table.put(entry.backend.index(), Some(Serving::Backend(entry.backend.clone())));
        } else if !entry.is_set() {
            self.forget(&reference);
        }
    }

    /// Sets where the program runs.
    pub(super) fn set_locality(&mut self, locality: Locality) {
        self.locality = locality;
        for entry in self.backends.values_mut() {
            let endpoints = entry.backend.endpoints().all().cloned().collect();
            entry.replace_endpoints(endpoints, &self.locality);
            if entry.uses > 0 {
                self.table.put(entry.backend.index(), Some(Serving::Backend(entry.backend.clone())));
            }
        }
    }

    /// Adds a backend that is not there, used so often.
    fn insert(&mut self, reference: BackendRef, set: EndpointSet, uses: u32) -> &mut Entry {
        let backend = Arc::new(Backend::new(reference.clone(), self.number(), set));
        self.backends.entry(reference).or_insert(Entry { backend, uses })
    }

    fn forget(&mut self, reference: &BackendRef) {
        if let Some(entry) = self.backends.remove(reference) {
            self.free.push(entry.backend.index());
        }
    }

    fn number(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }
}

// ===== impl Entry =====

impl Entry {
    fn replace_endpoints(&mut self, endpoints: Vec<Endpoint>, locality: &Locality) {
        let set = EndpointSet::after(self.backend.endpoints(), endpoints, locality);
        self.backend = Arc::new(self.backend.with_endpoints(set));
    }

    /// Whether someone said something of it that is to be kept while no route points at it.
    fn is_set(&self) -> bool {
        self.backend.endpoints().all().len() > 0 || self.backend.policy().is_some()
    }
}
