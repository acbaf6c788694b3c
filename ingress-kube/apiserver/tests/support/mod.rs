//! A client that knows HTTP and JSON, and objects to send.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test uses what it needs")]

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use test_apiserver::{ApiServer, Recorded};
use tokio::net::TcpStream;

/// The longest that anything may take.
pub const WAIT: Duration = Duration::from_secs(10);
/// How long nothing has to happen to be believed.
pub const SILENCE: Duration = Duration::from_millis(200);

pub const INGRESSES: &str = "/apis/networking.k8s.io/v1/ingresses";
pub const SHOP: &str = "/apis/networking.k8s.io/v1/namespaces/shop/ingresses";
pub const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/shop/leases";
pub const APPLY: &str = "application/apply-patch+yaml";
pub const MERGE: &str = "application/merge-patch+json";

/// Waits, but not for ever.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(WAIT, future).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

// ===== requests =====

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null where the body isn't JSON.
    pub body: Value,
    pub text: String,
}

/// The head of an answer.
pub async fn open(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Response<Incoming>, hyper::Error> {
    let stream = within("connect", TcpStream::connect(address)).await.unwrap();
    let (mut sender, connection) = http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", "test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
    sender.send_request(request).await
}

pub async fn send(
    server: &ApiServer,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let answer = within("a head", open(server.address(), method, path, headers, body)).await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = within("a body", answer.into_body().collect()).await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    Answer { status, headers, body: serde_json::from_str(&text).unwrap_or_default(), text }
}

pub async fn get(server: &ApiServer, path: &str) -> Answer {
    send(server, "GET", path, &[], "").await
}

pub async fn post(server: &ApiServer, path: &str, body: &Value) -> Answer {
    send(server, "POST", path, &[("content-type", "application/json")], &body.to_string()).await
}

pub async fn put(server: &ApiServer, path: &str, body: &Value) -> Answer {
    send(server, "PUT", path, &[("content-type", "application/json")], &body.to_string()).await
}

pub async fn patch(server: &ApiServer, content_type: &str, path: &str, body: &Value) -> Answer {
    send(server, "PATCH", path, &[("content-type", content_type)], &body.to_string()).await
}

impl Answer {
    /// Asserts a Status object.
    #[track_caller]
    pub fn is_failure(&self, code: u16, reason: &str) -> &str {
        assert_eq!((self.status, &self.body["reason"]), (code, &json!(reason)), "{}", self.text);
        assert_eq!(self.body["code"], code);
        assert_eq!((&self.body["kind"], &self.body["apiVersion"]), (&json!("Status"), &json!("v1")));
        assert_eq!(self.body["status"], "Failure");
        self.body["message"].as_str().unwrap()
    }

    #[track_caller]
    pub fn is(&self, code: u16) -> &Value {
        assert_eq!(self.status, code, "{}", self.text);
        &self.body
    }

    pub fn names(&self) -> Vec<&str> {
        let items = self.body["items"].as_array().unwrap_or_else(|| panic!("no list: {}", self.text));
        items.iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
    }
}

// ===== watches =====

/// The lines of an open watch.
pub struct Lines {
    pub status: u16,
    body: Incoming,
    buffer: Vec<u8>,
    /// Whether the body ended with an error.
    pub broken: bool,
}

/// Opens a watch; the path has a query already, or none.
pub async fn watch(server: &ApiServer, path: &str) -> Lines {
    watch_as(server, path, "application/json").await
}

pub async fn watch_as(server: &ApiServer, path: &str, accept: &str) -> Lines {
    let separator = if path.contains('?') { '&' } else { '?' };
    let path = format!("{path}{separator}watch=true");
    let headers = [("accept", accept)];
    let head = open(server.address(), "GET", &path, &headers, "");
    let answer = within("the head of a watch", head).await.unwrap();
    Lines { status: answer.status().as_u16(), body: answer.into_body(), buffer: Vec::new(), broken: false }
}

impl Lines {
    async fn fill(&mut self) -> bool {
        match self.body.frame().await {
            Some(Ok(frame)) => {
                self.buffer.extend(frame.into_data().unwrap_or_default());
                true
            }
            Some(Err(_)) => {
                self.broken = true;
                false
            }
            None => false,
        }
    }

    /// The next line, or `None` at the end.
    pub async fn line(&mut self) -> Option<String> {
        let line = async {
            loop {
                if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                    return Some(String::from_utf8(self.buffer.drain(..=end).collect()).unwrap());
                }
                if !self.fill().await {
                    return None;
                }
            }
        };
        within("a line", line).await
    }

    pub async fn event(&mut self) -> Value {
        serde_json::from_str(&self.line().await.expect("an event, not the end")).unwrap()
    }

    /// The next event's type, and the object's name.
    pub async fn told(&mut self) -> (String, String) {
        let event = self.event().await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&event["type"]), text(&event["object"]["metadata"]["name"]))
    }

    pub async fn expect(&mut self, kind: &str, name: &str) {
        assert_eq!(self.told().await, (kind.to_owned(), name.to_owned()));
    }

    /// Asserts the end.
    pub async fn ended(&mut self) {
        assert_eq!(self.line().await, None);
    }

    /// Asserts that nothing comes for a while, not even the end.
    pub async fn silent(&mut self) {
        let more = tokio::time::timeout(SILENCE, self.fill()).await;
        assert!(more.is_err() && self.buffer.is_empty(), "{:?}", String::from_utf8_lossy(&self.buffer));
    }

    /// What came of a line that has no end.
    pub fn rest(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }
}

// ===== objects =====

pub fn ingress(name: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": name}},
        "spec": {"ingressClassName": "ours", "rules": [{"host": format!("{name}.example")}]},
    })
}

pub fn with_host(name: &str, host: &str) -> Value {
    let mut ingress = ingress(name);
    ingress["spec"]["rules"][0]["host"] = host.into();
    ingress
}

pub fn labelled(name: &str, labels: &Value) -> Value {
    let mut ingress = ingress(name);
    ingress["metadata"]["labels"] = labels.clone();
    ingress
}

pub fn secret(name: &str, kind: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "shop"},
        "type": kind,
        "data": {"tls.crt": ""},
    })
}

pub fn lease(name: &str, holder: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"holderIdentity": holder, "renewTime": "2026-01-02T03:04:05.000000Z"},
    })
}

/// Waits for requests.
pub async fn requests(
    server: &ApiServer,
    what: &str,
    wanted: impl FnMut(&[Recorded]) -> bool,
) -> Vec<Recorded> {
    let found = server.wait_for_requests(WAIT, wanted).await;
    found.unwrap_or_else(|others| panic!("waited in vain for {what}: {others:#?}"))
}
