//! `error_pages`: what clients see in place of errors.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_LANGUAGE, ACCEPT_RANGES, AGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY, CONTENT_TYPE, ETAG, EXPIRES, HOST,
    LAST_MODIFIED, TRAILER,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use ingress_core::{Backend, BackendRef, ErrorPages};
use tokio::sync::OwnedSemaphorePermit;

use super::{Call, Treated, aside};
use crate::bounds::{Client, UpstreamBody};
use crate::layer::Shared;
use crate::proxy::headers;
use crate::respond::Shape;
use crate::{Body, BodyError};

/// How long whoever has the pages may take to begin one.
const MAX_TIME: Duration = Duration::from_secs(5);

/// Pages that are asked for or on their way from one backend. In place of one more there is the text, or the answer itself.
pub(super) const MAX_PAGES: usize = 64;

const X_CODE: HeaderName = HeaderName::from_static("x-code");
const X_FORMAT: HeaderName = HeaderName::from_static("x-format");
const X_NAMESPACE: HeaderName = HeaderName::from_static("x-namespace");
const X_ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
const X_SERVICE_NAME: HeaderName = HeaderName::from_static("x-service-name");
const X_SERVICE_PORT: HeaderName = HeaderName::from_static("x-service-port");

/// What a page says of itself.
const OF_PAGE: [HeaderName; 3] = [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE];

/// What is needed to replace the answer of one request.
pub(super) struct Pages<C> {
    treated: Arc<Treated>,
    shape: Shape,
    asked: Option<Asked<C>>,
}

/// What a backend is told that has pages, but for the status.
struct Asked<C> {
    shared: Arc<Shared<C>>,
    others: Vec<Arc<Backend>>,
    headers: HeaderMap,
}

/// A page that takes room of its backend until it is sent.
struct Counted {
    body: Body,
    _room: OwnedSemaphorePermit,
}

/// The pages for the answer of a request, if its policy has any.
pub(super) fn of<C>(call: &Call<C>, request: &Request<Body>) -> Option<Pages<C>> {
    let pages = &call.treated.error_pages;
    if pages.statuses.is_empty() || (pages.backend.is_none() && pages.body.is_none()) {
        return None;
    }
    let shape = Shape::of(request.method(), request.headers());
    if shape == Shape::Grpc {
        return None;
    }
    let asked = pages.backend.as_ref().map(|backend| Asked::new(call, request, backend));
    Some(Pages { treated: call.treated.clone(), shape, asked })
}

impl<C> Pages<C> {
    /// The answer, or a page in its place.
    pub(super) async fn replace<B>(self, answer: Response<Body>) -> Response<Body>
    where
        C: Client<B>,
        B: UpstreamBody,
    {
        let Self { treated, shape, asked } = self;
        let (pages, status) = (&treated.error_pages, answer.status());
        if !pages.is_for_status(status.as_u16()) {
            return answer;
        }
        let room = treated.prepared.pages.as_ref().and_then(|pages| pages.clone().try_acquire_owned().ok());
        let page = match (asked, &pages.backend, room) {
            (Some(asked), Some(backend), Some(room)) => {
                let page = Box::pin(asked.ask(backend, status)).await;
                page.map(|page| page.map(|body| Body::new(Counted { body, _room: room })))
            }
            _ => None,
        };
        let Some(page) = page.or_else(|| own_page(pages)) else { return answer };
        let (mut parts, body) = answer.into_parts();
        aside::discard(body);
        remove_entity(&mut parts.headers);
        let (of_page, body) = page.into_parts();
        headers::copy_fields(&of_page.headers, &mut parts.headers, &OF_PAGE);
        let stated = of_page.headers.get(CONTENT_LENGTH).cloned();
        if let Some(length) = stated.or_else(|| body.size_hint().exact().map(HeaderValue::from)) {
            parts.headers.insert(CONTENT_LENGTH, length);
        }
        match shape {
            Shape::Head => {
                aside::discard(body);
                Response::from_parts(parts, Body::empty())
            }
            _ => Response::from_parts(parts, body),
        }
    }
}

/// The text of the policy.
fn own_page(pages: &ErrorPages) -> Option<Response<Body>> {
    let body = pages.body.as_deref()?;
    let mut page = Response::new(Body::from(Bytes::copy_from_slice(body.as_bytes())));
    let content_type =
        pages.content_type.as_ref().map_or(ErrorPages::CONTENT_TYPE, |content| content.as_str());
    if let Ok(content_type) = HeaderValue::from_str(content_type) {
        page.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    Some(page)
}

/// Takes out what is about the content that is replaced (RFC 9110 section 8). What is about the refusal stays, such as
/// `Retry-After` and `WWW-Authenticate`.
fn remove_entity(headers: &mut HeaderMap) {
    let stays = [CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY];
    let is_entity = |name: &&HeaderName| {
        let known = [ACCEPT_RANGES, AGE, ETAG, EXPIRES, LAST_MODIFIED, TRAILER];
        known.contains(name)
            || ["digest", "repr-digest"].contains(&name.as_str())
            || (name.as_str().starts_with("content-") && !stays.contains(name))
    };
    while let Some(name) = headers.keys().find(is_entity).cloned() {
        headers.remove(name);
    }
}

impl<C> Asked<C> {
    fn new(call: &Call<C>, request: &Request<Body>, backend: &BackendRef) -> Self {
        let mut headers = HeaderMap::with_capacity(20);
        headers::copy_fields(request.headers(), &mut headers, &[ACCEPT, ACCEPT_LANGUAGE]);
        headers::copy_origin(request.headers(), &mut headers);
        let mut tell = |name: HeaderName, value: Option<HeaderValue>| {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        };
        tell(HOST, request.headers().get(HOST).cloned());
        tell(X_FORMAT, request.headers().get(ACCEPT).cloned());
        tell(X_ORIGINAL_URI, HeaderValue::from_str(call.facts(request).path.as_str()).ok());
        if let BackendRef::Service(service) = call.matched.backend.reference() {
            let text = |text: &str| HeaderValue::from_str(text).ok();
            tell(X_NAMESPACE, text(&service.namespace));
            tell(X_SERVICE_NAME, text(&service.name));
            tell(X_SERVICE_PORT, text(&service.port.to_string()));
        }
        let others = call.matched.others.iter().filter(|other| other.reference() == backend).cloned();
        Self { shared: call.shared.clone(), others: others.collect(), headers }
    }

    /// The page for a status, if there is one. Some give it with the status that it stands for.
    async fn ask<B>(self, backend: &BackendRef, status: StatusCode) -> Option<Response<Body>>
    where
        C: Client<B>,
        B: UpstreamBody,
    {
        let mut request = Request::new(Body::empty());
        *request.headers_mut() = self.headers;
        request.headers_mut().insert(X_CODE, HeaderValue::from(status.as_u16()));
        let path = PathAndQuery::from_static("/");
        let page = aside::ask_backend::<C, B>(&self.shared, &self.others, backend, path, request);
        let page = tokio::time::timeout(MAX_TIME, page).await.ok()?.ok()?;
        (page.status().is_success() || page.status() == status).then_some(page)
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
