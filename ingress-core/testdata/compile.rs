//! The objects of the matching cases as rules of a table: what `ingress-kube` makes of them.
//!
//! For the suites that test below the objects. They include it beside `cases.rs`, as
//! `#[path = "../../ingress-core/testdata/compile.rs"] mod compile;`.

use std::net::SocketAddr;
use std::sync::Arc;

use ingress_core::{
    AmbiguousPaths, BackendRef, Backends, Conditions, Endpoint, HostFallthrough, HostMatch, ObjectRef,
    PathMatch, Pattern, RouteTable, Rule, Source, ValueMatch,
};

use crate::cases::{self, Group, Ingress, Kind};

/// The table of a group, and its endpoints: each has its place here for a port.
pub(crate) fn table(group: &Group) -> (RouteTable, Vec<cases::Endpoint>) {
    let mut builder = RouteTable::builder();
    builder.host_fallthrough(if group.host_fallthrough {
        HostFallthrough::Always
    } else {
        HostFallthrough::Never
    });
    builder.ambiguous_paths(match group.ambiguous_paths {
        cases::AmbiguousPaths::Compare => AmbiguousPaths::Compare,
        cases::AmbiguousPaths::Reject => AmbiguousPaths::Reject,
        cases::AmbiguousPaths::Trust => AmbiguousPaths::Trust,
    });
    for rule in group.served_ingresses().iter().flat_map(rules) {
        builder.rule(rule);
    }
    let mut endpoints = Vec::new();
    for (namespace, name) in group.services() {
        let used = group.used_endpoints(&name);
        let ports = endpoints.len()..endpoints.len() + used.len();
        endpoints.extend(used);
        let address = |port| Endpoint::new(SocketAddr::from(([127, 0, 0, 1], port as u16)));
        builder.endpoints(backend(&namespace, &name), ports.map(address));
    }
    (builder.build().0, endpoints)
}

fn backend(namespace: &str, name: &str) -> BackendRef {
    match cases::resource(name) {
        Some((group, kind, name)) => BackendRef::resource(namespace, group, kind, name),
        None => format!("{namespace}/{name}:{}", cases::PORT).parse().expect("a Service name"),
    }
}

/// A default backend serves the hosts of its own rules, or every host when it has none.
fn rules(ingress: &Ingress) -> Vec<Rule> {
    let object = Arc::new(ObjectRef {
        kind: "Ingress".into(),
        namespace: ingress.namespace.as_str().into(),
        name: ingress.name.as_str().into(),
        created: ingress.created,
        ..ObjectRef::default()
    });
    let source = |field: String| Source::new(object.clone(), field);
    let compile = |(i, rule): (usize, &cases::Rule)| {
        Rule::with_backends(host(&rule.host), path(rule), backends(&ingress.namespace, rule))
            .with_conditions(conditions(rule))
            .with_source(source(format!("spec.rules[{i}].http.paths[0]")))
    };
    let mut rules: Vec<_> = ingress.rules.iter().enumerate().map(compile).collect();
    if let Some(default) = &ingress.default_backend {
        let hosts = if ingress.rules.is_empty() { vec![""] } else { ingress.hosts() };
        rules.extend(hosts.into_iter().map(|text| {
            let source = source("spec.defaultBackend".into());
            Rule::new(host(text), PathMatch::Default, backend(&ingress.namespace, default))
                .with_source(source)
        }));
    }
    rules
}

fn host(text: &str) -> HostMatch {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn path(rule: &cases::Rule) -> PathMatch {
    let parsed = match rule.kind {
        Kind::Exact => PathMatch::exact(&rule.path),
        Kind::Prefix => PathMatch::prefix(&rule.path),
        Kind::ImplementationSpecific => PathMatch::implementation_specific(&rule.path),
        Kind::Template => PathMatch::template(&rule.path),
        Kind::Regex => return PathMatch::regex(&rule.path).expect("an expression"),
        Kind::Default => Ok(PathMatch::Default),
    };
    parsed.unwrap_or_else(|error| panic!("{:?}: {error}", rule.path))
}

fn backends(namespace: &str, rule: &cases::Rule) -> Backends {
    if rule.backends.is_empty() {
        return backend(namespace, &rule.backend).into();
    }
    Backends::split(rule.backends.iter().map(|(name, weight)| (backend(namespace, name), *weight)))
}

fn conditions(rule: &cases::Rule) -> Conditions {
    let value = |value: &cases::ValueMatch| match value {
        cases::ValueMatch::Exact(text) => ValueMatch::Exact(text.as_str().into()),
        cases::ValueMatch::Pattern { pattern } => {
            ValueMatch::Pattern(Pattern::new(pattern).expect("an expression"))
        }
        cases::ValueMatch::Present { .. } => ValueMatch::Present,
    };
    let mut conditions = Conditions::default();
    if let Some(method) = &rule.method {
        conditions = conditions.method(&method.parse().expect("a method"));
    }
    for (name, wanted) in &rule.headers {
        conditions = conditions.header(&name.parse().expect("a field name"), value(wanted));
    }
    for (name, wanted) in &rule.query {
        conditions = conditions.query(name, value(wanted));
    }
    conditions
}
