//! One Ingress alone.

use std::sync::Arc;

use ingress_core::{HostMatch, Rule};
use k8s_openapi::api::networking::v1::Ingress;

use super::class::{Classes, Owner};
use super::key::Key;
use super::parameters::Parameters;
use super::{Output, ingress, named};
use crate::store::Stored;
use crate::{Config, Store, parallel};

/// What the rules of an Ingress depend on besides itself: neither other Ingresses nor Services.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) store: &'a Store,
    pub(super) config: &'a Config,
    pub(super) classes: Classes<'a>,
    pub(super) parameters: &'a Parameters,
}

/// Who serves an Ingress, and what it says.
pub(super) type Translated = (Owner, Output);

impl<'a> View<'a> {
    /// What each of these Ingresses says, in their order; nothing for one that is not there. Many are shared out to
    /// all cores.
    pub(super) fn translate_all(self, keys: &[Key]) -> Vec<Option<Translated>> {
        parallel::map(keys, |key| self.translate(key, None))
    }

    /// The rules that each of these Ingresses has for some hosts, which are in order.
    pub(super) fn rules_of_all(self, ingresses: &[(Key, Vec<Arc<HostMatch>>)]) -> Vec<Vec<Rule>> {
        let rules = |(_, out): Translated| out.rules;
        parallel::map(ingresses, |(key, hosts)| {
            self.translate(key, Some(hosts)).map(rules).unwrap_or_default()
        })
    }

    fn translate(self, key: &Key, only: Option<&[Arc<HostMatch>]>) -> Option<Translated> {
        let stored = self.store.ingresses.get(&key.namespace, &key.name)?;
        let mut out = Output::default();
        let owner = self.classes.owner(stored, &mut out);
        if owner == Owner::Us {
            self.read(stored, only, &mut out);
        }
        out.uses.sort();
        Some((owner, out))
    }

    fn read(self, stored: &'a Stored<Ingress>, only: Option<&[Arc<HostMatch>]>, out: &mut Output) {
        let mut settings = self.parameters.of(&self.classes, stored).read(stored, self.config, out);
        named::read(stored, &mut settings, self.store, self.config, out);
        settings.name_limits(&stored.source);
        ingress::translate(stored, &settings, self.config, only, out);
    }
}
