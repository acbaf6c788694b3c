//! Services that the gateway asks on its own account: what annotations say of who may pass, of copies and of error pages.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use common::annotated::{class, config_map, ingress, ours, services};
use common::{findings, table};
use ingress_core::RouteTable;
use ingress_kube::{Config, Defaults};
use serde_json::{Value, json};

const PATH: (&str, &str) = ("Prefix", "/a");
const WHO: (&str, &str) = ("external-auth", "next:80/check");

fn of_route(table: &RouteTable) -> Value {
    let route = table.routes().next().unwrap().route;
    route.policy().map_or(json!({}), |policy| serde_json::to_value(&**policy).unwrap())
}

fn closed() -> Value {
    json!({"access": {"closed": true}})
}

fn classy(pairs: &[(&str, &str)]) -> String {
    let data: Vec<_> = pairs.iter().map(|(name, text)| format!("{name}: {}", json!(text))).collect();
    class("{kind: ConfigMap, name: settings, scope: Namespace, namespace: gateway}")
        + &config_map(&format!("data: {{{}}}", data.join(", ")))
}

/// What an Ingress with these annotations becomes, without a word against it.
fn read(pairs: &[(&str, &str)]) -> Value {
    let table = ours(&(services() + &ingress(pairs, PATH, None)));
    assert_eq!(findings(&table), Vec::<String>::new(), "{pairs:?}");
    of_route(&table)
}

/// What it becomes, and what is said against it.
fn faulty(pairs: &[(&str, &str)]) -> (Value, String) {
    let table = ours(&(services() + &ingress(pairs, PATH, None)));
    (of_route(&table), findings(&table).join("\n"))
}

fn external(options: Value) -> Value {
    let mut external = json!({"callee": {"to": {"backend": "default/next:80"}, "path": "/check"}});
    external.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    json!({"authentication": {"external": external}})
}

#[test]
fn somebody_is_asked_who_may_pass() {
    for (pair, want) in [
        (None, json!({})),
        (Some(("external-auth-method", "head")), json!({"method": "HEAD"})),
        (Some(("external-auth-method", "request")), json!({"method": "request"})),
        (
            Some(("external-auth-request-headers", "X-Key, Cookie")),
            json!({"request_fields": ["cookie", "x-key"]}),
        ),
        (
            Some(("external-auth-response-headers", "X-User, Set-Cookie")),
            json!({"response_fields": ["x-user"], "cookies": true}),
        ),
        (
            Some(("external-auth-response-headers", "X-User")),
            json!({"response_fields": ["x-user"], "cookies": false}),
        ),
        (
            Some(("external-auth-sign-in", "https://login.example/start?app={host}")),
            json!({"sign_in": {"url": "https://login.example/start?app={host}", "parameter": "rd"}}),
        ),
        (Some(("external-auth-timeout", "500ms")), json!({"timeout": {"secs": 0, "nanos": 500_000_000}})),
        (Some(("external-auth-cache", "1m")), json!({"cache": {"secs": 60, "nanos": 0}})),
        (Some(("external-auth-cache", "0")), json!({})),
    ] {
        let pairs: Vec<_> = std::iter::once(WHO).chain(pair).collect();
        assert_eq!(read(&pairs), external(want.clone()), "{pair:?}");
        // The options may be a class's.
        let options: Vec<_> = pair.into_iter().collect();
        let text = services() + &classy(&options) + &ingress(&[WHO], PATH, Some("public"));
        let table = ours(&text);
        assert_eq!((of_route(&table), findings(&table)), (external(want), vec![]), "{pair:?} of a class");
    }
    let page = [WHO, ("external-auth-sign-in", "/in"), ("external-auth-sign-in-parameter", "next")];
    assert_eq!(read(&page), external(json!({"sign_in": {"url": "/in", "parameter": "next"}})));
    let page = [WHO, ("external-auth-sign-in", "/in"), ("external-auth-sign-in-parameter", "")];
    assert_eq!(read(&page), external(json!({"sign_in": {"url": "/in"}})));
}

#[test]
fn what_cannot_be_read_of_who_may_pass_closes_the_route() {
    for (name, text) in [
        ("external-auth", ""),
        ("external-auth", "next"),
        ("external-auth", "other/next:80"),
        ("external-auth", "next:80/../check"),
        ("external-auth", "http://auth.example/check"),
        ("external-auth", "http://next.other.svc/check"),
        ("external-auth", "https://next.default.svc/check"),
        ("external-auth", "http://127.0.0.1/"),
        ("external-auth", "http://169.254.169.254/latest"),
        ("external-auth", "http://ann:secret@auth.example/"),
    ] {
        let (policy, found) = faulty(&[(name, text)]);
        assert_eq!(policy, closed(), "{text:?}");
        assert!(found.contains("until then these paths answer 503") && !found.contains("secret"), "{found}");
    }
    for (name, text) in [
        ("external-auth-method", "CONNECT"),
        ("external-auth-request-headers", "Content-Length"),
        ("external-auth-request-headers", ""),
        ("external-auth-response-headers", "X-Forwarded-For"),
        ("external-auth-sign-in", "https://{query}/"),
        ("external-auth-sign-in", "//login.example/"),
        ("external-auth-sign-in-parameter", "a=b"),
        ("external-auth-timeout", "5"),
        ("external-auth-timeout", "0"),
        ("external-auth-cache", "2h"),
    ] {
        let (policy, found) = faulty(&[WHO, (name, text)]);
        assert_eq!(policy["access"], json!({"closed": true}), "{name} {text:?}");
        assert!(found.contains("until then these paths answer 503"), "{name} {text:?}: {found}");
        // Where nobody is to be asked, nobody is kept out.
        let text = services() + &classy(&[(name, text)]) + &ingress(&[], PATH, Some("public"));
        assert_eq!(of_route(&ours(&text)), json!({}), "{name} of a class");
    }
}

#[test]
fn a_url_needs_leave_unless_it_is_a_service_beside() {
    for url in ["http://next.default.svc:80/check", "http://next.default.svc.cluster.local/check"] {
        assert_eq!(read(&[("external-auth", url)]), external(json!({})), "{url}");
    }
    let config = Config::default().allow_external_name(true);
    let asks = |url| {
        let table = table(&(services() + &ingress(&[("external-auth", url)], PATH, None)), &config);
        (of_route(&table), findings(&table).len())
    };
    let callee = json!({"to": {"url": ["auth.example:443", "https"]}, "path": "/check?x"});
    let want = json!({"authentication": {"external": {"callee": callee}}});
    assert_eq!(asks("https://auth.example/check?x"), (want, 0));
    let other = "---\napiVersion: v1\nkind: Service\nmetadata: {name: any, namespace: other}\nspec: {clusterIP: 10.0.0.9, ports: [{port: 80}]}\n";
    let text = services() + other + &ingress(&[("external-auth", "http://later.other/")], PATH, None);
    assert_eq!(of_route(&table(&text, &config)), closed(), "it may become a Service");
    for url in [
        "http://localhost/",
        "http://a.localhost/",
        "http://next/",
        "http://next.default/",
        "http://next.other.svc/",
        "http://next.other.svc.cluster.local/",
        "http://10-0-0-1.default.pod/",
        "http://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
    ] {
        assert_eq!(asks(url), (closed(), 1), "{url}");
    }
}

#[test]
fn services_that_do_not_exist_are_found_and_nothing_is_opened() {
    let (policy, found) = faulty(&[("external-auth", "auth:80")]);
    assert!(found.contains("default/auth") && found.contains("external-auth"), "{found}");
    let callee = json!({"to": {"backend": "default/auth:80"}, "path": "/"});
    assert_eq!(
        policy,
        json!({"authentication": {"external": {"callee": callee}}}),
        "it has no endpoint, so nobody passes"
    );
    let (_, found) = faulty(&[("mirror", "copies:80")]);
    assert!(found.contains("default/copies"), "{found}");
    let (_, found) = faulty(&[("error-pages", "404"), ("error-pages-service", "next:http")]);
    assert!(found.contains("http") && found.contains("error-pages-service"), "{found}");
}

#[test]
fn copies_go_to_a_service_beside() {
    let to = |share| json!({"mirror": {"backend": "default/next:80", "share": share}});
    assert_eq!(read(&[("mirror", "next:80")]), to("100%"));
    assert_eq!(read(&[("mirror", "next:80"), ("mirror-share", "0.5%")]), to("0.5%"));
    assert_eq!(read(&[("mirror", "next:80"), ("mirror-share", "0")]), json!({}));
    let text = services()
        + &classy(&[("mirror-share", "10")])
        + &ingress(&[("mirror", "next:80")], PATH, Some("public"));
    assert_eq!(of_route(&ours(&text)), to("10%"));
    for pairs in [
        &[("mirror", "other/next:80")][..],
        &[("mirror", "next")],
        &[("mirror", "http://next.default.svc/")],
        &[("mirror", "next:80"), ("mirror-share", "101%")],
        &[("mirror", "next:80"), ("mirror-share", "a few")],
    ] {
        let (policy, found) = faulty(pairs);
        assert_eq!((policy, found.lines().count()), (json!({}), 1), "{pairs:?}: {found}");
    }
}

#[test]
fn errors_have_pages() {
    let pages = |value: Value| json!({ "error_pages": value });
    for (pairs, want) in [
        (
            &[("error-pages", "404, 5xx"), ("error-pages-body", "<h1>Sorry</h1>")][..],
            json!({"statuses": [[404, 404], [500, 599]], "body": "<h1>Sorry</h1>"}),
        ),
        (
            &[
                ("error-pages", "503"),
                ("error-pages-body", "{}"),
                ("error-pages-content-type", "application/json"),
            ],
            json!({"statuses": [[503, 503]], "body": "{}", "content_type": "application/json"}),
        ),
    ] {
        assert_eq!(read(pairs), pages(want.clone()), "{pairs:?}");
        let text = services() + &classy(pairs) + &ingress(&[], PATH, Some("public"));
        assert_eq!(of_route(&ours(&text)), pages(want.clone()), "{pairs:?} of a class");
        let mut defaults = Defaults::default();
        for (name, text) in pairs {
            defaults.set(name, text).unwrap();
        }
        let policy = serde_json::to_value(defaults.policy().unwrap()).unwrap();
        assert_eq!(policy, pages(want), "{pairs:?} of a gateway");
    }
    let asks = [("error-pages", "404"), ("error-pages-service", "next:80")];
    assert_eq!(read(&asks), pages(json!({"statuses": [[404, 404]], "backend": "default/next:80"})));
    for (name, text) in [
        ("error-pages", "200"),
        ("error-pages", ""),
        ("error-pages-service", "next"),
        ("error-pages-body", " "),
        ("error-pages-content-type", "html"),
    ] {
        let (policy, found) = faulty(&[(name, text)]);
        assert_eq!((policy, found.lines().count()), (json!({}), 1), "{name} {text:?}: {found}");
    }
}

#[test]
fn what_has_no_effect_is_said() {
    for (pairs, name) in [
        (&[("external-auth-method", "GET")][..], "external-auth-method"),
        (&[("external-auth-request-headers", "Cookie")], "external-auth-request-headers"),
        (&[("external-auth-response-headers", "X-User")], "external-auth-response-headers"),
        (&[("external-auth-sign-in", "/in")], "external-auth-sign-in"),
        (&[("external-auth-timeout", "1s")], "external-auth-timeout"),
        (&[("external-auth-cache", "1s")], "external-auth-cache"),
        (&[WHO, ("external-auth-sign-in-parameter", "next")], "external-auth-sign-in-parameter"),
        (&[("mirror-share", "10%")], "mirror-share"),
        (&[("error-pages", "404")], "error-pages"),
        (&[("error-pages-body", "x")], "error-pages-body"),
        (&[("error-pages-service", "next:80")], "error-pages-service"),
        (
            &[
                ("error-pages", "404"),
                ("error-pages-service", "next:80"),
                ("error-pages-content-type", "text/plain"),
            ],
            "error-pages-content-type",
        ),
    ] {
        let (_, found) = faulty(pairs);
        assert_eq!(found.lines().count(), 1, "{pairs:?}: {found}");
        assert!(found.contains(&format!("ingress.gateway/{name}]")), "{found}");
    }
}

#[test]
fn parts_that_a_path_does_not_have_are_found() {
    let (_, found) = faulty(&[("external-auth", "next:80/{id}"), ("external-auth-sign-in", "/in/{user}")]);
    assert!(found.contains("{id}") && found.contains("{user}"), "{found}");
}
