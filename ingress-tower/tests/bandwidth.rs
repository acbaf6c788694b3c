//! How fast answers are sent.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use ingress_core::{Endpoint, PathMatch, Policy, RouteTable, Rule};
use ingress_tower::IngressService;
use support::*;
use tokio::time::Instant;

const GET: &str = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";

async fn gateway(endpoint: SocketAddr, rate: u64, after: u64) -> Gateway {
    let mut policy = Policy::default();
    policy.client_limits.bandwidth = NonZeroU64::new(rate);
    policy.client_limits.bandwidth_after = Some(after);
    let backend: ingress_core::BackendRef = "default/shop:80".parse().unwrap();
    let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend.clone());
    let mut rules = RouteTable::builder();
    rules.rule(rule.with_policy(policy));
    rules.endpoints(backend, [Endpoint::new(endpoint)]);
    Gateway::start(Default::default(), IngressService::new(ingress_core::table(rules.build().0).0)).await
}

/// With the clock stopped, time passes only where all wait for it.
#[tokio::test]
async fn a_body_takes_as_long_as_its_rate_says() {
    let echo = Echo::start("a").await;
    for http2 in [false, true] {
        let gateway = gateway(echo.addr, 1000, 500).await;
        let mut one = gateway.client().await;
        let mut two = http2_client(gateway.addr).await;
        let bytes = vec![b'x'; 2000];
        tokio::time::pause();
        let start = Instant::now();
        if http2 {
            let request = Request::post(format!("http://{HOST}/")).body(full(bytes.clone())).unwrap();
            let answer = two.send_request(request).await.unwrap();
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), bytes);
        } else {
            one.send("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 2000\r\n\r\n").await;
            one.send(&bytes).await;
            let answer = one.response().await;
            assert_eq!((answer.field("content-length"), answer.body), (Some("2000".into()), bytes));
        }
        let took = start.elapsed();
        tokio::time::resume();
        let want = Duration::from_millis(1400)..Duration::from_millis(1700);
        assert!(want.contains(&took), "{took:?}");
    }
}

#[tokio::test]
async fn trailers_come_behind_a_paced_body() {
    let upstream = Upstream::bind().await;
    let gateway = gateway(upstream.addr, 100_000, 0).await;
    let mut client = gateway.client().await;
    client.send("GET / HTTP/1.1\r\nHost: shop.example\r\nTE: trailers\r\nConnection: TE\r\n\r\n").await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    endpoint
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")
        .await;
    let answer = client.response().await;
    assert_eq!((answer.text(), answer.trailers.to_ascii_lowercase().trim()), ("hello", "x-sum: 1"));
}

#[tokio::test]
async fn an_endpoint_is_not_read_faster_than_its_answer_is_sent() {
    let upstream = Upstream::bind().await;
    let gateway = gateway(upstream.addr, 1, 0).await;
    let mut client = gateway.client().await;
    client.send(GET).await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").await;
    client.head().await;
    let block = vec![b'x'; 64 * 1024];
    let mut sent = 0;
    // Buffers of sockets take some of it.
    while let Ok(()) = tokio::time::timeout(Duration::from_millis(500), endpoint.send(&block)).await {
        sent += block.len();
        assert!(sent < 64 * 1024 * 1024, "{sent} bytes were read");
    }
    assert_eq!(client.bytes(1).await, b"x");
}

#[tokio::test]
async fn tunnels_and_empty_answers_have_no_rate() {
    let upstream = Upstream::bind().await;
    let gateway = gateway(upstream.addr, 1, 0).await;
    let mut client = gateway.client().await;
    client
        .send("GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    endpoint
        .send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await;
    assert!(client.head().await.starts_with("HTTP/1.1 101 "));
    endpoint.send(vec![b'x'; 100_000]).await;
    assert_eq!(client.bytes(100_000).await.len(), 100_000);
}
