//! What is known of one request, and the line that is made of it.

use std::borrow::Cow;
use std::fmt::Display;
use std::net::IpAddr;
use std::time::{Instant, SystemTime};

use axum::http::header::HOST;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body as _;
use humantime::Rfc3339Timestamp;
use ingress_core::{BackendRef, ChoiceRecord};
use ingress_tower::{Body, Chosen, Error};
use serde::{Serialize, Serializer};

use super::lines::Lines;

/// The most bytes of a host or a path that a line has. Longer ones are of clients that try what happens.
const MAX_TEXT: usize = 2048;

/// A request, whose line is written when this is dropped.
#[derive(Debug)]
pub(super) struct Entry {
    lines: Lines,
    time: SystemTime,
    began: Instant,
    client: Option<IpAddr>,
    method: Method,
    host: Option<HeaderValue>,
    uri: Uri,
    version: Version,
    status: Option<StatusCode>,
    bytes: u64,
    chosen: Option<Chosen>,
    error: Option<Error>,
    end: End,
}

/// How far the answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// The endpoint broke off in the middle of its answer.
    Failed,
    Done,
}

#[derive(Debug, Serialize)]
struct Line<'e> {
    time: Shown<Rfc3339Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
    method: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<Cow<'e, str>>,
    path: &'e str,
    protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    bytes: u64,
    duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<Shown<&'e BackendRef>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    algorithm: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    choice: Option<ChoiceRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// As it is displayed.
#[derive(Debug)]
struct Shown<T>(T);

// ===== impl Entry =====

impl Entry {
    pub(super) fn new<B>(request: &Request<B>, client: Option<IpAddr>, lines: Lines) -> Self {
        Self {
            lines,
            time: SystemTime::now(),
            began: Instant::now(),
            client: client.map(|client| client.to_canonical()),
            method: request.method().clone(),
            host: request.headers().get(HOST).cloned(),
            uri: request.uri().clone(),
            version: request.version(),
            status: None,
            bytes: 0,
            chosen: None,
            error: None,
            end: End::Open,
        }
    }

    /// Takes in the head of the answer. Returns whether no body follows.
    pub(super) fn answered(&mut self, response: &mut Response<Body>) -> bool {
        let status = response.status();
        self.status = Some(status);
        self.chosen = response.extensions_mut().remove();
        self.error = response.extensions().get().cloned();
        let bodiless = status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || self.method == Method::HEAD
            || response.body().is_end_stream();
        if bodiless {
            self.end = End::Done;
        }
        bodiless
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub(super) fn ended(&mut self) {
        if self.end == End::Open {
            self.end = End::Done;
        }
    }

    pub(super) fn failed(&mut self) {
        self.end = End::Failed;
    }

    fn line(&self) -> Line<'_> {
        let (chosen, error) = (self.chosen.as_ref(), self.error.as_ref());
        let host = self.host.as_ref().map(|host| String::from_utf8_lossy(host.as_bytes()));
        let host = host.or_else(|| self.uri.authority().map(|authority| authority.as_str().into()));
        let backend = chosen.map(Chosen::backend).or_else(|| error?.backend());
        let endpoint = chosen.map(Chosen::endpoint).or_else(|| error?.endpoint());
        let broken_off = match self.end {
            End::Done => None,
            End::Open => Some("aborted"),
            End::Failed => Some("answer_failed"),
        };
        Line {
            time: Shown(humantime::format_rfc3339_millis(self.time)),
            client: self.client,
            method: self.method.as_str(),
            host: host.map(cut),
            path: short(self.uri.path()),
            protocol: protocol(self.version),
            status: self.status.map(|status| status.as_u16()),
            bytes: self.bytes,
            duration_ms: self.began.elapsed().as_micros() as f64 / 1000.0,
            request_id: chosen.and_then(Chosen::request_id).and_then(|id| id.to_str().ok()),
            generation: chosen.map(Chosen::generation),
            backend: backend.map(Shown),
            endpoint: endpoint.map(|endpoint| endpoint.as_str()),
            algorithm: chosen.map(Chosen::algorithm),
            choice: chosen.map(Chosen::choice),
            attempts: chosen.map(Chosen::attempts),
            reason: error.map(Error::reason).or(broken_off),
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Ok(mut line) = serde_json::to_vec(&self.line()) {
            line.push(b'\n');
            self.lines.write(line);
        }
    }
}

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

// ===== helpers =====

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}

/// The beginning of a text, whole characters of it.
fn short(text: &str) -> &str {
    let end = (0..=MAX_TEXT.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

fn cut(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => short(text).into(),
        Cow::Owned(text) => short(&text).to_owned().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_a_limit() {
        let long = "ä".repeat(MAX_TEXT);
        assert_eq!(short(&long).len(), MAX_TEXT);
        assert_eq!(short(&format!("a{long}")).len(), MAX_TEXT - 1);
        assert_eq!(short("/cart"), "/cart");
        assert_eq!(cut(long.into()).len(), MAX_TEXT);
    }

    #[test]
    fn a_line_is_one_line_whatever_clients_send() {
        let request =
            Request::get("/a%0Ab?secret=1").header(HOST, HeaderValue::from_bytes(b"a\"\xff\tb").unwrap());
        let (lines, received) = Lines::unwritten();
        drop(Entry::new(&request.body(()).unwrap(), Some("::ffff:192.0.2.1".parse().unwrap()), lines));
        let line = String::from_utf8(received.recv().unwrap()).unwrap();
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1, "{line}");
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["host"], "a\"\u{fffd}\tb");
        assert_eq!(line["client"], "192.0.2.1");
        assert_eq!((&line["path"], &line["reason"]), (&"/a%0Ab".into(), &"aborted".into()));
        assert!(line.get("status").is_none() && line.get("choice").is_none(), "{line}");
    }
}
