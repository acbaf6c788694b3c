//! Copies of requests: what another backend gets, and that nobody waits for it.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use ingress_core::{
    BackendRef, Endpoint, Mirror, MirrorShare, PathMatch, PathRewrite, Policy, RouteTable, Rule,
};
use ingress_tower::{Body, IngressLayer, IngressService, ResourceRegistry};
use support::*;
use tokio::sync::{mpsc, oneshot};
use tower::ServiceExt;

fn backend(name: &str) -> BackendRef {
    format!("default/{name}:80").parse().unwrap()
}

fn mirror(share: MirrorShare) -> Policy {
    let mut policy = Policy::default();
    let mut mirror = Mirror::to(backend("next"));
    mirror.share = share;
    policy.mirror = Some(mirror);
    policy
}

fn layer(shop: SocketAddr, next: Option<SocketAddr>, policy: Policy) -> IngressLayer {
    let mut rules = RouteTable::builder();
    let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend("shop"));
    rules.rule(rule.with_policy(policy));
    rules.endpoints(backend("shop"), [Endpoint::new(shop)]);
    rules.endpoints(backend("next"), next.map(Endpoint::new));
    IngressLayer::new(ingress_core::table(rules.build().0).0)
}

async fn gateway(shop: SocketAddr, next: Option<SocketAddr>, policy: Policy) -> Gateway {
    let service: IngressService = layer(shop, next, policy).into_service();
    Gateway::start(Default::default(), service).await
}

/// Answers what it was sent.
async fn echo() -> Asked {
    Asked::start(|seen| Response::new(full(seen.body.clone().unwrap_or_default()))).await
}

async fn failing() -> Asked {
    Asked::start(|_| Response::builder().status(500).body(full("not for clients")).unwrap()).await
}

#[tokio::test]
async fn a_copy_is_the_request_as_its_endpoint_gets_it() {
    let (shop, next) = (echo().await, failing().await);
    let mut policy = mirror(MirrorShare::ALL);
    policy.rewrite.path = Some(PathRewrite::Full("/v2{path}".parse().unwrap()));
    let gateway = gateway(shop.addr, Some(next.addr), policy).await;
    let fields = [("authorization", "Bearer abc"), ("x-own", "1"), ("te", "trailers")];
    let answers = send_both(gateway.addr, || request("PUT", "/a?x=1", &fields, full("body"))).await;
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!((answer.status, answer.text()), (200, "body"));
        let (seen, mut copy) = (shop.nth(number).await, next.nth(number).await);
        assert_eq!((copy.method.as_str(), copy.target.as_str()), ("PUT", "/v2/a?x=1"));
        assert_eq!(copy.body.as_deref(), Some(&b"body"[..]));
        assert_eq!(copy.headers.remove("x-mirrored").unwrap(), "true");
        assert_eq!(copy.headers, seen.headers, "Host and the request's id are the same");
    }
    for answer in send_both(gateway.addr, || request("GET", "/b", &[], empty())).await {
        assert_eq!(answer.status, 200);
    }
    assert_eq!(next.nth(3).await.target, "/v2/b");
}

#[tokio::test]
async fn a_streamed_body_is_copied_as_it_comes() {
    let (shop, next) = (Echo::start("a").await, Upstream::bind().await);
    let gateway = gateway(shop.addr, Some(next.addr), mirror(MirrorShare::ALL)).await;
    let mut client = gateway.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
        .await;
    assert!(client.head().await.starts_with("HTTP/1.1 100 "));
    client.send("1\r\na\r\n").await;
    assert!(client.head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(client.bytes(6).await, b"1\r\na\r\n");
    let mut copy = next.accept().await;
    assert!(copy.head().await.starts_with("POST / "));
    assert_eq!(copy.bytes(6).await, b"1\r\na\r\n");
    client.send("1\r\nb\r\n0\r\n\r\n").await;
    assert_eq!(client.bytes(11).await, b"1\r\nb\r\n0\r\n\r\n");
    assert_eq!(copy.bytes(11).await, b"1\r\nb\r\n0\r\n\r\n");
    // A client that gives up takes the copy with it.
    let mut client = gateway.client().await;
    client.send("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 10\r\n\r\nabc").await;
    let mut copy = next.accept().await;
    copy.head().await;
    assert_eq!(copy.bytes(3).await, b"abc");
    drop(client);
    copy.closed().await;
}

#[tokio::test]
async fn nobody_waits_for_copies() {
    let shop = echo().await;
    let frozen = Moody::start("next").await;
    frozen.set(Mood::Frozen);
    // One that accepts connections and reads nothing.
    let deaf = Upstream::bind().await;
    for next in [Some(frozen.addr), Some(deaf.addr), Some(refusing()), None] {
        let gateway = gateway(shop.addr, next, mirror(MirrorShare::ALL)).await;
        let large = vec![b'x'; 2 << 20];
        for answer in send_both(gateway.addr, || request("POST", "/", &[], full(large.clone()))).await {
            assert_eq!((answer.status, answer.body.len()), (200, large.len()));
        }
        // More than there is room for.
        let mut client = http2_client(gateway.addr).await;
        for _ in 0..100 {
            let answer = within("answer", client.send_request(request("GET", "/", &[], empty()))).await;
            assert_eq!(answer.unwrap().status(), 200);
        }
    }
    let all = async {
        while frozen.requests() < 64 {
            tokio::task::yield_now().await;
        }
    };
    within("as many copies as there is room for", all).await;
    // The first two may have been broken off, which made room.
    assert!((64..=66).contains(&frozen.requests()), "{} copies", frozen.requests());
}

#[tokio::test]
async fn a_copy_that_falls_behind_is_broken_off() {
    let (shop, deaf) = (Echo::start("a").await, Upstream::bind().await);
    let gateway = gateway(shop.addr, Some(deaf.addr), mirror(MirrorShare::ALL)).await;
    let large = vec![b'x'; 16 << 20];
    let sent = tokio::spawn(send(gateway.addr, Version::HTTP_2, request("POST", "/", &[], full(large))));
    let mut copy = deaf.accept().await;
    let answer = within("answer", sent).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 16 << 20));
    let head = copy.head().await;
    assert!(head.to_ascii_lowercase().contains("content-length: 16777216"), "{head}");
    let rest = copy.rest().await;
    assert!(rest.len() < 16 << 20, "{} bytes", rest.len());

    // Each frame takes room, however small it is, and empty ones need none.
    let (one, none) = (Bytes::from_static(b"x"), Bytes::new());
    let small: Vec<_> = vec![one.clone(); 50_000];
    let mut empty = vec![none; 50_000];
    empty.extend([one.clone(), one]);
    for (frames, want) in [(small, None), (empty, Some(2))] {
        let len: usize = frames.iter().map(Bytes::len).sum();
        let (may_read, wait) = oneshot::channel::<()>();
        let (sender, mut copied) = mpsc::channel(1);
        let wait = std::sync::Arc::new(std::sync::Mutex::new(Some(wait)));
        let next = tower::service_fn(move |request: Request<Body>| {
            let (sender, wait) = (sender.clone(), wait.lock().unwrap().take().unwrap());
            async move {
                wait.await.unwrap();
                let (mut body, mut frames) = (request.into_body(), 0);
                let end = loop {
                    match body.frame().await {
                        Some(Ok(_)) => frames += 1,
                        Some(Err(_)) => break None,
                        None => break Some(frames),
                    }
                };
                sender.send(end).await.unwrap();
                Ok::<_, Infallible>(Response::new(Body::empty()))
            }
        });
        let shop = tower::service_fn(|request: Request<Body>| async {
            Ok::<_, Infallible>(Response::new(request.into_body()))
        });
        let registry = ResourceRegistry::new().with(backend("next"), next).with(backend("shop"), shop);
        let service = layer(refusing(), None, mirror(MirrorShare::ALL)).resources(registry).into_service();
        let frames = frames.into_iter().map(|bytes| Ok::<_, Infallible>(Frame::data(bytes)));
        let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
        let request = Request::post("/").header("host", HOST).body(body).unwrap();
        let answer = within("answer", service.oneshot(request)).await.unwrap();
        assert_eq!(within("body", answer.into_body().collect()).await.unwrap().to_bytes().len(), len);
        may_read.send(()).unwrap();
        assert_eq!(within("copy", copied.recv()).await.unwrap(), want, "{len} bytes");
    }
}

#[tokio::test]
async fn a_share_of_the_requests_is_copied() {
    fastrand::seed(7);
    let (shop, next) = (echo().await, echo().await);
    let share = MirrorShare::of_thousandths(25_000).unwrap();
    for (share, want) in [(MirrorShare::NONE, 0..=0), (share, 20..=90)] {
        let gateway = gateway(shop.addr, Some(next.addr), mirror(share)).await;
        let mut client = http2_client(gateway.addr).await;
        for _ in 0..200 {
            let answer = within("answer", client.send_request(request("GET", "/", &[], empty()))).await;
            assert_eq!(answer.unwrap().status(), 200);
        }
        if let Some(last) = usize::checked_sub(*want.start(), 1) {
            next.nth(last).await;
        }
        assert!(want.contains(&next.count()), "{share}: {}", next.count());
    }
}

#[tokio::test]
async fn what_goes_to_no_endpoint_or_leaves_http_is_not_copied() {
    let (shop, next) = (echo().await, echo().await);
    let mut refused = mirror(MirrorShare::ALL);
    refused.access.deny = Some("127.0.0.0/8".parse().unwrap());
    let mut too_large = mirror(MirrorShare::ALL);
    too_large.max_body_size = Some(3);
    let mut redirected = mirror(MirrorShare::ALL);
    redirected.redirect.port = Some(81);
    for (policy, status) in [(refused, 403), (too_large, 413), (redirected, 302)] {
        let gateway = gateway(shop.addr, Some(next.addr), policy).await;
        for answer in send_both(gateway.addr, || request("POST", "/", &[], full("body"))).await {
            assert_eq!(answer.status, status);
        }
    }
    let plain = gateway(shop.addr, Some(next.addr), mirror(MirrorShare::ALL)).await;
    let call = [("content-type", "application/grpc"), ("te", "trailers")];
    assert_eq!(send(plain.addr, Version::HTTP_2, request("POST", "/", &call, full("x"))).await.status, 200);

    let endpoint = Upstream::bind().await;
    let upgraded = gateway(endpoint.addr, Some(next.addr), mirror(MirrorShare::ALL)).await;
    let mut client = upgraded.client().await;
    client
        .send("GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await;
    let mut endpoint = endpoint.accept().await;
    endpoint.head().await;
    endpoint
        .send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
        .await;
    assert!(client.head().await.starts_with("HTTP/1.1 101 "));
    assert_eq!(client.bytes(5).await, b"hello");
    // What is copied after all this is the first that came.
    let answer = send(plain.addr, Version::HTTP_11, request("GET", "/first", &[], empty())).await;
    assert_eq!((answer.status, next.nth(0).await.target.as_str()), (200, "/first"));
    assert_eq!(next.count(), 1);
}

#[tokio::test]
async fn a_service_in_this_process_gets_copies_and_has_them_made() {
    let (sender, mut copies) = tokio::sync::mpsc::channel(8);
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let sender = sender.clone();
        async move {
            sender.send(request.uri().path().to_owned()).await.unwrap();
            Ok::<_, std::io::Error>(Response::new(Body::from("unseen")))
        }
    });
    let shop = tower::service_fn(|_| async { Ok::<_, std::io::Error>(Response::new(Body::from("seen"))) });
    let registry = ResourceRegistry::new().with(backend("next"), service).with(backend("shop"), shop);
    let layer = layer(refusing(), None, mirror(MirrorShare::ALL)).resources(registry);
    let gateway = Gateway::start(Default::default(), layer.into_service()).await;
    for answer in send_both(gateway.addr, || request("GET", "/a", &[], empty())).await {
        assert_eq!(answer.text(), "seen");
        assert_eq!(within("copy", copies.recv()).await.as_deref(), Some("/a"));
    }
}

#[tokio::test]
async fn answers_to_copies_are_read_away_and_their_connections_used_again() {
    let (shop, next) = (echo().await, Echo::start("next").await);
    let gateway = gateway(shop.addr, Some(next.addr), mirror(MirrorShare::ALL)).await;
    let mut client = http2_client(gateway.addr).await;
    let mut sent = 0;
    while sent < next.connections() + 5 {
        let answer = within("answer", client.send_request(request("POST", "/", &[], full("body")))).await;
        assert_eq!(answer.unwrap().status(), 200);
        sent += 1;
        assert!(sent < 500, "{} connections for {sent} copies", next.connections());
    }
}
