//! Other paths and hosts: what annotations, parameters of a class and defaults of a gateway make of the policy of a route.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use common::annotated::{NONE, class, config_map, ingress, ours, services};
use common::findings;
use ingress_core::{RouteTable, Timeout};
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
        (&[("rewrite-prefix", "/")][..], json!({"rewrite": {"path": {"prefix": "/"}}})),
        (
            &[("rewrite-path", "/v2{path}?{query}"), ("rewrite-host", "next.example")],
            json!({"rewrite": {"path": {"full": "/v2{path}?{query}"}, "host": "next.example"}}),
        ),
        (&[("https-redirect", "true")], json!({"https_redirect": {"with": 308}})),
        (&[("https-redirect", "301")], json!({"https_redirect": {"with": 301}})),
        (&[("https-redirect", "false")], json!({"https_redirect": "off"})),
        (&[("www", "add")], json!({"www": "add"})),
        (
            &[
                ("redirect-scheme", "https"),
                ("redirect-host", "www.{host}"),
                ("redirect-port", "8443"),
                ("redirect-prefix", "/new"),
                ("redirect-status", "307"),
            ],
            json!({"redirect": {"scheme": "https", "host": "www.{host}", "port": 8443, "path": {"prefix": "/new"}, "status": 307}}),
        ),
        (&[("redirect-path", "/gone?")], json!({"redirect": {"path": {"full": "/gone?"}}})),
    ] {
        let table = ours(&(services() + &ingress(pairs, PREFIX, None)));
        assert_eq!((of_route(&table), findings(&table)), (want.clone(), vec![]), "{pairs:?}");
        let data: Vec<_> = pairs.iter().map(|(name, text)| format!("{name}: {}", json!(text))).collect();
        let table = ours(&(services() + &classy(&data.join(", ")) + &ingress(&[], PREFIX, Some("public"))));
        assert_eq!((of_route(&table), findings(&table)), (want, vec![]), "{pairs:?} of a class");
    }
    // What the Ingress says itself comes before.
    let parameters = classy("https-redirect: 'true', rewrite-path: /v2, www: add");
    let own = [("https-redirect", "false"), ("rewrite-prefix", "/v3")];
    let table = ours(&(services() + &parameters + &ingress(&own, PREFIX, Some("public"))));
    let want = json!({"https_redirect": "off", "rewrite": {"path": {"prefix": "/v3"}}, "www": "add"});
    assert_eq!((of_route(&table), findings(&table)), (want, vec![]));
}

#[test]
fn a_gateway_may_send_all_clients_to_https_and_no_more() {
    let mut defaults = Defaults::default();
    defaults.set("https-redirect", "true").unwrap();
    defaults.set("https-redirect", "always").unwrap_err();
    for (name, value) in [("rewrite-prefix", "/"), ("www", "add"), ("redirect-host", "a.example")] {
        defaults.set(name, value).unwrap_err();
    }
    let policy = defaults.policy().unwrap();
    assert_eq!(serde_json::to_value(&policy).unwrap(), json!({"https_redirect": {"with": 308}}));
}

#[test]
fn what_cannot_be_used_is_left_out_and_found() {
    for (name, text) in [
        ("rewrite-prefix", "v2"),
        ("rewrite-prefix", "/{id}"),
        ("rewrite-path", "/a/../../b"),
        ("rewrite-path", "/a|X-Injected: b"),
        ("rewrite-path", "/{"),
        ("rewrite-host", "a b"),
        ("https-redirect", "303"),
        ("www", "both"),
        ("redirect-scheme", "javascript"),
        ("redirect-host", "https://a.example"),
        ("redirect-host", "{query}"),
        ("redirect-host", "a.example:81"),
        ("redirect-port", "0"),
        ("redirect-path", "//{host"),
        ("redirect-status", "200"),
    ] {
        // Beside it, what closes a route still does.
        let pairs = [(name, text), ("deny-source-range", "10.0.0.0/8"), ("response-timeout", "0")];
        let table = ours(&(services() + &ingress(&pairs, PREFIX, None)));
        let found = findings(&table);
        let at = format!("error[ING023]: Ingress default/web metadata.annotations[ingress.gateway/{name}]: ");
        assert!(found.len() == 1 && found[0].starts_with(&at), "{name}: {text}: {found:?}");
        let policy = table.routes().next().unwrap().route.policy().cloned().unwrap();
        assert_eq!(policy.response_timeout, Some(Timeout::Never));
        assert!(!policy.access.admits(Some([10, 0, 0, 1].into())));
        assert!(policy.rewrite.is_default() && policy.redirect.is_default(), "{name}: {text}");
        assert_eq!((policy.www, policy.https_redirect), (None, None));
    }
}

#[test]
fn what_has_no_effect_is_said() {
    for (pairs, path, want) in [
        (
            &[("redirect-status", "301")][..],
            PREFIX,
            "warning[ING016]: Ingress default/web metadata.annotations[ingress.gateway/redirect-status]: the annotation has no effect: nothing says where to; write ingress.gateway/redirect-host or another redirect-*, too",
        ),
        (
            &[("rewrite-path", "/v2"), ("rewrite-prefix", "/v3")],
            PREFIX,
            "warning[ING016]: Ingress default/web metadata.annotations[ingress.gateway/rewrite-path]: the annotation has no effect: rewrite-prefix is written, too, and comes before; leave one of the two out",
        ),
        (
            &[("rewrite-path", "/v2/{rest}")],
            PREFIX,
            "error[ING023]: Ingress default/web spec.rules[0].http.paths[0].path: ingress.gateway/rewrite-path names {rest}, which this path does not have, so it is empty; write path-syntax template or regex and a path with that name, or a variable such as {path}",
        ),
        (
            &[("path-syntax", "template"), ("rewrite-host", "{name}.a.example")],
            ("ImplementationSpecific", "/users/{id}"),
            "error[ING023]: Ingress default/web spec.rules[0].http.paths[0].path: ingress.gateway/rewrite-host names {name}, which this path does not have, so it is empty; write a name that the path has, or a variable",
        ),
    ] {
        let table = ours(&(services() + &ingress(pairs, path, None)));
        assert_eq!(findings(&table), [want], "{pairs:?}");
    }
    for (syntax, path, rewrite) in [
        ("template", "/users/{id}/{*rest}", "/v2/{rest}?{id}"),
        ("regex", "/users/([0-9]+)/(?P<rest>.*)", "/v2/{rest}?{1}"),
    ] {
        let pairs = [("path-syntax", syntax), ("rewrite-path", rewrite)];
        let table = ours(&(services() + &ingress(&pairs, ("ImplementationSpecific", path), None)));
        assert_eq!(findings(&table), NONE, "{path}");
    }
}
