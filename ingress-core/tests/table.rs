//! The table against a naive oracle and against matchit, over random rules and requests.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod oracle;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use ingress_core::{
    Algorithm, BackendRef, Choice, Draw, Endpoint, EndpointSet, HostMatch, ObjectRef, PathMatch, Policy,
    RequestHead, RequestHost, RequestPath, RouteTable, Rule, Source,
};
use oracle::{OracleRule, Type};
use proptest::prelude::*;
use proptest::sample::select;

fn backend(number: usize) -> BackendRef {
    format!("default/b{number}:80").parse().unwrap()
}

fn number(backend: &BackendRef) -> usize {
    let text = backend.to_string();
    text["default/b".len()..].trim_end_matches(":80").parse().unwrap()
}

fn core_rule(number: usize, rule: &OracleRule) -> Rule {
    let path = match rule.kind {
        Type::Exact => PathMatch::exact(&rule.path).unwrap(),
        Type::Prefix => PathMatch::prefix(&rule.path).unwrap(),
        Type::Template => PathMatch::template(&rule.path).unwrap(),
        Type::Default => PathMatch::Default,
    };
    Rule::new(rule.host.parse().unwrap(), path, backend(number))
}

fn table(rules: &[OracleRule]) -> RouteTable {
    let mut builder = RouteTable::builder();
    for (i, rule) in rules.iter().enumerate() {
        builder.rule(core_rule(i, rule));
    }
    builder.build().0
}

fn find(table: &RouteTable, host: &str, path: &str) -> Option<usize> {
    let (host, path) = (RequestHost::parse(host).unwrap(), RequestPath::parse(path).unwrap());
    let found = table.lookup(&RequestHead::new(&host, &path)).unwrap();
    found.map(|found| number(found.backend(|_| ingress_core::Turn::Ticket(0)).unwrap().reference()))
}

fn path() -> impl Strategy<Value = String> {
    // The long ones reach over the 62 bytes up to which a path is marked.
    let long = "an-element-of-thirty-one-letters";
    let element = select(vec!["a", "b", "ab", "A", "{a}", "*", long, &long[1..]]);
    let segments = prop::collection::vec(element, 0..5);
    (segments, any::<bool>()).prop_map(|(segments, slash)| {
        let text = format!("/{}", segments.join("/"));
        if slash && !segments.is_empty() { text + "/" } else { text }
    })
}

fn rule_host() -> impl Strategy<Value = String> {
    select(vec!["", "x", "a.x", "b.x", "*.x", "*.a.x", "a.a.x"]).prop_map(str::to_owned)
}

fn request_host() -> impl Strategy<Value = String> {
    select(vec!["", "x", "a.x", "b.x", "c.x", "a.a.x", "b.a.x", "a.b.x", "ax", "10.0.0.1", "[::1]"])
        .prop_map(str::to_owned)
}

fn rule(host: impl Strategy<Value = String>) -> impl Strategy<Value = OracleRule> {
    let kind = prop_oneof![3 => Just(Type::Exact), 5 => Just(Type::Prefix), 1 => Just(Type::Default)];
    (host, path(), kind).prop_map(|(host, path, kind)| {
        let path = if kind == Type::Default { String::new() } else { path };
        OracleRule { host, path, kind, ..OracleRule::default() }
    })
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(600))]

    /// Several hosts of every kind.
    #[test]
    fn the_table_equals_the_oracle(
        rules in prop::collection::vec(rule(rule_host()), 0..40).prop_map(oracle::without_conflicts),
        requests in prop::collection::vec((request_host(), path()), 30),
    ) {
        let table = table(&rules);
        for (host, path) in requests {
            prop_assert_eq!(find(&table, &host, &path), oracle::find(&rules, &host, &path), "{} {}", host, path);
        }
    }

    /// One host, below and above the number of paths at which it gets another shape.
    #[test]
    fn all_shapes_equal_the_oracle(
        rules in prop::collection::vec(rule(Just("a.x".to_owned())), 1..120).prop_map(oracle::without_conflicts),
        requests in prop::collection::vec(path(), 60),
    ) {
        let table = table(&rules);
        for path in requests {
            prop_assert_eq!(find(&table, "a.x", &path), oracle::find(&rules, "a.x", &path), "{}", path);
        }
    }

    /// matchit says the same, with each Prefix inserted as the three texts that it takes.
    #[test]
    fn the_table_equals_matchit(
        rules in prop::collection::vec(rule(Just("a.x".to_owned())), 1..60).prop_map(oracle::without_conflicts),
        requests in prop::collection::vec(path(), 60),
    ) {
        let rules: Vec<_> = rules.into_iter().filter(|rule| rule.kind != Type::Default).collect();
        let (table, router) = (table(&rules), matchit_router(&rules));
        for path in requests {
            let want = router.at(&path).ok().and_then(|found| found.value.exact.or(found.value.prefix));
            prop_assert_eq!(find(&table, "a.x", &path), want, "{}", path);
        }
    }

    /// Letter case, port and trailing dot of a host say nothing.
    #[test]
    fn hosts_are_compared_in_one_spelling(
        rules in prop::collection::vec(rule(rule_host()), 0..20).prop_map(oracle::without_conflicts),
        host in select(vec!["x", "a.x", "b.x", "c.x", "a.a.x"]),
        ending in select(vec!["", ":", ":80", ".", ".:8080"]),
        path in path(),
    ) {
        let table = table(&rules);
        let written = host.to_uppercase() + ending;
        prop_assert_eq!(find(&table, &written, &path), find(&table, host, &path));
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Found {
    exact: Option<usize>,
    prefix: Option<usize>,
}

/// Values are merged before they are inserted, since matchit takes each text once.
fn matchit_router(rules: &[OracleRule]) -> matchit::Router<Found> {
    let mut texts: BTreeMap<String, Found> = BTreeMap::new();
    let mut order: Vec<usize> = (0..rules.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(rules[i].path.len()));
    for i in order {
        let text = rules[i].path.replace('{', "{{").replace('}', "}}");
        if rules[i].kind == Type::Exact {
            texts.entry(text).or_default().exact = Some(i);
            continue;
        }
        let folder = text.strip_suffix('/').unwrap_or(&text);
        for text in [folder.to_owned(), format!("{folder}/"), format!("{folder}/{{*rest}}")] {
            if !text.is_empty() {
                texts.entry(text).or_default().prefix.get_or_insert(i);
            }
        }
    }
    let mut router = matchit::Router::new();
    for (text, found) in texts {
        router.insert(text, found).unwrap();
    }
    router
}

// ===== the order of rules and endpoints =====

fn sourced_rule() -> impl Strategy<Value = Rule> {
    let object = (select(vec!["a", "b"]), select(vec!["web", "api"]), prop::option::of(0i64..3));
    (rule(rule_host()), 0usize..6, prop::option::of((object, 0usize..12))).prop_map(
        |(rule, backend, source)| {
            let rule = core_rule(backend, &rule);
            let Some(((namespace, name, created), index)) = source else { return rule };
            let object = ObjectRef {
                kind: "Ingress".into(),
                namespace: namespace.into(),
                name: name.into(),
                created,
                ..ObjectRef::default()
            };
            rule.with_source(Source::new(Arc::new(object), format!("spec.rules[{index}]")))
        },
    )
}

fn endpoint() -> impl Strategy<Value = (usize, Endpoint)> {
    (0usize..6, 1u8..5, 0u32..4).prop_map(|(backend, address, weight)| {
        (backend, Endpoint::new(SocketAddr::from(([10, 0, 0, address], 80))).with_weight(weight))
    })
}

fn shuffled<T: Clone + std::fmt::Debug + 'static>(
    one: impl Strategy<Value = T>,
    most: usize,
) -> impl Strategy<Value = (Vec<T>, Vec<T>)> {
    prop::collection::vec(one, 0..most).prop_flat_map(|list| (Just(list.clone()), Just(list).prop_shuffle()))
}

fn build(rules: Vec<Rule>, endpoints: Vec<(usize, Endpoint)>) -> RouteTable {
    let mut builder = RouteTable::builder();
    for rule in rules {
        builder.rule(rule);
    }
    for (number, endpoint) in endpoints {
        builder.endpoints(backend(number), [endpoint]);
    }
    builder.build().0
}

proptest! {
    #![proptest_config(config(500))]

    /// Conflicting rules and endpoints included.
    #[test]
    fn order_does_not_matter(
        (rules, other_rules) in shuffled(sourced_rule(), 40),
        (endpoints, other_endpoints) in shuffled(endpoint(), 30),
    ) {
        let (one, other) = (build(rules, endpoints), build(other_rules, other_endpoints));
        prop_assert_eq!(&one, &other);
        #[cfg(feature = "serde")]
        prop_assert_eq!(serde_json::to_string(&one.dump()).unwrap(), serde_json::to_string(&other.dump()).unwrap());
    }
}

// ===== weights =====

fn endpoints(weights: &[u32]) -> EndpointSet {
    let endpoint = |(i, &weight): (usize, &u32)| {
        Endpoint::new(SocketAddr::from(([10, 0, 0, 0], i as u16 + 1))).with_weight(weight)
    };
    EndpointSet::new(weights.iter().enumerate().map(endpoint))
}

fn counts(set: &EndpointSet, algorithm: Algorithm, tickets: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut policy = Policy::default();
    policy.load_balance = Some(algorithm);
    let mut counts = vec![0; set.as_slice().len()];
    for ticket in tickets {
        if let Ok(place) = set.choose(&Choice::new(Draw::at(ticket), Some(&policy))) {
            counts[usize::from(set.as_slice()[place].address().port()) - 1] += 1;
        }
    }
    counts
}

proptest! {
    #![proptest_config(config(300))]

    /// As many tickets as the weights add up to, wherever they begin.
    #[test]
    fn round_robin_is_exact(weights in prop::collection::vec(0u32..300, 1..12), from in any::<u32>()) {
        let period: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
        let counts = counts(&endpoints(&weights), Algorithm::RoundRobin, (u64::from(from)..).take(period as usize));
        prop_assert_eq!(counts, weights.into_iter().map(u64::from).collect::<Vec<_>>());
    }

    /// Five standard deviations of a binomial count: one test in some millions would fail by chance, and
    /// the tickets are the same in every run.
    #[test]
    fn random_converges(weights in prop::collection::vec(0u32..1000, 1..8)) {
        let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
        prop_assume!(total > 0.0);
        let tickets = 20_000;
        let counts = counts(&endpoints(&weights), Algorithm::Random, 0..tickets);
        for (count, weight) in counts.into_iter().zip(weights) {
            let share = f64::from(weight) / total;
            let (mean, deviation) = (tickets as f64 * share, (tickets as f64 * share * (1.0 - share)).sqrt());
            prop_assert!((count as f64 - mean).abs() <= 5.0 * deviation, "{} instead of {}", count, mean);
        }
    }
}

/// The documented order of the three kinds of host.
#[test]
fn hosts_sort_by_precedence() {
    let mut hosts: Vec<HostMatch> = ["", "*.b.x", "a.x", "*.a.x"].map(|text| text.parse().unwrap()).into();
    hosts.sort();
    assert_eq!(hosts.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a.x", "*.a.x", "*.b.x", "*"]);
}
