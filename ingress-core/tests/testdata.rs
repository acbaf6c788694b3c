//! The cases of `testdata/` against the table.

#[path = "../testdata/cases.rs"]
mod cases;
#[path = "../testdata/compile.rs"]
mod compile;

use std::collections::BTreeSet;

use cases::{Answer, Endpoint as Case, Group};
use http::{HeaderMap, HeaderName, HeaderValue};
use ingress_core::{Choice, Draw, RequestHead, RequestHost, RequestPath, RouteTable, Turn};

/// What a server does with the request, up to the choice of an endpoint; it leaves out those that are dead.
fn answer(table: &RouteTable, endpoints: &[Case], request: &cases::Request, ticket: u64) -> Answer {
    let (path, query) = match request.path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (&*request.path, None),
    };
    let (Ok(host), Ok(path)) = (RequestHost::parse(&request.host), RequestPath::parse(path)) else {
        return Answer::Status(400);
    };
    let method = request.method.parse().expect("a method");
    let field = |(name, value): (&String, &String)| {
        (name.parse::<HeaderName>().expect("a field name"), value.parse::<HeaderValue>().expect("a value"))
    };
    let headers: HeaderMap = request.headers.iter().map(field).collect();
    let found =
        match table.lookup(&RequestHead::new(&host, &path).method(&method).headers(&headers).query(query)) {
            Err(_) => return Answer::Status(400),
            Ok(None) => return Answer::Status(404),
            Ok(Some(found)) => found,
        };
    let Some(backend) = found.backend(|_| Turn::Ticket(ticket)) else { return Answer::Status(503) };
    let found = backend.endpoints();
    let mut tried = Vec::new();
    while let Ok(place) = found.choose(&Choice::new(Draw::at(ticket), None).without(&tried)) {
        let case = &endpoints[usize::from(found.as_slice()[place].address().port())];
        if !case.state.dead {
            return Answer::Body(case.answer.clone());
        }
        tried.push(place);
    }
    Answer::Status(503)
}

#[test]
fn every_case() {
    let groups: Vec<Group> = cases::all().into_iter().chain(cases::conditional()).collect();
    let mut wrong = Vec::new();
    for group in &groups {
        let (table, endpoints) = compile::table(group);
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
    assert!(groups.len() >= 80 && requests >= 350, "only {} groups with {requests} requests", groups.len());
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
fn years_are_timestamps() {
    let text = "[{name: x, from: x, requests: [], rules: \
        [{ingress: shop/web, created: 2020, path: /, type: Prefix, backend: a}]}]";
    let groups = cases::parse(text).expect("a group");
    let ingress = &groups[0].ingresses()[0];
    assert_eq!((ingress.namespace.as_str(), ingress.name.as_str()), ("shop", "web"));
    assert_eq!(ingress.created, Some(1_577_836_800));
    assert_eq!(ingress.creation_timestamp().as_deref(), Some("2020-01-01T00:00:00Z"));
}
