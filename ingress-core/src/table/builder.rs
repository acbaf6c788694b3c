//! A table that is made once: rules in, in any order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::diagnostics::Diagnostics;
use super::options::Options;
use super::{AmbiguousPaths, HostFallthrough, RouteTable, TableEditor, UnservedRule};
use crate::{BackendRef, Certificate, Diagnostic, Endpoint, HostMatch, Locality, Policy, Rule, Source};

/// Collects rules and endpoints and compiles them.
///
/// The order of calls does not matter. A conflict costs the losing rule and yields a [`Diagnostic`]; nothing
/// stops the other rules from being compiled.
#[derive(Debug, Default)]
pub struct RouteTableBuilder {
    rules: Vec<Rule>,
    endpoints: BTreeMap<BackendRef, Vec<Endpoint>>,
    policies: BTreeMap<BackendRef, Arc<Policy>>,
    locality: Locality,
    diagnostics: Vec<Diagnostic>,
    unserved: Vec<UnservedRule>,
    options: Options,
    certificates: BTreeMap<HostMatch, Certificate>,
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
        self.endpoints.entry(backend).or_default().extend(endpoints);
        self
    }

    /// Sets where the program runs, so that endpoints are preferred that are meant for this place.
    pub fn locality(&mut self, locality: Locality) -> &mut Self {
        self.locality = locality;
        self
    }

    /// Sets how requests for this backend are treated, and its endpoints chosen, where their rule says nothing else.
    ///
    /// What protects a route, such as [`Policy::access`] and [`Policy::authentication`], belongs on its rule
    /// ([`Rule::with_policy`](crate::Rule::with_policy)): where a rule has a canary or splits its requests, the policy of the
    /// backend that is chosen counts, and a client may be able to choose, by a header or a cookie, the one that asks for less.
    pub fn backend_policy(&mut self, backend: BackendRef, policy: impl Into<Arc<Policy>>) -> &mut Self {
        self.policies.insert(backend, policy.into());
        self
    }

    /// Sets the certificate that a server presents to clients that ask for the host; that of [`HostMatch::Any`] is for
    /// all that have no other. Of several for a host the last is kept.
    pub fn certificate(&mut self, host: HostMatch, certificate: Certificate) -> &mut Self {
        self.certificates.insert(host, certificate);
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
    pub fn build(self) -> (RouteTable, Diagnostics) {
        let (table, diagnostics) = self.into_editor().build();
        (table.fresh(), diagnostics)
    }

    /// As [`RouteTableBuilder::build`], where `locate` may know the line of the field that a finding names.
    /// The finding's [`ObjectRef::line`](crate::ObjectRef::line) becomes that line; rules keep theirs.
    pub fn build_located(self, locate: impl FnMut(&Source) -> Option<u32>) -> (RouteTable, Diagnostics) {
        let (table, diagnostics) = self.into_editor().build_located(locate);
        (table.fresh(), diagnostics)
    }

    /// An editor of the table that was described so far.
    pub fn into_editor(self) -> TableEditor {
        let mut editor = TableEditor::new();
        editor.set_locality(self.locality);
        editor.set_options(self.options.fallthrough, self.options.ambiguous);
        editor.set_reserved(self.reserved, self.reserved_default);
        for (host, certificate) in self.certificates {
            editor.set_certificate(host, Some(certificate));
        }
        self.diagnostics.into_iter().for_each(|finding| editor.add_diagnostic(finding));
        self.unserved.into_iter().for_each(|rule| editor.add_unserved(rule));
        for (backend, endpoints) in self.endpoints {
            editor.set_endpoints(backend, endpoints);
        }
        for (backend, policy) in self.policies {
            editor.set_backend_policy(backend, Some(policy));
        }
        // Rules of a host mostly come one after another.
        let runs: Vec<_> = self.rules.chunk_by(|a, b| a.host == b.host).map(<[Rule]>::len).collect();
        let mut rules = self.rules.into_iter();
        let mut hosts: HashMap<HostMatch, Vec<Rule>, RandomState> =
            HashMap::with_capacity_and_hasher(runs.len(), RandomState::default());
        for run in runs {
            let run: Vec<_> = rules.by_ref().take(run).collect();
            match hosts.get_mut(&run[0].host) {
                Some(rules) => rules.extend(run),
                None => _ = hosts.insert(run[0].host.clone(), run),
            }
        }
        hosts.into_iter().for_each(|(host, rules)| editor.set_host(host, rules));
        editor
    }
}
