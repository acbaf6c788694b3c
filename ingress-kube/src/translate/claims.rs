//! Which Ingresses have rules for which hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingress_core::HostMatch;

use super::key::Key;

/// Each host with each Ingress that has rules for it.
#[derive(Debug, Default)]
pub(super) struct Claims(BTreeSet<(Arc<HostMatch>, Key)>);

impl Claims {
    pub(super) fn insert(&mut self, host: Arc<HostMatch>, key: &Key) {
        self.0.insert((host, key.clone()));
    }

    pub(super) fn remove(&mut self, host: &Arc<HostMatch>, key: &Key) {
        self.0.remove(&(host.clone(), key.clone()));
    }

    /// The Ingresses with rules for any of these hosts, each once, with those of the hosts. Hosts and `besides` are in
    /// order; the latter are left out.
    pub(super) fn others<'h>(
        &self,
        hosts: impl Iterator<Item = &'h Arc<HostMatch>>,
        besides: &[Key],
    ) -> Vec<(Key, Vec<Arc<HostMatch>>)> {
        let mut others = BTreeMap::<_, Vec<_>>::new();
        for host in hosts {
            let claims = self.0.range((host.clone(), Key::default())..);
            for (_, key) in claims.take_while(|(other, _)| other == host) {
                if besides.binary_search(key).is_err() {
                    others.entry(key.clone()).or_default().push(host.clone());
                }
            }
        }
        others.into_iter().collect()
    }
}
