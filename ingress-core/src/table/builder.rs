//! Rules to table: order, conflicts, isolation of faults.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::hosts::{HostIndex, HostRoutes};
use super::paths::PathIndex;
use super::{Route, RouteTable};
use crate::{
    Algorithm, Backend, BackendRef, Code, Diagnostic, Endpoint, EndpointSet, HostMatch, PathMatch, Rule,
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
        mut locate: impl FnMut(&Source) -> Option<u32>,
    ) -> (RouteTable, Arc<[Diagnostic]>) {
        let Self { mut rules, mut endpoints, algorithm, mut diagnostics, reserved, reserved_default } = self;
        rules.sort_by(|a, b| a.precedence().cmp(&b.precedence()));
        rules.dedup_by(|loser, winner| {
            let same = loser.host == winner.host && loser.path == winner.path;
            if same && *loser != *winner {
                diagnostics.push(shadowed(loser, winner));
            }
            same
        });
        report_overlaps(&rules, &mut diagnostics);
        diagnostics.extend(rules.iter().filter(|rule| rule.path.is_unreachable()).map(unreachable_path));

        // Behind all others: a second default for any host, which only reserved hosts see.
        let shared = rules.len();
        let reserved_default = reserved_default.filter(|_| !reserved.is_empty());
        rules.extend(reserved_default.map(|backend| Rule::new(HostMatch::Any, PathMatch::Default, backend)));

        let mut references: Vec<_> = rules.iter().map(|rule| rule.backend.clone()).collect();
        references.sort();
        references.dedup();
        let routes: Box<[Route]> = rules.into_iter().map(|rule| compile(rule, &references)).collect();
        let mut hosts = index(&routes[..shared]);
        let reserved: Box<[HostMatch]> = reserved.into_iter().collect();
        hosts.reserve(&reserved, routes.get(shared).map(|route| route.id(shared as u32)));
        let backends = references.into_iter().enumerate().map(|(index, reference)| {
            let (endpoints, own) = endpoints.remove(&reference).unwrap_or_default();
            let endpoints = EndpointSet::new(endpoints, own.as_ref().unwrap_or(&algorithm));
            Arc::new(Backend::new(reference, index as u32, endpoints))
        });
        let backends = backends.collect();

        diagnostics.iter_mut().for_each(|finding| finding.locate(&mut locate));
        let order = |finding: &Diagnostic| {
            (finding.source.clone(), finding.code, finding.message.clone(), finding.help.clone())
        };
        diagnostics.sort_by_cached_key(order);
        diagnostics.dedup();
        let diagnostics: Arc<[Diagnostic]> = diagnostics.into();
        (
            RouteTable { generation: 0, routes, backends, hosts, reserved, diagnostics: diagnostics.clone() },
            diagnostics,
        )
    }
}

fn compile(rule: Rule, references: &[BackendRef]) -> Route {
    let backend = references.binary_search(&rule.backend).expect("every rule's backend was collected");
    Route { host: rule.host, path: rule.path, backend: backend as u32, source: rule.source }
}

/// `routes` are sorted by host, and by precedence inside a host.
fn index(routes: &[Route]) -> HostIndex {
    let mut hosts = HostIndex::default();
    let mut number = 0;
    for routes in routes.chunk_by(|a, b| a.host == b.host) {
        let mut paths = Vec::with_capacity(routes.len());
        let mut default = None;
        for route in routes {
            let id = route.id(number);
            match route.path {
                PathMatch::Default => default = Some(id),
                _ => paths.push((&route.path, id)),
            }
            number += 1;
        }
        hosts.insert(&routes[0].host, HostRoutes { paths: PathIndex::build(&paths), default });
    }
    hosts
}

fn shadowed(loser: &Rule, winner: &Rule) -> Diagnostic {
    let host = match &loser.host {
        HostMatch::Any => "rules without a host".into(),
        host => format!("host \"{host}\""),
    };
    let by = winner.source.as_ref().map_or_else(|| "a rule without a source".into(), ToString::to_string);
    let what = match loser.path {
        PathMatch::Default => {
            format!("another default backend for {host} comes first: {by}")
        }
        _ => format!("for {host}, path {} is already taken by {by}", loser.path),
    };
    let help = "the older object wins, then the first by namespace and name; remove one of the two";
    Diagnostic::new(Code::ShadowedRule, loser.source.clone(), what, help).with_related(winner.source.clone())
}

/// Ruling R5: a request that spells its path like this one is refused.
fn unreachable_path(rule: &Rule) -> Diagnostic {
    let message =
        format!("no request reaches {}, because servers read such a path in different ways", rule.path);
    let help =
        "write the path without '//', '%2F', '%5C', '\\' and ';', or a shorter Prefix that ends before it";
    Diagnostic::new(Code::AmbiguousRulePath, rule.source.clone(), message, help)
}

/// Ruling R2: `/foo/` takes all that `/foo` takes.
fn report_overlaps(rules: &[Rule], diagnostics: &mut Vec<Diagnostic>) {
    let prefixes: Vec<_> = rules.iter().filter(|rule| matches!(rule.path, PathMatch::Prefix(_))).collect();
    let slashless = |path: &PathMatch| path.as_str().strip_suffix('/').map(str::to_owned);
    for with_slash in &prefixes {
        let Some(text) = slashless(&with_slash.path).filter(|text| !text.is_empty()) else { continue };
        let Ok(path) = PathMatch::implementation_specific(&text) else { continue };
        let found = rules.binary_search_by(|rule| (&rule.host, &rule.path).cmp(&(&with_slash.host, &path)));
        let Some(hidden) = found.ok().map(|at| &rules[at]) else { continue };
        let message = format!(
            "Prefix {text} takes nothing, because Prefix {text}/ of the same host takes all of its paths"
        );
        let help = "a trailing slash makes no other prefix; keep one of the two";
        let finding = Diagnostic::new(Code::OverlappingPrefix, hidden.source.clone(), message, help);
        diagnostics.push(finding.with_related(with_slash.source.clone()));
    }
}
