//! The whole data plane inside servers that others wrote: what a route takes is proxied, the rest is the host's own.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::convert::Infallible;
use std::net::SocketAddr;

use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use ingress_core::{PathMatch, RouteTable, Rule};
use ingress_tower::{Body, IngressLayer, ResourceRegistry};
use support::*;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt};

/// What a client gets from this address for a host, in HTTP/1.1 or HTTP/2: status, body and the endpoint's name.
async fn get(addr: SocketAddr, host: &str, http2: bool) -> (u16, String, Option<String>) {
    if !http2 {
        let mut client = Peer::connect(addr).await;
        client.send(format!("POST /own HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\n\r\ntext")).await;
        let answer = client.response().await;
        return (answer.status(), answer.text().to_owned(), answer.field("x-upstream"));
    }
    let mut client = http2_client(addr).await;
    let request = Request::post(format!("http://{host}/own")).body(full("text")).unwrap();
    let answer = within("an answer", client.send_request(request)).await.unwrap();
    let upstream = answer.headers().get("x-upstream").map(|name| name.to_str().unwrap().to_owned());
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap(), upstream)
}

async fn check(addr: SocketAddr, versions: &[bool]) {
    for &http2 in versions {
        let routed = get(addr, HOST, http2).await;
        assert_eq!(routed, (200, "text".into(), Some("a".into())), "http2 {http2}");
        let own = get(addr, "own.example", http2).await;
        assert_eq!(own, (200, "own".into(), None), "http2 {http2}");
    }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

#[tokio::test]
async fn axum_server() {
    let echo = Echo::start("a").await;
    let layer = IngressLayer::new(table(&[echo.addr]));
    let app = axum::Router::new().fallback(|| async { "own" }).layer(layer);
    let (listener, addr) = listener().await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    check(addr, &[false]).await;
}

#[tokio::test]
async fn hyper_server() {
    let echo = Echo::start("a").await;
    let own = tower::service_fn(|_: Request<hyper::body::Incoming>| async {
        Ok::<_, Infallible>(Response::new(Full::new("own".into())))
    });
    let service = IngressLayer::new(table(&[echo.addr])).layer(own);
    let (listener, addr) = listener().await;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
            });
        }
    });
    check(addr, &[false, true]).await;
}

#[tokio::test]
async fn tonic_server() {
    let echo = Echo::start("a").await;
    let layer = IngressLayer::new(table(&[echo.addr]));
    let (listener, addr) = listener().await;
    let incoming = futures_util::stream::unfold(listener, |listener| async {
        Some((listener.accept().await.map(|(stream, _)| stream), listener))
    });
    // What a tonic server of its own has is a router of axum.
    let routes = axum::Router::new().route("/own", axum::routing::post(|| async { "own" }));
    let mut server = tonic::transport::Server::builder().accept_http1(true).layer(layer);
    tokio::spawn(server.add_routes(routes.into()).serve_with_incoming(incoming));
    check(addr, &[false, true]).await;
}

#[test]
fn who_has_no_runtime_gets_answers_and_no_copies() {
    let backend = |name: &str| -> ingress_core::BackendRef { format!("default/{name}:80").parse().unwrap() };
    let mut policy = ingress_core::Policy::default();
    policy.error_pages.statuses = vec![(500, 500)];
    policy.error_pages.body = Some("page".into());
    policy.mirror = Some(ingress_core::Mirror::to(backend("next")));
    let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend("shop"));
    let mut rules = RouteTable::builder();
    rules.rule(rule.with_policy(policy));
    let shop = tower::service_fn(|request: Request<Body>| async {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Ok::<_, Infallible>(Response::builder().status(500).body(Body::from(body)).unwrap())
    });
    let registry = ResourceRegistry::new().with(backend("shop"), shop);
    let layer = IngressLayer::new(ingress_core::table(rules.build().0).0).resources(registry);
    let request = Request::post("/").header("host", HOST).body(Body::from("own words")).unwrap();
    let answer = layer.into_service().oneshot(request).now_or_never().unwrap().unwrap();
    assert_eq!(answer.status(), 500);
    let body = answer.into_body().collect().now_or_never().unwrap().unwrap().to_bytes();
    assert_eq!(body, "page");
}
