//! Endpoints that are asked by the gRPC health checking protocol, or over TLS.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "support/checked.rs"]
mod checked;
#[path = "support/pki.rs"]
mod pki;
#[path = "support/plain.rs"]
mod plain;
mod support;

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use checked::{Checked, policy, until};
use futures_util::stream;
use http::{HeaderMap, Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ingress_core::{Endpoint, HealthProtocol, Policy, Protocol, RouteTable};
use ingress_tower::server::Server;
use ingress_tower::tls::{Tls, trust};
use plain::Plain;
use support::*;
use tokio::net::TcpListener;
use tonic::{Code, Status};

/// How often each service was asked about.
type Counts = Arc<Mutex<HashMap<String, usize>>>;

fn count(counts: &Counts, service: &str) -> usize {
    counts.lock().unwrap().get(service).copied().unwrap_or_default()
}

fn note(counts: &Counts, service: &str) {
    *counts.lock().unwrap().entry(service.to_owned()).or_default() += 1;
}

fn grpc(service: &str) -> Policy {
    policy(|check| (check.protocol, check.service) = (Some(HealthProtocol::Grpc), Some(service.into())))
}

// ===== a server that others wrote =====

/// The service that a `HealthCheckRequest` names.
fn service_of(message: &[u8]) -> &str {
    let [0x0a, length, name @ ..] = message else { return "" };
    assert_eq!(usize::from(*length), name.len());
    std::str::from_utf8(name).unwrap()
}

/// Serves the protocol with tonic: the server is serving, `cart` is not, and no other service is known.
async fn tonic_server() -> (SocketAddr, Counts) {
    let counts = Counts::default();
    let noted = counts.clone();
    let answer = move |request: Request<Incoming>| {
        assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
        assert_eq!(request.uri().authority().unwrap(), "service.default");
        assert_eq!(request.headers()["te"], "trailers");
        assert_eq!(request.headers()["user-agent"], "ingress-gateway (health check)");
        let noted = noted.clone();
        let check = move |request: tonic::Request<Bytes>| {
            let service = service_of(request.get_ref()).to_owned();
            note(&noted, &service);
            async move {
                match &*service {
                    "" => Ok(tonic::Response::new(Bytes::from_static(&[0x08, 1]))),
                    "cart" => Ok(tonic::Response::new(Bytes::from_static(&[0x08, 2]))),
                    _ => Err(Status::new(Code::NotFound, "unknown service")),
                }
            }
        };
        async move {
            Ok::<_, Infallible>(
                tonic::server::Grpc::new(Plain).unary(tower::service_fn(check), request).await,
            )
        }
    };
    (serve_http2(hyper::service::service_fn(answer)).await, counts)
}

async fn serve_http2<S, B>(service: S) -> SocketAddr
where
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<ingress_tower::BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service.clone()));
        }
    });
    addr
}

// ===== answers that no server should give =====

/// An answer with these fields, bytes and trailers.
fn answer(status: u16, head: &[(&str, &str)], bytes: &[u8], trailers: Option<&str>) -> Response<TestBody> {
    let mut frames = vec![Ok(Frame::data(Bytes::copy_from_slice(bytes)))];
    if let Some(status) = trailers {
        frames.push(Ok(Frame::trailers(HeaderMap::from_iter([(
            "grpc-status".parse().unwrap(),
            status.parse().unwrap(),
        )]))));
    }
    let mut response = Response::builder().status(status);
    for (name, value) in head {
        response = response.header(*name, *value);
    }
    response.body(BodyExt::boxed(StreamBody::new(stream::iter(frames)))).unwrap()
}

/// What is answered to a question about a service, and whether that is well.
fn answers(service: &str) -> (Response<TestBody>, bool) {
    let serving = [0, 0, 0, 0, 2, 0x08, 1];
    let ok = Some("0");
    match service {
        "sound" => (answer(200, &[], &serving, ok), true),
        "in_the_head" => (answer(200, &[("grpc-status", "0")], &serving, None), true),
        "failed_at_once" => (answer(200, &[("grpc-status", "12")], &[], None), false),
        "failed" => (answer(200, &[], &serving, Some("14")), false),
        "no_number" => (answer(200, &[], &serving, Some("ok")), false),
        "no_status" => (answer(200, &[], &serving, None), false),
        "no_grpc" => (answer(200, &[("content-type", "text/html")], b"<html>", None), false),
        "status_503" => (answer(503, &[("grpc-status", "0")], &serving, ok), false),
        "nothing" => (answer(200, &[], &[], ok), false),
        "unknown" => (answer(200, &[], &[0; 5], ok), false),
        "cut" => (answer(200, &[], &serving[..6], ok), false),
        "compressed" => (answer(200, &[], &[1, 0, 0, 0, 2, 0x08, 1], ok), false),
        "huge" => {
            let length = u32::try_from(100_000).unwrap().to_be_bytes();
            let bytes = [&[0], &length[..], &[0x08, 1], &[0x10; 99_998]].concat();
            (answer(200, &[], &bytes, ok), false)
        }
        _ => panic!("{service}"),
    }
}

const ANSWERS: [&str; 13] = [
    "sound",
    "in_the_head",
    "failed_at_once",
    "failed",
    "no_number",
    "no_status",
    "no_grpc",
    "status_503",
    "nothing",
    "unknown",
    "cut",
    "compressed",
    "huge",
];

// ===== tests =====

#[tokio::test]
async fn a_server_says_of_each_service_whether_it_is_serving() {
    let (addr, counts) = tonic_server().await;
    let mut table = Checked::new(&["service"]);
    // Over HTTP/2, whatever the endpoint speaks besides.
    for protocol in [Protocol::H2c, Protocol::Http1] {
        for (service, well) in [("", true), ("cart", false), ("pay", false), ("", true)] {
            let before = count(&counts, service);
            table.set("service", [Endpoint::new(addr).with_protocol(protocol)], grpc(service));
            let checks = table.check();
            // The first answer has been taken in when the second question comes.
            until("questions", || count(&counts, service) > before + 2).await;
            assert_eq!(table.unhealthy().is_empty(), well, "{protocol} {service:?}");
            checks.abort();
        }
    }
}

#[tokio::test]
async fn what_is_no_answer_of_grpc_is_a_failure() {
    let counts = Counts::default();
    let noted = counts.clone();
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let noted = noted.clone();
        async move {
            assert_eq!(request.headers()["content-type"], "application/grpc");
            let message = request.into_body().collect().await.unwrap().to_bytes();
            let service = service_of(&message[5..]);
            note(&noted, service);
            Ok::<_, Infallible>(answers(service).0)
        }
    });
    let addr = serve_http2(service).await;
    let mut table = Checked::new(&ANSWERS);
    for service in ANSWERS {
        table.set(service, [Endpoint::new(addr)], grpc(service));
    }
    let _checks = table.check();
    for service in ANSWERS {
        until(service, || count(&counts, service) > 2).await;
        let is_well = !table.unhealthy().contains(&format!("{service} {addr}"));
        assert_eq!(is_well, answers(service).1, "{service}");
    }
}

/// Over TLS, in the version that the endpoint speaks, and with whom the policy trusts.
#[tokio::test]
async fn endpoints_that_speak_tls_are_asked_as_requests_would_be() {
    let authority = pki::Authority::new();
    let mut rules = RouteTable::builder();
    rules.certificate("".parse().unwrap(), authority.issue(&["sound.default.svc"]).load());
    let tls = Tls::new(ingress_core::table(rules.build().0).0);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let counts = Counts::default();
    let noted = counts.clone();
    tokio::spawn(async move {
        let service = tower::service_fn(move |request: Request<Incoming>| {
            note(&noted, &format!("{:?} {}", request.version(), request.uri().path()));
            let is_call = request.version() == Version::HTTP_2 && request.uri().path() != "/healthz";
            let plain = || Response::new(empty());
            let response = if is_call { answers("sound").0 } else { plain() };
            async { Ok::<_, Infallible>(response) }
        });
        Server::new().serve_tls(listener, &tls, service, std::future::pending()).await
    });
    let http = || policy(|check| check.path = Some("/healthz".into()));
    for (protocol, mut policy, asked) in [
        (Protocol::Https, http(), "HTTP/1.1 /healthz"),
        (Protocol::H2, http(), "HTTP/2.0 /healthz"),
        (Protocol::H2, grpc("sound"), "HTTP/2.0 /grpc.health.v1.Health/Check"),
        (Protocol::Https, grpc("sound"), "HTTP/2.0 /grpc.health.v1.Health/Check"),
    ] {
        let before = count(&counts, asked);
        policy.tls.trust = Some(trust(authority.root().as_bytes()).unwrap());
        let mut table = Checked::new(&["sound", "stranger"]);
        // What the policy says is spoken comes before what the endpoint says.
        policy.protocol = Some(protocol);
        table.set("sound", [Endpoint::new(addr)], policy.clone());
        // The certificate is for another name.
        table.set("stranger", [Endpoint::new(addr)], policy);
        let checks = table.check();
        table.until_unhealthy(&[format!("stranger {addr}")]).await;
        until(asked, || count(&counts, asked) > before + 2).await;
        assert_eq!(table.unhealthy(), [format!("stranger {addr}")], "{protocol} {asked}");
        checks.abort();
    }
}
