//! An upstream that keeps the heads of the requests that reach it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test uses what it needs")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::support::TestBody;

/// An HTTP/1.1 server that streams the body back.
pub struct Seen {
    pub addr: SocketAddr,
    heads: Arc<Mutex<Vec<Parts>>>,
}

impl Seen {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let heads: Arc<Mutex<Vec<Parts>>> = Arc::default();
        let kept = heads.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let kept = kept.clone();
                let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                    let (parts, body) = request.into_parts();
                    kept.lock().unwrap().push(parts);
                    let body: TestBody = body.map_err(Into::into).boxed();
                    async { Ok::<_, Infallible>(Response::new(body)) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self { addr, heads }
    }

    /// The heads of the requests that came since this was last asked.
    pub fn take(&self) -> Vec<Parts> {
        std::mem::take(&mut *self.heads.lock().unwrap())
    }

    /// The one value that the only request had in a field.
    pub fn only(&self, name: &str) -> Option<Bytes> {
        let heads = self.take();
        assert_eq!(heads.len(), 1, "one request");
        let values: Vec<_> = heads[0].headers.get_all(name).iter().collect();
        assert!(values.len() <= 1, "{name}: {values:?}");
        values.first().map(|value| Bytes::copy_from_slice(value.as_bytes()))
    }
}
