//! A canary beside the backends of an Ingress, and what is found about it.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use common::annotated::{NONE, class, config_map, ingress, ours, services};
use common::{findings, routes};
use ingress_core::{Affinity, Algorithm, Canary, HashKey, Policy, RouteTable};

const PREFIX: (&str, &str) = ("Prefix", "/a");
const BESIDE: &str =
    "a.example Prefix /a -> default/next:80=10 [10.0.0.2:80], default/web:80=90 [10.0.0.1:80]";
const ALONE: &str = "a.example Prefix /a -> default/web:80 [10.0.0.1:80]";

fn of_route(table: &RouteTable) -> Policy {
    table.routes().next().unwrap().route.policy().map(|policy| (**policy).clone()).unwrap_or_default()
}

fn found(annotation: &str, what: &str) -> String {
    format!("warning[ING016]: Ingress default/web metadata.annotations[ingress.gateway/{annotation}]: {what}")
}

#[test]
fn a_canary_takes_a_share_and_who_asks_for_it() {
    let pairs = [
        ("canary-service", "next"),
        ("canary-weight", "10%"),
        ("canary-header", "X-Canary"),
        ("canary-cookie", "canary"),
    ];
    let mut canary = Canary::new("next");
    (canary.header, canary.cookie) = (Some("x-canary".parse().unwrap()), Some("canary".into()));
    let mut want = Policy::default();
    want.canary = Some(canary);
    let table = ours(&(services() + &ingress(&pairs, PREFIX, None)));
    assert_eq!((routes(&table), findings(&table)), (vec![BESIDE.to_owned()], vec![]));
    assert_eq!(of_route(&table), want);

    let valued = [("canary-service", "next"), ("canary-header", "X-Canary = beta")];
    let table = ours(&(services() + &ingress(&valued, PREFIX, None)));
    let without = BESIDE.replace("=10", "=0").replace("=90", "=100");
    assert_eq!((routes(&table), findings(&table)), (vec![without], vec![]));
    let header = of_route(&table).canary.unwrap().header.unwrap();
    assert_eq!((header.name(), header.value()), ("x-canary", Some("beta")));
}

#[test]
fn a_class_says_who_asks_for_canaries() {
    let parameters = class("{kind: ConfigMap, name: settings, scope: Namespace, namespace: gateway}")
        + &config_map("data: {canary-header: X-Canary, canary-cookie: canary, canary-weight: 10%}");
    let own = [("canary-service", "next"), ("canary-cookie", "own")];
    let table = ours(&(services() + &parameters + &ingress(&own, PREFIX, Some("public"))));
    assert_eq!((routes(&table), findings(&table)), (vec![BESIDE.to_owned()], vec![]));
    let canary = of_route(&table).canary.unwrap();
    assert_eq!((canary.header.unwrap().name(), canary.cookie.as_deref()), ("x-canary", Some("own")));
    // Other Ingresses of the class have none, and are told nothing.
    let table = ours(&(services() + &parameters + &ingress(&[], PREFIX, Some("public"))));
    assert_eq!((routes(&table), findings(&table)), (vec![ALONE.to_owned()], vec![]));
    assert_eq!(of_route(&table), Policy::default());

    let named = class("{kind: ConfigMap, name: settings, scope: Namespace, namespace: gateway}")
        + &config_map("data: {canary-service: next}");
    let table = ours(&(services() + &named + &ingress(&[], PREFIX, Some("public"))));
    let found = findings(&table);
    assert!(found.len() == 1 && found[0].contains("names objects beside one Ingress"), "{found:?}");
}

#[test]
fn clients_chosen_by_weight_stay_by_a_key_or_a_cookie() {
    let beside = [("canary-service", "next"), ("canary-weight", "10%")];
    let table = |pair| ours(&(services() + &ingress(&[&beside[..], &[pair]].concat(), PREFIX, None)));
    // Beside a canary a key is not in vain, whatever the endpoints are chosen by.
    let by_key = ours(
        &(services()
            + &ingress(
                &[&beside[..], &[("hash-key", "header X-User"), ("load-balance", "random")]].concat(),
                PREFIX,
                None,
            )),
    );
    assert_eq!(findings(&by_key), NONE);
    let policy = of_route(&by_key);
    assert_eq!(policy.hash_key, Some(HashKey::Header("x-user".into())));
    assert_eq!(policy.load_balance, Some(Algorithm::Random));
    for (text, by_cookie) in [("cookie", true), ("source-address", false)] {
        let table = table(("affinity", text));
        assert_eq!((routes(&table), findings(&table)), (vec![BESIDE.to_owned()], vec![]));
        assert_eq!(matches!(of_route(&table).affinity, Some(Affinity::Cookie(_))), by_cookie);
    }
}

/// It costs no request: a canary without endpoints takes none.
#[test]
fn a_canary_that_is_not_there_is_a_finding() {
    let pairs = [("canary-service", "nxt"), ("canary-weight", "10%")];
    let table = ours(&(services() + &ingress(&pairs, PREFIX, None)));
    let want = "a.example Prefix /a -> default/nxt:80=10 [], default/web:80=90 [10.0.0.1:80]";
    assert_eq!(routes(&table), [want]);
    let found = findings(&table);
    assert!(found.len() == 1 && found[0].starts_with("error["), "{found:?}");
    let at = "Ingress default/web metadata.annotations[ingress.gateway/canary-service]: Service default/nxt does not exist; write next";
    assert!(found[0].contains(at), "{found:?}");

    let other_port = services().replace(
        "name: next}\nspec: {clusterIP: 10.0.0.2, ports: [{port: 80}]}",
        "name: next}\nspec: {clusterIP: 10.0.0.2, ports: [{port: 81}]}",
    );
    let pairs = [("canary-service", "next"), ("canary-weight", "10%")];
    let found = findings(&ours(&(other_port + &ingress(&pairs, PREFIX, None))));
    assert!(found.len() == 1 && found[0].contains("Service next has no port 80"), "{found:?}");
}

#[test]
fn what_cannot_be_read_is_left_out() {
    let at = |name: &str| {
        format!("error[ING023]: Ingress default/web metadata.annotations[ingress.gateway/{name}]: ")
    };
    for (name, text, want) in [
        (
            "canary-service",
            "other/next",
            "\"other/next\" is no name of a Service, so there is no canary; write the name of a Service of this namespace; the port is that of each path's backend",
        ),
        (
            "canary-service",
            "",
            "no Service is named, so there is no canary; write the name of a Service of this namespace; the port is that of each path's backend",
        ),
        (
            "canary-weight",
            "110%",
            "the percentage cannot be used: \"110%\"; write a whole number from 0% to 100%, such as 10%",
        ),
        (
            "canary-header",
            "X Canary",
            "\"X Canary\" is neither the name of a header field nor NAME=VALUE, so no field leads to the canary; write a name, such as X-Canary, or a name and a value, such as X-Canary=next",
        ),
        (
            "canary-cookie",
            "a=b",
            "\"a=b\" is no name of a cookie, so no cookie leads to the canary; write just its name, such as canary",
        ),
    ] {
        let sound = [("canary-service", "next"), ("canary-weight", "10%"), ("canary-header", "X-Canary")];
        let mut pairs: Vec<_> = sound.into_iter().filter(|(known, _)| *known != name).collect();
        pairs.push((name, text));
        let table = ours(&(services() + &ingress(&pairs, PREFIX, None)));
        assert!(findings(&table).contains(&(at(name) + want)), "{:?}", findings(&table));
        assert!(!of_route(&table).access.closed, "{name}");
        assert_eq!(of_route(&table).canary.is_some(), name != "canary-service", "{name}");
    }
}

#[test]
fn what_has_no_effect_is_said() {
    let sound: &[(&str, &str)] = &[("canary-service", "next"), ("canary-weight", "10%")];
    let idle = "the annotation has no effect: nothing says which requests go to it; write ingress.gateway/canary-weight, canary-header or canary-cookie, too";
    let table = ours(&(services() + &ingress(&sound[..1], PREFIX, None)));
    assert_eq!(findings(&table), [found("canary-service", idle)]);
    let none = "the annotation has no effect: there is no canary; write ingress.gateway/canary-service, too";
    for pair in [("canary-weight", "10%"), ("canary-header", "X-Canary"), ("canary-cookie", "canary")] {
        let table = ours(&(services() + &ingress(&[pair], PREFIX, None)));
        assert_eq!((routes(&table), findings(&table)), (vec![ALONE.to_owned()], vec![found(pair.0, none)]));
        assert_eq!(of_route(&table), Policy::default());
    }
    // No canary yet, on purpose.
    let zero = [("canary-service", "next"), ("canary-weight", "0%")];
    assert_eq!(findings(&ours(&(services() + &ingress(&zero, PREFIX, None)))), NONE);

    let itself = [("canary-service", "web"), ("canary-weight", "10%")];
    let table = ours(&(services() + &ingress(&itself, PREFIX, None)));
    let want =
        "the annotation has no effect: \"web\" is the backend itself; write the name of another Service";
    assert_eq!(
        (routes(&table), findings(&table)),
        (vec![ALONE.to_owned()], vec![found("canary-service", want)])
    );
    assert_eq!(of_route(&table), Policy::default());

    let split = [sound, &[("split", "web: web=1, next=1")]].concat();
    let table = ours(&(services() + &ingress(&split, PREFIX, None)));
    let want =
        "the annotation has no effect: the requests of \"web\" are shared by split; leave one of the two out";
    assert_eq!(findings(&table), [found("canary-service", want)]);
    assert_eq!(routes(&table), [BESIDE.replace("=10", "=1").replace("=90", "=1")]);
    assert_eq!(of_route(&table).canary, None);
}

#[test]
fn each_path_has_the_canary_on_its_own_port() {
    let text = "---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {clusterIP: 10.0.0.1, ports: [{port: 80}, {name: api, port: 81}]}\n\
        ---\napiVersion: v1\nkind: Service\nmetadata: {name: next}\nspec: {clusterIP: 10.0.0.2, ports: [{port: 80}, {name: api, port: 82}]}\n\
        ---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web, annotations: {ingress.gateway/canary-service: next, ingress.gateway/canary-weight: \"10\"}}\n\
        spec:\n  defaultBackend: {service: {name: web, port: {number: 80}}}\n  rules:\n  - host: a.example\n    http:\n      paths:\n      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}\n\
        \x20     - {path: /api, pathType: Prefix, backend: {service: {name: web, port: {name: api}}}}\n\
        \x20     - {path: /next, pathType: Prefix, backend: {service: {name: next, port: {number: 80}}}}\n";
    let table = ours(text);
    let lines = routes(&table);
    for want in [
        "a.example Prefix / -> default/next:80=10 [10.0.0.2:80], default/web:80=90 [10.0.0.1:80]",
        "a.example Prefix /api -> default/next:api=10 [10.0.0.2:82], default/web:api=90 [10.0.0.1:81]",
        "a.example Prefix /next -> default/next:80 [10.0.0.2:80]",
    ] {
        assert!(lines.iter().any(|line| line == want), "{want}: {lines:#?}");
    }
    // The default backend has none.
    assert!(lines.iter().filter(|line| line.contains("=10")).count() == 2, "{lines:#?}");
    let with_canary =
        table.routes().filter(|found| found.route.policy().is_some_and(|policy| policy.canary.is_some()));
    assert_eq!(with_canary.count(), 2);
    let want = "the annotation has no effect on some paths: \"next\" is the backend itself; write the name of another Service";
    assert_eq!(findings(&table), [found("canary-service", want)]);
}
