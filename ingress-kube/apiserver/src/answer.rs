//! Answers before they become HTTP.

use std::io;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde_json::Value;

use crate::failure::Failure;

/// The body: one item for a single object, an item a line for a watch.
pub(crate) type Lines = BoxStream<'static, io::Result<Bytes>>;

pub(crate) type Body = StreamBody<BoxStream<'static, io::Result<Frame<Bytes>>>>;

pub(crate) struct Answer {
    pub(crate) code: u16,
    content_type: &'static str,
    retry_after: Option<u64>,
    pub(crate) lines: Lines,
}

impl Answer {
    fn new(code: u16, content_type: &'static str, lines: Lines) -> Self {
        Self { code, content_type, retry_after: None, lines }
    }

    pub(crate) fn json(code: u16, body: &Value) -> Self {
        let line = line(body);
        Self::new(code, "application/json", stream::once(async { Ok(line) }).boxed())
    }

    pub(crate) fn text(code: u16, text: &'static str) -> Self {
        let line = Bytes::from_static(text.as_bytes());
        Self::new(code, "text/plain; charset=utf-8", stream::once(async { Ok(line) }).boxed())
    }

    pub(crate) fn watch(lines: Lines) -> Self {
        Self::new(200, "application/json", lines)
    }

    pub(crate) fn failure(failure: &Failure) -> Self {
        Self { retry_after: failure.retry_after, ..Self::json(failure.code, &failure.status()) }
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(StreamBody::new(self.lines.map_ok(Frame::data).boxed()));
        *response.status_mut() = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// An object as one line.
pub(crate) fn line(object: &Value) -> Bytes {
    Bytes::from(format!("{object}\n"))
}
