//! A server that answers as a test says, and clients that ask in both versions.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use ingress_core::{BackendRef, Endpoint, PathMatch, Policy, RouteTable, Rule};
use ingress_tower::{IngressLayer, IngressService};
use tokio::net::{TcpListener, TcpStream};

use super::{Gateway, HOST, TestBody, empty, http2_client, within};

/// An HTTP/1.1 server.
pub(crate) struct Scripted {
    pub(crate) addr: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Scripted {
    pub(crate) async fn start(
        answer: impl Fn(Request<Incoming>) -> Response<TestBody> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (addr, requests) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
        let (count, answer) = (requests.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let (count, answer) = (count.clone(), answer.clone());
                let service = hyper::service::service_fn(move |request| {
                    count.fetch_add(1, SeqCst);
                    let answer = answer(request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self { addr, requests }
    }

    /// The number of requests that came so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(SeqCst)
    }
}

pub(crate) fn policy(write: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = Policy::default();
    write(&mut policy);
    policy
}

/// A gateway with routes to one server, each with its policy.
pub(crate) fn service(
    server: SocketAddr,
    rules: impl IntoIterator<Item = (PathMatch, Policy)>,
) -> IngressService {
    let mut builder = RouteTable::builder();
    let backend: BackendRef = "default/shop:80".parse().unwrap();
    for (path, policy) in rules {
        let rule = Rule::new(HOST.parse().unwrap(), path, backend.clone());
        builder.rule(rule.with_policy(policy));
    }
    builder.endpoints(backend, [Endpoint::new(server)]);
    let reader = ingress_core::table(builder.build().0).0;
    IngressLayer::new(reader).trusted_proxies("127.0.0.0/8".parse().unwrap()).into_service()
}

/// The same with one route for all paths.
pub(crate) fn all(server: SocketAddr, policy: Policy) -> IngressService {
    service(server, [(PathMatch::prefix("/").unwrap(), policy)])
}

/// The answer to a request as it came, with all of its body.
pub(crate) async fn whole(answer: Response<Incoming>) -> Response<Bytes> {
    let (parts, body) = answer.into_parts();
    Response::from_parts(parts, within("body", body.collect()).await.unwrap().to_bytes())
}

/// An answer whose body is still to come.
pub(crate) async fn ask(
    gateway: &Gateway,
    version: Version,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Response<Incoming> {
    let mut request = Request::builder().method(method).body(empty()).unwrap();
    *request.headers_mut() = headers.clone();
    if version == Version::HTTP_2 {
        *request.uri_mut() = format!("http://{HOST}{path}").parse().unwrap();
        let mut client = http2_client(gateway.addr).await;
        return within("answer", client.send_request(request)).await.unwrap();
    }
    *request.uri_mut() = path.parse().unwrap();
    request.headers_mut().insert("host", HOST.parse().unwrap());
    let stream = within("connect", TcpStream::connect(gateway.addr)).await.unwrap();
    let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    within("answer", client.send_request(request)).await.unwrap()
}

/// The answers over HTTP/1.1 and HTTP/2.
pub(crate) async fn ask_both(
    service: &IngressService,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> [Response<Bytes>; 2] {
    let gateway = Gateway::start(Default::default(), service.clone()).await;
    let field = |(name, value): &(&str, &str)| (name.parse().unwrap(), value.parse().unwrap());
    let headers: HeaderMap = headers.iter().map(field).collect();
    let first = whole(ask(&gateway, Version::HTTP_11, &method, path, &headers).await).await;
    let second = whole(ask(&gateway, Version::HTTP_2, &method, path, &headers).await).await;
    assert_eq!(first.status(), second.status(), "{method} {path} {headers:?}");
    [first, second]
}

/// All values of a field, with commas between them; `-` where there is none.
pub(crate) fn field<B>(answer: &Response<B>, name: &str) -> String {
    let values: Vec<_> =
        answer.headers().get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect();
    if values.is_empty() { "-".into() } else { values.join(", ") }
}
