//! Which default backends take the requests that no rule takes.
//!
//! Each host of an Ingress takes that Ingress's default backend. The overall default, which also takes the
//! hosts that no rule names, is that of the Ingresses without rules; without such, that of the Ingresses
//! with host-less rules; without those, the global default backend that the configuration names; without one,
//! that of the oldest Ingress with a default backend: "If none of the hosts or paths match the HTTP request in
//! the Ingress objects, the traffic is routed to your default backend" (Kubernetes documentation, Ingress).

use std::collections::BTreeMap;
use std::sync::Arc;

use ingress_core::{BackendRef, Code, Diagnostic, HostMatch, PathMatch, Policy, Rule, ServiceRef, Source};

use super::key::Key;
use super::with_policy;

/// The default backend of one Ingress, as far as it may become the overall one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) rank: Rank,
    pub(super) source: Source,
    pub(super) backend: BackendRef,
    pub(super) policy: Option<Arc<Policy>>,
}

impl Candidate {
    /// The default backend as a rule for a host.
    pub(super) fn rule(&self, host: HostMatch) -> Rule {
        let rule = Rule::new(host, PathMatch::Default, self.backend.clone());
        with_policy(rule, self.policy.as_ref()).with_source(self.source.clone())
    }
}

/// What else its Ingress has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// No rules.
    Ruleless,
    /// A rule without a host.
    Hostless,
    /// Only rules with hosts. Then it must also be allowed to claim every host.
    Hosts,
}

/// All candidates, of which some are chosen.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    ruleless: BTreeMap<Key, Candidate>,
    hostless: BTreeMap<Key, Candidate>,
    /// Of Ingresses all of whose rules have hosts, by precedence.
    others: BTreeMap<Source, Candidate>,
    /// Where those stand.
    sources: BTreeMap<Key, Source>,
    global: Option<ServiceRef>,
    changed: bool,
}

impl Defaults {
    /// Sets the candidate of an Ingress that has none.
    pub(super) fn add(&mut self, key: &Key, candidate: Candidate) {
        match candidate.rank {
            Rank::Ruleless => _ = self.ruleless.insert(key.clone(), candidate),
            Rank::Hostless => _ = self.hostless.insert(key.clone(), candidate),
            Rank::Hosts => {
                let source = candidate.source.clone();
                self.changed |= self.others.keys().next().is_none_or(|first| source < *first);
                self.sources.insert(key.clone(), source.clone());
                self.others.insert(source, candidate);
                return;
            }
        }
        self.changed = true;
    }

    /// Forgets the candidate of an Ingress.
    pub(super) fn remove(&mut self, key: &Key, rank: Rank) {
        match rank {
            Rank::Ruleless => _ = self.ruleless.remove(key),
            Rank::Hostless => _ = self.hostless.remove(key),
            Rank::Hosts => {
                let Some(source) = self.sources.remove(key) else { return };
                self.changed |= self.others.keys().next() == Some(&source);
                self.others.remove(&source);
                return;
            }
        }
        self.changed = true;
    }

    /// The global default backend.
    pub(super) fn global(&self) -> Option<&ServiceRef> {
        self.global.as_ref()
    }

    pub(super) fn set_global(&mut self, global: Option<ServiceRef>) {
        self.changed = true;
        self.global = global;
    }

    /// Whether something that is chosen may have changed since this was last asked.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// How many rules the overall default has.
    pub(super) fn len(&self) -> usize {
        match (self.ruleless.len(), self.hostless.len()) {
            (0, 0) => usize::from(self.global.is_some() || !self.others.is_empty()),
            (0, hostless) => hostless,
            (ruleless, _) => ruleless,
        }
    }

    /// The rules of the overall default. The one of the global default backend has no source, since no object
    /// says it.
    pub(super) fn rules(&self) -> Vec<Rule> {
        let rule = |backend: BackendRef| Rule::new(HostMatch::Any, PathMatch::Default, backend);
        let sourced = |candidate: &Candidate| candidate.rule(HostMatch::Any);
        match (self.ruleless.is_empty(), self.hostless.is_empty(), &self.global) {
            (false, _, _) => self.ruleless.values().map(sourced).collect(),
            (true, false, _) => self.hostless.values().map(sourced).collect(),
            (true, true, Some(global)) => vec![rule(BackendRef::Service(global.clone()))],
            (true, true, None) => self.others.values().take(1).map(sourced).collect(),
        }
    }

    /// What is said of candidates that would have been chosen, if there were no stronger ones.
    pub(super) fn findings(&self) -> Vec<Diagnostic> {
        if self.ruleless.is_empty() {
            return Vec::new();
        }
        let message = "requests without a rule go to the default backend of an Ingress that has no rules";
        let help = "give the rule a host, or write a Prefix / instead of the default backend";
        let finding =
            |hidden: &Candidate| Diagnostic::new(Code::ShadowedRule, hidden.source.clone(), message, help);
        self.hostless.values().map(finding).collect()
    }
}
