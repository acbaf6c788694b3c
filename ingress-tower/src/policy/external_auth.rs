//! `authentication.external`: a service that says who may pass.

use std::hash::{Hash, Hasher};

use bytes::Bytes;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, LOCATION, SET_COOKIE, UPGRADE, WWW_AUTHENTICATE,
};
use http::response::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use ingress_core::{AuthMethod, ExternalAuth, ExternalAuthOptions, SignIn};

use super::authentication::Verdict;
use super::rewrite::{Facts, is_unreserved, push_escaped, unusable};
use super::{Call, aside};
use crate::bounds::{Client, UpstreamBody};
use crate::error::Kind;
use crate::proxy::headers::{self, CREDENTIALS};
use crate::respond::Shape;
use crate::{Body, Error};

/// What the client is told of a refusal has so many bytes at most.
const MAX_REFUSAL: usize = 64 * 1024;

const X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const X_FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const X_ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const X_ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// What a client is told of a refusal; `Cache-Control` is the gateway's.
const OF_REFUSAL: [HeaderName; 5] = [CONTENT_ENCODING, CONTENT_TYPE, LOCATION, SET_COOKIE, WWW_AUTHENTICATE];

/// What the service is shown of a request.
#[derive(Clone)]
struct Question {
    method: Method,
    path: PathAndQuery,
    headers: HeaderMap,
}

/// A question to a service: two are the same if nothing but the request's id differs.
struct Asked<'q>(&'q ExternalAuth, &'q Question);

/// What the service said of a request, and what is kept of the request for it.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// What the client said that only the service may say.
    withheld: HeaderMap,
    /// What the request is given.
    granted: HeaderMap,
    /// Cookies for the client, besides those of its answer.
    pub(super) cookies: Vec<HeaderValue>,
}

impl Said {
    /// Takes out of a request what only the service may say, but for what is still needed to prove something.
    pub(super) fn withhold(&mut self, needed: &ExternalAuth, headers: &mut HeaderMap) {
        let names = needed.options.response_fields.iter().flatten();
        let names = names.filter(|name| headers::is_about_content(name) && !CREDENTIALS.contains(name));
        headers::copy_fields(headers, &mut self.withheld, names.clone());
        names.for_each(|name| headers::remove_with_twins(headers, name));
    }

    /// Puts into a request that may pass what the service said; nobody else has a word in it.
    pub(super) fn write(&mut self, needed: &ExternalAuth, headers: &mut HeaderMap) {
        for name in needed.options.response_fields.iter().flatten() {
            if CREDENTIALS.contains(name) || self.granted.contains_key(name) {
                headers.remove(name);
            }
        }
        headers.extend(std::mem::take(&mut self.granted));
    }
}

/// Whether the service lets the request pass.
pub(super) async fn check<C, B>(needed: &ExternalAuth, call: &mut Call<C>, request: &Request<Body>) -> Verdict
where
    C: Client<B>,
    B: UpstreamBody,
{
    let question = match Question::of(needed, &call.said.withheld, &call.facts(request)) {
        Ok(question) => question,
        Err(error) => return Verdict::Refused(error),
    };
    let verdicts = &call.shared.state.verdicts;
    let cache = needed.options.cache.map(|time| (verdicts.key(&Asked(needed, &question)), time));
    if let Some(fields) = cache.and_then(|(key, _)| verdicts.get(key)) {
        call.said.granted = fields;
        return Verdict::Proved;
    }
    let limit = needed.options.timeout.unwrap_or(ExternalAuthOptions::TIMEOUT);
    // What it needs is allocated where it is needed, not with every request.
    let answer = tokio::time::timeout(limit, Box::pin(ask(needed, call, question))).await;
    let (parts, body) = match answer {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Verdict::Refused(Error::with_source(Kind::AuthFailed, error)),
        Err(late) => return Verdict::Refused(Error::with_source(Kind::AuthFailed, late)),
    };
    if !parts.status.is_success() {
        return refusal(needed, &call.facts(request), parts, body);
    }
    let mut fields = HeaderMap::new();
    headers::copy_fields(&parts.headers, &mut fields, needed.options.response_fields.iter().flatten());
    headers::hide(&mut fields, &CREDENTIALS);
    let passes_on = needed.options.cookies == Some(true);
    let cookies: Vec<_> = parts.headers.get_all(SET_COOKIE).iter().filter(|_| passes_on).cloned().collect();
    if let Some((key, time)) = cache {
        // A cookie is for one client, once.
        if cookies.is_empty() && !headers::lists(&parts.headers, &CACHE_CONTROL, b"no-store") {
            call.shared.state.verdicts.insert(key, &fields, time);
        }
    }
    (call.said.granted, call.said.cookies) = (fields, cookies);
    Verdict::Proved
}

/// The head of the service's answer, and the body of a refusal. Where it breaks off, it is asked once more.
async fn ask<C, B>(needed: &ExternalAuth, call: &Call<C>, question: Question) -> Result<(Parts, Bytes), Error>
where
    C: Client<B>,
    B: UpstreamBody,
{
    let again = question.method.is_safe().then(|| question.clone());
    let answer = match (put::<C, B>(needed, call, question).await, again) {
        // As servers do that are about to end. Nothing comes of asking twice.
        (Err(error), Some(question)) if error.kind() == Kind::Upstream => {
            put::<C, B>(needed, call, question).await?
        }
        (answer, _) => answer?,
    };
    let (mut parts, body) = answer.into_parts();
    match parts.status.as_u16() {
        200..=299 => {
            aside::discard(body);
            Ok((parts, Bytes::new()))
        }
        // 304 would be about a copy that the client has of something else.
        300..=303 | 305..=499 => match Limited::new(body, MAX_REFUSAL).collect().await {
            Ok(body) => Ok((parts, body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => {
                parts.headers.remove(CONTENT_TYPE);
                parts.headers.remove(CONTENT_ENCODING);
                Ok((parts, Bytes::new()))
            }
            Err(error) => Err(Error::with_source(Kind::Upstream, error)),
        },
        status => Err(Error::with_source(Kind::Upstream, format!("it answered with status {status}"))),
    }
}

async fn put<C, B>(needed: &ExternalAuth, call: &Call<C>, question: Question) -> Result<Response<Body>, Error>
where
    C: Client<B>,
    B: UpstreamBody,
{
    let Question { method, path, headers } = question;
    let mut request = Request::new(Body::empty());
    (*request.method_mut(), *request.headers_mut()) = (method, headers);
    aside::ask::<C, B>(&call.shared, &call.matched.others, &needed.callee.to, path, request).await
}

/// What the client is told instead of an answer.
fn refusal(needed: &ExternalAuth, facts: &Facts<'_>, parts: Parts, body: Bytes) -> Verdict {
    let shape = Shape::of(facts.request.method(), facts.request.headers());
    if shape == Shape::Grpc {
        let kind = match parts.status {
            StatusCode::UNAUTHORIZED => Kind::Unauthorized,
            _ => Kind::Forbidden,
        };
        return Verdict::Refused(Error::new(kind));
    }
    let mut answer = Response::new(Body::empty());
    let mut status = parts.status;
    headers::copy_fields(&parts.headers, answer.headers_mut(), &OF_REFUSAL);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let page = needed.options.sign_in.as_ref();
    let page = page.filter(|_| status == StatusCode::UNAUTHORIZED && shows_pages(facts.request));
    match page.map(|page| place(page, facts)).transpose() {
        Ok(Some(Some(place))) => {
            status = StatusCode::FOUND;
            let headers = answer.headers_mut();
            for name in [CONTENT_ENCODING, CONTENT_TYPE, WWW_AUTHENTICATE] {
                headers.remove(name);
            }
            headers.insert(LOCATION, place);
        }
        Ok(_) if shape == Shape::Http => *answer.body_mut() = body.into(),
        Ok(_) => {}
        Err(error) => return Verdict::Refused(error),
    }
    *answer.status_mut() = status;
    Verdict::Answer(Box::new(answer))
}

/// Whether whoever asks shows pages to somebody: it asks for a page, and not for a part of one or by a script.
fn shows_pages(request: &Request<Body>) -> bool {
    let headers = request.headers();
    let accepts = headers.get_all(ACCEPT).iter();
    let mut accepts = accepts.filter_map(|accept| accept.to_str().ok()).flat_map(|accept| accept.split(','));
    let is_page = |range: &str| {
        let range = range.split(';').next().unwrap_or_default().trim();
        range.eq_ignore_ascii_case("text/html") || range.eq_ignore_ascii_case("application/xhtml+xml")
    };
    let navigates = headers.get(SEC_FETCH_MODE).is_none_or(|mode| mode == "navigate");
    let by_script = headers::lists(headers, &X_REQUESTED_WITH, b"XMLHttpRequest");
    accepts.any(is_page) && navigates && !by_script && !headers.contains_key(UPGRADE)
}

/// Where to sign in; nowhere, if that is what was asked for.
fn place(page: &SignIn, facts: &Facts<'_>) -> Result<Option<HeaderValue>, Error> {
    let (scheme, host) = match page.origin() {
        Some((scheme, host)) => (scheme, facts.host_of(host)?),
        None => (facts.scheme(), facts.authority().to_owned()),
    };
    if host.is_empty() {
        return Err(unusable("the request has no host to which its client could be sent"));
    }
    let target = facts.target_alone(page.path())?;
    let is_here = scheme == facts.scheme() && host.eq_ignore_ascii_case(facts.authority());
    if is_here && target.path() == facts.path.path() {
        return Ok(None);
    }
    let mut text = format!("{scheme}://{host}{target}");
    if let Some(name) = page.parameter() {
        text.push(if target.query().is_some() { '&' } else { '?' });
        text.push_str(name);
        text.push('=');
        push_escaped(&mut text, &facts.url(), is_unreserved);
    }
    HeaderValue::try_from(text).map(Some).map_err(unusable)
}

// ===== impl Question, Asked =====

impl Question {
    fn of(needed: &ExternalAuth, withheld: &HeaderMap, facts: &Facts<'_>) -> Result<Self, Error> {
        let options = &needed.options;
        let path = facts.target_alone(&needed.callee.path)?;
        let (request, mut headers) = (facts.request, HeaderMap::with_capacity(24));
        for shown in [request.headers(), withheld] {
            match &options.request_fields {
                Some(names) => headers::copy_fields(shown, &mut headers, names),
                None => headers::copy_fields(shown, &mut headers, &ExternalAuthOptions::REQUEST_FIELDS),
            }
        }
        headers::copy_origin(request.headers(), &mut headers);
        let method = HeaderValue::try_from(request.method().as_str()).map_err(unusable)?;
        let target = HeaderValue::try_from(facts.path.as_str()).map_err(unusable)?;
        headers.insert(X_ORIGINAL_URL, HeaderValue::try_from(facts.url()).map_err(unusable)?);
        headers.insert(X_FORWARDED_URI, target);
        headers.insert(X_ORIGINAL_METHOD, method.clone());
        headers.insert(X_FORWARDED_METHOD, method);
        let method = match &options.method {
            Some(AuthMethod::OfRequest) => request.method().clone(),
            Some(AuthMethod::Always(method)) => method.clone(),
            _ => Method::GET,
        };
        Ok(Self { method, path, headers })
    }
}

impl Hash for Asked<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self(needed, Question { method, path, headers }) = self;
        needed.hash(state);
        method.hash(state);
        path.as_str().hash(state);
        for (name, value) in headers.iter().filter(|(name, _)| *name != headers::X_REQUEST_ID) {
            name.hash(state);
            value.as_bytes().hash(state);
        }
    }
}
