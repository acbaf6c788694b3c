//! A table that is kept up to date, one host or backend at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::asking::Asking;
use super::backends::Registry;
use super::certificates::Certificates;
use super::conflicts::{lint, take_shadowed};
use super::diagnostics::Diagnostics;
use super::host;
use super::hosts::HostIndex;
use super::multiset::Multiset;
use super::options::Options;
use super::passthrough::{self, Passed, Passthroughs};
use super::reserved::Reserved;
use super::shard::{Host, Shard};
use super::visit::Level;
use super::{AmbiguousPaths, HostFallthrough, RouteTable, UnservedRule};
use crate::{
    BackendRef, Certificate, Diagnostic, Endpoint, HostMatch, Locality, PathMatch, Policy, Rule, Source,
};

/// Makes one table after another, each from the one before it and what changed.
///
/// What did not change is shared by all of them: a change to one host costs time and memory for the rules of that
/// host and of a few dozen neighbours, which are copied with it, and other endpoints of a backend cost nothing of any
/// route, however large the table is. The tables do not depend on the order or history of the changes.
/// [`RouteTableBuilder`](crate::RouteTableBuilder) is for a table that is made once.
///
/// ```
/// use ingress_core::{HostMatch, PathMatch, Rule, TableEditor};
///
/// let host: HostMatch = "shop.example".parse()?;
/// let rule = |path: &str| {
///     let path = PathMatch::prefix(path).map_err(|error| error.to_string())?;
///     let backend = "default/shop:80".parse().map_err(|error| format!("{error}"))?;
///     Ok::<_, String>(Rule::new(host.clone(), path, backend))
/// };
/// let mut editor = TableEditor::new();
/// editor.set_host(host.clone(), vec![rule("/cart")?]);
/// let (first, _) = editor.build();
/// editor.set_host(host.clone(), vec![rule("/cart")?, rule("/pay")?]);
/// let (second, _) = editor.build();
/// assert_eq!((first.route_count(), second.route_count()), (1, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct TableEditor {
    hosts: HostIndex,
    /// Hosts that were set since the last table; `None` for one without rules.
    changed: HashMap<HostMatch, Option<Shard>, RandomState>,
    backends: Registry,
    certificates: Certificates,
    asking: Asking,
    passthroughs: Passthroughs,
    options: Options,
    routes: usize,
    served_hosts: usize,
    /// What was found about rules of a host.
    host_findings: BTreeMap<HostMatch, HostFindings>,
    /// All findings, those of the hosts and of unserved rules included.
    diagnostics: Diagnostics,
    /// All rules that are not served, those of the hosts included.
    unserved: Multiset<UnservedRule>,
}

#[derive(Debug, Default)]
struct HostFindings {
    shadowed: Vec<UnservedRule>,
    lints: Vec<Diagnostic>,
}

// ===== impl TableEditor =====

impl TableEditor {
    /// An editor of an empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets all rules of a host, in any order; without rules the host is taken out. The host that a rule names
    /// itself does not count.
    pub fn set_host(&mut self, host: HostMatch, mut rules: Vec<Rule>) {
        let (passed, unpassed) = passthrough::take(&host, &mut rules);
        let rough = |rule: &Rule| rule.path.rough_precedence();
        rules.sort_by(|a, b| rough(a).cmp(&rough(b)).then_with(|| a.precedence().cmp(&b.precedence())));
        let mut found = HostFindings { shadowed: take_shadowed(&mut rules), lints: Vec::new() };
        found.shadowed.extend(unpassed);
        lint(&rules, &mut found.lints);
        self.note_findings(&host, found);
        // The old numbers are given back after the new ones are taken, so that what stays keeps its number.
        let backends: Vec<u32> = rules.iter().map(|rule| self.backends.acquire(&rule.backends)).collect();
        rules.iter().for_each(|rule| self.backends.acquire_named(rule.policy.as_deref()));
        let wants = |rule: &Rule| {
            rule.policy.as_ref().is_some_and(|policy| policy.authentication.certificate.is_some())
        };
        self.asking.set(&host, rules.iter().any(wants));
        let passed = passed.and_then(|rule| {
            let number = self.backends.acquire_backend(passthrough::backend(&rule)?);
            Some(Passed::new(rule, number))
        });
        let is_passed = passed.is_some();
        if let Some(number) = self.passthroughs.set(&host, passed) {
            self.backends.release(number);
        }
        // A host whose connections are passed on is there, so that none above takes its requests.
        let routes = (!rules.is_empty() || is_passed || self.hosts.reserved().names(&host))
            .then(|| host::compile(&host, rules, &backends, self.hosts.path_hasher()));
        let before = self.routes_of(&host).map(backends_of).unwrap_or_default();
        let policies = self.routes_of(&host).map(policies_of).unwrap_or_default();
        self.routes = self.routes + backends.len() - before.len();
        self.served_hosts =
            self.served_hosts + usize::from(!backends.is_empty()) - usize::from(!before.is_empty());
        before.into_iter().for_each(|number| self.backends.release(number));
        policies.iter().for_each(|policy| self.backends.release_named(Some(policy)));
        self.changed.insert(host, routes);
    }

    /// Sets all endpoints of a backend; what is known of those that stay is kept. Without any and without a policy, the
    /// backend is forgotten. One that no rule points at is left out of the table.
    pub fn set_endpoints(&mut self, backend: BackendRef, endpoints: Vec<Endpoint>) {
        self.backends.set_endpoints(backend, endpoints);
    }

    /// Sets how requests for a backend are treated where their rule says nothing else.
    ///
    /// What protects a route, such as [`Policy::access`] and [`Policy::authentication`], belongs on its rule
    /// ([`Rule::with_policy`](crate::Rule::with_policy)): where a rule has a canary or splits its requests, the policy of the
    /// backend that is chosen counts, and a client may be able to choose, by a header or a cookie, the one that asks for less.
    pub fn set_backend_policy(&mut self, backend: BackendRef, policy: Option<Arc<Policy>>) {
        self.backends.set_policy(backend, policy);
    }

    /// Sets where the program runs, so that endpoints are preferred that are meant for this place.
    pub fn set_locality(&mut self, locality: Locality) {
        self.backends.set_locality(locality);
    }

    /// Sets what happens to a request that no path of its host takes, and to paths that application servers read in
    /// different ways.
    pub fn set_options(&mut self, fallthrough: HostFallthrough, ambiguous: AmbiguousPaths) {
        self.options = Options { fallthrough, ambiguous };
    }

    /// Sets the certificate that a server presents to clients that ask for the host; that of [`HostMatch::Any`] is for
    /// all that have no other. A certificate does not need a route.
    pub fn set_certificate(&mut self, host: HostMatch, certificate: Option<Certificate>) {
        self.certificates.set(host, certificate);
    }

    /// Sets all hosts that are kept for the rules that name them, and what serves their requests that no such rule
    /// takes; see [`RouteTableBuilder::reserve`](crate::RouteTableBuilder::reserve).
    pub fn set_reserved(&mut self, hosts: impl IntoIterator<Item = HostMatch>, default: Option<BackendRef>) {
        let hosts: BTreeSet<_> = hosts.into_iter().filter(|host| *host != HostMatch::Any).collect();
        let default = default.filter(|_| !hosts.is_empty()).map(|backend| {
            let rule = Rule::new(HostMatch::Any, PathMatch::Default, backend);
            let number = self.backends.acquire(&rule.backends);
            host::compile(&HostMatch::Any, vec![rule], &[number], self.hosts.path_hasher())
        });
        let before = self.hosts.reserved();
        let had_default = before.default().map(backends_of).unwrap_or_default();
        let had = before.hosts.clone();
        self.routes = self.routes + usize::from(default.is_some()) - had_default.len();
        had_default.into_iter().for_each(|number| self.backends.release(number));
        self.hosts.reserve(Reserved::new(hosts.into_iter().collect(), default));
        // A reserved exact host is in the table even without a rule.
        let now = self.hosts.reserved().hosts.clone();
        for host in had.iter().chain(&now).filter(|host| matches!(host, HostMatch::Exact(_))) {
            if self.routes_of(host).is_none_or(Host::is_empty) {
                let empty = || host::compile(host, Vec::new(), &[], self.hosts.path_hasher());
                let is_there = self.hosts.reserved().names(host) || self.passthroughs.has(host);
                let routes = is_there.then(empty);
                self.changed.insert(host.clone(), routes);
            }
        }
    }

    /// Adds a finding of whoever makes the rules, so that it is published with the table. One that was added twice is
    /// there until it was removed twice, and the table has it once.
    pub fn add_diagnostic(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.0.insert(diagnostic);
    }

    /// Takes a finding back.
    pub fn remove_diagnostic(&mut self, diagnostic: &Diagnostic) {
        self.diagnostics.0.remove(diagnostic);
    }

    /// Adds a rule that whoever makes the rules cannot serve, so that the table can explain it. Its finding is added
    /// with it.
    pub fn add_unserved(&mut self, rule: UnservedRule) {
        self.add_diagnostic(rule.finding.clone());
        self.unserved.insert(rule);
    }

    /// Takes back a rule that cannot be served, and its finding.
    pub fn remove_unserved(&mut self, rule: &UnservedRule) {
        self.remove_diagnostic(&rule.finding);
        self.unserved.remove(rule);
    }

    /// Makes a table. It never fails: what cannot be served is among the findings, which the table holds as well
    /// ([`RouteTable::diagnostics`]).
    pub fn build(&mut self) -> (RouteTable, Diagnostics) {
        self.table(self.diagnostics.clone(), self.unserved.clone())
    }

    /// As [`TableEditor::build`], where `locate` may know the line of the field that a finding names. The finding's
    /// [`ObjectRef::line`](crate::ObjectRef::line) becomes that line; rules keep theirs. All findings are gone
    /// through each time.
    pub fn build_located(
        &mut self,
        mut locate: impl FnMut(&Source) -> Option<u32>,
    ) -> (RouteTable, Diagnostics) {
        let unserved = self.unserved.iter().cloned().map(|mut rule| {
            rule.finding.locate(&mut locate);
            rule
        });
        let unserved = unserved.collect();
        let diagnostics = self.diagnostics.located(locate);
        self.table(diagnostics, unserved)
    }

    fn table(
        &mut self,
        diagnostics: Diagnostics,
        unserved: Multiset<UnservedRule>,
    ) -> (RouteTable, Diagnostics) {
        self.apply_changes();
        let table = RouteTable {
            generation: 0,
            is_fresh: false,
            hosts: self.hosts.clone(),
            backends: self.backends.table.clone(),
            certificates: self.certificates.clone(),
            asking: self.asking.clone(),
            passthroughs: self.passthroughs.clone(),
            routes: self.routes,
            served_hosts: self.served_hosts,
            options: self.options,
            unserved,
            diagnostics: diagnostics.clone(),
        };
        (table, diagnostics)
    }

    /// Hands the changed hosts over; where they are many, all hosts are laid out anew.
    fn apply_changes(&mut self) {
        let mut changed = std::mem::take(&mut self.changed);
        if changed.len() <= 64 + self.hosts.named_count() / 8 {
            changed.into_iter().for_each(|(host, routes)| self.hosts.set(&host, routes));
            return;
        }
        let kept = self.hosts.named().filter(|routes| !changed.contains_key(&routes.host()));
        let named = changed.iter().filter(|(host, _)| Level::of(host).0 != Level::Any);
        let all: Vec<_> =
            kept.chain(named.filter_map(|(_, routes)| routes.as_ref()).map(Shard::only)).collect();
        let mut hosts = self.hosts.with_named(&all);
        if let Some(any) = changed.remove(&HostMatch::Any) {
            hosts.set(&HostMatch::Any, any);
        }
        self.hosts = hosts;
    }

    /// The routes of a host as they are set now.
    fn routes_of(&self, host: &HostMatch) -> Option<Host<'_>> {
        match self.changed.get(host) {
            Some(routes) => routes.as_ref().map(Shard::only),
            None => self.hosts.get(host),
        }
    }

    fn note_findings(&mut self, host: &HostMatch, found: HostFindings) {
        let before = self.host_findings.remove(host).unwrap_or_default();
        before.lints.iter().for_each(|finding| self.remove_diagnostic(finding));
        before.shadowed.iter().for_each(|rule| self.remove_unserved(rule));
        if found.shadowed.is_empty() && found.lints.is_empty() {
            return;
        }
        found.lints.iter().for_each(|finding| self.add_diagnostic(finding.clone()));
        found.shadowed.iter().for_each(|rule| self.add_unserved(rule.clone()));
        self.host_findings.insert(host.clone(), found);
    }
}

/// The policies of a host's routes that name backends.
fn policies_of(host: Host<'_>) -> Vec<Arc<Policy>> {
    let policies = (0..host.len()).filter_map(|route| host.policy(route));
    policies.filter(|policy| policy.backends().next().is_some()).cloned().collect()
}

/// The numbers of what serves the routes of a host.
fn backends_of(host: Host<'_>) -> Vec<u32> {
    (0..host.len()).map(|route| host.backend(route)).collect()
}
