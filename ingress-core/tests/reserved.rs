//! Hosts that only rules for them take.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use ingress_core::{
    HostMatch, PathMatch, RequestHead, RequestHost, RequestPath, RouteTable, RouteTableBuilder, Rule,
};

fn rule(host: &str, path: PathMatch, backend: &str) -> Rule {
    Rule::new(host.parse().unwrap(), path, format!("ns/{backend}:80").parse().unwrap())
}

fn builder(reserved: &[&str]) -> RouteTableBuilder {
    let mut builder = RouteTable::builder();
    let page = || PathMatch::prefix("/p").unwrap();
    builder.rule(rule("", page(), "any")).rule(rule("", PathMatch::Default, "any-default"));
    builder.rule(rule("*.corp.example", page(), "wild")).rule(rule("own.team.corp.example", page(), "own"));
    for host in reserved {
        builder.reserve(host.parse().unwrap());
    }
    builder
}

fn answer(table: &RouteTable, host: &str, path: &str) -> String {
    let (host, path) = (RequestHost::parse(host).unwrap(), RequestPath::parse(path).unwrap());
    let found = table.lookup(&RequestHead::new(&host, &path)).unwrap();
    found.map_or_else(String::new, |found| {
        found.backend(|_| ingress_core::Turn::Ticket(0)).unwrap().reference().to_string()
    })
}

#[test]
fn wider_rules_do_not_take_reserved_hosts() {
    let reserved = ["pay.corp.example", "*.team.corp.example", "lone.example", ""];
    let open = builder(&[]).build().0;
    let closed = builder(&reserved).build().0;
    let mut builder = builder(&reserved);
    builder.reserve_default("ns/global:80".parse().unwrap());
    let global = builder.build().0;
    // Host, path; without reservations, with them, and with a default for reserved hosts.
    let cases = [
        ("pay.corp.example", "/p", "wild", "", "global"),
        ("pay.corp.example", "/x", "any-default", "", "global"),
        ("web.corp.example", "/p", "wild", "wild", "wild"),
        ("web.corp.example", "/x", "any-default", "any-default", "any-default"),
        ("team.corp.example", "/p", "wild", "wild", "wild"),
        ("own.team.corp.example", "/p", "own", "own", "own"),
        ("own.team.corp.example", "/x", "any-default", "", "global"),
        ("a.team.corp.example", "/p", "any", "", "global"),
        ("a.b.c.team.corp.example", "/x", "any-default", "", "global"),
        ("a_b.c_d.team.corp.example", "/p", "any", "", "global"),
        ("xteam.corp.example", "/p", "wild", "wild", "wild"),
        ("lone.example", "/p", "any", "", "global"),
        ("below.lone.example", "/p", "any", "any", "any"),
        ("10.0.0.1", "/p", "any", "any", "any"),
        ("[::1]", "/x", "any-default", "any-default", "any-default"),
        ("", "/p", "any", "any", "any"),
    ];
    let full = |name: &str| if name.is_empty() { String::new() } else { format!("ns/{name}:80") };
    for (host, path, without, with, with_default) in cases {
        assert_eq!(answer(&open, host, path), full(without), "{host}{path}");
        assert_eq!(answer(&closed, host, path), full(with), "{host}{path}");
        assert_eq!(answer(&global, host, path), full(with_default), "{host}{path}");
    }
    assert_eq!(closed.host_count(), open.host_count());
    assert_eq!(closed.routes().len(), open.routes().len());
}

#[test]
fn reservations_are_part_of_the_table() {
    let (one, other) = (["*.a.example", "b.example"], ["b.example", "*.a.example"]);
    let table = |hosts: &[&str]| builder(hosts).build().0;
    assert_eq!(table(&one), table(&other));
    assert_ne!(table(&one), table(&one[..1]));
    let hosts: Vec<_> = table(&one).reserved_hosts().iter().map(HostMatch::to_string).collect();
    assert_eq!(hosts, ["b.example", "*.a.example"]);
    #[cfg(feature = "serde")]
    {
        let dump = serde_json::to_value(table(&one).dump()).unwrap();
        assert_eq!(dump["reserved"], serde_json::json!(["b.example", "*.a.example"]));
        assert!(serde_json::to_value(table(&[]).dump()).unwrap().get("reserved").is_none());
    }
}

/// Without anything reserved the second default is nobody's.
#[test]
fn a_default_for_reserved_hosts_needs_some() {
    let mut with = builder(&[]);
    with.reserve_default("ns/global:80".parse().unwrap());
    assert_eq!(with.build().0, builder(&[]).build().0);
}
