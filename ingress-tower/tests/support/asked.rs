//! A server that answers as a test says and remembers what it was asked, and clients that ask in both versions.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{HOST, TestBody, http2_client, within};

/// A request that came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    pub target: String,
    pub headers: HeaderMap,
    /// Nothing, where it broke off.
    pub body: Option<Bytes>,
}

impl Seen {
    /// The value of a field, if there is exactly one.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        value.to_str().ok()
    }
}

/// Answers requests, once their bodies are there.
pub struct Asked {
    pub addr: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    count: watch::Receiver<usize>,
}

impl Asked {
    pub async fn start(answer: impl Fn(&Seen) -> Response<TestBody> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let (counter, count) = watch::channel(0);
        let (all, answer) = (seen.clone(), Arc::new((answer, counter)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let (all, answer) = (all.clone(), answer.clone());
                let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                    let (all, answer) = (all.clone(), answer.clone());
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await.ok().map(|body| body.to_bytes());
                        let target = parts.uri.to_string();
                        let seen = Seen { method: parts.method, target, headers: parts.headers, body };
                        let response = answer.0(&seen);
                        all.lock().unwrap().push(seen);
                        answer.1.send_modify(|count| *count += 1);
                        Ok::<_, Infallible>(response)
                    }
                });
                let connection = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                tokio::spawn(async move {
                    drop(connection.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { addr, seen, count }
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().unwrap().clone()
    }

    /// The request of this number, from 0, once it has come.
    pub async fn nth(&self, number: usize) -> Seen {
        let mut count = self.count.clone();
        within("request", count.wait_for(|count| *count > number)).await.unwrap();
        self.seen.lock().unwrap()[number].clone()
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A request to [`HOST`] for a target, with these fields.
pub fn request(method: &str, target: &str, fields: &[(&str, &str)], body: TestBody) -> Request<TestBody> {
    let mut request = Request::builder().method(method).uri(format!("http://{HOST}{target}"));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

/// Sends a request on a connection of its own.
pub async fn send(addr: SocketAddr, version: Version, mut request: Request<TestBody>) -> Answer {
    let response = match version {
        Version::HTTP_2 => within("answer", http2_client(addr).await.send_request(request)).await,
        _ => {
            let stream = within("connect", TcpStream::connect(addr)).await.unwrap();
            let io = TokioIo::new(stream);
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            request.headers_mut().insert("host", HOST.parse().unwrap());
            *request.uri_mut() = request.uri().path_and_query().unwrap().as_str().parse().unwrap();
            within("answer", sender.send_request(request)).await
        }
    };
    let (parts, body) = response.unwrap().into_parts();
    let body = within("body", body.collect()).await.unwrap().to_bytes();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// Sends the same over both versions.
pub async fn send_both(addr: SocketAddr, request: impl Fn() -> Request<TestBody>) -> [Answer; 2] {
    [send(addr, Version::HTTP_11, request()).await, send(addr, Version::HTTP_2, request()).await]
}
