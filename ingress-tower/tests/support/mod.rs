//! A gateway on a loopback socket, peers that speak bytes on both of its sides, and an echo upstream.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test uses what it needs")]

mod asked;
pub mod external;
mod moody;
mod peer;

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ingress_core::{BackendRef, Endpoint, PathMatch, RouteTable, Rule, TableReader};
use ingress_tower::server::{Drained, Server};
use ingress_tower::{HttpClient, IngressLayer, IngressService};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

#[allow(unused_imports, reason = "each test uses what it needs")]
pub use asked::{Answer, Asked, Seen, request, send, send_both};
#[allow(unused_imports, reason = "each test uses what it needs")]
pub use moody::{Mood, Moody};
#[allow(unused_imports, reason = "each test uses what it needs")]
pub use peer::{Message, Peer, Upstream, refusing};

/// The longest that anything may take in a test that does not say otherwise.
pub const WAIT: Duration = Duration::from_secs(10);

pub const HOST: &str = "shop.example";

/// Waits, but not for ever.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(WAIT, future).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

// ===== the gateway =====

pub struct Gateway {
    pub addr: SocketAddr,
    pub stop: oneshot::Sender<()>,
    pub done: JoinHandle<Drained>,
}

/// A table with one route, host [`HOST`] and every path, to these endpoints.
pub fn table(endpoints: &[SocketAddr]) -> TableReader {
    weighted_table(endpoints.iter().map(|&addr| Endpoint::new(addr)))
}

pub fn weighted_table(endpoints: impl IntoIterator<Item = Endpoint>) -> TableReader {
    let backend: BackendRef = "default/shop:80".parse().unwrap();
    let mut rules = RouteTable::builder();
    rules.rule(Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend.clone()));
    rules.endpoints(backend, endpoints);
    ingress_core::table(rules.build().0).0
}

impl Gateway {
    /// A gateway with one route to these endpoints and default settings.
    pub async fn to(endpoints: &[SocketAddr]) -> Self {
        Self::start(Server::new(), IngressService::new(table(endpoints))).await
    }

    /// The same with another client.
    pub async fn with_client(endpoints: &[SocketAddr], client: HttpClient) -> Self {
        let service = IngressLayer::with_client(table(endpoints), client).into_service();
        Self::start(Server::new(), service).await
    }

    pub async fn start<S, B>(server: Server, service: S) -> Self
    where
        S: tower_service::Service<Request<Incoming>, Response = Response<B>, Future: Send>
            + Clone
            + Send
            + 'static,
        S::Error: Into<ingress_tower::BoxError>,
        B: http_body::Body<Data = Bytes, Error: Into<ingress_tower::BoxError>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async move { drop(stopped.await) };
        let done = tokio::spawn(async move { server.serve(listener, service, until).await });
        Self { addr, stop, done }
    }

    pub async fn client(&self) -> Peer {
        Peer::connect(self.addr).await
    }

    /// Sends one request on a connection of its own and returns the status of the answer.
    pub async fn status(&self, request: &str) -> u16 {
        let mut client = self.client().await;
        client.send(request).await;
        client.response().await.status()
    }
}

// ===== hyper =====

/// An upstream that answers with what it was sent.
pub struct Echo {
    pub addr: SocketAddr,
    pub connections: Arc<AtomicUsize>,
}

impl Echo {
    /// Streams the body back; `x-upstream` is `name`.
    pub async fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                let service = hyper::service::service_fn(move |request: Request<Incoming>| async move {
                    let mut response = Response::new(request.into_body());
                    response.headers_mut().insert("x-upstream", name.parse().unwrap());
                    Ok::<_, Infallible>(response)
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .max_headers(200)
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self { addr, connections }
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

pub type TestBody = BoxBody<Bytes, ingress_tower::BoxError>;

pub fn full(bytes: impl Into<Bytes>) -> TestBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

pub fn empty() -> TestBody {
    Empty::new().map_err(|never| match never {}).boxed()
}

/// An HTTP/2 client with prior knowledge.
pub async fn http2_client(addr: SocketAddr) -> http2::SendRequest<TestBody> {
    let stream = within("connect", TcpStream::connect(addr)).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}
