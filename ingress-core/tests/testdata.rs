//! The cases of `testdata/` against the table.

#[path = "../testdata/cases.rs"]
mod cases;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use cases::{Answer, Endpoint as Case, Group, Ingress, Kind};
use ingress_core::{
    Algorithm, BackendRef, Endpoint, HostMatch, ObjectRef, PathMatch, RequestHost, RequestPath, RouteTable,
    Rule, Source,
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

fn backend(namespace: &str, name: &str) -> BackendRef {
    match cases::resource(name) {
        Some((group, kind, name)) => BackendRef::resource(namespace, group, kind, name),
        None => format!("{namespace}/{name}:{}", cases::PORT).parse().expect("a Service name"),
    }
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
    let mut rules: Vec<_> = ingress
        .rules
        .iter()
        .enumerate()
        .map(|(i, rule)| {
            let source = source(format!("spec.rules[{i}].http.paths[0]"));
            Rule::new(host(&rule.host), path(rule), backend(&ingress.namespace, &rule.backend))
                .with_source(source)
        })
        .collect();
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

/// The table of a group, and its endpoints: each has its place here for a port.
fn table(group: &Group) -> (RouteTable, Vec<Case>) {
    let mut builder = RouteTable::builder();
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
    builder.balance_all(Algorithm::RoundRobin);
    (builder.build().0, endpoints)
}

/// What a server does with the request, up to the choice of an endpoint; it leaves out those that are dead.
fn answer(table: &RouteTable, endpoints: &[Case], request: &cases::Request, ticket: u64) -> Answer {
    let path = request.path.split_once('?').map_or(request.path.as_str(), |(path, _)| path);
    let (Ok(host), Ok(path)) = (RequestHost::parse(&request.host), RequestPath::parse(path)) else {
        return Answer::Status(400);
    };
    let found = match table.lookup(&host, &path) {
        Err(_) => return Answer::Status(400),
        Ok(None) => return Answer::Status(404),
        Ok(Some(found)) => found.backend.endpoints(),
    };
    let mut tried = Vec::new();
    let mut next = found.pick(ticket);
    while let Some(endpoint) = next {
        let case = &endpoints[usize::from(endpoint.address().port())];
        if !case.state.dead {
            return Answer::Body(case.answer.clone());
        }
        tried.push(endpoint.address());
        next = found.pick_other(ticket, &tried);
    }
    Answer::Status(503)
}

#[test]
fn every_case() {
    let groups = cases::all();
    let mut wrong = Vec::new();
    for group in &groups {
        let (table, endpoints) = table(group);
        for request in &group.requests {
            let tickets = 0..request.times as u64;
            let answers: Vec<_> = tickets.map(|ticket| answer(&table, &endpoints, request, ticket)).collect();
            wrong.extend(group.fault(request, &answers));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let requests: usize = groups.iter().map(|group| group.requests.len()).sum();
    println!("{requests} cases through the table");
    // A reader that finds nothing would make every other assertion true.
    assert!(groups.len() >= 70 && requests >= 250, "only {} groups with {requests} requests", groups.len());
}

/// What no case shows yet, and why.
const PENDING: [(&str, &str); 2] = [
    ("R13", "which certificate is shown: there is no TLS"),
    ("scenario 7", "a request over TLS: there is no TLS"),
];

/// Numbered statements of the specification, each of which some case bears in its name.
fn statements() -> Vec<String> {
    let count = |what: &'static str, last: usize| (1..=last).map(move |number| format!("{what}{number}"));
    let disagreements = ["a", "b", "c"].map(|which| format!("sources disagree ({which})"));
    count("R", 15).chain(count("row ", 18)).chain(count("scenario ", 30)).chain(disagreements).collect()
}

#[test]
fn every_statement_has_a_case() {
    let groups = cases::all();
    let names = groups.iter().flat_map(|group| {
        let requests = group.requests.iter().map(|request| &request.name);
        std::iter::once(&group.name).chain(requests)
    });
    // The statements stand before a colon, or are the whole name: "R1, row 18: text", "scenario 9".
    let named: BTreeSet<_> =
        names.flat_map(|name| name.split(": ").next().unwrap_or(name).split(", ")).collect();
    let pending = |statement: &str| PENDING.iter().find(|(pending, _)| *pending == statement);
    for statement in statements() {
        match pending(&statement) {
            None => assert!(named.contains(&*statement), "no case is named {statement}"),
            Some((_, why)) => {
                assert!(!named.contains(&*statement), "{statement} has a case, so this is no reason: {why}");
            }
        }
    }
    // Names that count nothing are misspelt.
    let statements = statements();
    for name in named.iter().filter(|name| name.starts_with("row") || name.starts_with("scenario")) {
        assert!(statements.iter().any(|statement| statement == name), "{name}");
    }
}

#[test]
fn cases_with_conditions_can_be_read() {
    let groups = cases::conditional();
    let requests: usize = groups.iter().map(|group| group.requests.len()).sum();
    assert!(groups.len() >= 9 && requests >= 75, "only {} groups with {requests} requests", groups.len());
    // Whatever Ingress objects can say belongs into the files that every layer reads.
    for group in &groups {
        let beyond = group.rules.iter().any(|rule| {
            rule.method.is_some()
                || !(rule.headers.is_empty() && rule.query.is_empty() && rule.backends.is_empty())
        });
        assert!(beyond, "{}: no rule has a condition", group.name);
    }
}

#[test]
fn years_are_timestamps() {
    let text = "[{name: x, from: x, requests: [], rules: \
        [{ingress: shop/web, created: 2020, path: /, type: Prefix, backend: a}]}]";
    let groups = cases::parse(text).expect("a group");
    let ingress = &groups[0].ingresses()[0];
    assert_eq!((ingress.namespace.as_str(), ingress.name.as_str()), ("shop", "web"));
    assert_eq!(ingress.created, Some(1_577_836_800));
    assert_eq!(ingress.creation_timestamp().as_deref(), Some("2020-01-01T00:00:00Z"));
}
