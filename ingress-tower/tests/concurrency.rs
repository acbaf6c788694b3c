//! How many requests of a client may be open at a time.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::net::{IpAddr, SocketAddr};

use http::{Request, Response};
use http_body_util::BodyExt;
use ingress_core::{Endpoint, PathMatch, Policy, RouteTable, Rule};
use ingress_tower::{Body, ConnectionInfo, Error, IngressService};
use support::*;
use tower::ServiceExt;

const OFFICE: &str = "192.0.2.7";
const GET: &str = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
const ASK: &str =
    "GET /chat HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const AGREE: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

fn route(endpoint: SocketAddr, max: u32) -> RouteTable {
    let mut policy = Policy::default();
    policy.client_limits.concurrency = Some(max);
    let backend: ingress_core::BackendRef = "default/shop:80".parse().unwrap();
    let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend.clone());
    let mut rules = RouteTable::builder();
    rules.rule(rule.with_policy(policy));
    rules.endpoints(backend, [Endpoint::new(endpoint)]);
    rules.build().0
}

fn service(endpoint: SocketAddr, max: u32) -> IngressService {
    IngressService::new(ingress_core::table(route(endpoint, max)).0)
}

fn request(client: &str) -> Request<Body> {
    let mut request = Request::get("/").header("host", HOST).body(Body::empty()).unwrap();
    let client: IpAddr = client.parse().unwrap();
    request.extensions_mut().insert(ConnectionInfo::new((client, 4711).into()));
    request
}

async fn ask(service: &IngressService, client: &str) -> Response<Body> {
    within("answer", service.clone().oneshot(request(client))).await.unwrap()
}

async fn status(service: &IngressService, client: &str) -> u16 {
    ask(service, client).await.status().as_u16()
}

/// Repeats until that is the status: the end of an answer is seen by its client before all is cleared away behind it.
async fn until(service: &IngressService, want: u16) {
    let repeated = async {
        while status(service, "127.0.0.1").await != want {
            tokio::task::yield_now().await;
        }
    };
    within("another status", repeated).await;
}

#[tokio::test]
async fn a_request_is_open_until_its_answer_is_sent_or_dropped() {
    let server = Moody::start("a").await;
    let service = service(server.addr, 2);
    let first = ask(&service, OFFICE).await;
    let second = ask(&service, OFFICE).await;
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 200));
    assert!(!first.headers().contains_key("ratelimit"));
    let third = ask(&service, OFFICE).await;
    assert_eq!((third.status().as_u16(), &third.headers()["retry-after"]), (429, &"1".parse().unwrap()));
    assert_eq!(third.extensions().get::<Error>().unwrap().reason(), "too_many_requests");
    assert_eq!(status(&service, "198.51.100.1").await, 200, "another client has its own");
    assert_eq!(server.requests(), 3);
    drop(second);
    let fourth = ask(&service, OFFICE).await;
    assert_eq!(fourth.status(), 200);
    drop((first, fourth));
    // One that nobody waits for any more is not open.
    server.set(Mood::Frozen);
    for _ in 0..5 {
        let asked = server.requests();
        let waiting = tokio::spawn(service.clone().oneshot(request(OFFICE)));
        while server.requests() == asked {
            tokio::task::yield_now().await;
        }
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
    }
    server.set(Mood::Failing(500));
    assert_eq!(status(&service, OFFICE).await, 500);
    server.kill();
    for _ in 0..3 {
        assert_eq!(status(&service, OFFICE).await, 502, "an error ends it, too");
    }
}

#[tokio::test]
async fn a_body_on_its_way_is_open_on_every_connection() {
    let upstream = Upstream::bind().await;
    let service = service(upstream.addr, 1);
    let gateway = Gateway::start(Default::default(), service.clone()).await;
    for http2 in [false, true] {
        let mut one = gateway.client().await;
        let mut two = http2_client(gateway.addr).await;
        let get = || Request::get(format!("http://{HOST}/")).body(empty()).unwrap();
        let answer = http2.then(|| tokio::spawn(two.send_request(get())));
        if !http2 {
            one.send(GET).await;
        }
        let mut endpoint = upstream.accept().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\na").await;
        let mut body = match answer {
            Some(answer) => {
                let mut body = within("head", answer).await.unwrap().unwrap().into_body();
                assert_eq!(within("frame", body.frame()).await.unwrap().unwrap().into_data().unwrap(), "a");
                Some(body)
            }
            None => {
                one.head().await;
                assert_eq!(one.bytes(1).await, b"a");
                None
            }
        };
        assert_eq!(gateway.status(GET).await, 429);
        let refused = within("answer", http2_client(gateway.addr).await.send_request(get())).await.unwrap();
        assert_eq!(refused.status(), 429);
        assert!(upstream.nobody().await);
        endpoint.send("b").await;
        match &mut body {
            Some(body) => assert_eq!(within("rest", body.collect()).await.unwrap().to_bytes(), "b"),
            None => assert_eq!(one.bytes(1).await, b"b"),
        }
        drop(endpoint);
        let next = tokio::spawn({
            let service = service.clone();
            async move { until(&service, 200).await }
        });
        let mut endpoint = upstream.accept().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        next.await.unwrap();
    }
}

#[tokio::test]
async fn a_tunnel_is_open_until_it_ends() {
    let upstream = Upstream::bind().await;
    let service = service(upstream.addr, 1);
    let gateway = Gateway::start(Default::default(), service.clone()).await;
    let mut client = gateway.client().await;
    client.send(ASK).await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    endpoint.send(AGREE).await;
    assert!(client.head().await.starts_with("HTTP/1.1 101 "));
    client.send("hello").await;
    assert_eq!(endpoint.bytes(5).await, b"hello");
    assert_eq!(gateway.status(GET).await, 429);
    assert_eq!(gateway.status(ASK).await, 429);
    assert!(upstream.nobody().await);
    drop((client, endpoint));
    let next = tokio::spawn(async move { until(&service, 200).await });
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    next.await.unwrap();
}

#[tokio::test]
async fn what_is_open_is_counted_when_limits_change() {
    let server = Moody::start("a").await;
    let (reader, mut writer) = ingress_core::table(route(server.addr, 2));
    let service = IngressService::new(reader);
    let held = [ask(&service, OFFICE).await, ask(&service, OFFICE).await];
    writer.publish(route(server.addr, 1));
    assert_eq!(status(&service, OFFICE).await, 429);
    writer.publish(route(server.addr, 3));
    assert_eq!(status(&service, OFFICE).await, 200);
    drop(held);
}
