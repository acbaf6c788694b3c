//! What reaches the endpoint, what reaches the client, and which requests reach nobody.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use http::{Request, Version};
use http_body_util::BodyExt;
use ingress_core::Endpoint;
use ingress_tower::IngressService;
use ingress_tower::server::Server;
use support::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// What an endpoint gets to see of this request.
async fn seen(request: &str) -> Message {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let mut client = gateway.client().await;
    client.send(request).await;
    let mut endpoint = upstream.accept().await;
    let seen = endpoint.message().await;
    endpoint.send(OK).await;
    assert_eq!(client.response().await.text(), "ok");
    seen
}

/// The one line that begins so.
fn line<'m>(message: &'m Message, start: &str) -> &'m str {
    let lines: Vec<_> = message.head.lines().filter(|line| line.starts_with(start)).collect();
    assert_eq!(lines.len(), 1, "{message:?}");
    lines[0]
}

#[tokio::test]
async fn the_request_is_the_gateways_own() {
    let seen = seen(
        "POST /a/%62/../c?q=%2e%2e/%61&x HTTP/1.1\r\nHost: SHOP.example:8080\r\nContent-Length: 3\r\n\
         Connection: keep-alive, X-Secret, x-forwarded-for\r\nConnection: Host\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\nUpgrade: h2c\r\n\
         X-Secret: 1\r\nTE: gzip\r\nExpect: 100-continue\r\nX-Forwarded-For: 10.0.0.1\r\n\
         X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Port: 443\r\n\
         X_Forwarded_For: 10.0.0.2\r\nX-Forwarded_For: 10.0.0.3\r\nX-Real-IP: 10.0.0.1\r\n\
         Forwarded: for=10.0.0.1\r\nProxy: evil\r\nAccept: */*\r\nX-Kept: a\r\nX-Kept: b\r\n\r\nabc",
    )
    .await;
    let port = line(&seen, "x-forwarded-port: ");
    let id = line(&seen, "x-request-id: ");
    assert!(id.len() == "x-request-id: ".len() + 32, "{id}");
    let want = [
        "POST /a/c?q=%2e%2e/%61&x HTTP/1.1",
        "accept: */*",
        "content-length: 3",
        "host: SHOP.example:8080",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: SHOP.example:8080",
        port,
        "x-forwarded-proto: http",
        "x-kept: a",
        "x-kept: b",
        "x-real-ip: 127.0.0.1",
        id,
    ];
    assert_eq!(seen.lines(), want);
    assert_eq!(seen.text(), "abc");
}

#[tokio::test]
async fn the_response_is_the_gateways_own() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let mut client = gateway.client().await;
    client.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n").await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    endpoint
        .send(
            "HTTP/1.1 200 Fine\r\nDate: today\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n\
             Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\
             Content-Length: 2\r\n\r\nok",
        )
        .await;
    let answer = client.response().await;
    let want =
        ["HTTP/1.1 200 Fine", "content-length: 2", "date: today", "set-cookie: a=1", "set-cookie: b=2"];
    assert_eq!(answer.lines(), want);
    client.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n").await;
    // The endpoint closes its connection; the client's stays, and the next request gets a new one.
    upstream.accept().await.head().await;
}

#[tokio::test]
async fn one_client_connection_needs_one_upstream_connection() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::to(&[echo.addr]).await;
    let mut client = gateway.client().await;
    for step in 0..100 {
        let body = format!("body {step}");
        let length = body.len();
        client
            .send(format!("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: {length}\r\n\r\n{body}"))
            .await;
        assert_eq!(client.response().await.text(), body);
        client.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n").await;
        assert_eq!(client.response().await.status(), 200);
    }
    assert_eq!(echo.connections(), 1);
}

#[tokio::test]
async fn endpoints_get_exactly_their_weight_of_every_period() {
    let (a, b) = (Echo::start("a").await, Echo::start("b").await);
    let endpoints = [Endpoint::new(a.addr).with_weight(3), Endpoint::new(b.addr)];
    let gateway = Gateway::start(Server::new(), IngressService::new(weighted_table(endpoints))).await;
    let mut client = gateway.client().await;
    for _ in 0..10 {
        let mut counts = BTreeMap::new();
        for _ in 0..4 {
            client.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n").await;
            *counts.entry(client.response().await.field("x-upstream").unwrap()).or_insert(0) += 1;
        }
        assert_eq!(counts, BTreeMap::from([("a".into(), 3), ("b".into(), 1)]));
    }
}

#[tokio::test]
async fn http2_becomes_http1() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let mut client = http2_client(gateway.addr).await;
    let request = Request::post(format!("http://{HOST}:81/p/../a?q"))
        .version(Version::HTTP_2)
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("te", "trailers")
        .header("x-kept", "1")
        .body(full("abc"))
        .unwrap();
    let answer = tokio::spawn(client.send_request(request));
    let mut endpoint = upstream.accept().await;
    let seen = endpoint.message().await;
    let port = line(&seen, "x-forwarded-port: ");
    let id = line(&seen, "x-request-id: ");
    assert!(id.len() == "x-request-id: ".len() + 32, "{id}");
    let want = [
        "POST /a?q HTTP/1.1",
        "content-length: 3",
        "cookie: a=1; b=2",
        "host: shop.example:81",
        "te: trailers",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: shop.example:81",
        port,
        "x-forwarded-proto: http",
        "x-kept: 1",
        "x-real-ip: 127.0.0.1",
        id,
    ];
    assert_eq!(seen.lines(), want);
    assert_eq!(seen.text(), "abc");
    endpoint
        .send("HTTP/1.1 201 Created\r\nConnection: x-hop\r\nX-Hop: 1\r\nContent-Length: 2\r\n\r\nok")
        .await;
    let answer = within("the answer", answer).await.unwrap().unwrap();
    assert_eq!(answer.status(), 201);
    assert!(!answer.headers().contains_key("x-hop") && !answer.headers().contains_key("connection"));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
}

#[tokio::test]
async fn the_absolute_form_wins_over_host() {
    let seen = seen("GET http://shop.example:81/a HTTP/1.1\r\nHost: other.example\r\n\r\n").await;
    assert_eq!(seen.lines()[0], "GET /a HTTP/1.1");
    assert_eq!(seen.field("host").as_deref(), Some("shop.example:81"));
    assert_eq!(seen.field("x-forwarded-host").as_deref(), Some("shop.example:81"));
}

#[tokio::test]
async fn http10_is_answered_and_closed() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let mut client = gateway.client().await;
    client.send("GET / HTTP/1.0\r\nHost: shop.example\r\n\r\n").await;
    let mut endpoint = upstream.accept().await;
    assert!(endpoint.head().await.starts_with("GET / HTTP/1.1\r\n"));
    endpoint.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await;
    let answer = String::from_utf8(client.rest().await).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n") && answer.ends_with("\r\n\r\nok"), "{answer}");
    assert!(!answer.contains("transfer-encoding"), "{answer}");
}

#[tokio::test]
async fn an_http10_endpoint_does_not_make_an_http10_gateway() {
    let upstream = Upstream::bind().await.always(b"HTTP/1.0 200 OK\r\nX-A: 1\r\n\r\nok");
    let gateway = Gateway::to(&[upstream]).await;
    let mut client = gateway.client().await;
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n").await;
        let answer = client.response().await;
        assert!(answer.head.starts_with("HTTP/1.1 200 OK\r\n"), "{}", answer.head);
        assert_eq!(answer.text(), "ok");
    }
}

#[tokio::test]
async fn a_length_without_a_body_stays_and_nothing_hangs() {
    let table = [
        ("HEAD", "200 OK\r\nContent-Length: 1234", "200", Some("1234")),
        ("HEAD", "200 OK\r\nTransfer-Encoding: chunked", "200", None),
        ("GET", "304 Not Modified\r\nContent-Length: 1234", "304", Some("1234")),
        ("GET", "304 Not Modified\r\nETag: \"a\"", "304", None),
        ("GET", "204 No Content", "204", None),
        ("GET", "204 No Content\r\nContent-Length: 0", "204", None),
        ("GET", "200 OK\r\nContent-Length: 0", "200", Some("0")),
    ];
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let (mut client, mut endpoint) = (gateway.client().await, None);
    for (method, head, status, length) in table {
        client.send(format!("{method} / HTTP/1.1\r\nHost: shop.example\r\n\r\n")).await;
        if endpoint.is_none() {
            endpoint = Some(upstream.accept().await);
        }
        let endpoint = endpoint.as_mut().unwrap();
        endpoint.head().await;
        endpoint.send(format!("HTTP/1.1 {head}\r\n\r\n")).await;
        let answer = Message { head: client.head().await, body: Vec::new(), trailers: String::new() };
        assert_eq!(answer.head[9..12], *status);
        assert_eq!(answer.field("content-length").as_deref(), length, "{method} {head}");
    }
}

#[tokio::test]
async fn requests_that_reach_nobody() {
    let table = [
        (400, "GET / HTTP/1.1\r\n\r\n"),
        (400, "GET http://shop.example/ HTTP/1.1\r\n\r\n"),
        (400, "GET http://shop.example/ HTTP/1.1\r\nHost: a b\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: shop.example\r\nHost: shop.example\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: shop.example/a\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: user@shop.example\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: shop.example:99999\r\n\r\n"),
        (400, "GET /%00 HTTP/1.1\r\nHost: shop.example\r\n\r\n"),
        (400, "GET /../a HTTP/1.1\r\nHost: shop.example\r\n\r\n"),
        (400, "GET /a%zz HTTP/1.1\r\nHost: shop.example\r\n\r\n"),
        (400, "GET * HTTP/1.1\r\nHost: shop.example\r\n\r\n"),
        (400, "GET shop.example:80 HTTP/1.1\r\nHost: shop.example\r\n\r\n"),
        (400, "GET ftp://shop.example/ HTTP/1.1\r\nHost: shop.example\r\n\r\n"),
        (404, "OPTIONS * HTTP/1.1\r\nHost: shop.example\r\n\r\n"),
        (404, "GET / HTTP/1.1\r\nHost: other.example\r\n\r\n"),
        (404, "GET / HTTP/1.0\r\n\r\n"),
        (405, "CONNECT shop.example:80 HTTP/1.1\r\nHost: shop.example:80\r\n\r\n"),
        (503, "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"),
    ];
    let gateway = Gateway::to(&[]).await;
    for (status, request) in table {
        let mut client = gateway.client().await;
        client.send(request).await;
        let answer = client.response().await;
        assert_eq!(answer.status(), status, "{request:?}");
        // What follows a request that cannot be taken for what it says is not served.
        let close = matches!(status, 400 | 405).then_some("close");
        if request.contains("HTTP/1.1") {
            assert_eq!(answer.field("connection").as_deref(), close, "{request:?}");
        }
        let allow = (status == 405).then_some("GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS");
        assert_eq!(answer.field("allow").as_deref(), allow, "{request:?}");
    }
}

#[tokio::test]
async fn a_refusal_ends_no_http2_connection() {
    let gateway = Gateway::to(&[]).await;
    let mut client = http2_client(gateway.addr).await;
    for target in ["/a%zz", "/%00", "/../a"] {
        let request = Request::get(format!("http://{HOST}{target}")).body(empty()).unwrap();
        let answer = within("the answer", client.send_request(request)).await.unwrap();
        assert_eq!(answer.status(), 400, "{target}");
        assert!(!answer.headers().contains_key("connection"), "{target}");
    }
}

/// An answer of the gateway's own to HEAD once had content, which HTTP/2 takes for a fault of the stream.
#[tokio::test]
async fn answers_of_its_own_to_head_have_no_content() {
    let gateway = Gateway::to(&[]).await;
    let mut client = http2_client(gateway.addr).await;
    for (host, status) in [(HOST, 503), ("other.example", 404)] {
        let request = http::Request::head(format!("http://{host}/")).body(empty()).unwrap();
        let answer = within("answer", client.send_request(request)).await.unwrap();
        assert_eq!(answer.status(), status);
        assert!(answer.headers()["content-length"].to_str().is_ok_and(|length| length != "0"));
        let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
        assert_eq!(body.len(), 0);
        let mut peer = gateway.client().await;
        peer.send(format!("HEAD / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await;
        let rest = peer.rest().await;
        assert!(rest.starts_with(format!("HTTP/1.1 {status}").as_bytes()) && rest.ends_with(b"\r\n\r\n"));
    }
}
