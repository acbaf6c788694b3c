//! gRPC calls of all four shapes, between a client and a server that others wrote.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "support/plain.rs"]
mod plain;
mod support;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::uri::PathAndQuery;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ingress_core::{Endpoint, Protocol};
use ingress_tower::IngressService;
use ingress_tower::server::Server;
use plain::Plain;
use support::*;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tonic::transport::{Channel, Endpoint as Origin};
use tonic::{Code, Request, Response, Status, Streaming};

// ===== the endpoint =====

type Messages = std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// Answers a call with what it was told, once for each message where it may.
async fn call(
    request: http::Request<Incoming>,
    cancelled: Arc<Notify>,
) -> Result<http::Response<tonic::body::Body>, Infallible> {
    let mut server = tonic::server::Grpc::new(Plain);
    let path = request.uri().path().to_owned();
    Ok(match path.as_str() {
        "/test.Echo/Unary" => {
            let service = tower::service_fn(|request: Request<Bytes>| async move {
                let mut response = Response::new(request.get_ref().clone());
                if let Some(value) = request.metadata().get("x-asked") {
                    response.metadata_mut().insert("x-answered", value.clone());
                }
                Ok::<_, Status>(response)
            });
            server.unary(service, request).await
        }
        "/test.Echo/Fail" => {
            let fail =
                |_: Request<Bytes>| async { Err::<Response<Bytes>, _>(Status::new(Code::DataLoss, "gone")) };
            server.unary(tower::service_fn(fail), request).await
        }
        "/test.Echo/Client" => {
            let service = tower::service_fn(|request: Request<Streaming<Bytes>>| async move {
                let messages = request.into_inner().map(Result::unwrap).collect::<Vec<_>>().await;
                Ok::<_, Status>(Response::new(Bytes::from(messages.concat())))
            });
            server.client_streaming(service, request).await
        }
        "/test.Echo/Server" => {
            let service = tower::service_fn(|request: Request<Bytes>| async move {
                let message = request.into_inner();
                let thrice: Messages = Box::pin(stream::iter((0..3).map(move |_| Ok(message.clone()))));
                Ok::<_, Status>(Response::new(thrice))
            });
            server.server_streaming(service, request).await
        }
        "/test.Echo/Both" => {
            let service = tower::service_fn(|request: Request<Streaming<Bytes>>| async move {
                let messages: Messages = Box::pin(request.into_inner());
                Ok::<_, Status>(Response::new(messages))
            });
            server.streaming(service, request).await
        }
        "/test.Echo/Never" => {
            let service = tower::service_fn(move |_: Request<Bytes>| {
                let told = Told(cancelled.clone());
                async move {
                    std::future::pending::<()>().await;
                    drop(told);
                    Ok::<_, Status>(Response::new(Bytes::new()))
                }
            });
            server.unary(service, request).await
        }
        path => panic!("nobody calls {path}"),
    })
}

/// Tells that a call is given up.
struct Told(Arc<Notify>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// An endpoint that speaks nothing but HTTP/2. The notice comes when a call of `Never` is given up.
async fn endpoint() -> (SocketAddr, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let cancelled = Arc::new(Notify::new());
    let notice = cancelled.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let cancelled = cancelled.clone();
            let service = hyper::service::service_fn(move |request| call(request, cancelled.clone()));
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
        }
    });
    (addr, notice)
}

async fn gateway(endpoint: SocketAddr) -> Gateway {
    let endpoint = Endpoint::new(endpoint).with_protocol(Protocol::H2c);
    Gateway::start(Server::new(), IngressService::new(weighted_table([endpoint]))).await
}

async fn client(gateway: &Gateway) -> tonic::client::Grpc<Channel> {
    let origin = Origin::from_shared(format!("http://{}", gateway.addr)).unwrap();
    let origin = origin.origin(format!("http://{HOST}").parse().unwrap());
    let mut client = tonic::client::Grpc::new(within("connect", origin.connect()).await.unwrap());
    client.ready().await.unwrap();
    client
}

fn path(method: &'static str) -> PathAndQuery {
    format!("/test.Echo/{method}").parse().unwrap()
}

// ===== tests =====

#[tokio::test]
async fn all_four_shapes_pass() {
    let (endpoint, _) = endpoint().await;
    let gateway = gateway(endpoint).await;
    let mut client = client(&gateway).await;
    let words = || stream::iter(["a", "b", "c"].map(Bytes::from));

    let mut request = Request::new(Bytes::from("hello"));
    request.metadata_mut().insert("x-asked", "yes".parse().unwrap());
    let response = within("unary", client.unary(request, path("Unary"), Plain)).await.unwrap();
    assert_eq!(response.metadata().get("x-answered").unwrap(), "yes");
    assert_eq!(response.get_ref(), "hello");

    client.ready().await.unwrap();
    let answer = client.client_streaming(Request::new(words()), path("Client"), Plain);
    assert_eq!(within("client streaming", answer).await.unwrap().into_inner(), "abc");

    client.ready().await.unwrap();
    let answer = client.server_streaming(Request::new(Bytes::from("x")), path("Server"), Plain);
    let answer = within("server streaming", answer).await.unwrap().into_inner();
    assert_eq!(answer.map(Result::unwrap).collect::<Vec<_>>().await, ["x"; 3]);

    // The next word is said when the last one has come back.
    client.ready().await.unwrap();
    let (say, said) = tokio::sync::mpsc::unbounded_channel::<Bytes>();
    let said = stream::unfold(said, |mut said| async { Some((said.recv().await?, said)) });
    let answer = client.streaming(Request::new(said), path("Both"), Plain);
    say.send("0".into()).unwrap();
    let mut answer = within("both ways", answer).await.unwrap().into_inner();
    for number in 0..3 {
        let heard = within("an echo", answer.next()).await.unwrap().unwrap();
        assert_eq!(heard, number.to_string());
        say.send((number + 1).to_string().into()).unwrap();
    }
    drop(say);
    assert_eq!(answer.next().await.unwrap().unwrap(), "3");
    assert!(answer.next().await.is_none());
}

#[tokio::test]
async fn the_status_of_a_call_is_the_endpoints() {
    let (endpoint, _) = endpoint().await;
    let gateway = gateway(endpoint).await;
    let answer = client(&gateway).await.unary(Request::new(Bytes::new()), path("Fail"), Plain).await;
    let status = answer.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::DataLoss, "gone"));
}

#[tokio::test]
async fn errors_of_the_gateway_are_calls_that_failed() {
    let dead = gateway(refusing()).await;
    let answer = client(&dead).await.unary(Request::new(Bytes::new()), path("Unary"), Plain).await;
    let status = answer.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "no connection to the backend could be made")
    );
    let empty = Gateway::start(Server::new(), IngressService::new(weighted_table([]))).await;
    let answer = client(&empty).await.unary(Request::new(Bytes::new()), path("Unary"), Plain).await;
    assert_eq!(answer.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_call_that_is_given_up_is_given_up_at_the_endpoint() {
    let (endpoint, cancelled) = endpoint().await;
    let gateway = gateway(endpoint).await;
    let mut client = client(&gateway).await;
    let mut request = Request::new(Bytes::new());
    request.set_timeout(Duration::from_millis(200));
    let answer = client.unary(request, path("Never"), Plain);
    let status = within("the deadline", answer).await.unwrap_err();
    assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled), "{status:?}");
    within("the end at the endpoint", cancelled.notified()).await;
}
