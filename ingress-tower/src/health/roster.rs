//! Whom the table has asked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ingress_core::{Backend, BackendRef, EndpointAddress, Policy, RouteTable};

use super::checked::{Change, Checked, CheckedId, Question};

/// All endpoints that are asked.
#[derive(Debug)]
pub(super) struct Roster {
    /// What holds for all backends.
    policy: Option<Arc<Policy>>,
    /// Of the table that was looked at last.
    generation: Option<u64>,
    backends: HashMap<BackendRef, Entry>,
    checked: HashMap<CheckedId, Checked>,
    next: u64,
}

/// A backend that is asked.
#[derive(Debug)]
struct Entry {
    backend: Arc<Backend>,
    endpoints: HashMap<EndpointAddress, CheckedId>,
}

/// What a table changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Who is to be asked now, each with its interval.
    pub(super) begun: Vec<(CheckedId, Duration)>,
    /// Who is asked no more.
    pub(super) ended: Vec<CheckedId>,
}

impl Roster {
    pub(super) fn new(policy: Option<Arc<Policy>>) -> Self {
        let (backends, checked) = Default::default();
        Self { policy, generation: None, backends, checked, next: 0 }
    }

    pub(super) fn get_mut(&mut self, id: CheckedId) -> Option<&mut Checked> {
        self.checked.get_mut(&id)
    }

    /// Takes in a table. One that was seen before costs nothing, and so nearly does a backend that has not changed.
    pub(super) fn follow(&mut self, table: &RouteTable) -> Changes {
        let mut changes = Changes::default();
        if self.generation.replace(table.generation()) == Some(table.generation()) {
            return changes;
        }
        let mut before = std::mem::take(&mut self.backends);
        for backend in table.backends() {
            let old = match before.remove_entry(backend.reference()) {
                Some((reference, same)) if Arc::ptr_eq(&same.backend, backend) => {
                    self.backends.insert(reference, same);
                    continue;
                }
                old => old.map(|(_, old)| old.endpoints).unwrap_or_default(),
            };
            match self.policy_of(backend) {
                Some(policy) => self.set_backend(backend, &policy, old, &mut changes),
                None => self.forget(old, &mut changes),
            }
        }
        self.forget(before.into_values().flat_map(|old| old.endpoints), &mut changes);
        changes
    }

    /// How the endpoints of a backend are asked, and spoken to; nothing where they are not asked.
    fn policy_of(&self, backend: &Backend) -> Option<Arc<Policy>> {
        let policy = match (backend.policy(), &self.policy) {
            (Some(own), Some(general)) => {
                if own.health_check.is_default() && general.health_check.asked().is_none() {
                    // Most backends, and putting policies together takes a while.
                    return None;
                }
                Arc::new(own.or(general))
            }
            (own, general) => own.or(general.as_ref())?.clone(),
        };
        policy.health_check.asked().is_some().then_some(policy)
    }

    fn set_backend(
        &mut self,
        backend: &Arc<Backend>,
        policy: &Arc<Policy>,
        mut before: HashMap<EndpointAddress, CheckedId>,
        changes: &mut Changes,
    ) {
        let set = backend.endpoints();
        let usable = set.as_slice().len() + set.elsewhere().len();
        let mut endpoints = HashMap::with_capacity(usable);
        for (place, endpoint) in set.all().take(usable).enumerate() {
            let address = endpoint.address();
            let question = Question::new(backend.clone(), place, policy.clone());
            let interval = question.interval();
            let follow = |id| Some((id, self.checked.get_mut(&id)?.follow(question.clone())));
            let (id, is_new) = match before.get(address).copied().and_then(follow) {
                Some((id, change @ (Change::Nothing | Change::Check))) => {
                    before.remove(address);
                    (id, change == Change::Check)
                }
                Some((_, Change::Endpoint)) | None => (self.add(question), true),
            };
            if is_new {
                changes.begun.push((id, interval));
            }
            endpoints.insert(address.clone(), id);
        }
        self.backends.insert(backend.reference().clone(), Entry { backend: backend.clone(), endpoints });
        self.forget(before, changes);
    }

    fn add(&mut self, question: Question) -> CheckedId {
        let id = CheckedId(self.next);
        self.next += 1;
        self.checked.insert(id, Checked::new(question));
        id
    }

    fn forget(
        &mut self,
        endpoints: impl IntoIterator<Item = (EndpointAddress, CheckedId)>,
        changes: &mut Changes,
    ) {
        for (_, id) in endpoints {
            self.checked.remove(&id);
            changes.ended.push(id);
        }
    }
}
