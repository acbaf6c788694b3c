//! Differences of tables: their text, and that they are what requests meet.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::net::SocketAddr;

use http::{HeaderName, Method};
use ingress_core::{
    BackendRef, Backends, Conditions, Endpoint, EndpointState, PathMatch, Pattern, RequestHead, RequestHost,
    RequestPath, RouteTable, Rule, ValueMatch,
};
use proptest::prelude::*;
use proptest::sample::select;

fn backend(name: &str) -> BackendRef {
    format!("shop/{name}:80").parse().unwrap()
}

fn rule(host: &str, path: &str, name: &str) -> Rule {
    let (kind, text) = path.split_once(' ').unwrap_or((path, ""));
    let path = match kind {
        "Exact" => PathMatch::exact(text).unwrap(),
        "Prefix" => PathMatch::prefix(text).unwrap(),
        "Template" => PathMatch::template(text).unwrap(),
        "Regex" => PathMatch::regex(text).unwrap(),
        _ => PathMatch::Default,
    };
    Rule::new(host.parse().unwrap(), path, backend(name))
}

fn table(rules: &[Rule], endpoints: &[(u8, EndpointState)]) -> RouteTable {
    let mut builder = RouteTable::builder();
    for rule in rules {
        builder.rule(rule.clone());
    }
    let endpoint = |&(i, state): &(u8, EndpointState)| {
        Endpoint::new(SocketAddr::from(([10, 0, 0, i], 80))).with_state(state)
    };
    builder.endpoints(backend("web"), endpoints.iter().map(endpoint));
    builder.build().0
}

#[test]
fn what_reviewers_read() {
    use EndpointState::{Ready, Terminating};
    let canary = Conditions::default()
        .method(&Method::POST)
        .header(&HeaderName::from_static("x-env"), ValueMatch::Exact("canary".into()))
        .query("v", ValueMatch::Pattern(Pattern::new("[0-9]+").unwrap()));
    let old = [
        rule("shop.example", "Prefix /", "web"),
        rule("shop.example", "Prefix /cart", "cart"),
        rule("shop.example", "Exact /gone", "gone"),
        rule("*.example", "Prefix /", "tenants"),
        rule("", "default", "last"),
    ];
    let mut new = [
        rule("shop.example", "Prefix /", "web"),
        rule("shop.example", "Prefix /cart", "cart"),
        rule("new.example", "Prefix /", "fresh"),
        rule("*.example", "Prefix /", "tenants"),
        rule("shop.example", "Regex /v[0-9]+/.*", "versions"),
        rule("shop.example", r"Regex /[^!-~]", "odd"),
        rule("shop.example", "Prefix /cart", "canary").with_conditions(canary),
    ];
    new[1].backends = Backends::split([(backend("cart"), 9), (backend("cart-next"), 1)]);
    let old = table(&old, &[(1, Ready), (2, Ready), (3, Ready)]);
    let new = table(&new, &[(1, Ready), (2, Terminating), (4, Ready)]);
    let want = "\
new.example
  Prefix /: shop/tenants:80 -> shop/fresh:80
      GET http://new.example/
shop.example
  Exact /gone: shop/gone:80 -> shop/web:80
      GET http://shop.example/gone
  Regex /v[0-9]+/.*: shop/web:80 -> shop/versions:80
      GET http://shop.example/v0/
  Prefix /cart: shop/cart:80 -> shop/cart:80 (weight 9), shop/cart-next:80 (weight 1)
      GET http://shop.example/cart
  Prefix /cart (method POST, header x-env = canary, query v ~ [0-9]+): shop/cart:80 -> shop/canary:80
      POST http://shop.example/cart?v=0  x-env: canary
  Regex /[^!-~]: nobody (404) -> shop/odd:80
hosts that no rule names
  default: shop/last:80 -> nobody (404)
      GET http://any.any.invalid/
endpoints of shop/web:80
  ~ 10.0.0.2:80: ready, weight 1 -> terminating, weight 1, not used while others are ready
  - 10.0.0.3:80: ready, weight 1
  + 10.0.0.4:80: ready, weight 1
      GET http://shop.example/gone
";
    let diff = old.diff(&new);
    assert_eq!(diff.to_string(), want);
    assert!(!diff.is_empty() && new.diff(&new).is_empty());
}

#[test]
fn where_a_rule_stems_from_is_no_difference() {
    let plain = [rule("a.example", "Prefix /", "web")];
    let object = ingress_core::ObjectRef { name: "web".into(), ..Default::default() };
    let sourced = plain[0].clone().with_source(ingress_core::Source::new(object.into(), "spec"));
    assert!(table(&plain, &[]).diff(&table(&[sourced], &[])).is_empty());
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let hosts = vec!["", "a.x", "b.x", "*.x", "*.a.x"];
    let paths = vec![
        "default",
        "Prefix /",
        "Prefix /a",
        "Prefix /a/",
        "Prefix /a/b",
        "Exact /a",
        "Exact /a/b",
        "Template /a/{id}",
        "Template /a/{id}/{*rest}",
        "Regex /a/[bc]+",
        "Regex /[a-c]",
    ];
    (select(hosts), select(paths), select(vec!["one", "two", "web"]), any::<bool>()).prop_map(
        |(host, path, name, posts)| {
            let conditions = Conditions::default();
            let conditions = if posts { conditions.method(&Method::POST) } else { conditions };
            rule(host, path, name).with_conditions(conditions)
        },
    )
}

/// The reference of the backend that serves the request, `404`, or `400`.
fn answer(table: &RouteTable, method: &Method, host: &str, path: &str) -> String {
    let (host, path) = (RequestHost::parse(host).unwrap(), RequestPath::parse(path).unwrap());
    match table.lookup(&RequestHead::new(&host, &path).method(method)) {
        Err(_) => "400".into(),
        Ok(None) => "404".into(),
        Ok(Some(found)) => found.backend(|_| ingress_core::Turn::Ticket(0)).unwrap().reference().to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The samples differ, and where there is no difference, no request meets one.
    #[test]
    fn a_difference_is_what_requests_meet(
        mut rules in prop::collection::vec(any_rule(), 0..8),
        change in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(any_rule())), 0..3),
        requests in prop::collection::vec(
            (any::<bool>(), select(vec!["a.x", "b.x", "c.x", "q.a.x", "z"]),
             prop::collection::vec(select(vec!["a", "b", "c", "d"]), 0..4)),
            1..40,
        ),
    ) {
        let old = table(&rules, &[]);
        for (at, with) in change {
            if !rules.is_empty() {
                let at = at.index(rules.len());
                rules.remove(at);
            }
            rules.extend(with);
        }
        let new = table(&rules, &[]);
        prop_assert!(new.diff(&new).is_empty());
        let diff = old.diff(&new);
        for change in &diff.routes {
            let sample = change.sample.as_ref().unwrap();
            let method = sample.method.parse().unwrap();
            let [before, after] = [&old, &new].map(|table| answer(table, &method, &sample.host, &sample.path));
            prop_assert_ne!(before, after, "{}", sample);
        }
        if diff.is_empty() {
            for (post, host, path) in requests {
                let method = if post { Method::POST } else { Method::GET };
                let path = format!("/{}", path.join("/"));
                let [before, after] = [&old, &new].map(|table| answer(table, &method, host, &path));
                prop_assert_eq!(before, after, "{} {}", host, path);
            }
        }
    }
}
