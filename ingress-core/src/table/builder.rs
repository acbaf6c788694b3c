//! Rules to table: order, conflicts, isolation of faults.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::conflicts::{lint, take_shadowed};
use super::hosts::{HostIndex, HostRoutes};
use super::options::Options;
use super::paths::PathIndex;
use super::patterns::Patterns;
use super::{AmbiguousPaths, HostFallthrough, Route, RouteTable, UnservedRule};
use crate::split::{Split, SplitRef};
use crate::{
    Algorithm, Backend, BackendRef, Backends, Diagnostic, Endpoint, EndpointSet, HostMatch, PathMatch, Rule,
    Source,
};

/// Collects rules and endpoints and compiles them.
///
/// The order of calls does not matter. A conflict costs the losing rule and yields a [`Diagnostic`]; nothing
/// stops the other rules from being compiled.
#[derive(Debug, Default)]
pub struct RouteTableBuilder {
    rules: Vec<Rule>,
    endpoints: BTreeMap<BackendRef, (Vec<Endpoint>, Option<Algorithm>)>,
    algorithm: Algorithm,
    diagnostics: Vec<Diagnostic>,
    unserved: Vec<UnservedRule>,
    options: Options,
    reserved: BTreeSet<HostMatch>,
    reserved_default: Option<BackendRef>,
}

impl RouteTableBuilder {
    /// Adds a rule.
    pub fn rule(&mut self, rule: Rule) -> &mut Self {
        self.rules.push(rule);
        self
    }

    /// Adds endpoints of a backend to those it has already. A backend that no rule points at is left out
    /// of the table.
    pub fn endpoints(
        &mut self,
        backend: BackendRef,
        endpoints: impl IntoIterator<Item = Endpoint>,
    ) -> &mut Self {
        self.endpoints.entry(backend).or_default().0.extend(endpoints);
        self
    }

    /// Sets how endpoints are chosen for backends that [`RouteTableBuilder::balance`] does not name.
    pub fn balance_all(&mut self, algorithm: Algorithm) -> &mut Self {
        self.algorithm = algorithm;
        self
    }

    /// Sets how endpoints of this backend are chosen.
    pub fn balance(&mut self, backend: BackendRef, algorithm: Algorithm) -> &mut Self {
        self.endpoints.entry(backend).or_default().1 = Some(algorithm);
        self
    }

    /// Keeps a host for the rules that name it. What these do not take, rules without a host do not take
    /// either, neither their paths nor their default.
    ///
    /// A reserved [`HostMatch::Exact`] is in the table even without a rule, so that wildcards do not take it.
    /// A reserved [`HostMatch::Wildcard`] stands for names with *any* number of labels in front; rules for
    /// wildcards and exact hosts below are served as ever. [`HostMatch::Any`] reserves nothing.
    pub fn reserve(&mut self, host: HostMatch) -> &mut Self {
        if host != HostMatch::Any {
            self.reserved.insert(host);
        }
        self
    }

    /// Sets what serves requests for reserved hosts that no rule for these hosts takes; without it nothing
    /// does.
    pub fn reserve_default(&mut self, backend: BackendRef) -> &mut Self {
        self.reserved_default = Some(backend);
        self
    }

    /// Sets what happens to a request that no path of its host takes.
    pub fn host_fallthrough(&mut self, fallthrough: HostFallthrough) -> &mut Self {
        self.options.fallthrough = fallthrough;
        self
    }

    /// Sets what happens to paths that application servers read in different ways.
    pub fn ambiguous_paths(&mut self, ambiguous: AmbiguousPaths) -> &mut Self {
        self.options.ambiguous = ambiguous;
        self
    }

    /// Adds a rule that cannot be served, with the finding that says why, so that the table can explain it.
    pub fn unserved(&mut self, rule: UnservedRule) -> &mut Self {
        self.unserved.push(rule);
        self
    }

    /// Adds a finding of whoever makes the rules, so that it is published with the table.
    pub fn diagnostic(&mut self, diagnostic: Diagnostic) -> &mut Self {
        self.diagnostics.push(diagnostic);
        self
    }

    /// Compiles the table. It never fails: what cannot be served is among the findings, which the table
    /// holds as well ([`RouteTable::diagnostics`]).
    pub fn build(self) -> (RouteTable, Arc<[Diagnostic]>) {
        self.build_located(|_| None)
    }

    /// As [`RouteTableBuilder::build`], where `locate` may know the line of the field that a finding names.
    /// The finding's [`ObjectRef::line`](crate::ObjectRef::line) becomes that line; rules keep theirs.
    pub fn build_located(
        self,
        locate: impl FnMut(&Source) -> Option<u32>,
    ) -> (RouteTable, Arc<[Diagnostic]>) {
        let Self { mut rules, mut endpoints, algorithm, mut diagnostics, mut unserved, options, .. } = self;
        rules.sort_by(|a, b| a.precedence().cmp(&b.precedence()));
        unserved.extend(take_shadowed(&mut rules));
        lint(&rules, &mut diagnostics);
        locate_and_sort(&mut diagnostics, &mut unserved, locate);

        // Behind all others: a second default for any host, which only reserved hosts see.
        let shared = rules.len();
        let reserved_default = self.reserved_default.filter(|_| !self.reserved.is_empty());
        rules.extend(reserved_default.map(|backend| Rule::new(HostMatch::Any, PathMatch::Default, backend)));

        let backends = backends(&rules, &mut endpoints, &algorithm);
        let splits = splits(&rules, &backends);
        let routes = routes(rules, shared, &backends, &splits);
        let mut hosts = index(&routes[..shared]);
        let reserved: Box<[HostMatch]> = self.reserved.into_iter().collect();
        hosts.reserve(&reserved, routes.get(shared).map(|route| route.id(shared as u32)));
        let conditional = routes.iter().any(|route| !route.conditions().is_empty());
        let diagnostics: Arc<[Diagnostic]> = diagnostics.into();
        let table = RouteTable {
            generation: 0,
            routes,
            backends,
            splits: splits.into_values().collect(),
            hosts,
            conditional,
            options,
            reserved,
            unserved: unserved.into(),
            diagnostics: diagnostics.clone(),
        };
        (table, diagnostics)
    }
}

/// Puts all findings into one order, and gives those that name a field its line.
fn locate_and_sort(
    diagnostics: &mut Vec<Diagnostic>,
    unserved: &mut Vec<UnservedRule>,
    mut locate: impl FnMut(&Source) -> Option<u32>,
) {
    unserved.iter_mut().for_each(|rule| rule.finding.locate(&mut locate));
    unserved.sort_by(|a, b| a.order().cmp(&b.order()));
    unserved.dedup();
    diagnostics.iter_mut().for_each(|finding| finding.locate(&mut locate));
    diagnostics.extend(unserved.iter().map(|rule| rule.finding.clone()));
    let order = |finding: &Diagnostic| {
        (finding.source.clone(), finding.code, finding.message.clone(), finding.help.clone())
    };
    diagnostics.sort_by_cached_key(order);
    diagnostics.dedup();
}

/// What the rules point at, in order, each with its endpoints.
fn backends(
    rules: &[Rule],
    endpoints: &mut BTreeMap<BackendRef, (Vec<Endpoint>, Option<Algorithm>)>,
    algorithm: &Algorithm,
) -> Box<[Arc<Backend>]> {
    let references = rules.iter().flat_map(|rule| rule.backends.iter()).map(|(backend, _)| backend.clone());
    let mut references: Vec<_> = references.collect();
    references.sort();
    references.dedup();
    let backend = |(index, reference): (usize, BackendRef)| {
        let (endpoints, own) = endpoints.remove(&reference).unwrap_or_default();
        let endpoints = EndpointSet::new(endpoints, own.as_ref().unwrap_or(algorithm));
        Arc::new(Backend::new(reference, index as u32, endpoints))
    };
    references.into_iter().enumerate().map(backend).collect()
}

/// The different splits, numbered after the backends.
fn splits(rules: &[Rule], backends: &[Arc<Backend>]) -> BTreeMap<SplitRef, Split> {
    let references = rules.iter().filter_map(|rule| match &rule.backends {
        Backends::Split(split) => Some(split.clone()),
        Backends::One(_) => None,
    });
    let references: BTreeSet<_> = references.collect();
    let split = |(index, reference): (usize, SplitRef)| {
        let share = |(backend, weight): (&BackendRef, u32)| {
            (backends[number(backends, backend) as usize].clone(), weight)
        };
        let shares = reference.iter().map(share).collect();
        let index = (backends.len() + index) as u32;
        (reference, Split::new(index, shares))
    };
    references.into_iter().enumerate().map(split).collect()
}

fn number(backends: &[Arc<Backend>], reference: &BackendRef) -> u32 {
    let found = backends.binary_search_by(|backend| backend.reference().cmp(reference));
    found.expect("every rule's backend was collected") as u32
}

/// Of the rules the first `shared` are indexed; one that follows stands alone.
fn routes(
    rules: Vec<Rule>,
    shared: usize,
    backends: &[Arc<Backend>],
    splits: &BTreeMap<SplitRef, Split>,
) -> Box<[Route]> {
    let ends = |at: usize| at + 1 >= shared || !rules[at].takes_same_paths(&rules[at + 1]);
    let last: Vec<bool> = (0..rules.len()).map(ends).collect();
    let route = |(rule, last): (Rule, bool)| {
        let backend = match &rule.backends {
            Backends::One(backend) => number(backends, backend),
            Backends::Split(split) => splits[split].index,
        };
        Route::new(rule, backend, last)
    };
    rules.into_iter().zip(last).map(route).collect()
}

/// `routes` are sorted by host, and by precedence inside a host.
fn index(routes: &[Route]) -> HostIndex {
    let mut hosts = HostIndex::default();
    let mut number = 0;
    for routes in routes.chunk_by(|a, b| a.host() == b.host()) {
        let mut paths = Vec::with_capacity(routes.len());
        let mut default = None;
        let mut is_first = true;
        for route in routes {
            // Of those that take the same paths the first one stands for all.
            if std::mem::replace(&mut is_first, route.last) {
                match route.path() {
                    PathMatch::Default => default = Some(route.id(number)),
                    path => paths.push((path, route.id(number))),
                }
            }
            number += 1;
        }
        let patterns = Patterns::build(&paths);
        hosts.insert(routes[0].host(), HostRoutes { paths: PathIndex::build(&paths), patterns, default });
    }
    hosts
}
