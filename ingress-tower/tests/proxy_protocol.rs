//! Load balancers that pass bytes on, and say first from whom they are.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use ingress_tower::IngressService;
use ingress_tower::server::Server;
use support::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
const VERSION1: &str = "PROXY TCP4 192.0.2.7 198.51.100.1 4096 443\r\n";
const VERSION2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\x10\0\x01\xbb";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

async fn gateway(endpoint: SocketAddr, set: impl FnOnce(Server) -> Server) -> Gateway {
    let server = set(Server::new().proxy_protocol("127.0.0.0/8".parse().unwrap()));
    Gateway::start(server, IngressService::new(table(&[endpoint]))).await
}

#[tokio::test]
async fn the_endpoint_is_told_what_the_load_balancer_said() {
    let upstream = Upstream::bind().await;
    let gateway = gateway(upstream.addr, |server| server).await;
    for (header, client, port) in [
        (VERSION1.as_bytes(), "192.0.2.7", "443".to_owned()),
        (VERSION2, "192.0.2.7", "443".to_owned()),
        (LOCAL, "127.0.0.1", gateway.addr.port().to_string()),
    ] {
        let mut balancer = gateway.client().await;
        balancer.send([header, GET.as_bytes()].concat()).await;
        let mut endpoint = upstream.accept().await;
        let seen = endpoint.message().await;
        assert_eq!(seen.field("x-forwarded-for").as_deref(), Some(client));
        assert_eq!(seen.field("x-real-ip").as_deref(), Some(client));
        assert_eq!(seen.field("x-forwarded-port"), Some(port));
    }
}

#[tokio::test]
async fn who_should_say_it_and_does_not_is_not_served() {
    let upstream = Upstream::bind().await;
    let gateway = gateway(upstream.addr, |server| server.header_timeout(Duration::from_millis(200))).await;
    for bytes in [GET.as_bytes(), b"PROXY TCP4 1 2 3 4\r\n", &VERSION2[..20], b""] {
        let mut balancer = gateway.client().await;
        balancer.send(bytes).await;
        assert!(balancer.rest().await.is_empty());
    }
    assert!(upstream.nobody().await);
}

#[tokio::test]
async fn from_all_others_it_is_no_http() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    for header in [VERSION1.as_bytes(), VERSION2] {
        let mut client = gateway.client().await;
        client.send([header, GET.as_bytes()].concat()).await;
        assert_eq!(client.response().await.status(), 400);
    }
    assert!(upstream.nobody().await);
}

#[tokio::test]
async fn the_limit_for_each_client_is_for_those_behind_the_load_balancer() {
    let echo = Echo::start("a").await;
    let gateway = gateway(echo.addr, |server| server.max_connections_per_client(1)).await;
    let (mut one, mut again, mut other) =
        (gateway.client().await, gateway.client().await, gateway.client().await);
    one.send([VERSION1, GET].concat()).await;
    assert_eq!(one.response().await.status(), 200);
    again.send([VERSION1, GET].concat()).await;
    assert_eq!(again.response().await.status(), 503);
    other.send([&VERSION1.replace("192.0.2.7", "192.0.2.8"), GET].concat()).await;
    assert_eq!(other.response().await.status(), 200);
}
