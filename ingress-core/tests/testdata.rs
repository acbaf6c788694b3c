//! The cases of `testdata/` against the table.

#[path = "../testdata/cases.rs"]
mod cases;

use std::net::SocketAddr;
use std::sync::Arc;

use cases::{Expect, Group, Ingress, Kind};
use ingress_core::{
    Algorithm, Backend, BackendRef, Endpoint, HostMatch, ObjectRef, PathMatch, RequestHead, RequestHost,
    RequestPath, RouteTable, Rule, Source,
};

fn host(text: &str) -> HostMatch {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn path(rule: &cases::Rule) -> PathMatch {
    let parsed = match rule.kind {
        Kind::Exact => PathMatch::exact(&rule.path),
        Kind::Prefix => PathMatch::prefix(&rule.path),
        Kind::ImplementationSpecific => PathMatch::implementation_specific(&rule.path),
        Kind::Default => Ok(PathMatch::Default),
    };
    parsed.unwrap_or_else(|error| panic!("{:?}: {error}", rule.path))
}

/// What `ingress-kube` makes of an Ingress: a default backend serves the hosts of its own rules, or every
/// host when it has none.
fn rules(ingress: &Ingress) -> Vec<Rule> {
    let object = Arc::new(ObjectRef {
        kind: "Ingress".into(),
        namespace: ingress.namespace.as_str().into(),
        name: ingress.name.as_str().into(),
        created: ingress.created,
        ..ObjectRef::default()
    });
    let source = |field: String| Source::new(object.clone(), field);
    let backend = |name: &str| -> BackendRef {
        format!("{}/{name}:{}", ingress.namespace, cases::PORT).parse().expect("a Service name")
    };
    let mut rules: Vec<_> = ingress
        .rules
        .iter()
        .enumerate()
        .map(|(i, rule)| {
            let source = source(format!("spec.rules[{i}].http.paths[0]"));
            Rule::new(host(&rule.host), path(rule), backend(&rule.backend)).with_source(source)
        })
        .collect();
    if let Some(default) = &ingress.default_backend {
        let hosts = if ingress.rules.is_empty() { vec![""] } else { ingress.hosts() };
        rules.extend(hosts.into_iter().map(|text| {
            let source = source("spec.defaultBackend".into());
            Rule::new(host(text), PathMatch::Default, backend(default)).with_source(source)
        }));
    }
    rules
}

fn table(group: &Group) -> RouteTable {
    let mut builder = RouteTable::builder();
    for rule in group.ingresses().iter().flat_map(rules) {
        builder.rule(rule);
    }
    for (namespace, name) in group.services() {
        let backend = format!("{namespace}/{name}:{}", cases::PORT).parse().expect("a Service name");
        let endpoint = Endpoint::new(SocketAddr::from(([127, 0, 0, 1], 1)));
        builder.endpoints(backend, group.has_endpoint(&name).then_some(endpoint));
    }
    builder.balance_all(Algorithm::RoundRobin);
    builder.build().0
}

/// What a server does with the request, up to the choice of an endpoint.
fn answer(table: &RouteTable, request: &cases::Request) -> Expect {
    let path = request.path.split_once('?').map_or(request.path.as_str(), |(path, _)| path);
    let (Ok(host), Ok(path)) = (RequestHost::parse(&request.host), RequestPath::parse(path)) else {
        return Expect::Status(400);
    };
    match table.lookup(&RequestHead::new(&host, &path)) {
        Err(_) => Expect::Status(400),
        Ok(None) => Expect::Status(404),
        Ok(Some(found)) => answer_of(found.backend(|_| 0).expect("no case has a split without weights")),
    }
}

fn answer_of(backend: &Backend) -> Expect {
    match backend.reference() {
        _ if backend.endpoints().pick(0).is_none() => Expect::Status(503),
        BackendRef::Service(service) => Expect::Service(service.name.to_string()),
        BackendRef::Resource(resource) => panic!("no case has a resource backend: {resource}"),
    }
}

#[test]
fn every_case() {
    let groups = cases::all();
    let mut wrong = Vec::new();
    for group in &groups {
        let table = table(group);
        for request in &group.requests {
            let answer = answer(&table, request);
            if answer != request.expect {
                wrong.push(format!("{}: {answer:?} instead of {:?}", group.label(request), request.expect));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A reader that finds nothing would make every other assertion true.
    let requests: usize = groups.iter().map(|group| group.requests.len()).sum();
    assert!(groups.len() >= 50 && requests >= 200, "only {} groups with {requests} requests", groups.len());
}

#[test]
fn years_are_timestamps() {
    let group = Group {
        name: String::new(),
        rules: vec![cases::Rule {
            ingress: "shop/web".into(),
            created: Some(2020),
            host: String::new(),
            path: "/".into(),
            kind: Kind::Prefix,
            backend: "a".into(),
        }],
        missing: vec![],
        empty: vec![],
        requests: vec![],
        file: String::new(),
    };
    let ingress = &group.ingresses()[0];
    assert_eq!((ingress.namespace.as_str(), ingress.name.as_str()), ("shop", "web"));
    assert_eq!(ingress.created, Some(1_577_836_800));
    assert_eq!(ingress.creation_timestamp().as_deref(), Some("2020-01-01T00:00:00Z"));
}
