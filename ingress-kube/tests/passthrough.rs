//! TLS that is not ended at the gateway: which hosts, whose endpoints, and what is wrong with the rest.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use std::fmt::Write as _;

use common::annotated::{NONE, services};
use common::{findings, routes};
use ingress_core::{RouteTable, Timeout};
use ingress_kube::{Config, HostOwnership};
use serde_json::json;

/// An Ingress of this age: its annotations, and hosts with their paths, all to the Service of its name.
fn ingress(name: &str, age: u32, pairs: &[(&str, &str)], rules: &[(&str, &[&str])]) -> String {
    let mut text = format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {name}\n  creationTimestamp: 2020-01-01T00:00:{age:02}Z\n  annotations:\n"
    );
    for (key, value) in pairs {
        writeln!(text, "    ingress.gateway/{key}: {}", json!(value)).unwrap();
    }
    let path = |path: &&str| json!({"path": path, "pathType": "Prefix", "backend": {"service": {"name": name, "port": {"number": 80}}}});
    let rules: Vec<_> = rules
        .iter()
        .map(|(host, paths)| {
            json!({"host": host, "http": {"paths": paths.iter().map(path).collect::<Vec<_>>()}})
        })
        .collect();
    text + &format!("spec: {}\n", json!({"rules": rules}))
}

fn table(text: &str) -> RouteTable {
    common::table(&(services() + text), &Config::default())
}

fn carried(table: &RouteTable) -> Vec<String> {
    table.passthroughs().map(|(host, passed)| format!("{host} {}", passed.backend.reference())).collect()
}

const PASS: (&str, &str) = ("tls-passthrough", "true");

#[test]
fn hosts_are_carried_to_the_backend_of_the_path_slash() {
    let pairs = [PASS, ("connect-timeout", "2s"), ("deny-source-range", "192.0.2.0/24")];
    let table = table(&ingress("web", 1, &pairs, &[("a.example", &["/"]), ("*.b.example", &["/"])]));
    assert_eq!(carried(&table), ["a.example default/web:80", "*.b.example default/web:80"]);
    assert_eq!((findings(&table), table.route_count()), (vec![], 0));
    let passed = table.passthrough("a.example").unwrap();
    assert_eq!(passed.backend.endpoints().as_slice().len(), 1);
    let policy = passed.policy.unwrap();
    assert_eq!(policy.connect_timeout, Some(Timeout::After(std::time::Duration::from_secs(2))));
    assert!(policy.access.denies(Some([192, 0, 2, 1].into())));
}

#[test]
fn what_has_no_effect_or_cannot_be_served_is_said() {
    let at = "Ingress default/web ";
    for (pairs, rules, want, carries, closed) in [
        (
            &[PASS][..],
            &[("a.example", &["/x", "/"][..])][..],
            "warning[ING016]: {at}spec.rules[0].http.paths[0]: the path has no effect: connections are not decrypted, and go to the backend of /; leave it out",
            true,
            false,
        ),
        (
            &[PASS],
            &[("a.example", &["/x"])],
            "error[ING023]: {at}spec.rules[0]: there is no path / whose backend could take connections, so the rule is not served; write the path / with a backend",
            false,
            false,
        ),
        (
            &[PASS],
            &[("", &["/"])],
            "error[ING023]: {at}spec.rules[0]: TLS of all hosts cannot be passed through, so the rule is not served; write a host, or leave out ingress.gateway/tls-passthrough",
            false,
            false,
        ),
        (
            &[PASS, ("match-method", "GET")],
            &[("a.example", &["/"])],
            "error[ING023]: {at}spec.rules[0]: what requests must meet cannot be seen in connections that are not decrypted, so the rule is not served; leave out ingress.gateway/tls-passthrough, or the annotations match-*",
            false,
            false,
        ),
        (
            &[PASS, ("match-method", "get")],
            &[("a.example", &["/"])],
            "error[ING023]: {at}metadata.annotations[ingress.gateway/match-method]: no rule with this condition is served, because it cannot be read: methods are case-sensitive: \"get\"; write GET",
            false,
            false,
        ),
        (
            &[("tls-passthrough", "on")],
            &[("a.example", &["/"])],
            "error[ING023]: {at}metadata.annotations[ingress.gateway/tls-passthrough]: \"on\" is neither true nor false; write true or false; until then these paths answer 503",
            false,
            true,
        ),
    ] {
        let table = table(&ingress("web", 1, pairs, rules));
        assert_eq!(findings(&table), [want.replace("{at}", at)]);
        assert_eq!(!carried(&table).is_empty(), carries);
        let policy = table.routes().next().and_then(|found| found.route.policy().cloned());
        assert_eq!(policy.is_some_and(|policy| policy.access.closed), closed);
    }
    let plain = table(&ingress("web", 1, &[("tls-passthrough", "false")], &[("a.example", &["/"])]));
    assert_eq!((findings(&plain), carried(&plain), plain.route_count()), (vec![], vec![], 1));
}

#[test]
fn what_clients_cannot_prove_closes_the_connections() {
    let config = Config::default().load_trust(|pem| Ok(ingress_core::Trust::new(pem, ())));
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: ca}\nstringData: {ca.crt: good}\n";
    let text = ingress("web", 1, &[PASS, ("client-ca-secret", "ca")], &[("a.example", &["/"])]);
    let table = common::table(&[&services(), secret, &text].concat(), &config);
    let found = findings(&table);
    assert!(
        found.len() == 1
            && found[0].contains("tls-passthrough]: connections that are not decrypted are closed"),
        "{found:?}"
    );
    assert!(table.passthrough("a.example").unwrap().policy.unwrap().authentication.is_needed());
}

#[test]
fn what_nobody_sees_in_connections_closes_them() {
    let config = Config::default().custom_annotation("example.com/key", |_| Ok(()));
    let custom = "  annotations:\n    example.com/key: partners\n";
    let closed = |reason: &str| {
        vec![format!(
            "error[ING023]: Ingress default/web metadata.annotations[ingress.gateway/tls-passthrough]: connections that are not decrypted are closed, because {reason}; leave out the annotations that ask for it; the endpoints may do it themselves"
        )]
    };
    let counted = "no requests can be counted in them";
    let answered = "nobody can be answered in them";
    let unknown = "no policy of the program's own can look into them";
    for (pairs, is_custom, want) in [
        (&[("rate-limit", "10/s")][..], false, Some(counted.to_owned())),
        (&[("concurrency-limit", "1")], false, Some(counted.to_owned())),
        (&[("maintenance", "true")], false, Some(answered.to_owned())),
        (&[("respond-body", "gone")], false, Some(answered.to_owned())),
        (&[], true, Some(unknown.to_owned())),
        (
            &[("rate-limit", "10/s"), ("maintenance", "true")],
            true,
            Some(format!("{counted}, and {answered}, and {unknown}")),
        ),
        (&[("maintenance", "false"), ("bandwidth-limit", "1MiB"), ("concurrency-limit", "0")], false, None),
    ] {
        let pairs: Vec<_> = [PASS].iter().chain(pairs).copied().collect();
        let mut text = ingress("web", 1, &pairs, &[("a.example", &["/"])]);
        if is_custom {
            text = text.replacen("  annotations:\n", custom, 1);
        }
        let table = common::table(&(services() + &text), &config);
        assert_eq!(findings(&table), want.map_or_else(Vec::new, |reason| closed(&reason)), "{pairs:?}");
        assert_eq!(carried(&table).len(), 1, "the server closes it");
    }
}

#[test]
fn the_older_ingress_says_whether_a_host_is_decrypted() {
    for (web, next, want) in [(1, 2, false), (2, 1, true)] {
        let plain = ingress("web", web, &[], &[("a.example", &["/"]), ("b.example", &["/"])]);
        let passing = ingress("next", next, &[PASS], &[("a.example", &["/"])]);
        for text in [format!("{plain}{passing}"), format!("{passing}{plain}")] {
            let table = table(&text);
            assert_eq!(!carried(&table).is_empty(), want);
            assert_eq!(routes(&table).iter().any(|route| route.starts_with("a.example")), !want);
            assert_eq!(findings(&table).len(), 1, "{:?}", findings(&table));
            assert!(findings(&table)[0].contains("a.example"));
        }
    }
}

#[test]
fn only_who_may_claim_a_host_passes_it_through() {
    let owners =
        "owners: [{host: '*.mine.example', namespaces: [default]}, {host: '*', namespaces: [other]}]";
    let config = Config::default().host_ownership(HostOwnership::from_yaml(owners).unwrap());
    let text = ingress("web", 1, &[PASS], &[("a.mine.example", &["/"]), ("a.yours.example", &["/"])]);
    let table = common::table(&(services() + &text), &config);
    assert_eq!(carried(&table), ["a.mine.example default/web:80"]);
    assert!(findings(&table) != NONE && findings(&table)[0].contains("a.yours.example"));
}
