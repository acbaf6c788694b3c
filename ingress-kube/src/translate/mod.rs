//! The one place where Kubernetes objects become rules, endpoints and findings.
//!
//! A pure function of the present objects: no clock, no file, no memory of earlier objects. A fault costs
//! the smallest thing it is about, and is reported with its object and field:
//!
//! | fault | what is lost |
//! |---|---|
//! | host | that rule of the Ingress |
//! | path, path type | that path |
//! | backend, missing Service or port | nothing: the route answers 503 (ruling R7) |
//! | endpoint | that endpoint |
//!
//! `class` says which Ingresses are served, `ingress` makes their rules, `service` finds what a backend
//! points at, `endpoints` finds its addresses, `api` holds what differs between Kubernetes versions.

mod api;
mod backend;
mod class;
mod endpoints;
mod hints;
mod ingress;
mod service;

use std::sync::Arc;

use ingress_core::{Code, Diagnostic, ObjectRef, RouteTableBuilder, Rule, Source};

use crate::{Config, Store};

/// Makes the rules, endpoints and findings of a routing table from the present objects.
///
/// The result depends on the set of objects only, not on the order in which they came.
pub fn translate(store: &Store, config: &Config) -> RouteTableBuilder {
    run(store, config).builder
}

/// A filled builder, and what it cannot be asked.
pub(crate) struct Translation {
    pub(crate) builder: RouteTableBuilder,
    /// How many rules were handed to the builder.
    pub(crate) rules: usize,
    /// How many Ingresses are left to others.
    pub(crate) not_ours: usize,
}

pub(crate) fn run(store: &Store, config: &Config) -> Translation {
    let mut out = Output::default();
    out.builder.balance_all(config.algorithm.clone());
    let classes = class::Classes::new(store, config);
    classes.report(&mut out);
    let mut services = service::Services::new(store, config);
    let mut defaults = ingress::Defaults::default();
    let mut not_ours = 0;
    for stored in store.ingresses.iter() {
        if classes.serves(stored, &mut out) {
            ingress::translate(stored, &mut services, &mut defaults, &mut out);
        } else {
            not_ours += 1;
        }
    }
    defaults.finish(&mut out);
    Translation { builder: out.builder, rules: out.rules, not_ours }
}

/// Where rules and findings go.
#[derive(Default)]
struct Output {
    builder: RouteTableBuilder,
    rules: usize,
}

impl Output {
    fn rule(&mut self, rule: Rule) {
        self.rules += 1;
        self.builder.rule(rule);
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
        self.builder.diagnostic(Diagnostic::new(code, source, message, help));
    }
}
