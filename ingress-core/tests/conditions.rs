//! Templates, conditions and the fallthrough of hosts against the naive oracle, over random rules and requests.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod oracle;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ingress_core::{
    Conditions, HostFallthrough, ObjectRef, Outcome, PathMatch, RequestHead, RequestHost, RequestPath,
    RouteTable, Rule, Source, ValueMatch,
};
use oracle::{Asked, OracleRule, Request, Type};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const HEADERS: [&str; 3] = ["x-a", "x-b", "x-c"];
const QUERIES: [&str; 3] = ["a", "b", "c"];
const METHODS: [&str; 3] = ["GET", "PUT", "POST"];
const VALUES: [&str; 2] = ["", "1"];

fn path() -> impl Strategy<Value = String> {
    let segments = prop::collection::vec(select(vec!["a", "b", "ab"]), 0..5);
    (segments, any::<bool>()).prop_map(|(segments, slash)| {
        let text = format!("/{}", segments.join("/"));
        if slash && !segments.is_empty() { text + "/" } else { text }
    })
}

fn template() -> impl Strategy<Value = String> {
    let segments = prop::collection::vec(select(vec!["a", "b", "{}", "{}"]), 0..4);
    (segments, select(vec!["", "", "/", "/{*rest}"])).prop_map(|(segments, end)| {
        let name = |(number, segment): (usize, &str)| {
            format!("/{}", segment.replace("{}", &format!("{{n{number}}}")))
        };
        let text: String = segments.into_iter().enumerate().map(name).collect();
        if text.is_empty() && end.is_empty() { "/".into() } else { text + end }
    })
}

fn values(names: [&'static str; 3]) -> impl Strategy<Value = BTreeMap<String, Option<String>>> {
    let value = prop::option::of(select(VALUES.to_vec()).prop_map(str::to_owned));
    prop::collection::btree_map(select(names.to_vec()).prop_map(str::to_owned), value, 0..3)
}

fn asked() -> impl Strategy<Value = Asked> {
    let some = (subsequence(METHODS.to_vec(), 0..3), values(HEADERS), values(QUERIES));
    let some = some.prop_map(|(methods, headers, queries)| {
        let methods: BTreeSet<_> = methods.into_iter().map(str::to_owned).collect();
        Asked { methods, headers, queries }
    });
    prop_oneof![1 => Just(Asked::default()), 2 => some]
}

fn rule() -> impl Strategy<Value = OracleRule> {
    let path = prop_oneof![
        (path(), select(vec![Type::Exact, Type::Prefix, Type::Prefix])),
        (template(), Just(Type::Template)),
        (Just(String::new()), Just(Type::Default)),
    ];
    let host = select(vec!["", "a.x", "*.x"]).prop_map(str::to_owned);
    (host, path, asked()).prop_map(|(host, (path, kind), conditions)| OracleRule {
        host,
        path,
        kind,
        conditions,
    })
}

fn request() -> impl Strategy<Value = Request> {
    let headers =
        prop::collection::vec((select(HEADERS.to_vec()), select(VALUES.to_vec())), 0..4).prop_map(|list| {
            list.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()
        });
    let query = prop::collection::vec((select(QUERIES.to_vec()), select(vec!["", "=", "=1"])), 0..4)
        .prop_map(|list| list.into_iter().map(|(name, value)| format!("{name}{value}")).collect::<Vec<_>>());
    let host = select(vec!["", "a.x", "b.x", "x"]).prop_map(str::to_owned);
    (host, path(), select(METHODS.to_vec()), headers, prop::option::of(query)).prop_map(
        |(host, path, method, headers, query)| Request {
            host,
            path,
            method: method.into(),
            headers,
            query: query.map(|query| query.join("&")),
        },
    )
}

fn conditions(asked: &Asked) -> Conditions {
    let value = |value: &Option<String>| match value {
        Some(text) => ValueMatch::Exact(text.as_str().into()),
        None => ValueMatch::Present,
    };
    let mut conditions = Conditions::default();
    for method in &asked.methods {
        conditions = conditions.method(&method.parse().unwrap());
    }
    for (name, wanted) in &asked.headers {
        conditions = conditions.header(&name.parse().unwrap(), value(wanted));
    }
    for (name, wanted) in &asked.queries {
        conditions = conditions.query(name, value(wanted));
    }
    conditions
}

fn core_rule(number: usize, rule: &OracleRule) -> Rule {
    let path = match rule.kind {
        Type::Exact => PathMatch::exact(&rule.path).unwrap(),
        Type::Template => PathMatch::template(&rule.path).unwrap(),
        Type::Prefix => PathMatch::prefix(&rule.path).unwrap(),
        Type::Default => PathMatch::Default,
    };
    let source = Source::new(Arc::new(ObjectRef::default()), format!("spec.rules[{number}]"));
    Rule::new(rule.host.parse().unwrap(), path, "default/web:80".parse().unwrap())
        .with_conditions(conditions(&rule.conditions))
        .with_source(source)
}

/// What the table finds, and whether its explanation agrees.
fn find(table: &RouteTable, request: &Request) -> Option<String> {
    let host = RequestHost::parse(&request.host).unwrap();
    let path = RequestPath::parse(&request.path).unwrap();
    let method: Method = request.method.parse().unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let head =
        RequestHead::new(&host, &path).method(&method).headers(&headers).query(request.query.as_deref());
    let found = table.lookup(&head).unwrap();
    let outcome = table.explain(&head).outcome;
    assert_eq!(found.is_some(), matches!(outcome, Outcome::Route(_)), "{request:?}");
    found.map(|found| found.route.source().unwrap().field.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// Rules that say the same included: the first counts.
    #[test]
    fn the_table_equals_the_oracle(
        rules in prop::collection::vec(rule(), 0..30),
        requests in prop::collection::vec(request(), 40),
        fallthrough in any::<bool>(),
    ) {
        let mut builder = RouteTable::builder();
        for (number, rule) in rules.iter().enumerate().rev() {
            builder.rule(core_rule(number, rule));
        }
        if fallthrough {
            builder.host_fallthrough(HostFallthrough::Always);
        }
        let table = builder.build().0;
        for request in requests {
            let want = oracle::find_request(&rules, fallthrough, &request);
            let want = want.map(|number| format!("spec.rules[{number}]"));
            prop_assert_eq!(find(&table, &request), want, "{:?}", request);
        }
    }
}
