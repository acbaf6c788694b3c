//! Which namespaces may claim which hosts.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use common::{findings, routes, table};
use ingress_core::{RequestHead, RequestHost, RequestPath, Turn};
use ingress_kube::{Config, HostOwnership};
use proptest::prelude::*;
use proptest::sample::select;

const POLICY: &str = "
owners:
- {host: shop.example, namespaces: [shop]}
- {host: '*.team.example', namespaces: [team, ops]}
- {host: '*.try.team.example', namespaces: ['*']}
- {host: closed.example, namespaces: []}
";

/// Each namespace has one Service, which is called like it.
fn services() -> String {
    let service = |namespace: &str| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {namespace}, namespace: {namespace}}}\n\
             spec: {{clusterIP: 10.0.0.1, ports: [{{port: 80}}]}}\n"
        )
    };
    ["shop", "team", "ops", "other"].map(service).concat()
}

/// An Ingress with a Prefix `/` for each host, and perhaps a default backend.
fn ingress(namespace: &str, hosts: &[&str], default: bool) -> String {
    let backend = format!("{{service: {{name: {namespace}, port: {{number: 80}}}}}}");
    let rule = |host: &&str| {
        let host = if host.is_empty() { String::new() } else { format!("host: '{host}', ") };
        format!("{{{host}http: {{paths: [{{path: /, pathType: Prefix, backend: {backend}}}]}}}}")
    };
    let rules: Vec<_> = hosts.iter().map(rule).collect();
    let default = if default { format!("defaultBackend: {backend}, ") } else { String::new() };
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: web, namespace: {namespace}}}\n\
         spec: {{{default}rules: [{}]}}\n",
        rules.join(", ")
    )
}

fn config(policy: &str) -> Config {
    Config::default().host_ownership(HostOwnership::from_yaml(policy).unwrap())
}

#[test]
fn a_refused_rule_costs_itself() {
    let hosts = ["shop.example", "web.team.example", "free.example", "closed.example", "x.try.team.example"];
    let table = table(&(ingress("other", &hosts, true) + &services()), &config(POLICY));
    let want = [
        "free.example Prefix / -> other/other:80 [10.0.0.1:80]",
        "free.example default -> other/other:80 [10.0.0.1:80]",
        "x.try.team.example Prefix / -> other/other:80 [10.0.0.1:80]",
        "x.try.team.example default -> other/other:80 [10.0.0.1:80]",
        "* default -> other/other:80 [10.0.0.1:80]",
    ];
    assert_eq!(routes(&table), want);
    let at = "error[ING021]: Ingress other/web spec.rules";
    let want = [
        format!(
            "{at}[0].host: namespace other may not claim host \"shop.example\"; shop.example belongs to shop; name another host, or have other added to the owners of shop.example"
        ),
        format!(
            "{at}[1].host: namespace other may not claim host \"web.team.example\"; *.team.example belongs to ops, team; name another host, or have other added to the owners of *.team.example"
        ),
        format!(
            "{at}[3].host: namespace other may not claim host \"closed.example\"; closed.example may be claimed by nobody; name another host, or have other added to the owners of closed.example"
        ),
    ];
    assert_eq!(findings(&table), want);
    let host = RequestHost::parse("shop.example").unwrap();
    let text = table.explain(&RequestHead::new(&host, &RequestPath::parse("/").unwrap())).to_string();
    assert!(text.contains("  refused     shop.example Prefix /\n"), "{text}");
}

#[test]
fn rules_without_a_host_need_the_star() {
    let policy = "owners: [{host: '*', namespaces: [ops]}]";
    let text =
        ingress("other", &["", "a.example"], true) + &ingress("ops", &["b.example"], true) + &services();
    let table = table(&text, &config(policy));
    let want = [
        "b.example Prefix / -> ops/ops:80 [10.0.0.1:80]",
        "b.example default -> ops/ops:80 [10.0.0.1:80]",
        "* default -> ops/ops:80 [10.0.0.1:80]",
    ];
    assert_eq!(routes(&table), want);
    assert_eq!(findings(&table).len(), 2);
    // An Ingress without rules claims every host with its default backend.
    let table = common::table(&(ingress("other", &[], true) + &services()), &config(policy));
    assert_eq!(routes(&table), [""; 0]);
    let found = findings(&table);
    assert!(found[0].contains("spec.defaultBackend: namespace other may not claim all hosts"), "{found:?}");
}

#[test]
fn the_global_default_backend_serves_what_owners_do_not() {
    let config = config(POLICY).default_backend_service("ops/ops:80".parse().unwrap());
    let table = table(&(ingress("other", &["", "*.example"], true) + &services()), &config);
    let serves = |host: &str| {
        let (host, path) = (RequestHost::parse(host).unwrap(), RequestPath::parse("/").unwrap());
        let found = table.lookup(&RequestHead::new(&host, &path)).unwrap();
        found.map_or_else(String::new, |found| {
            found.backend(|_| Turn::Ticket(0)).unwrap().reference().to_string()
        })
    };
    for (host, want) in [
        ("shop.example", "ops/ops:80"),
        ("a.b.team.example", "ops/ops:80"),
        ("closed.example", "ops/ops:80"),
        ("free.example", "other/other:80"),
        ("elsewhere.test", "other/other:80"),
    ] {
        assert_eq!(serves(host), want, "{host}");
    }
}

proptest! {
    /// Whatever the rules: a host is never served by a namespace that may not claim it.
    #[test]
    fn nobody_gets_requests_for_a_host_of_others(
        ingresses in prop::collection::vec(
            (select(vec!["shop", "team", "ops", "other"]),
             prop::collection::vec(select(vec![
                 "", "*.example", "shop.example", "*.shop.example", "team.example", "*.team.example",
                 "a.team.example", "a.b.team.example", "*.b.team.example", "*.try.team.example",
                 "closed.example", "x.example",
             ]), 0..4),
             any::<bool>()),
            0..6,
        ),
        star in any::<bool>(),
    ) {
        let policy = if star { format!("{POLICY}- {{host: '*', namespaces: [ops]}}\n") } else { POLICY.into() };
        let ownership = HostOwnership::from_yaml(&policy).unwrap();
        let mut text = services();
        for (number, (namespace, hosts, default)) in ingresses.iter().enumerate() {
            text += &ingress(namespace, hosts, *default).replace("{name: web,", &format!("{{name: web-{number},"));
        }
        let table = table(&text, &config(&policy));
        for host in ["shop.example", "a.shop.example", "team.example", "a.team.example", "a.b.team.example",
            "x.try.team.example", "closed.example", "x.example", "other.test"]
        {
            let (request, path) = (RequestHost::parse(host).unwrap(), RequestPath::parse("/").unwrap());
            if let Some(found) = table.lookup(&RequestHead::new(&request, &path)).unwrap() {
                let backend = found.backend(|_| Turn::Ticket(0)).unwrap().reference().to_string();
                let namespace = backend.split('/').next().unwrap();
                prop_assert!(ownership.may_claim(namespace, &host.parse().unwrap()), "{} {}", host, backend);
            }
        }
    }
}
