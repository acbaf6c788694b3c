//! How much each client may ask for: what is let in, what is told, and what an endpoint never sees.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use ingress_core::{
    ClientKey, Endpoint, HttpsRedirect, PathMatch, Policy, RedirectStatus, RouteTable, Rule, TableReader,
};
use ingress_tower::{Body, ConnectionInfo, Error, IngressLayer, IngressService};
use support::*;
use tower::ServiceExt;

const OFFICE: &str = "192.0.2.7";
const GET: &str = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";

fn rate(rate: &str, burst: u32) -> Policy {
    let mut policy = Policy::default();
    policy.client_limits.rate = Some(rate.parse().unwrap());
    policy.client_limits.burst = NonZeroU32::new(burst);
    policy
}

/// A table with a route for each of these paths.
fn routes(endpoint: SocketAddr, routes: impl IntoIterator<Item = (&'static str, Policy)>) -> RouteTable {
    let backend: ingress_core::BackendRef = "default/shop:80".parse().unwrap();
    let mut rules = RouteTable::builder();
    for (path, policy) in routes {
        let path = PathMatch::prefix(path).unwrap();
        rules.rule(Rule::new(HOST.parse().unwrap(), path, backend.clone()).with_policy(policy));
    }
    rules.endpoints(backend, [Endpoint::new(endpoint)]);
    rules.build().0
}

fn table_of(endpoint: SocketAddr, policy: Policy) -> TableReader {
    ingress_core::table(routes(endpoint, [("/", policy)])).0
}

fn service(endpoint: SocketAddr, policy: Policy) -> IngressService {
    IngressService::new(table_of(endpoint, policy))
}

fn request(path: &str, client: Option<&str>, fields: &[(&'static str, &str)]) -> Request<Body> {
    let mut request = Request::get(path).header("host", HOST).body(Body::empty()).unwrap();
    for (name, value) in fields {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    if let Some(client) = client {
        let client: IpAddr = client.parse().unwrap();
        request.extensions_mut().insert(ConnectionInfo::new((client, 4711).into()));
    }
    request
}

async fn ask(service: &IngressService, request: Request<Body>) -> Response<Body> {
    within("answer", service.clone().oneshot(request)).await.unwrap()
}

async fn status(service: &IngressService, path: &str, client: &str) -> u16 {
    ask(service, request(path, Some(client), &[])).await.status().as_u16()
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let values: Vec<_> = headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
    values.join(", ")
}

#[tokio::test]
async fn a_burst_passes_and_the_next_is_told_when_to_come_again() {
    let server = Moody::start("a").await;
    let gateway = Gateway::start(Default::default(), service(server.addr, rate("2/h", 3))).await;
    // One client, on a connection of HTTP/1.1 and one of HTTP/2.
    let mut one = gateway.client().await;
    let mut two = http2_client(gateway.addr).await;
    for (left, after) in [("2", 1800), ("1", 3600)] {
        one.send(GET).await;
        let answer = one.response().await;
        assert_eq!((answer.status(), answer.text()), (200, "a"));
        assert_eq!(answer.field("ratelimit-policy").unwrap(), r#""gateway";q=3;w=5400"#);
        assert_eq!(answer.field("ratelimit").unwrap(), format!(r#""gateway";r={left};t={after}"#));
        assert_eq!(answer.field("retry-after"), None);
    }
    let get = || Request::get(format!("http://{HOST}/")).body(empty()).unwrap();
    let answer = within("answer", two.send_request(get())).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), text(answer.headers(), "ratelimit").as_str()),
        (200, r#""gateway";r=0;t=5400"#)
    );
    for _ in 0..3 {
        let answer = within("answer", two.send_request(get())).await.unwrap();
        assert_eq!(answer.status(), 429);
        assert_eq!(text(answer.headers(), "retry-after"), "1800");
        assert_eq!(text(answer.headers(), "ratelimit-policy"), r#""gateway";q=3;w=5400"#);
        assert_eq!(text(answer.headers(), "ratelimit"), r#""gateway";r=0;t=1800"#);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "429 Too Many Requests\n");
    }
    one.send(GET).await;
    assert_eq!(one.response().await.status(), 429);
    assert_eq!(server.requests(), 3, "nobody asked the endpoint");
}

#[tokio::test]
async fn refusals_have_the_shape_that_clients_understand() {
    let server = Moody::start("a").await;
    let service = service(server.addr, rate("1/h", 1));
    assert_eq!(status(&service, "/", OFFICE).await, 200);
    let call = ask(&service, request("/", Some(OFFICE), &[("content-type", "application/grpc")])).await;
    assert_eq!(call.status(), 200);
    // doc/http-grpc-status-mapping.md has 429 as UNAVAILABLE.
    assert_eq!(text(call.headers(), "grpc-status"), "14");
    assert_eq!(text(call.headers(), "retry-after"), "3600");
    assert_eq!(call.extensions().get::<Error>().unwrap().reason(), "rate_limited");
    let mut head = request("/", Some(OFFICE), &[]);
    *head.method_mut() = http::Method::HEAD;
    let head = ask(&service, head).await;
    assert_eq!(
        (head.status().as_u16(), text(head.headers(), "ratelimit").as_str()),
        (429, r#""gateway";r=0;t=3600"#)
    );
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn requests_come_back_at_the_rate() {
    let server = Moody::start("a").await;
    let service = service(server.addr, rate("2/h", 2));
    let mut statuses = Vec::new();
    for wait in [0, 0, 0, 1790, 10, 0, 3600, 0, 0] {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(wait)).await;
        tokio::time::resume();
        statuses.push(status(&service, "/", OFFICE).await);
    }
    assert_eq!(statuses, [200, 200, 429, 429, 200, 429, 200, 200, 429]);
}

#[tokio::test]
async fn clients_are_told_apart() {
    let server = Moody::start("a").await;
    let header = || Some(ClientKey::Header("x-user".into()));
    let cookie = || Some(ClientKey::Cookie("sid".into()));
    type Who = (Option<&'static str>, &'static [(&'static str, &'static str)]);
    let jane: &[_] = &[("x-user", "jane")];
    let table: [(Option<ClientKey>, Who, Who, bool); 14] = [
        (None, (Some("192.0.2.1"), &[]), (Some("192.0.2.1"), &[]), true),
        (None, (Some("192.0.2.1"), &[]), (Some("192.0.2.2"), &[]), false),
        (None, (Some("192.0.2.1"), &[]), (Some("::ffff:192.0.2.1"), &[]), true),
        (None, (Some("2001:db8:1:2::1"), &[]), (Some("2001:db8:1:2:ffff::9"), &[]), true),
        (None, (Some("2001:db8:1:2::1"), &[]), (Some("2001:db8:1:3::1"), &[]), false),
        (None, (None, &[]), (None, &[]), true),
        (None, (None, &[]), (Some("192.0.2.1"), &[]), false),
        (None, (Some("192.0.2.1"), jane), (Some("192.0.2.2"), jane), false),
        (header(), (Some("192.0.2.1"), jane), (Some("192.0.2.2"), jane), true),
        (header(), (Some("192.0.2.1"), jane), (Some("192.0.2.1"), &[("x-user", "joe")]), false),
        // Who does not say it is told apart by the address, and is nobody who says an address.
        (header(), (Some("192.0.2.1"), &[]), (Some("192.0.2.1"), &[("x-user", "")]), true),
        (header(), (Some("192.0.2.1"), &[]), (Some("192.0.2.2"), &[]), false),
        (cookie(), (Some("192.0.2.1"), &[("cookie", "a=b; sid=1")]), (None, &[("cookie", "sid=1")]), true),
        (
            cookie(),
            (Some("192.0.2.1"), &[("cookie", "sid=1")]),
            (Some("192.0.2.1"), &[("cookie", "sid=2")]),
            false,
        ),
    ];
    for (key, first, second, same) in table {
        let mut policy = rate("1/h", 1);
        policy.client_limits.key = key.clone();
        let service = service(server.addr, policy);
        assert_eq!(ask(&service, request("/", first.0, first.1)).await.status(), 200);
        let status = ask(&service, request("/", second.0, second.1)).await.status();
        assert_eq!(status, if same { 429 } else { 200 }, "{key:?} {first:?} {second:?}");
    }
}

#[tokio::test]
async fn who_is_exempt_is_neither_counted_nor_told() {
    let server = Moody::start("a").await;
    let mut policy = rate("1/h", 1);
    policy.client_limits.concurrency = Some(1);
    policy.client_limits.exempt = Some("192.0.2.0/24".parse().unwrap());
    let service = service(server.addr, policy);
    let held = ask(&service, request("/", Some(OFFICE), &[])).await;
    for _ in 0..5 {
        let answer = ask(&service, request("/", Some(OFFICE), &[])).await;
        assert_eq!(answer.status(), 200);
        assert!(
            !answer.headers().contains_key("ratelimit") && !answer.headers().contains_key("ratelimit-policy")
        );
    }
    drop(held);
    assert_eq!(status(&service, "/", "198.51.100.1").await, 200);
    assert_eq!(status(&service, "/", "198.51.100.1").await, 429);
    // An address that is not known is in no range.
    assert_eq!(ask(&service, request("/", None, &[])).await.status(), 200);
    assert_eq!(ask(&service, request("/", None, &[])).await.status(), 429);
}

#[tokio::test]
async fn equal_limits_of_one_name_count_together_and_others_do_not() {
    let server = Moody::start("a").await;
    let named = |name: Option<&str>, mut policy: Policy| {
        policy.client_limits.name = name.map(Into::into);
        policy
    };
    let paths = || {
        [
            ("/a", named(Some("default/one"), rate("1/h", 2))),
            ("/b", named(Some("default/one"), rate("1/h", 2))),
            ("/c", named(Some("default/two"), rate("1/h", 2))),
            ("/d", named(Some("default/one"), rate("2/h", 2))),
            ("/e", named(None, rate("1/h", 2))),
        ]
    };
    let (reader, mut writer) = ingress_core::table(routes(server.addr, paths()));
    let service = IngressService::new(reader);
    assert_eq!(status(&service, "/a", OFFICE).await, 200);
    // Counts outlive tables.
    writer.publish(routes(server.addr, paths()));
    assert_eq!(status(&service, "/b", OFFICE).await, 200);
    writer.publish(routes(server.addr, [("/", named(Some("default/one"), rate("1/h", 2)))]));
    assert_eq!(status(&service, "/a", OFFICE).await, 429);
    writer.publish(routes(server.addr, paths()));
    for path in ["/a", "/b"] {
        assert_eq!(status(&service, path, OFFICE).await, 429, "{path}");
    }
    for path in ["/c", "/d", "/e"] {
        for want in [200, 200, 429] {
            assert_eq!(status(&service, path, OFFICE).await, want, "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_refused_or_redirected_before_does_not_count() {
    let server = Moody::start("a").await;
    let mut policy = rate("1/h", 1);
    policy.access.deny = Some("198.51.100.0/24".parse().unwrap());
    policy.https_redirect = Some(HttpsRedirect::With(RedirectStatus::PermanentRedirect));
    let service = service(server.addr, policy);
    for _ in 0..3 {
        assert_eq!(status(&service, "/", "198.51.100.1").await, 403);
        let redirect = ask(&service, request("/", Some(OFFICE), &[])).await;
        assert_eq!(redirect.status(), 308);
        assert!(!redirect.headers().contains_key("ratelimit"));
    }
    let secure = || {
        let mut request = request("/", None, &[]);
        let info = ConnectionInfo::new((OFFICE.parse::<IpAddr>().unwrap(), 1).into()).with_tls(true);
        request.extensions_mut().insert(info);
        request
    };
    assert_eq!(ask(&service, secure()).await.status(), 200);
    assert_eq!(ask(&service, secure()).await.status(), 429);
}

#[tokio::test]
async fn any_number_may_be_said() {
    let server = Moody::start("a").await;
    let mut policy = rate("0", 1);
    policy.client_limits.concurrency = Some(0);
    let layer = IngressLayer::new(table_of(server.addr, policy));
    let mut strict = rate("1/h", 1);
    strict.client_limits.concurrency = Some(1);
    let service = layer.policy(strict).into_service();
    let held = ask(&service, request("/", Some(OFFICE), &[])).await;
    for _ in 0..3 {
        assert_eq!(status(&service, "/", OFFICE).await, 200);
    }
    drop(held);
}

#[tokio::test]
async fn limits_of_an_endpoint_stand_beside() {
    let upstream = Upstream::bind().await;
    let addr = upstream.always(
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\nRateLimit: \"own\";r=7\r\n\r\n",
    );
    let answer = ask(&service(addr, rate("1/h", 1)), request("/", Some(OFFICE), &[])).await;
    assert_eq!(text(answer.headers(), "ratelimit"), r#""own";r=7, "gateway";r=0;t=3600"#);
}
