//! The one place where Kubernetes objects become rules, endpoints and findings.
//!
//! What comes of it depends on the present objects alone: no clock, no file, no order of events. A fault costs
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
//! | Secret, certificate | that certificate: another one is presented (ruling R13) |
//!
//! One Ingress is translated alone: `class` says whether it is served, `ingress` makes its rules, `path` and
//! `backend` read the parts of one, `annotations` and `parameters` what it and its class say beyond the API, `named` what
//! is in the Secrets that annotations name,
//! `ownership` says which hosts its namespace may claim. What its backends point at takes no part in its rules.
//!
//! One port of a Service is looked up alone: `service` finds it, `endpoints` and `external_name` find its addresses,
//! of which `family` chooses and `locality` says for whom they are; `ignored` says what of it is not acted on.
//!
//! `translator` does both for what an event is about, and remembers what it needs for that: `backends` and `slices`
//! which Ingresses, Services and EndpointSlices belong together, `secret_users` who names which Secrets, `defaults` who may become the overall default
//! backend (`default_backend` is the global one), `by_owner` who said which findings. `api` holds what differs
//! between Kubernetes versions.

mod annotations;
mod api;
mod backend;
mod backends;
mod by_owner;
mod certificates;
mod claims;
mod class;
mod default_backend;
mod defaults;
mod endpoints;
mod external_name;
mod family;
pub(crate) mod hints;
mod ignored;
mod ingress;
mod key;
mod locality;
mod memo;
mod named;
mod ownership;
mod parameters;
mod passthrough;
mod path;
mod protocol;
mod secret_users;
mod service;
mod slices;
mod tls;
mod translator;
mod view;

use std::sync::Arc;

use ingress_core::{
    Code, Diagnostic, HostMatch, ObjectRef, PathMatch, Policy, RouteTableBuilder, Rule, Source, UnservedRule,
};

pub use annotations::{Annotation, Scope, Unreadable, ValueKind, annotations};
pub(crate) use annotations::{Fault, Settings, Vain};
pub(crate) use backends::Served;
#[cfg(feature = "client")]
pub(crate) use key::Key;
pub(crate) use translator::{Delta, Translator};

use crate::{Config, Store};

/// Makes the rules, endpoints and findings of a routing table from the present objects.
///
/// The result depends on the set of objects only, not on the order in which they came.
pub fn translate(store: &Store, config: &Config) -> RouteTableBuilder {
    let mut translator = Translator::default();
    let keys: Vec<_> = store.keys().collect();
    let delta = translator.update(store, config, &keys);
    let mut builder = RouteTableBuilder::default();
    builder.locality(config.locality.clone());
    builder.host_fallthrough(config.host_fallthrough).ambiguous_paths(config.ambiguous_paths);
    for rule in delta.hosts.into_iter().flat_map(|(_, rules)| rules) {
        builder.rule(rule);
    }
    for Served { backend, endpoints, policy } in delta.served {
        if let Some(policy) = policy {
            builder.backend_policy(backend.clone(), policy);
        }
        builder.endpoints(backend, endpoints);
    }
    for (host, certificate) in delta.certificates {
        certificate.into_iter().for_each(|certificate| _ = builder.certificate(host.clone(), certificate));
    }
    if let Some((hosts, default)) = delta.reserved {
        hosts.into_iter().for_each(|host| _ = builder.reserve(host));
        default.into_iter().for_each(|default| _ = builder.reserve_default(default));
    }
    // Who knew nothing before takes nothing back.
    debug_assert!(delta.findings.removed.is_empty() && delta.unserved.removed.is_empty());
    delta.findings.added.into_iter().for_each(|finding| _ = builder.diagnostic(finding));
    delta.unserved.added.into_iter().for_each(|rule| _ = builder.unserved(rule));
    builder
}

/// An error and what caused it, in one line.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The rule, treated as the policy says if there is one.
fn with_policy(rule: Rule, policy: Option<&Arc<Policy>>) -> Rule {
    match policy {
        Some(policy) => rule.with_policy(policy.clone()),
        None => rule,
    }
}

/// Where rules and findings go.
#[derive(Debug, Default)]
struct Output {
    rules: Vec<Rule>,
    refused: Vec<UnservedRule>,
    findings: Vec<Diagnostic>,
    /// The ports of Services that the rules point at.
    uses: Vec<backend::Use>,
    /// Whose certificates its hosts want.
    wants: Vec<tls::Want>,
    /// The Secrets that annotations name.
    secrets: Vec<key::Key>,
    /// The default backend, if it may become the overall one.
    default: Option<defaults::Candidate>,
}

impl Output {
    fn rule(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// Leaves a rule out; host and path as far as they are known.
    fn refuse(&mut self, host: Option<&HostMatch>, path: Option<PathMatch>, finding: Diagnostic) {
        self.refused.push(UnservedRule { host: host.cloned(), path, finding });
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
