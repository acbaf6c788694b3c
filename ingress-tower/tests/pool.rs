//! How many connections the default client makes, and when it uses them again.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use ingress_tower::HttpClient;
use support::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";

/// 64 clients, each with a connection of its own, send GET and POST in turn.
async fn crowd(rounds: usize) -> usize {
    let echo = Echo::start("a").await;
    let gateway = Gateway::to(&[echo.addr]).await;
    let addr = gateway.addr;
    let clients = (0..64).map(|_| {
        tokio::spawn(async move {
            let mut client = Peer::connect(addr).await;
            for round in 0..rounds {
                let body = "x".repeat(round % 50);
                let length = body.len();
                client.send(GET).await;
                assert_eq!(client.response().await.status(), 200);
                client
                    .send(format!(
                        "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: {length}\r\n\r\n{body}"
                    ))
                    .await;
                assert_eq!(client.response().await.text(), body);
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    echo.connections()
}

#[tokio::test]
async fn a_crowd_needs_one_connection_each() {
    let connections = crowd(50).await;
    assert!(connections <= 64, "{connections} connections");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_on_several_threads_needs_few_more() {
    let connections = crowd(100).await;
    assert!(connections <= 96, "{connections} connections");
}

#[tokio::test]
async fn a_connection_that_the_endpoint_closes_politely_is_not_used_again() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let mut client = gateway.client().await;
    for _ in 0..20 {
        client.send(GET).await;
        let mut endpoint = upstream.accept().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await;
        assert_eq!(client.response().await.text(), "ok");
        endpoint.closed().await;
    }
}

#[tokio::test]
async fn an_idle_connection_is_not_used_beyond_its_time() {
    let echo = Echo::start("a").await;
    let client = HttpClient::builder().idle_timeout(Duration::ZERO).build();
    let gateway = Gateway::with_client(&[echo.addr], client).await;
    let mut client = gateway.client().await;
    for _ in 0..3 {
        client.send(GET).await;
        client.response().await;
    }
    assert_eq!(echo.connections(), 3);
}

#[tokio::test]
async fn a_connection_with_bytes_nobody_asked_for_is_not_used_again() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let mut client = gateway.client().await;
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ] {
        for _ in 0..2 {
            client.send(GET).await;
            let mut endpoint = upstream.accept().await;
            endpoint.head().await;
            endpoint.send(head).await;
            let status = client.head().await;
            if status.contains("content-length: 2") {
                assert_eq!(client.bytes(2).await, b"ok");
            }
            endpoint.closed().await;
        }
    }
}

/// An endpoint may close a connection just as it is used again, and then nobody knows what it read.
#[tokio::test]
async fn a_safe_request_on_a_lost_connection_is_sent_again_and_no_other() {
    let table = [
        ("GET", "", 200),
        ("HEAD", "", 200),
        ("OPTIONS", "", 200),
        ("POST", "", 502),
        ("DELETE", "", 502),
        ("GET", "Content-Length: 3\r\n\r\nabc", 502),
    ];
    for (method, body, status) in table {
        let upstream = Upstream::bind().await;
        let gateway = Gateway::to(&[upstream.addr]).await;
        let mut client = gateway.client().await;
        client.send(GET).await;
        let mut endpoint = upstream.accept().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        client.head().await;
        let end = if body.is_empty() { "\r\n" } else { body };
        client.send(format!("{method} /again HTTP/1.1\r\nHost: shop.example\r\n{end}")).await;
        let lost = endpoint.head().await;
        drop(endpoint);
        if status == 200 {
            let mut endpoint = upstream.accept().await;
            assert_eq!(endpoint.head().await, lost);
            endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        }
        assert_eq!(client.head().await[9..12], status.to_string(), "{method} {body:?}");
        assert!(status == 200 || upstream.nobody().await);
    }
}

/// Defends against two threads that look into each other's idle connections and wait for each other's locks,
/// and against lost requests where an endpoint closes without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn endpoints_that_close_without_a_word_cost_no_request() {
    let upstream = Upstream::bind().await.always(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let gateway = Gateway::to(&[upstream]).await;
    let addr = gateway.addr;
    let clients = (0..8).map(|_| {
        tokio::spawn(async move {
            let mut client = Peer::connect(addr).await;
            for _ in 0..200 {
                client.send(GET).await;
                assert_eq!(client.response().await.status(), 200);
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}
