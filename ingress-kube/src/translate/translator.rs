//! Keeps what the objects amount to up to date: objects and hosts that an event does not concern are left alone.
//!
//! The other Ingresses with rules for a host that changed are read again, each once, and make the rules of such hosts
//! only. So a change costs what the Ingresses hold that share a host with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingress_core::{BackendRef, Certificate, Diagnostic, HostMatch, Rule, UnservedRule};

use super::backend::Use;
use super::backends::{Backends, Served};
use super::by_owner::{ByOwner, Edits};
use super::certificates::Certificates;
use super::claims::Claims;
#[cfg(feature = "client")]
use super::class::Owner;
use super::class::{self, Classes};
use super::defaults::Defaults;
use super::key::Key;
use super::memo::{Memo, Totals};
use super::parameters::Parameters;
use super::secret_users::SecretUsers;
use super::service::{Lookup, Names};
use super::slices::{self, Slices};
use super::view::{Translated, View};
use super::{Output, default_backend, ownership};
use crate::{Config, Kind, ObjectKey, Store};

/// How many changed Ingresses are held in memory between their translation and the table.
const AT_ONCE: usize = 8192;

/// What is remembered of the objects. The objects themselves are in the [`Store`], and rules in the table: those of a
/// host that has several Ingresses are made anew.
#[derive(Debug, Default)]
pub(crate) struct Translator {
    started: bool,
    default_class: Option<Arc<str>>,
    parameters: Parameters,
    memos: BTreeMap<Key, Memo>,
    claims: Claims,
    backends: Backends,
    slices: Slices,
    certificates: Certificates,
    secrets: SecretUsers<Key>,
    names: Names,
    defaults: Defaults,
    findings: ByOwner<About, Diagnostic>,
    unserved: ByOwner<Key, UnservedRule>,
    totals: Totals,
    /// Secrets that something names now and did not before, or the other way round.
    #[cfg(feature = "client")]
    toggled: BTreeSet<Key>,
}

/// What changed, in the words of the table.
#[derive(Debug, Default)]
pub(crate) struct Delta {
    /// All rules of each host that may have changed.
    pub(crate) hosts: Vec<(Arc<HostMatch>, Vec<Rule>)>,
    /// Each backend that may have changed.
    pub(crate) served: Vec<Served>,
    /// The certificate of each host for which it may have changed.
    pub(crate) certificates: Vec<(HostMatch, Option<Certificate>)>,
    /// The reserved hosts and their default, if they may have changed.
    pub(crate) reserved: Option<(Vec<HostMatch>, Option<BackendRef>)>,
    pub(crate) findings: Edits<Diagnostic>,
    pub(crate) unserved: Edits<UnservedRule>,
}

/// Whose findings they are, besides those of [`Backends`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    Classes,
    Defaults,
    DefaultCertificate,
    Global,
    Ingress(Key),
    Slice(Key),
}

/// What has to be looked at again.
#[derive(Default)]
struct Dirty {
    classes: bool,
    /// All Ingresses.
    all: bool,
    ingresses: Vec<Key>,
    /// Services whose endpoints may have changed.
    services: BTreeSet<Key>,
    /// Services that came or went.
    toggled: BTreeSet<Key>,
    secrets: BTreeSet<Key>,
}

/// Hosts whose rules may have changed, with the rules of the Ingresses that were translated.
type Hosts = BTreeMap<Arc<HostMatch>, Vec<Rule>>;

// ===== impl Translator =====

impl Translator {
    /// Takes over what the objects with these keys are now, in any order. Objects with other keys must be as they were.
    pub(crate) fn update<'k>(
        &mut self,
        store: &Store,
        config: &Config,
        keys: impl IntoIterator<Item = &'k ObjectKey>,
    ) -> Delta {
        let first = !std::mem::replace(&mut self.started, true);
        let mut dirty = Dirty { all: first, ..Dirty::default() };
        keys.into_iter().for_each(|key| self.note(store, key, &mut dirty));
        if dirty.all || dirty.classes {
            self.read_classes(store, config);
        }
        let mut concerned = self.update_backends(store, config, &dirty);
        for secret in &dirty.secrets {
            concerned.extend(self.certificates.update(secret, store, config));
        }
        let all = dirty.all;
        let keys = sorted_keys(store, dirty);
        keys.iter().for_each(|key| _ = concerned.remove(key));

        let mut hosts = Hosts::new();
        for keys in keys.chunks(AT_ONCE) {
            for (key, now) in keys.iter().zip(self.view(store, config).translate_all(keys)) {
                self.replace(store, config, key, now, &mut hosts);
            }
        }
        let concerned: Vec<_> = concerned.into_iter().collect();
        for keys in concerned.chunks(AT_ONCE) {
            for (key, now) in keys.iter().zip(self.view(store, config).translate_all(keys)) {
                self.report(store, key, now.map(|(_, out)| out).unwrap_or_default());
            }
        }
        let reserve = self.update_global(store, config) || first;
        let finding = self.certificates.update_default(store, config);
        self.findings.set(About::DefaultCertificate, finding.into_iter().collect());
        self.backends.sweep();
        if self.defaults.take_changed() {
            self.findings.set(About::Defaults, self.defaults.findings());
            hosts.entry(HostMatch::Any.into()).or_default();
        }
        if !all {
            self.add_others(store, config, &mut hosts, &keys);
        }
        if let Some(rules) = hosts.get_mut(&HostMatch::Any) {
            rules.extend(self.defaults.rules());
        }
        let certificates = self.certificates.take_changed();
        #[cfg(feature = "client")]
        self.note_secrets();
        Delta {
            hosts: hosts.into_iter().collect(),
            served: self.backends.take_served(),
            certificates,
            reserved: reserve.then(|| {
                (
                    ownership::reserved(config).collect(),
                    self.defaults.global().cloned().map(BackendRef::Service),
                )
            }),
            findings: self.findings.take_edits().and(self.backends.take_findings()),
            unserved: self.unserved.take_edits(),
        }
    }

    /// Secrets that are read since this was last asked, or not any more.
    #[cfg(feature = "client")]
    pub(crate) fn take_secrets(&mut self) -> BTreeMap<Key, bool> {
        let read = |key: Key| {
            let by_services = self.backends.secrets().names(&key);
            let is_read = by_services || self.certificates.want(&key) || self.secrets.names(&key);
            (key, is_read)
        };
        std::mem::take(&mut self.toggled).into_iter().map(read).collect()
    }

    #[cfg(feature = "client")]
    fn note_secrets(&mut self) {
        self.toggled.extend(self.certificates.take_toggled());
        self.toggled.extend(self.secrets.take_toggled());
        self.toggled.extend(self.backends.secrets().take_toggled());
    }

    /// Whether the Ingress is one of ours.
    #[cfg(feature = "client")]
    pub(crate) fn serves(&self, ingress: &Key) -> bool {
        self.memos.get(ingress).is_some_and(|memo| memo.owner == Owner::Us)
    }

    /// The ConfigMaps that are read.
    #[cfg(feature = "client")]
    pub(crate) fn config_maps(&self) -> &BTreeSet<Key> {
        self.parameters.named()
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// How many rules there are.
    pub(crate) fn rules(&self) -> usize {
        self.totals.rules + self.defaults.len()
    }

    fn note(&mut self, store: &Store, key: &ObjectKey, dirty: &mut Dirty) {
        let kind = key.kind;
        let key = Key::from(key);
        match kind {
            Kind::Ingress => dirty.ingresses.push(key),
            Kind::IngressClass => dirty.all = true,
            Kind::ConfigMap => {
                dirty.all |= self.parameters.name(&key);
                dirty.classes |= self.parameters.are_faulty();
            }
            Kind::EndpointSlice => {
                let slice = store.slices.get(&key.namespace, &key.name);
                dirty.services.extend(self.slices.update(&key, slice));
                let finding = slice.and_then(slices::nameless);
                self.findings.set(About::Slice(key), finding.into_iter().collect());
            }
            Kind::Secret => {
                dirty.ingresses.extend(self.secrets.users(&key).cloned());
                dirty.secrets.insert(key);
            }
            Kind::Service => {
                let present = store.services.get(&key.namespace, &key.name).is_some();
                if self.names.set(&key, present) {
                    dirty.toggled.insert(key.clone());
                }
                dirty.services.insert(key);
            }
        }
    }

    fn read_classes(&mut self, store: &Store, config: &Config) {
        let mut out = Output::default();
        self.default_class = class::default(store);
        let classes = Classes::new(store, config, self.default_class.as_deref());
        classes.report(&mut out);
        self.parameters = Parameters::new(store, &classes, &mut out);
        self.findings.set(About::Classes, out.findings);
    }

    /// Looks up again what Services and EndpointSlices may have changed. Returns the Ingresses that are to be told
    /// something new about their backends.
    fn update_backends(&mut self, store: &Store, config: &Config, dirty: &Dirty) -> BTreeSet<Key> {
        let toggled: Vec<_> = dirty.toggled.iter().cloned().collect();
        let mut services = self.backends.concerned_by(&toggled, store);
        services.extend(dirty.services.iter().flat_map(|key| self.backends.of_service(key)).cloned());
        services.extend(dirty.secrets.iter().flat_map(|key| self.backends.of_secret(key)).cloned());
        let lookup = Lookup { store, config, slices: &self.slices, names: &self.names };
        let mut concerned = BTreeSet::new();
        for service in &services {
            if self.backends.look_up(service, &lookup) {
                concerned.extend(self.backends.users(service).cloned());
            }
        }
        concerned
    }

    /// Puts what an Ingress says now in the place of what it said before.
    fn replace(
        &mut self,
        store: &Store,
        config: &Config,
        key: &Key,
        now: Option<Translated>,
        hosts: &mut Hosts,
    ) {
        if let Some(memo) = self.memos.remove(key) {
            self.forget(key, memo, hosts);
        }
        let Some((owner, mut out)) = now else {
            self.unserved.set(key.clone(), Vec::new());
            return self.report(store, key, Output::default());
        };
        let lookup = Lookup { store, config, slices: &self.slices, names: &self.names };
        let uses = by_service(&out.uses).map(|uses| self.backends.add_user(&uses[0].service, key, &lookup));
        let uses = uses.collect();
        let memo = Memo {
            owner,
            rules: out.rules.len(),
            hosts: self.claim(key, std::mem::take(&mut out.rules), hosts),
            uses,
            default: out.default.as_ref().map(|candidate| candidate.rank),
            secrets: std::mem::take(&mut out.secrets).into(),
            wants: out.wants.clone().into(),
        };
        memo.secrets.iter().for_each(|secret| self.secrets.add(secret, key));
        memo.wants.iter().for_each(|want| self.certificates.add(want, store, config));
        out.default.take().into_iter().for_each(|candidate| self.defaults.add(key, candidate));
        self.unserved.set(key.clone(), std::mem::take(&mut out.refused));
        self.totals.add(&memo);
        self.memos.insert(key.clone(), memo);
        self.report(store, key, out);
    }

    fn forget(&mut self, key: &Key, memo: Memo, hosts: &mut Hosts) {
        self.totals.subtract(&memo);
        for service in &memo.uses {
            self.backends.remove_user(service, key);
        }
        memo.wants.iter().for_each(|want| self.certificates.remove(want));
        memo.secrets.iter().for_each(|secret| self.secrets.remove(secret, key));
        for host in memo.hosts {
            self.claims.remove(&host, key);
            hosts.entry(host).or_default();
        }
        if let Some(rank) = memo.default {
            self.defaults.remove(key, rank);
        }
    }

    /// Hands the rules of an Ingress to their hosts, and returns these.
    fn claim(&mut self, key: &Key, mut rules: Vec<Rule>, hosts: &mut Hosts) -> Box<[Arc<HostMatch>]> {
        rules.sort_by(|a, b| a.host.cmp(&b.host));
        let mut claimed: Vec<Arc<HostMatch>> = Vec::new();
        let mut rules = rules.into_iter().peekable();
        while let Some(rule) = rules.next() {
            let host = Arc::new(rule.host.clone());
            let all = hosts.entry(host.clone()).or_default();
            all.push(rule);
            while let Some(rule) = rules.next_if(|rule| rule.host == *host) {
                all.push(rule);
            }
            self.claims.insert(host.clone(), key);
            claimed.push(host);
        }
        claimed.into()
    }

    /// Publishes the findings about an Ingress, those about its backends included.
    fn report(&mut self, store: &Store, key: &Key, out: Output) {
        let Output { mut findings, uses, wants, .. } = out;
        findings.extend(self.certificates.findings(&wants));
        for uses in by_service(&uses) {
            let Some(problem) = self.backends.problem(&uses[0].service) else { continue };
            let Some(stored) = store.ingresses.get(&key.namespace, &key.name) else { continue };
            findings.extend(uses.iter().map(|used| problem.at(&stored.source, used.place)));
        }
        self.findings.set(About::Ingress(key.clone()), findings);
    }

    /// Returns whether another Service is the global default backend now.
    fn update_global(&mut self, store: &Store, config: &Config) -> bool {
        let lookup = Lookup { store, config, slices: &self.slices, names: &self.names };
        let now = default_backend::reference(&lookup);
        let news = self.defaults.global() != now.as_ref();
        if news {
            // Not an Ingress: the user that has no name.
            let user = Key::default();
            if let Some(before) = self.defaults.global() {
                self.backends.remove_user(&Arc::new(before.clone()), &user);
            }
            if let Some(now) = &now {
                self.backends.add_user(now, &user, &lookup);
            }
            self.defaults.set_global(now.clone());
        }
        let problem = now.and_then(|now| self.backends.problem(&now));
        let finding = problem.and_then(|problem| default_backend::finding(&lookup, problem));
        self.findings.set(About::Global, finding.into_iter().collect());
        news
    }

    /// Adds the rules for these hosts of those Ingresses that were not translated.
    fn add_others(&self, store: &Store, config: &Config, hosts: &mut Hosts, translated: &[Key]) {
        let others = self.claims.others(hosts.keys(), translated);
        for others in others.chunks(AT_ONCE) {
            let rules = self.view(store, config).rules_of_all(others);
            for rule in rules.into_iter().flatten() {
                if let Some(rules) = hosts.get_mut(&rule.host) {
                    rules.push(rule);
                }
            }
        }
    }

    fn view<'a>(&'a self, store: &'a Store, config: &'a Config) -> View<'a> {
        let classes = Classes::new(store, config, self.default_class.as_deref());
        View { store, config, classes, parameters: &self.parameters }
    }
}

/// The keys of the Ingresses that are to be translated, each once and in order.
fn sorted_keys(store: &Store, dirty: Dirty) -> Vec<Key> {
    let mut keys = dirty.ingresses;
    if dirty.all {
        keys.extend(store.ingresses.iter().map(Key::of));
    }
    keys.sort();
    keys.dedup();
    keys
}

/// `uses` are in order.
fn by_service(uses: &[Use]) -> impl Iterator<Item = &[Use]> {
    uses.chunk_by(|a, b| a.service == b.service)
}
