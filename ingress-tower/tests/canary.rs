//! A new version of a Service: which requests meet it.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::collections::BTreeMap;

use http::{Request, Response};
use ingress_core::{
    Affinity, AffinityCookie, BackendRef, Backends, Canary, Endpoint, EndpointState, HashKey, PathMatch,
    Policy, RouteTable, Rule,
};
use ingress_tower::{Body, Error, IngressLayer, IngressService, ResourceRegistry};
use support::*;
use tower::ServiceExt;

fn backend(name: &str) -> BackendRef {
    format!("default/{name}:80").parse().unwrap()
}

/// One route to `web`, of whose requests `next` gets so many of a hundred.
fn table(weight: u32, policy: &Policy, web: Vec<Endpoint>, next: Vec<Endpoint>) -> RouteTable {
    let mut rules = RouteTable::builder();
    let backends = Backends::split([(backend("web"), 100 - weight), (backend("next"), weight)]);
    let rule = Rule::with_backends(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backends);
    rules.rule(rule.with_policy(policy.clone()));
    rules.endpoints(backend("web"), web);
    rules.endpoints(backend("next"), next);
    rules.build().0
}

fn service(table: RouteTable) -> IngressService {
    IngressService::new(ingress_core::table(table).0)
}

fn canary(header: Option<&str>, cookie: Option<&str>) -> Policy {
    let mut canary = Canary::new("next");
    canary.header = header.map(|header| header.parse().unwrap());
    canary.cookie = cookie.map(Into::into);
    let mut policy = Policy::default();
    policy.canary = Some(canary);
    policy
}

async fn ask(service: &IngressService, fields: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::get("/").header("host", HOST);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    within("answer", service.clone().oneshot(request.body(Body::empty()).unwrap())).await.unwrap()
}

async fn who(service: &IngressService, fields: &[(&str, &str)]) -> String {
    name(&ask(service, fields).await)
}

fn name(answer: &Response<Body>) -> String {
    assert_eq!(answer.status(), 200, "{:?}", answer.extensions().get::<Error>());
    answer.headers()["x-upstream"].to_str().unwrap().to_owned()
}

fn cookie(answer: &Response<Body>) -> Option<String> {
    let text = answer.headers().get("set-cookie")?.to_str().unwrap();
    Some(text.split(';').next().unwrap().to_owned())
}

/// Two servers, and one endpoint for each.
async fn servers() -> (Moody, Moody, Vec<Endpoint>, Vec<Endpoint>) {
    let (web, next) = (Moody::start("web").await, Moody::start("next").await);
    let endpoint = |server: &Moody| vec![Endpoint::new(server.addr)];
    let (own, other) = (endpoint(&web), endpoint(&next));
    (web, next, own, other)
}

/// The header field and the cookie that decide.
type Named = (Option<&'static str>, Option<&'static str>);
type Fields = &'static [(&'static str, &'static str)];

#[tokio::test]
async fn the_header_comes_before_the_cookie_and_that_before_the_weight() {
    let (_web, _next, own, other) = servers().await;
    let all = (Some("X-Canary"), Some("canary"));
    let valued = (Some("X-Canary=beta"), Some("canary"));
    let table: [(u32, Named, Fields, &str); 18] = [
        (0, all, &[], "web"),
        (0, all, &[("x-canary", "always")], "next"),
        (100, all, &[("x-canary", "never")], "web"),
        (0, all, &[("x-canary", "never"), ("cookie", "canary=always")], "web"),
        (100, all, &[("x-canary", "always"), ("cookie", "canary=never")], "next"),
        (0, all, &[("x-canary", "perhaps"), ("cookie", "canary=always")], "next"),
        (0, all, &[("x-canary", "Always")], "web"),
        (0, all, &[("x-canary", "never"), ("x-canary", "always")], "web"),
        (0, all, &[("cookie", "a=b; canary=always")], "next"),
        (100, all, &[("cookie", "canary=never")], "web"),
        (100, all, &[("cookie", "canary=1")], "next"),
        (0, all, &[("cookie", "canary=1")], "web"),
        (0, valued, &[("x-canary", "beta")], "next"),
        (0, valued, &[("x-canary", "always")], "web"),
        (100, valued, &[("x-canary", "never")], "next"),
        (100, valued, &[("x-canary", "never"), ("cookie", "canary=never")], "web"),
        (0, (None, None), &[("x-canary", "always"), ("cookie", "canary=always")], "web"),
        (100, (None, None), &[], "next"),
    ];
    for (weight, (header, cookie), fields, want) in table {
        let service = service(self::table(weight, &canary(header, cookie), own.clone(), other.clone()));
        for _ in 0..3 {
            assert_eq!(who(&service, fields).await, want, "{weight} {header:?} {fields:?}");
        }
    }
}

#[tokio::test]
async fn it_leads_requests_of_both_versions_of_http() {
    let (_web, _next, own, other) = servers().await;
    let service = service(table(0, &canary(Some("X-Canary"), None), own, other));
    let gateway = Gateway::start(Default::default(), service).await;
    let (mut peer, mut client) = (gateway.client().await, http2_client(gateway.addr).await);
    for (value, want) in [("always", "next"), ("never", "web"), ("always", "next")] {
        peer.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nx-canary: {value}\r\n\r\n")).await;
        assert_eq!(peer.response().await.field("x-upstream").as_deref(), Some(want));
        let request = Request::get(format!("http://{HOST}/")).header("x-canary", value);
        let request = request.body(empty()).unwrap();
        let answer = within("answer", client.send_request(request)).await.unwrap();
        assert_eq!(answer.headers()["x-upstream"], want);
    }
}

#[tokio::test]
async fn the_weight_is_exact() {
    let (web, next, own, other) = servers().await;
    let service = service(table(10, &canary(Some("X-Canary"), None), own, other));
    for _ in 0..200 {
        // These take no turn of the others.
        assert_eq!(who(&service, &[("x-canary", "always")]).await, "next");
        ask(&service, &[]).await;
    }
    assert_eq!((web.requests(), next.requests()), (180, 220));
}

#[tokio::test]
async fn a_canary_without_endpoints_costs_nothing() {
    let (web, next, own, other) = servers().await;
    let policy = canary(Some("X-Canary"), Some("canary"));
    let idle = vec![Endpoint::new(next.addr).with_state(EndpointState::NotServing)];
    let weightless = vec![Endpoint::new(next.addr).with_weight(0)];
    for endpoints in [vec![], idle, weightless] {
        let service = service(table(50, &policy, own.clone(), endpoints));
        for fields in [&[][..], &[], &[("x-canary", "always")], &[("cookie", "canary=always")]] {
            assert_eq!(who(&service, fields).await, "web", "{fields:?}");
        }
    }
    assert_eq!((web.requests(), next.requests()), (12, 0));
    // It does not stand in for the other, though.
    let service = service(table(50, &policy, vec![], other));
    assert_eq!(ask(&service, &[("x-canary", "never")]).await.status(), 503);
    assert_eq!(who(&service, &[("x-canary", "always")]).await, "next");
}

#[tokio::test]
async fn a_service_of_this_process_may_be_the_canary() {
    let (_web, _next, own, _) = servers().await;
    let table = table(0, &canary(Some("X-Canary"), None), own, vec![]);
    let here = tower::service_fn(|_: Request<Body>| async {
        Ok::<_, Error>(Response::builder().header("x-upstream", "here").body(Body::empty()).unwrap())
    });
    let registry = ResourceRegistry::new().with(backend("next"), here);
    let service = IngressLayer::new(ingress_core::table(table).0).resources(registry).into_service();
    assert_eq!(who(&service, &[("x-canary", "always")]).await, "here");
    assert_eq!(who(&service, &[]).await, "web");
}

/// Unlike with ingress-nginx, what a client says now comes before the endpoint that it has met.
#[tokio::test]
async fn clients_with_an_affinity_stay_with_what_they_met_unless_they_ask() {
    let (_web, _next, own, other) = servers().await;
    let mut policy = canary(Some("X-Canary"), None);
    policy.affinity = Some(Affinity::Cookie(AffinityCookie::new("home")));
    let at = |weight| service(table(weight, &policy, own.clone(), other.clone()));
    let half = at(50);
    let mut homes = BTreeMap::new();
    while homes.len() < 2 {
        let answer = ask(&half, &[]).await;
        homes.insert(name(&answer), cookie(&answer).unwrap());
    }
    let (much, none) = (at(99), at(0));
    for _ in 0..8 {
        for (home, pair) in &homes {
            let pinned = ("cookie", &**pair);
            assert_eq!(who(&half, &[pinned]).await, *home, "it stays");
            assert_eq!(who(&much, &[pinned]).await, *home, "whatever the weight is now");
            assert_eq!(who(&half, &[pinned, ("x-canary", "always")]).await, "next", "the field is followed");
            assert_eq!(who(&half, &[pinned, ("x-canary", "never")]).await, "web", "the field is followed");
            assert_eq!(who(&none, &[pinned]).await, "web", "a canary without weight keeps nobody");
        }
    }
}

/// With a cookie for each backend, as annotations make them.
#[tokio::test]
async fn who_has_met_both_goes_to_the_other_unless_it_asks() {
    // The names sort either way.
    for (web, next) in [("web", "next"), ("a", "b")] {
        let (_web, _next, own, other) = servers().await;
        let mut policy = canary(Some("X-Canary"), None);
        policy.canary.as_mut().unwrap().service = next.into();
        let mut cookie = AffinityCookie::new("home");
        cookie.of_backend = true;
        policy.affinity = Some(Affinity::Cookie(cookie));
        let mut rules = RouteTable::builder();
        let backends = Backends::split([(backend(web), 1), (backend(next), 99)]);
        let rule = Rule::with_backends(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backends);
        rules.rule(rule.with_policy(policy));
        rules.endpoints(backend(web), own);
        rules.endpoints(backend(next), other);
        let service = service(rules.build().0);
        let pair = async |value: &str| self::cookie(&ask(&service, &[("x-canary", value)]).await).unwrap();
        let (of_next, of_web) = (pair("always").await, pair("never").await);
        let both = format!("{of_next}; {of_web}");
        for _ in 0..4 {
            assert_eq!(who(&service, &[("cookie", &of_next)]).await, "next");
            assert_eq!(who(&service, &[("cookie", &of_web)]).await, "web");
            assert_eq!(who(&service, &[("cookie", &both)]).await, "web");
            assert_eq!(who(&service, &[("cookie", &both), ("x-canary", "always")]).await, "next");
        }
    }
}

/// Several others: those that the canary is not for go to the greatest of them, since it has the most room.
#[tokio::test]
async fn of_several_others_the_greatest_takes_what_is_not_for_the_canary() {
    let (_web, _next, own, other) = servers().await;
    let third = Moody::start("third").await;
    let mut rules = RouteTable::builder();
    let backends = Backends::split([(backend("a"), 1), (backend("web"), 2), (backend("next"), 9)]);
    let rule = Rule::with_backends(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backends);
    rules.rule(rule.with_policy(canary(Some("X-Canary"), None)));
    rules.endpoints(backend("a"), [Endpoint::new(third.addr)]);
    rules.endpoints(backend("web"), own);
    rules.endpoints(backend("next"), other);
    let service = service(rules.build().0);
    for _ in 0..12 {
        assert_eq!(who(&service, &[("x-canary", "never")]).await, "web");
        ask(&service, &[]).await;
    }
    assert_eq!(third.requests(), 1);
}

#[tokio::test]
async fn a_key_leads_its_requests_to_one_version() {
    let (_web, _next, own, other) = servers().await;
    let mut policy = canary(Some("X-Canary"), None);
    policy.affinity = Some(Affinity::Key(HashKey::Header("x-user".into())));
    let [few, half] = [20, 50].map(|weight| service(table(weight, &policy, own.clone(), other.clone())));
    let mut met = BTreeMap::<_, usize>::new();
    for user in 0..64 {
        let user = format!("user-{user}");
        let by_user = ("x-user", &*user);
        let first = who(&few, &[by_user]).await;
        for _ in 0..3 {
            assert_eq!(who(&few, &[by_user]).await, first);
        }
        assert_eq!(who(&few, &[by_user, ("x-canary", "always")]).await, "next");
        if first == "next" {
            assert_eq!(who(&half, &[by_user]).await, "next", "more weight takes nobody back");
        }
        *met.entry(first).or_default() += 1;
    }
    assert!((3..=28).contains(&met["next"]), "{met:?}");
}

#[tokio::test]
async fn a_name_that_is_no_share_decides_nothing() {
    let (_web, _next, own, other) = servers().await;
    let mut policy = canary(Some("X-Canary"), None);
    policy.canary.as_mut().unwrap().service = "third".into();
    let service = service(table(0, &policy, own.clone(), other));
    assert_eq!(who(&service, &[("x-canary", "always")]).await, "web");
    // A route with one backend alone.
    let mut rules = RouteTable::builder();
    let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend("web"));
    policy.canary.as_mut().unwrap().service = "web".into();
    rules.rule(rule.with_policy(policy));
    rules.endpoints(backend("web"), own);
    let service = self::service(rules.build().0);
    assert_eq!(who(&service, &[("x-canary", "never")]).await, "web");
}
