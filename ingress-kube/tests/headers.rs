//! Fields of requests and answers, CORS and compression: what annotations, parameters of a class and defaults of a gateway
//! make of the policy of a route.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use common::annotated::{NONE, class, config_map, ingress, ours, services};
use common::findings;
use ingress_core::RouteTable;
use ingress_kube::Defaults;
use serde_json::{Value, json};

const PREFIX: (&str, &str) = ("Prefix", "/a");

fn of_route(table: &RouteTable) -> Value {
    let route = table.routes().next().unwrap().route;
    route.policy().map_or(json!({}), |policy| serde_json::to_value(&**policy).unwrap())
}

fn classy(data: &str) -> String {
    class("{kind: ConfigMap, name: settings, scope: Namespace, namespace: gateway}")
        + &config_map(&format!("data: {{{data}}}"))
}

#[test]
fn values_are_read_wherever_they_may_stand() {
    for (pairs, want) in [
        (
            &[
                ("request-headers-set", "X-Env: blue|X-Host: {host}"),
                ("request-headers-add", "x-hop: {client}"),
            ][..],
            json!({"headers": {"request": {"set": [["x-env", "blue"], ["x-host", "{host}"]], "add": [["x-hop", "{client}"]]}}}),
        ),
        (
            &[("request-headers-remove", "Accept-Encoding, x_debug")],
            json!({"headers": {"request": {"remove": ["accept-encoding", "x_debug"]}}}),
        ),
        (
            &[
                ("response-headers-set", "Strict-Transport-Security: max-age=31536000"),
                ("response-headers-add", "X-A: 1|Set-Cookie: a={request-id}; Secure|X-A: 2"),
                ("response-headers-remove", "Server"),
            ],
            json!({"headers": {
                "response": {
                    "remove": ["server"],
                    "set": [["strict-transport-security", "max-age=31536000"]],
                    "add": [["x-a", "1"], ["x-a", "2"]],
                },
                "response_cookies": ["a={request-id}; Secure"],
            }}),
        ),
        (&[("cors-allow-origin", "*")], json!({"cors": {"origins": "*", "credentials": false}})),
        (
            &[
                ("cors-allow-origin", "https://*.Shop.example, http://localhost:3000"),
                ("cors-allow-methods", "PUT, DELETE"),
                ("cors-allow-headers", "Authorization"),
                ("cors-expose-headers", "X-Request-ID"),
                ("cors-allow-credentials", "true"),
                ("cors-max-age", "1h"),
            ],
            json!({"cors": {
                "origins": "http://localhost:3000, https://*.shop.example",
                "methods": "PUT, DELETE",
                "headers": "Authorization",
                "expose": "X-Request-ID",
                "credentials": true,
                "max_age": {"secs": 3600, "nanos": 0},
            }}),
        ),
        (&[("compression", "true")], json!({"compression": {"codings": ["brotli", "gzip"]}})),
        (
            &[
                ("compression", "gzip"),
                ("compression-min-size", "4KiB"),
                ("compression-types", "text/*, image/bmp"),
            ],
            json!({"compression": {"codings": ["gzip"], "min_size": 4096, "types": "text/*, image/bmp"}}),
        ),
        (&[("compression", "false")], json!({"compression": {"codings": []}})),
    ] {
        let table = ours(&(services() + &ingress(pairs, PREFIX, None)));
        assert_eq!((of_route(&table), findings(&table)), (want.clone(), vec![]), "{pairs:?}");
        let text = |text: &str| json!(text.replace('|', "\n"));
        let data: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}: {}", text(value))).collect();
        let table = ours(&(services() + &classy(&data.join(", ")) + &ingress(&[], PREFIX, Some("public"))));
        assert_eq!((of_route(&table), findings(&table)), (want, vec![]), "{pairs:?} of a class");
    }
}

#[test]
fn an_ingress_decides_about_the_fields_that_it_names() {
    let parameters = classy(
        "response-headers-set: \"X-A: class\\nX-B: class\", response-headers-remove: 'Server, X-C', request-headers-set: 'X-A: class'",
    );
    let own = [("response-headers-set", "X-A: own"), ("response-headers-add", "X-C: own")];
    let table = ours(&(services() + &parameters + &ingress(&own, PREFIX, Some("public"))));
    let want = json!({"headers": {
        "request": {"set": [["x-a", "class"]]},
        "response": {"remove": ["server"], "set": [["x-a", "own"], ["x-b", "class"]], "add": [["x-c", "own"]]},
    }});
    assert_eq!((of_route(&table), findings(&table)), (want, vec![]));
}

#[test]
fn a_gateway_may_edit_fields_and_compress_but_not_let_scripts_in() {
    let mut defaults = Defaults::default();
    defaults.set("response-headers-set", "Strict-Transport-Security: max-age=60").unwrap();
    defaults.set("compression", "true").unwrap();
    defaults.set("compression-min-size", "0").unwrap();
    for (name, value) in [
        ("cors-allow-origin", "*"),
        ("response-headers-set", "Connection: close"),
        ("response-headers-add", "X-Tenant: {tenant}"),
        ("compression", "zip"),
    ] {
        defaults.set(name, value).unwrap_err();
    }
    let want = json!({
        "headers": {"response": {"set": [["strict-transport-security", "max-age=60"]]}},
        "compression": {"codings": ["brotli", "gzip"], "min_size": 0},
    });
    assert_eq!(serde_json::to_value(defaults.policy().unwrap()).unwrap(), want);
    let mut alone = Defaults::default();
    alone.set("compression-types", "text/html").unwrap();
    alone.policy().unwrap_err();
}

#[test]
fn what_cannot_be_used_is_left_out_and_found() {
    for (name, text) in [
        ("request-headers-set", "X-Forwarded-For: 192.0.2.1"),
        ("request-headers-set", "Host: evil.example"),
        ("request-headers-set", "X-A: 1|X-A: 2"),
        ("request-headers-set", "X-A: {"),
        ("request-headers-add", "Content-Length: 0"),
        ("request-headers-add", "Cookie: a=1"),
        ("request-headers-remove", "Transfer-Encoding"),
        ("request-headers-remove", ""),
        ("response-headers-set", "Set-Cookie: a=1"),
        ("response-headers-set", "X-A"),
        ("response-headers-add", "Connection: close"),
        ("response-headers-add", "X-A: ä"),
        ("response-headers-remove", "set_cookie"),
        ("cors-allow-origin", "null"),
        ("cors-allow-origin", "shop.example"),
        ("compression", "zstd"),
        ("compression-min-size", "big"),
        ("compression-types", "text/event-stream"),
    ] {
        // Beside it, what closes a route still does.
        let pairs = [(name, text), ("deny-source-range", "10.0.0.0/8")];
        let table = ours(&(services() + &ingress(&pairs, PREFIX, None)));
        let found = findings(&table);
        let at = format!("error[ING023]: Ingress default/web metadata.annotations[ingress.gateway/{name}]: ");
        assert!(found.len() == 1 && found[0].starts_with(&at), "{name}: {text}: {found:?}");
        let policy = table.routes().next().unwrap().route.policy().cloned().unwrap();
        assert!(!policy.access.admits(Some([10, 0, 0, 1].into())));
        assert!(policy.headers.is_default() && policy.cors.is_none() && policy.compression.is_default());
    }
    for (name, text) in [
        ("cors-allow-methods", "get"),
        ("cors-allow-headers", "a:b"),
        ("cors-expose-headers", "*, a"),
        ("cors-allow-credentials", "yes"),
        ("cors-max-age", "60"),
    ] {
        let pairs = [(name, text), ("cors-allow-origin", "https://a.example")];
        let table = ours(&(services() + &ingress(&pairs, PREFIX, None)));
        let at = format!("error[ING023]: Ingress default/web metadata.annotations[ingress.gateway/{name}]: ");
        let found = findings(&table);
        assert!(found.len() == 1 && found[0].starts_with(&at), "{name}: {text}: {found:?}");
        assert_eq!(of_route(&table), json!({"cors": {"origins": "https://a.example", "credentials": false}}));
    }
}

#[test]
fn origins_that_cannot_be_read_are_not_those_of_the_class() {
    let parameters = classy("cors-allow-origin: '*', cors-max-age: 1h");
    let own = [("cors-allow-origin", "https://a.example/x")];
    let table = ours(&(services() + &parameters + &ingress(&own, PREFIX, Some("public"))));
    assert_eq!(of_route(&table), json!({}));
    assert_eq!(findings(&table).len(), 1);
}

#[test]
fn what_has_no_effect_is_said() {
    let vain = |name: &str, why: &str| {
        format!(
            "warning[ING016]: Ingress default/web metadata.annotations[ingress.gateway/{name}]: the annotation has no effect: {why}"
        )
    };
    let no_origin = "nothing says whose scripts; write ingress.gateway/cors-allow-origin, too";
    for name in ["cors-allow-methods", "cors-allow-headers", "cors-expose-headers"] {
        let table = ours(&(services() + &ingress(&[(name, "*")], PREFIX, None)));
        assert_eq!((findings(&table), of_route(&table)), (vec![vain(name, no_origin)], json!({})));
    }
    for (name, text) in [("cors-allow-credentials", "true"), ("cors-max-age", "1h")] {
        let table = ours(&(services() + &ingress(&[(name, text)], PREFIX, None)));
        assert_eq!((findings(&table), of_route(&table)), (vec![vain(name, no_origin)], json!({})));
    }
    let everybodys = "every site would have the credentials of everybody where something else of CORS is *; write ingress.gateway/cors-allow-origin and the other cors-* with lists in place of *";
    for pairs in [
        &[("cors-allow-origin", "*"), ("cors-allow-credentials", "true")][..],
        &[
            ("cors-allow-origin", "https://a.example"),
            ("cors-allow-headers", "*"),
            ("cors-allow-credentials", "true"),
        ],
        &[
            ("cors-allow-origin", "https://a.example"),
            ("cors-allow-methods", "*"),
            ("cors-allow-credentials", "true"),
        ],
        &[
            ("cors-allow-origin", "https://a.example"),
            ("cors-expose-headers", "*"),
            ("cors-allow-credentials", "true"),
        ],
    ] {
        let table = ours(&(services() + &ingress(pairs, PREFIX, None)));
        assert_eq!(findings(&table), [vain("cors-allow-credentials", everybodys)]);
        assert_eq!(of_route(&table)["cors"]["credentials"], json!(false));
    }
    let nothing = "nothing is compressed; write ingress.gateway/compression: true, too";
    for pairs in [
        &[("compression-min-size", "1")][..],
        &[("compression", "false"), ("compression-types", "text/html")],
    ] {
        let table = ours(&(services() + &ingress(pairs, PREFIX, None)));
        assert_eq!(findings(&table), [vain(pairs[pairs.len() - 1].0, nothing)]);
    }
}

#[test]
fn names_that_a_path_does_not_have_are_found() {
    for (name, text) in [
        ("request-headers-set", "X-A: {id}"),
        ("request-headers-add", "X-A: {id}"),
        ("response-headers-set", "X-A: {id}"),
        ("response-headers-add", "X-A: {id}"),
        ("response-headers-add", "Set-Cookie: a={id}"),
    ] {
        let table = ours(&(services() + &ingress(&[(name, text)], PREFIX, None)));
        let want = format!(
            "error[ING023]: Ingress default/web spec.rules[0].http.paths[0].path: ingress.gateway/{name} names {{id}}, which this path does not have, so it is empty"
        );
        let found = findings(&table);
        assert!(found.len() == 1 && found[0].starts_with(&want), "{found:?}");
        let pairs = [("path-syntax", "template"), (name, text)];
        let table = ours(&(services() + &ingress(&pairs, ("ImplementationSpecific", "/users/{id}"), None)));
        assert_eq!(findings(&table), NONE);
    }
}
