//! Explanations: their text, and that they say what a lookup does.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderName, Method};
use ingress_core::{
    Backends, Code, Conditions, Diagnostic, Endpoint, EndpointState, Explanation, HostMatch, ObjectRef,
    PathMatch, RequestHead, RequestHost, RequestPath, RouteTable, Rule, Source, UnservedRule, ValueMatch,
};

fn source(name: &str, created: i64, field: &str) -> Source {
    let object = ObjectRef {
        kind: "Ingress".into(),
        namespace: "shop".into(),
        name: name.into(),
        created: Some(created),
        file: Some(format!("{name}.yaml").into()),
        line: Some(7),
    };
    Source::new(Arc::new(object), field)
}

fn table() -> RouteTable {
    let host = |text: &str| text.parse::<HostMatch>().unwrap();
    let prefix = |text| PathMatch::prefix(text).unwrap();
    let backend = |name: &str| format!("shop/{name}:80").parse().unwrap();
    let canary = Conditions::default()
        .header(&HeaderName::from_static("x-canary"), ValueMatch::Exact("on".into()))
        .method(&Method::GET);
    let split = Backends::split([(backend("cart"), 9), (backend("cart-next"), 1)]);
    let mut builder = RouteTable::builder();
    builder
        .rule(Rule::new(host("shop.example"), prefix("/"), backend("web")).with_source(source("web", 1, "a")))
        .rule(
            Rule::with_backends(host("shop.example"), prefix("/cart"), split)
                .with_source(source("web", 1, "b")),
        )
        .rule(
            Rule::new(host("shop.example"), prefix("/cart"), backend("x"))
                .with_source(source("late", 2, "c")),
        )
        .rule(
            Rule::new(host("shop.example"), prefix("/cart"), backend("canary"))
                .with_conditions(canary)
                .with_source(source("web", 1, "d")),
        )
        .rule(Rule::new(host("shop.example"), prefix("/admin"), backend("admin")))
        .rule(Rule::new(host("*.example"), prefix("/wild"), backend("wild")))
        .rule(Rule::new(HostMatch::Any, PathMatch::Default, backend("last")));
    let refused = Diagnostic::new(
        Code::InvalidPath,
        source("bad", 3, "spec.rules[0].http.paths[0].path"),
        "the path holds '//'",
        "write one slash",
    );
    builder.unserved(UnservedRule { host: Some(host("shop.example")), path: None, finding: refused });
    let endpoint = |i: u8, state| Endpoint::new(SocketAddr::from(([10, 0, 0, i], 8080))).with_state(state);
    builder.endpoints(
        backend("cart"),
        [
            endpoint(1, EndpointState::Ready),
            endpoint(2, EndpointState::Terminating),
            endpoint(3, EndpointState::NotServing),
            endpoint(4, EndpointState::Ready).with_weight(0),
        ],
    );
    builder.endpoints(backend("cart-next"), [endpoint(9, EndpointState::Terminating)]);
    builder.build().0
}

fn explain(host: &str, path: &str) -> Explanation {
    let (host, path) = (RequestHost::parse(host).unwrap(), RequestPath::parse(path).unwrap());
    table().explain(&RequestHead::new(&host, &path))
}

#[test]
fn a_hit_names_what_beat_and_refused_every_rule() {
    let text = explain("Shop.Example:80", "/cart/7").to_string();
    let want = "\
GET shop.example /cart/7

Hosts, the strongest first:
  shop.example: asked
  *.example: not asked, because a stronger host owns the request
  rules without a host: only its default backend is asked

Rules:
  not met     shop.example Prefix /cart (method GET, header x-canary = on) -> shop/canary:80
              from web.yaml:7: Ingress shop/web d
              needs header x-canary = on
  takes it    shop.example Prefix /cart -> shop/cart:80 (weight 9), shop/cart-next:80 (weight 1)
              from web.yaml:7: Ingress shop/web b
  weaker      shop.example Prefix / -> shop/web:80
              from web.yaml:7: Ingress shop/web a
  weaker      * default -> shop/last:80
  shadowed    shop.example Prefix /cart
              from late.yaml:7: Ingress shop/late c
              ING009: for host \"shop.example\", path Prefix /cart is already taken by Ingress shop/web b
              help: the older object wins, then the first by namespace and name; remove one of the two
  refused     shop.example (path not known)
              from bad.yaml:7: Ingress shop/bad spec.rules[0].http.paths[0].path
              ING004: the path holds '//'
              help: write one slash
  other path  shop.example Prefix /admin -> shop/admin:80

Served by one of these, by weight:
  shop/cart:80 (weight 9)
    10.0.0.1:8080: ready, weight 1
    10.0.0.4:8080: ready, weight 0, not used for its weight
    10.0.0.2:8080: terminating, weight 1, not used while others are ready
    10.0.0.3:8080: not serving, weight 1, not used
  shop/cart-next:80 (weight 1)
    10.0.0.9:8080: terminating, weight 1, used because none is ready
";
    assert_eq!(text, want);
}

#[test]
fn an_ambiguous_path_tells_its_readings() {
    let text = explain("shop.example", "/cart//../admin").to_string();
    assert!(text.starts_with("GET shop.example /cart/admin\n"), "{text}");
    assert!(text.contains("\n  /admin: leads elsewhere\n"), "{text}");
    assert!(
        text.ends_with("\nRefused with 400: the readings of the path lead to different rules.\n"),
        "{text}"
    );
}

#[test]
fn a_miss_shows_what_was_asked() {
    let text = explain("other.example", "/x").to_string();
    assert!(text.contains("  *.example: asked\n"), "{text}");
    let mut empty = RouteTable::builder();
    empty.reserve("lone.example".parse().unwrap());
    let (host, path) = (RequestHost::parse("lone.example").unwrap(), RequestPath::parse("/").unwrap());
    let text = empty.build().0.explain(&RequestHead::new(&host, &path)).to_string();
    let want = "\
GET lone.example /

Hosts, the strongest first:
  lone.example: no rule, and reserved: rules for wider hosts do not take it
  *.example: not asked, because a stronger host owns the request
  rules without a host: not asked, because a stronger host owns the request

Rules:
  none

No rule takes it: 404, or whatever stands behind the layer.
";
    assert_eq!(text, want);
}
