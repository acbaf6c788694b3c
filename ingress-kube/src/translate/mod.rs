//! The one place where Kubernetes objects become rules, endpoints and findings.
//!
//! A pure function of the present objects: no clock, no file, no memory of earlier objects. A fault costs
//! the smallest thing it is about, and is reported with its object and field:
//!
//! | fault | what is lost |
//! |---|---|
//! | host, also one that the namespace may not claim; unknown field in a rule | that rule of the Ingress |
//! | path, path type | that path |
//! | annotation that says which requests or paths are meant | the rules or paths it is for |
//! | any other annotation, parameters of a class | nothing: as if it were not there |
//! | backend, missing Service or port | nothing: the route answers 503 (ruling R7) |
//! | endpoint | that endpoint |
//!
//! `class` says which Ingresses are served, `ingress` makes their rules, `path` and `backend` read the parts of
//! one, `annotations` and `parameters` what an Ingress and its class say beyond the API, `service` finds what a
//! backend points at, `endpoints` and `external_name` find its addresses, `ignored` says what of it is not acted on,
//! `ownership` says which hosts a namespace may claim, `default_backend` adds the global one, `api` holds what
//! differs between Kubernetes versions.

mod annotations;
mod api;
mod backend;
mod class;
mod default_backend;
mod endpoints;
mod external_name;
pub(crate) mod hints;
mod ignored;
mod ingress;
mod ownership;
mod parameters;
mod path;
mod service;

use std::sync::Arc;

use ingress_core::{
    Code, Diagnostic, HostMatch, ObjectRef, PathMatch, RouteTableBuilder, Rule, Source, UnservedRule,
};

pub use annotations::{Annotation, annotations};

use crate::{Config, Store};

/// Makes the rules, endpoints and findings of a routing table from the present objects.
///
/// The result depends on the set of objects only, not on the order in which they came.
pub fn translate(store: &Store, config: &Config) -> RouteTableBuilder {
    let Translation { mut builder, findings, .. } = run(store, config);
    for finding in findings {
        builder.diagnostic(finding);
    }
    builder
}

/// A builder filled with rules and endpoints, and what it cannot be asked.
pub(crate) struct Translation {
    pub(crate) builder: RouteTableBuilder,
    /// What the builder is to be told, too.
    pub(crate) findings: Vec<Diagnostic>,
    /// How many rules were handed to the builder.
    pub(crate) rules: usize,
    /// How many Ingresses belong to other controllers.
    pub(crate) foreign: usize,
    /// How many Ingresses nobody serves, with a finding each.
    pub(crate) unserved: usize,
}

pub(crate) fn run(store: &Store, config: &Config) -> Translation {
    let mut out = Output::default();
    out.builder.balance_all(config.algorithm.clone());
    out.builder.host_fallthrough(config.host_fallthrough).ambiguous_paths(config.ambiguous_paths);
    let classes = class::Classes::new(store, config);
    classes.report(&mut out);
    endpoints::report_nameless(store, &mut out);
    let parameters = parameters::Parameters::new(store, &classes, &mut out);
    let mut services = service::Services::new(store, config);
    let mut defaults = ingress::Defaults::default();
    let (mut foreign, mut unserved) = (0, 0);
    for stored in store.ingresses.iter() {
        match classes.owner(stored, &mut out) {
            class::Owner::Us => {
                let settings = parameters.of(&classes, stored).read(stored, &mut out);
                ingress::translate(stored, &settings, &mut services, &mut defaults, &mut out);
            }
            class::Owner::Other => foreign += 1,
            class::Owner::Nobody => unserved += 1,
        }
    }
    let global = default_backend::rule(&mut services, &mut out);
    ownership::reserve(config, &mut out);
    defaults.finish(global, &mut out);
    Translation { builder: out.builder, findings: out.findings, rules: out.rules, foreign, unserved }
}

/// Where rules and findings go.
#[derive(Default)]
struct Output {
    builder: RouteTableBuilder,
    rules: usize,
    findings: Vec<Diagnostic>,
}

impl Output {
    fn rule(&mut self, rule: Rule) {
        self.rules += 1;
        self.builder.rule(rule);
    }

    /// Leaves a rule out; host and path as far as they are known.
    fn refuse(&mut self, host: Option<&HostMatch>, path: Option<PathMatch>, finding: Diagnostic) {
        self.builder.unserved(UnservedRule { host: host.cloned(), path, finding });
    }

    fn find(
        &mut self,
        code: Code,
        object: &Arc<ObjectRef>,
        field: impl Into<Box<str>>,
        message: impl Into<Box<str>>,
        help: impl Into<Box<str>>,
    ) {
        let source = Source::new(object.clone(), field);
        self.findings.push(Diagnostic::new(code, source, message, help));
    }
}
