//! `compression`: answers that are compressed for clients that can read it.
//!
//! What is compressed is decided here, and an answer that is not stays as it came; the layer picks the coding and does the
//! work. The level is each coding's fastest: a proxy waits for nobody, and what more effort saves is little.

use std::future::{Future, ready};
use std::pin::Pin;

use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, VARY,
};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use ingress_core::{Coding, Compression};
use tower_http::compression::{CompressionLayer, CompressionLevel};

use super::next::through;
use crate::Body;
use crate::proxy::headers::lists;

/// What says what the bytes of an answer are, which would then be others (RFC 9530, RFC 3230, RFC 1864).
static DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

type Always = fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool;

/// What is made of the value once.
#[derive(Debug)]
pub(super) struct Layer {
    value: Compression,
    layer: CompressionLayer<Always>,
}

/// What of a request counts for its answer.
struct Asked {
    /// The codings that the client can read.
    accepted: HeaderMap,
    is_head: bool,
    /// What the client has already.
    known: Option<HeaderValue>,
}

impl Layer {
    /// Nothing where nothing is compressed.
    pub(super) fn new(value: &Compression) -> Option<Self> {
        let codings = value.codings.as_deref().filter(|codings| !codings.is_empty())?;
        let always: Always = |_, _, _, _| true;
        let layer = CompressionLayer::new()
            .gzip(codings.contains(&Coding::Gzip))
            .br(codings.contains(&Coding::Brotli))
            .quality(CompressionLevel::Fastest)
            .compress_when(always);
        Some(Self { value: value.clone(), layer })
    }

    /// Sends a request on, and compresses its answer.
    pub(super) async fn around(
        &self,
        request: Request<Body>,
        rest: impl FnOnce(Request<Body>) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> + Send + 'static,
    ) -> Response<Body> {
        let asked = Asked::of(&request);
        let mut answer = rest(request).await;
        let Some(asked) = asked else { return answer };
        if answer.status() == StatusCode::NOT_MODIFIED {
            asked.recognise(answer.headers_mut());
            return answer;
        }
        if !self.takes(&answer, asked.is_head) {
            return answer;
        }
        self.code(asked, answer).await
    }

    /// Whether the answer is compressed for clients that can read it.
    fn takes(&self, answer: &Response<Body>, is_head: bool) -> bool {
        let (status, headers) = (answer.status(), answer.headers());
        let has_whole_content = !status.is_informational()
            && !matches!(
                status,
                StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT
            );
        let is_plain = |name: &HeaderName| !headers.contains_key(name);
        if !has_whole_content
            || ![CONTENT_ENCODING, CONTENT_RANGE].iter().chain(&DIGESTS).all(is_plain)
            || lists(headers, &CACHE_CONTROL, b"no-transform")
        {
            return false;
        }
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !content_type.is_some_and(|content_type| self.value.takes(content_type)) {
            return false;
        }
        let said = || headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let size = if is_head { said() } else { answer.body().size_hint().exact().or_else(said) };
        size.is_none_or(|size| size >= self.value.min_size.unwrap_or(Compression::MIN_SIZE).max(1))
    }

    async fn code(&self, asked: Asked, mut answer: Response<Body>) -> Response<Body> {
        if asked.accepted.is_empty() {
            vary(answer.headers_mut());
            return answer;
        }
        let status = answer.status();
        let mut seen = Request::new(Body::empty());
        *seen.headers_mut() = asked.accepted;
        let mut answer = through(&self.layer, seen, move |_| Box::pin(ready(answer))).await;
        // Whoever wants neither a coding nor none gets the answer all the same (RFC 9110 section 12.5.3): the endpoint has
        // acted on the request.
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        vary(headers);
        if headers.contains_key(CONTENT_ENCODING) {
            if let Some(weak) = headers.get(ETAG).and_then(weakened) {
                headers.insert(ETAG, weak);
            }
            if asked.is_head {
                *answer.body_mut() = Body::empty();
                answer.body_mut().silence();
            }
        }
        answer
    }
}

impl Asked {
    /// Nothing where the client wants the answer as the endpoint makes it (RFC 9111 section 5.2.1.6).
    fn of(request: &Request<Body>) -> Option<Self> {
        let headers = request.headers();
        if lists(headers, &CACHE_CONTROL, b"no-transform") {
            return None;
        }
        let accepted = headers.get_all(ACCEPT_ENCODING).iter().map(|value| (ACCEPT_ENCODING, value.clone()));
        let mut known = headers.get_all(IF_NONE_MATCH).iter();
        let known = known.next().filter(|_| known.next().is_none()).cloned();
        Some(Self { accepted: accepted.collect(), is_head: request.method() == Method::HEAD, known })
    }

    /// Says of an answer without content what was said of the one that the client has: if that was compressed, its tag was
    /// weakened.
    fn recognise(&self, headers: &mut HeaderMap) {
        let Some(weak) = headers.get(ETAG).and_then(weakened) else { return };
        let mut known = self.known.iter().flat_map(|known| known.as_bytes().split(|byte| *byte == b','));
        if known.any(|tag| tag.trim_ascii() == weak.as_bytes()) {
            headers.insert(ETAG, weak);
            vary(headers);
        }
    }
}

/// The weak tag for a strong one: the bytes are no more those that it is for (RFC 9110 section 8.8.1).
fn weakened(tag: &HeaderValue) -> Option<HeaderValue> {
    let tag = tag.as_bytes();
    if tag.starts_with(b"W/") {
        return None;
    }
    HeaderValue::from_bytes(&[b"W/", tag].concat()).ok()
}

fn vary(headers: &mut HeaderMap) {
    if !lists(headers, &VARY, b"accept-encoding") && !lists(headers, &VARY, b"*") {
        headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
}
