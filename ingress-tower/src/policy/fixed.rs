//! `maintenance` and `answer`: answers that no endpoint is asked for.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use ingress_core::{MediaType, Policy};

use super::{Call, Treated};
use crate::error::Kind;
use crate::proxy::upgrade;
use crate::respond::{Shape, respond};
use crate::{Body, Error};

/// What is made of the texts of a policy once.
#[derive(Debug)]
pub(super) struct Contents {
    maintenance: Option<Content>,
    retry_after: Option<HeaderValue>,
    answer: Option<(StatusCode, Option<Content>)>,
}

/// A body, and what it is.
#[derive(Debug)]
struct Content {
    content_type: HeaderValue,
    body: Bytes,
}

/// The answer while the service is being worked on.
pub(super) fn maintenance<C>(call: &Call<C>, request: &Request<Body>) -> Option<Response<Body>> {
    let maintenance = &call.treated.maintenance;
    let is_exempt = || {
        let exempt = maintenance.exempt.as_ref();
        exempt.is_some_and(|exempt| call.client.is_some_and(|client| exempt.contains(client)))
    };
    if maintenance.on != Some(true) || is_exempt() {
        return None;
    }
    let contents = &call.treated.prepared.fixed;
    let mut error = Error::new(Kind::Maintenance);
    if let Some(after) = &contents.retry_after {
        error = error.with_field(RETRY_AFTER, after.clone());
    }
    let shape = Shape::of(request.method(), request.headers());
    let mut answer = respond(error.of_backend(call.matched.backend.reference(), None), shape);
    if let (Some(content), Shape::Http | Shape::Head) = (&contents.maintenance, shape) {
        content.put(request.method(), &mut answer);
    }
    Some(answer)
}

/// The answer that is always the same. A client that wants to leave HTTP on a stream would take any success for consent.
pub(super) fn answer(treated: &Treated, request: &Request<Body>) -> Result<Option<Response<Body>>, Error> {
    let Some((status, content)) = &treated.prepared.fixed.answer else { return Ok(None) };
    if status.is_success() && upgrade::is_for_stream(request.extensions()) {
        return Err(Error::new(Kind::Tunnel));
    }
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = *status;
    if let Some(content) = content {
        content.put(request.method(), &mut answer);
    }
    Ok(Some(answer))
}

// ===== impl Contents =====

impl Contents {
    pub(super) fn new(policy: &Policy) -> Self {
        let maintenance = &policy.maintenance;
        let kind = maintenance.content_type.clone().unwrap_or_default();
        let seconds = maintenance
            .retry_after
            .map(|after| after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0)));
        Self {
            maintenance: maintenance.body.as_deref().and_then(|body| Content::new(&kind, body)),
            retry_after: seconds.map(HeaderValue::from),
            answer: policy.answer.as_ref().and_then(|answer| {
                let content = Content::new(answer.content_type(), answer.body());
                // Those say nothing of a length (RFC 9110 section 8.6).
                let content = content.filter(|_| !matches!(answer.status(), 204 | 304));
                Some((StatusCode::from_u16(answer.status()).ok()?, content))
            }),
        }
    }
}

// ===== impl Content =====

impl Content {
    fn new(content_type: &MediaType, body: &str) -> Option<Self> {
        let content_type = HeaderValue::from_str(content_type.as_str()).ok()?;
        Some(Self { content_type, body: Bytes::copy_from_slice(body.as_bytes()) })
    }

    /// Answers with it; to HEAD with its length alone.
    fn put(&self, method: &Method, answer: &mut Response<Body>) {
        let headers = answer.headers_mut();
        headers.insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        if self.body.is_empty() {
            headers.remove(CONTENT_TYPE);
        } else {
            headers.insert(CONTENT_TYPE, self.content_type.clone());
        }
        let is_head = method == Method::HEAD;
        *answer.body_mut() = if is_head { Body::empty() } else { Body::from(self.body.clone()) };
    }
}
