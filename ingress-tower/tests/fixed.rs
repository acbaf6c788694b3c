//! Answers that no endpoint is asked for: while a service is being worked on, and those that are always the same.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use ingress_core::{
    Endpoint, FixedAnswer, HttpsRedirect, MediaType, PathMatch, Policy, RedirectStatus, RouteTable, Rule,
};
use ingress_tower::{Body, ConnectionInfo, Error, IngressLayer, IngressService};
use support::*;
use tower::ServiceExt;

fn service(server: &Moody, policy: &Policy) -> IngressService {
    let mut rules = RouteTable::builder();
    let backend: ingress_core::BackendRef = "default/shop:80".parse().unwrap();
    let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend.clone());
    rules.rule(rule.with_policy(policy.clone()));
    rules.endpoints(backend, [Endpoint::new(server.addr)]);
    let reader = ingress_core::table(rules.build().0).0;
    IngressLayer::new(reader).trusted_proxies("10.0.0.0/8".parse().unwrap()).into_service()
}

fn policy(write: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = Policy::default();
    write(&mut policy);
    policy
}

fn maintained() -> Policy {
    policy(|policy| policy.maintenance.on = Some(true))
}

fn fixed(status: u16, kind: &str, body: &str) -> Policy {
    let kind: MediaType = kind.parse().unwrap();
    policy(|policy| policy.answer = Some(FixedAnswer::new(status, kind, body).unwrap()))
}

async fn ask(service: &IngressService, request: http::request::Builder) -> Response<Body> {
    let request = request.header("host", HOST).body(Body::empty()).unwrap();
    within("answer", service.clone().oneshot(request)).await.unwrap()
}

fn field<'a>(answer: &'a Response<Body>, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

async fn text(answer: Response<Body>) -> String {
    let bytes = within("body", answer.into_body().collect()).await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn clients_are_told_that_the_service_is_being_worked_on() {
    let server = Moody::start("a").await;
    let answer = ask(&service(&server, &maintained()), Request::get("/")).await;
    assert_eq!((answer.status().as_u16(), field(&answer, "retry-after")), (503, None));
    let error = answer.extensions().get::<Error>().unwrap();
    assert_eq!(error.reason(), "maintenance");
    assert_eq!(error.backend().map(ToString::to_string).as_deref(), Some("default/shop:80"));
    assert_eq!(text(answer).await, "503 Service Unavailable\n");

    let mut policy = maintained();
    policy.maintenance.retry_after = Some(Duration::from_millis(89_001));
    policy.maintenance.body = Some("<h1>Back soon</h1>".into());
    policy.maintenance.content_type = Some("text/html".parse().unwrap());
    let service = service(&server, &policy);
    for method in [Method::GET, Method::POST, Method::HEAD, Method::OPTIONS] {
        let answer = ask(&service, Request::builder().method(&method).uri("/a?b")).await;
        assert_eq!((answer.status().as_u16(), field(&answer, "retry-after")), (503, Some("90")));
        assert_eq!(field(&answer, "content-type"), Some("text/html"), "{method}");
        assert_eq!(field(&answer, "content-length"), Some("18"), "{method}");
        assert_eq!(answer.extensions().get::<Error>().map(Error::reason), Some("maintenance"));
        let want = if method == Method::HEAD { "" } else { "<h1>Back soon</h1>" };
        assert_eq!(text(answer).await, want, "{method}");
    }
    let call =
        ask(&service, Request::post("/shop.Cart/Add").header("content-type", "application/grpc")).await;
    assert_eq!((call.status().as_u16(), field(&call, "grpc-status")), (200, Some("14")));
    assert_eq!(field(&call, "retry-after"), Some("90"));
    assert_eq!(text(call).await, "");
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn some_clients_are_served_nevertheless() {
    let server = Moody::start("a").await;
    let mut policy = maintained();
    policy.maintenance.exempt = "192.0.2.0/24".parse().ok();
    let service = service(&server, &policy);
    let (office, proxy, stranger) = ([192, 0, 2, 7], [10, 0, 0, 1], [198, 51, 100, 1]);
    for (peer, told, want) in [
        (Some(office), "", 200),
        (Some(stranger), "", 503),
        (Some(stranger), "192.0.2.7", 503),
        (Some(proxy), "192.0.2.7", 200),
        (Some(proxy), "198.51.100.1", 503),
        (None, "192.0.2.7", 503),
    ] {
        let mut request = Request::get("/").header("x-forwarded-for", told);
        if let Some(peer) = peer {
            request = request.extension(ConnectionInfo::new((peer, 4711).into()));
        }
        let before = server.requests();
        assert_eq!(ask(&service, request).await.status(), want, "{peer:?} {told:?}");
        assert_eq!(server.requests() - before, usize::from(want == 200));
    }
    let off = self::service(&server, &self::policy(|policy| policy.maintenance.on = Some(false)));
    assert_eq!(ask(&off, Request::get("/")).await.status(), 200);
}

#[tokio::test]
async fn maintenance_comes_after_the_addresses_and_the_way_to_https() {
    let server = Moody::start("a").await;
    let mut policy = maintained();
    policy.access.deny = "198.51.100.0/24".parse().ok();
    policy.https_redirect = Some(HttpsRedirect::With(RedirectStatus::PermanentRedirect));
    policy.redirect.path = Some(ingress_core::PathRewrite::Full("/elsewhere".parse().unwrap()));
    let service = service(&server, &policy);
    let from = |address: [u8; 4], tls: bool| {
        let mut info = ConnectionInfo::new((address, 4711).into());
        info.tls = tls;
        Request::get("/").extension(info)
    };
    for (address, tls, want) in
        [([198, 51, 100, 1], true, 403), ([192, 0, 2, 1], false, 308), ([192, 0, 2, 1], true, 503)]
    {
        assert_eq!(ask(&service, from(address, tls)).await.status(), want, "{address:?} {tls}");
    }
    let mut answered = fixed(200, "text/plain", "x");
    answered.maintenance.on = Some(true);
    assert_eq!(ask(&self::service(&server, &answered), Request::get("/")).await.status(), 503);
    assert_eq!(server.requests(), 0);
}

/// Over sockets, since servers have a say in lengths.
#[tokio::test]
async fn answers_that_are_always_the_same() {
    let server = Moody::start("a").await;
    let html = "text/html; charset=utf-8";
    let plain = "text/plain; charset=utf-8";
    for (policy, status, kind, body) in [
        (fixed(200, plain, "User-agent: *\nDisallow: /\n"), 200, Some(plain), "User-agent: *\nDisallow: /\n"),
        (fixed(410, html, "<p>{path} gone ä\0</p>"), 410, Some(html), "<p>{path} gone ä\0</p>"),
        (fixed(404, plain, ""), 404, None, ""),
        (fixed(503, plain, "x"), 503, Some(plain), "x"),
        (fixed(204, plain, ""), 204, None, ""),
        (fixed(205, plain, ""), 205, None, ""),
        (fixed(304, plain, ""), 304, None, ""),
    ] {
        let gateway = Gateway::start(Default::default(), service(&server, &policy)).await;
        let has_length = !matches!(status, 204 | 304);
        let length = has_length.then(|| body.len().to_string());
        let mut peer = gateway.client().await;
        // On one connection, so that no answer is longer or shorter than it says.
        for method in ["GET", "HEAD", "DELETE", "GET"] {
            peer.send(format!("{method} /robots.txt?x HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
            let (head, text) = if method == "HEAD" {
                (peer.head().await, String::new())
            } else if has_length {
                let answer = peer.response().await;
                let text = answer.text().to_owned();
                (answer.head, text)
            } else {
                (peer.head().await, String::new())
            };
            let answer = Message { head, body: text.into_bytes(), trailers: String::new() };
            assert_eq!(answer.status(), status, "{method}");
            assert_eq!(answer.field("content-type").as_deref(), kind, "{method} {status}");
            assert_eq!(answer.field("content-length"), length, "{method} {status}");
            assert_eq!(answer.text(), if method == "HEAD" { "" } else { body }, "{method} {status}");
        }
        let mut client = http2_client(gateway.addr).await;
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::OPTIONS] {
            let request = Request::builder().method(&method).uri(format!("http://{HOST}/"));
            let request = request.body(empty()).unwrap();
            let answer = within("answer", client.send_request(request)).await.unwrap();
            assert_eq!(answer.status(), status);
            let told =
                answer.headers().get("content-length").map(|length| length.to_str().unwrap().to_owned());
            assert!(told.is_none() && body.is_empty() || told == length, "{method} {status}: {told:?}");
            let bytes = within("body", answer.into_body().collect()).await.unwrap().to_bytes();
            assert_eq!(&bytes[..], if method == Method::HEAD { "" } else { body }.as_bytes(), "{method}");
        }
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn an_upload_is_answered_before_it_ends() {
    let server = Moody::start("a").await;
    let gateway = Gateway::start(Default::default(), service(&server, &fixed(410, "text/plain", "x"))).await;
    let mut peer = gateway.client().await;
    peer.send(format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1000000\r\n\r\nbegin")).await;
    assert_eq!(peer.response().await.status(), 410);
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn who_may_not_send_requests_is_told_nothing() {
    let server = Moody::start("a").await;
    let mut policy = fixed(200, "text/plain", "secret");
    policy.access.allow = "192.0.2.0/24".parse().ok();
    let refused = ask(&service(&server, &policy), Request::get("/")).await;
    assert_eq!(refused.status(), 403);
    policy.access.closed = true;
    assert_eq!(ask(&service(&server, &policy), Request::get("/")).await.status(), 503);
    // A redirect comes before.
    let mut policy = fixed(200, "text/plain", "x");
    policy.redirect.port = Some(81);
    assert_eq!(ask(&service(&server, &policy), Request::get("/")).await.status(), 302);
}

/// A client of HTTP/2 that asks for a WebSocket would take 200 for consent.
#[tokio::test]
async fn no_success_is_taken_for_a_tunnel() {
    let server = Moody::start("a").await;
    for (status, want) in [(200, 405), (204, 405), (410, 410)] {
        let body = if status == 204 { "" } else { "x" };
        let service = service(&server, &fixed(status, "text/plain", body));
        let gateway = Gateway::start(Default::default(), service).await;
        let mut client = http2_client(gateway.addr).await;
        // The server's settings, without which nothing may ask this way, come with its first answer.
        let plain = Request::get(format!("http://{HOST}/")).body(empty()).unwrap();
        assert_eq!(within("answer", client.send_request(plain)).await.unwrap().status(), status);
        let connect = Request::builder()
            .method(Method::CONNECT)
            .uri(format!("http://{HOST}/chat"))
            .extension(hyper::ext::Protocol::from_static("websocket"))
            .body(empty())
            .unwrap();
        assert_eq!(within("answer", client.send_request(connect)).await.unwrap().status(), want);
    }
    assert_eq!(server.requests(), 0);
}
