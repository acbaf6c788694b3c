//! Keeps a table's rules and endpoints up to date. Stands in for the editor of `ingress-core`: each build compiles the
//! whole table.

use std::collections::BTreeMap;
use std::sync::Arc;

use ingress_core::{
    Algorithm, AmbiguousPaths, BackendRef, Diagnostic, Endpoint, HostFallthrough, HostMatch, RouteTable,
    RouteTableBuilder, Rule, Source, UnservedRule,
};

/// All that a table is made from.
#[derive(Debug, Default)]
pub(crate) struct TableEditor {
    hosts: BTreeMap<HostMatch, Vec<Rule>>,
    endpoints: BTreeMap<BackendRef, (Vec<Endpoint>, Option<Algorithm>)>,
    algorithm: Algorithm,
    fallthrough: HostFallthrough,
    ambiguous: AmbiguousPaths,
    reserved: Vec<HostMatch>,
    reserved_default: Option<BackendRef>,
    diagnostics: Vec<Diagnostic>,
    unserved: Vec<UnservedRule>,
}

impl TableEditor {
    /// Makes `rules` all rules of the host.
    pub(crate) fn set_host(&mut self, host: HostMatch, rules: Vec<Rule>) {
        match rules.is_empty() {
            true => _ = self.hosts.remove(&host),
            false => _ = self.hosts.insert(host, rules),
        }
    }

    /// Makes `endpoints` all endpoints of the backend.
    pub(crate) fn set_endpoints(
        &mut self,
        backend: BackendRef,
        endpoints: Vec<Endpoint>,
        algorithm: Option<Algorithm>,
    ) {
        match endpoints.is_empty() && algorithm.is_none() {
            true => _ = self.endpoints.remove(&backend),
            false => _ = self.endpoints.insert(backend, (endpoints, algorithm)),
        }
    }

    /// Sets how endpoints are chosen where the backend does not say.
    pub(crate) fn set_default_algorithm(&mut self, algorithm: Algorithm) {
        self.algorithm = algorithm;
    }

    /// Sets what happens to requests that no path takes, and to ambiguous ones.
    pub(crate) fn set_options(&mut self, fallthrough: HostFallthrough, ambiguous: AmbiguousPaths) {
        (self.fallthrough, self.ambiguous) = (fallthrough, ambiguous);
    }

    /// Makes these all reserved hosts, and `default` what serves them where no rule does.
    pub(crate) fn set_reserved(
        &mut self,
        hosts: impl IntoIterator<Item = HostMatch>,
        default: Option<BackendRef>,
    ) {
        self.reserved = hosts.into_iter().collect();
        self.reserved_default = default;
    }

    /// Makes these all findings of whoever makes the rules.
    pub(crate) fn set_findings(&mut self, diagnostics: Vec<Diagnostic>) {
        self.diagnostics = diagnostics;
    }

    /// Makes these all rules that are refused.
    pub(crate) fn set_unserved(&mut self, rules: Vec<UnservedRule>) {
        self.unserved = rules;
    }

    /// Compiles the table.
    pub(crate) fn build(
        &mut self,
        locate: impl FnMut(&Source) -> Option<u32>,
    ) -> (RouteTable, Arc<[Diagnostic]>) {
        let mut builder = RouteTableBuilder::default();
        builder.balance_all(self.algorithm.clone());
        builder.host_fallthrough(self.fallthrough).ambiguous_paths(self.ambiguous);
        self.hosts.values().flatten().for_each(|rule| _ = builder.rule(rule.clone()));
        for (backend, (endpoints, algorithm)) in &self.endpoints {
            builder.endpoints(backend.clone(), endpoints.iter().cloned());
            algorithm.iter().for_each(|algorithm| _ = builder.balance(backend.clone(), algorithm.clone()));
        }
        self.reserved.iter().for_each(|host| _ = builder.reserve(host.clone()));
        self.reserved_default.iter().for_each(|default| _ = builder.reserve_default(default.clone()));
        self.diagnostics.iter().for_each(|finding| _ = builder.diagnostic(finding.clone()));
        self.unserved.iter().for_each(|rule| _ = builder.unserved(rule.clone()));
        builder.build_located(locate)
    }
}
