//! Hosts whose TLS is not ended here.

use std::sync::Arc;

use rpds::RedBlackTreeMapSync;

use super::hosts::HostIndex;
use super::unserved::UnservedRule;
use super::visit::Level;
use crate::{Backend, BackendRef, Backends, Code, Diagnostic, HostMatch, Policy, RequestHost, Rule, Source};

/// Where connections are carried that are not decrypted.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Passthrough<'t> {
    /// Whose endpoints.
    pub backend: &'t Arc<Backend>,
    /// What the rule says of it, which comes before what the backend's policy says.
    pub policy: Option<&'t Arc<Policy>>,
    /// The object and field that the rule stems from.
    pub source: Option<&'t Source>,
}

/// The hosts, each with the number of its backend. Clones share what was not changed since.
#[derive(Clone, Debug)]
pub(super) struct Passthroughs(RedBlackTreeMapSync<HostMatch, Passed>);

#[derive(Clone, Debug)]
pub(super) struct Passed {
    pub(super) backend: u32,
    policy: Option<Arc<Policy>>,
    source: Option<Source>,
}

// ===== impl Passthroughs, Passed =====

impl Passthroughs {
    /// Returns what was there before.
    pub(super) fn set(&mut self, host: &HostMatch, passed: Option<Passed>) -> Option<u32> {
        let before = self.0.get(host).map(|passed| passed.backend);
        match passed {
            Some(passed) => self.0.insert_mut(host.clone(), passed),
            None => _ = self.0.remove_mut(host),
        }
        before
    }

    pub(super) fn has(&self, host: &HostMatch) -> bool {
        self.0.contains_key(host)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// That of the name, or of the wildcard one label above where nothing else is said of the name.
    pub(super) fn find(&self, server_name: &str, hosts: &HostIndex) -> Option<&Passed> {
        if self.is_empty() {
            return None;
        }
        let name = RequestHost::parse(server_name).ok()?;
        let exact = name.as_str().parse().ok().and_then(|exact| self.0.get(&HostMatch::Exact(exact)));
        exact.or_else(|| {
            if hosts.has(Level::Exact, name.as_bytes()) {
                return None;
            }
            let (_, parent) = name.as_str().split_once('.')?;
            self.0.get(&HostMatch::Wildcard(parent.parse().ok()?))
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&HostMatch, &Passed)> {
        self.0.iter()
    }
}

impl Default for Passthroughs {
    fn default() -> Self {
        Self(RedBlackTreeMapSync::new_sync())
    }
}

impl Passed {
    pub(super) fn new(rule: Rule, backend: u32) -> Self {
        Self { backend, policy: rule.policy, source: rule.source }
    }

    pub(super) fn to<'t>(&'t self, backend: &'t Arc<Backend>) -> Passthrough<'t> {
        Passthrough { backend, policy: self.policy.as_ref(), source: self.source.as_ref() }
    }
}

/// Whose endpoints take the connections of a rule.
pub(super) fn backend(rule: &Rule) -> Option<&BackendRef> {
    match &rule.backends {
        Backends::One(backend) => Some(backend),
        Backends::Split(split) => split.iter().next().map(|(backend, _)| backend),
    }
}

/// Takes the rules out that cannot be served beside the strongest one of the host: either it is for connections and alone
/// is left, to be returned, or all that are for connections go.
pub(super) fn take(host: &HostMatch, rules: &mut Vec<Rule>) -> (Option<Rule>, Vec<UnservedRule>) {
    if rules.iter().all(|rule| !rule.passes_tls) {
        return (None, Vec::new());
    }
    let requests = rules.iter().filter(|rule| !rule.passes_tls || *host == HostMatch::Any);
    let strongest_request = requests.min_by(|a, b| a.claim().cmp(&b.claim())).cloned();
    let connections = rules.iter().filter(|rule| rule.passes_tls);
    let strongest = connections.min_by(|a, b| a.claim().cmp(&b.claim())).cloned();
    let passed = strongest.filter(|rule| {
        *host != HostMatch::Any
            && strongest_request.as_ref().is_none_or(|request| rule.claim() < request.claim())
    });
    let winner = passed.as_ref().or(strongest_request.as_ref());
    let (kept, lost): (Vec<_>, Vec<_>) = rules.drain(..).partition(|rule| match &passed {
        Some(passed) => rule == passed,
        None => !rule.passes_tls,
    });
    if passed.is_none() {
        *rules = kept;
    }
    let lost = lost.into_iter().map(|rule| unserved(rule, winner)).collect();
    (passed, lost)
}

fn unserved(rule: Rule, winner: Option<&Rule>) -> UnservedRule {
    let by = winner.and_then(|winner| winner.source.as_ref());
    let by = by.map_or_else(|| "a rule without a source".into(), ToString::to_string);
    let (message, help) = match (&rule.host, winner.is_some_and(|winner| winner.passes_tls)) {
        (HostMatch::Any, _) => ("TLS of all hosts cannot be passed through".to_owned(), "name the host"),
        (host, true) => (
            format!(
                "connections for host \"{host}\" are passed through without being decrypted, as {by} says"
            ),
            "the older object wins, then the first by namespace and name; use another host in one of the two",
        ),
        (host, false) => (
            format!(
                "connections for host \"{host}\" are not passed through, because {by} has rules for its requests"
            ),
            "the older object wins, then the first by namespace and name; use another host in one of the two",
        ),
    };
    let related = winner.and_then(|winner| winner.source.clone());
    let finding =
        Diagnostic::new(Code::ShadowedRule, rule.source.clone(), message, help).with_related(related);
    UnservedRule { host: Some(rule.host), path: Some(rule.path), finding }
}
