//! Endpoints that speak HTTP/2.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ingress_core::{Endpoint, Protocol};
use ingress_tower::server::Server;
use ingress_tower::{BoxError, IngressService};
use support::*;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// The beginning of an answer that is to be cut has reached its client.
static SEEN: Notify = Notify::const_new();

const GET: &str = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";

struct Http2Endpoint {
    addr: SocketAddr,
    connections: Arc<AtomicUsize>,
}

/// What the endpoint got, a line for each field, and what came as trailers.
async fn describe(request: Request<Incoming>) -> String {
    assert_eq!(request.version(), Version::HTTP_2);
    let mut lines = vec![format!("{} {}", request.method(), request.uri())];
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        format!("{name}: {}", value.to_str().unwrap())
    };
    lines.extend(request.headers().iter().map(line));
    let body = request.into_body().collect().await.unwrap();
    lines.extend(
        body.trailers().into_iter().flatten().map(|(name, value)| format!("trailer {}", line((name, value)))),
    );
    lines.push(String::from_utf8(body.to_bytes().to_vec()).unwrap());
    lines.join("\n")
}

async fn answer(request: Request<Incoming>) -> Result<Response<TestBody>, BoxError> {
    match request.uri().path() {
        "/cut" => {
            let frames = stream::iter([Ok(Frame::data(Bytes::from("some")))]).chain(stream::once(async {
                SEEN.notified().await;
                Err(BoxError::from("cut"))
            }));
            Ok(Response::new(BodyExt::boxed(StreamBody::new(Box::pin(frames)))))
        }
        "/trailers" => {
            let mut trailers = HeaderMap::new();
            trailers.insert("x-sum", "7".parse().unwrap());
            trailers.insert("host", "evil.example".parse().unwrap());
            let frames = [Ok(Frame::data(Bytes::from("some"))), Ok(Frame::trailers(trailers))];
            Ok(Response::new(BodyExt::boxed(StreamBody::new(stream::iter(frames)))))
        }
        _ => Ok(Response::new(full(describe(request).await))),
    }
}

impl Http2Endpoint {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                let service = hyper::service::service_fn(answer);
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { addr, connections }
    }

    async fn gateway(&self) -> Gateway {
        gateway(&[self.addr]).await
    }
}

async fn gateway(endpoints: &[SocketAddr]) -> Gateway {
    let endpoints = endpoints.iter().map(|&addr| Endpoint::new(addr).with_protocol(Protocol::H2c));
    Gateway::start(Server::new(), IngressService::new(weighted_table(endpoints))).await
}

#[tokio::test]
async fn many_requests_share_a_connection() {
    let endpoint = Http2Endpoint::start().await;
    let gateway = endpoint.gateway().await;
    let requests = (0..50).map(|_| gateway.status(GET));
    assert_eq!(within("answers", join_all(requests)).await, [200; 50]);
    assert_eq!(gateway.status(GET).await, 200);
    assert_eq!(endpoint.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn the_host_is_a_part_of_the_target_and_no_field_of_a_connection_is_left() {
    let endpoint = Http2Endpoint::start().await;
    let gateway = endpoint.gateway().await;
    let mut client = gateway.client().await;
    client
        .send(
            "POST /a?b HTTP/1.1\r\nHost: Shop.Example:81\r\nConnection: x-secret, keep-alive\r\nKeep-Alive: 1\r\n\
             X-Secret: 1\r\nTE: trailers, gzip\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        )
        .await;
    let seen = client.response().await;
    let mut lines: Vec<_> = seen.text().lines().collect();
    lines[1..].sort_unstable();
    // Both are of this request alone.
    lines.retain(|line| !line.starts_with("x-request-id: ") && !line.starts_with("x-forwarded-port: "));
    assert_eq!(
        lines,
        [
            "POST http://Shop.Example:81/a?b",
            "abc",
            "te: trailers",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: Shop.Example:81",
            "x-forwarded-proto: http",
            "x-real-ip: 127.0.0.1",
        ]
    );
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let endpoint = Http2Endpoint::start().await;
    let gateway = endpoint.gateway().await;
    let mut client = http2_client(gateway.addr).await;
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sent", "1".parse().unwrap());
    let frames = [Ok(Frame::data(Bytes::from("abc"))), Ok(Frame::trailers(trailers))];
    let body: TestBody = BodyExt::boxed(StreamBody::new(stream::iter(frames)));
    let request = Request::post(format!("http://{HOST}/")).body(body).unwrap();
    let response = within("an answer", client.send_request(request)).await.unwrap();
    let seen = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8(seen.to_vec()).unwrap().contains("trailer x-sent: 1"), "{seen:?}");

    let request = Request::get(format!("http://{HOST}/trailers")).body(empty()).unwrap();
    let response = within("an answer", client.send_request(request)).await.unwrap();
    let body = response.into_body().collect().await.unwrap();
    let trailers = body.trailers().unwrap();
    assert_eq!((trailers.len(), trailers["x-sum"].to_str().unwrap()), (1, "7"));
}

#[tokio::test]
async fn an_answer_that_is_cut_is_seen_to_be() {
    let endpoint = Http2Endpoint::start().await;
    let gateway = endpoint.gateway().await;
    let mut client = gateway.client().await;
    client.send("GET /cut HTTP/1.1\r\nHost: shop.example\r\n\r\n").await;
    client.head().await;
    assert_eq!(client.bytes(7).await, b"4\r\nsome");
    SEEN.notify_one();
    assert_eq!(client.rest().await, b"\r\n", "the last chunk is missing");

    let mut client = http2_client(gateway.addr).await;
    let request = Request::get(format!("http://{HOST}/cut")).body(empty()).unwrap();
    let mut body = within("an answer", client.send_request(request)).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "some");
    SEEN.notify_one();
    assert!(within("the end", body.frame()).await.unwrap().is_err());
    // Other requests on these connections are not concerned.
    let request = Request::get(format!("http://{HOST}/")).body(empty()).unwrap();
    assert_eq!(within("an answer", client.send_request(request)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn where_nobody_listens_the_next_endpoint_is_asked() {
    let endpoint = Http2Endpoint::start().await;
    let gateway = gateway(&[refusing(), endpoint.addr, refusing()]).await;
    let post = "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 3\r\n\r\nabc";
    for _ in 0..6 {
        assert_eq!(gateway.status(post).await, 200);
    }
    let nobody = self::gateway(&[refusing()]).await;
    let statuses = join_all((0..20).map(|_| nobody.status(post)));
    assert_eq!(within("answers", statuses).await, [502; 20]);
}

#[tokio::test]
async fn a_connection_that_ended_is_made_anew() {
    let upstream = Upstream::bind().await;
    let gateway = gateway(&[upstream.addr]).await;
    for _ in 0..3 {
        let mut status = std::pin::pin!(gateway.status(GET));
        let serve = async {
            let stream = tokio::select! {
                peer = upstream.accept() => peer.stream,
                status = &mut status => panic!("{status}"),
            };
            let service = hyper::service::service_fn(answer);
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
            let status = tokio::select! {
                ended = &mut connection => panic!("{ended:?}"),
                status = &mut status => status,
            };
            // GOAWAY, and the end.
            connection.as_mut().graceful_shutdown();
            within("the end", connection).await.unwrap();
            status
        };
        assert_eq!(serve.await, 200);
    }
}
