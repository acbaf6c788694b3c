//! Requests that ask to leave HTTP for another protocol, such as WebSocket (RFC 9110 section 7.8).
//!
//! An endpoint is asked on a connection that is used for nothing else. Only after its 101 do bytes pass, and then
//! both ways until both sides have ended. What answers otherwise answers as HTTP.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{Extensions, HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use ingress_core::Timeout;

use super::{Timeouts, headers, tunnel};
use crate::connection::Held;
use crate::error::Kind;
use crate::policy::Permit;
use crate::spread::Flight;
use crate::{Body, Error};

/// What is needed of a request once the endpoint agrees.
#[derive(Debug)]
pub(crate) struct Upgrading {
    client: OnUpgrade,
    protocols: HeaderValue,
    held: Option<Held>,
    permit: Option<Permit>,
    idle_timeout: Option<Timeout>,
    /// The client asked by extended CONNECT.
    extended: bool,
}

/// Two connections that have left HTTP.
#[derive(Debug)]
pub(super) struct Tunnel {
    client: OnUpgrade,
    endpoint: OnUpgrade,
    held: Option<Held>,
    permit: Option<Permit>,
    idle_timeout: Option<Timeout>,
}

/// Whether this is a WebSocket of HTTP/2 (RFC 8441): a CONNECT that names the protocol which is to be spoken on its
/// stream. Endpoints are asked for it in HTTP/1.1, so it is a GET for all that follows.
pub(crate) fn is_extended(method: &Method, extensions: &Extensions) -> bool {
    let named = || extensions.get::<Protocol>().is_some_and(|protocol| protocol.as_str() == "websocket");
    method == Method::CONNECT && named()
}

/// Whether a request that was prepared was a CONNECT of HTTP/2: its client takes any success for consent.
pub(crate) fn is_for_stream(extensions: &Extensions) -> bool {
    extensions.get::<Protocol>().is_some()
}

/// What the request asks to change to, where that may be forwarded. A request with a body, or one of another version
/// than HTTP/1.1, is answered as if it did not ask; so is one for `h2c`, which this server speaks without asking
/// (RFC 9113 section 3.1).
pub(crate) fn asked(request: &Request<Body>) -> Option<HeaderValue> {
    if is_extended(request.method(), request.extensions()) {
        return Some(HeaderValue::from_static("websocket"));
    }
    let mut fields = request.headers().get_all(UPGRADE).iter();
    let (protocols, None) = (fields.next()?, fields.next()) else { return None };
    let may = request.version() == Version::HTTP_11
        && request.body().is_end_stream()
        && headers::lists(request.headers(), &CONNECTION, b"upgrade")
        && !headers::lists(request.headers(), &UPGRADE, b"h2c")
        && request.extensions().get::<OnUpgrade>().is_some();
    may.then(|| protocols.clone())
}

/// Asks whoever gets the request.
pub(crate) fn ask(request: &mut Request<Body>, protocols: HeaderValue) {
    if is_extended(request.method(), request.extensions()) {
        *request.method_mut() = Method::GET;
        request.headers_mut().insert(SEC_WEBSOCKET_KEY, key());
    }
    name(request.headers_mut(), protocols);
}

fn name(headers: &mut HeaderMap, protocols: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocols);
}

/// 16 random bytes in base64 (RFC 6455 section 4.1), which clients of HTTP/2 do not send.
fn key() -> HeaderValue {
    let bytes = fastrand::u128(..).to_ne_bytes();
    HeaderValue::try_from(STANDARD.encode(bytes)).expect("base64 is visible ASCII")
}

impl Upgrading {
    /// Of a request that asks.
    pub(crate) fn take(request: &mut Request<Body>) -> Option<Self> {
        let protocols = request.headers().get(UPGRADE)?.clone();
        let client = request.extensions_mut().remove()?;
        let held = request.extensions_mut().remove();
        let permit = request.extensions_mut().remove();
        let extended = request.extensions_mut().remove::<Protocol>().is_some();
        let idle_timeout = request.extensions().get::<Timeouts>().and_then(|timeouts| timeouts.idle);
        Some(Self { client, protocols, held, permit, idle_timeout, extended })
    }

    /// Whether this answer must not reach the client, which would take any success for consent.
    pub(super) fn is_mistaken_by(&self, status: StatusCode) -> bool {
        self.extended && status.is_success()
    }

    /// Joins both sides after the endpoint's 101, if it changes to a protocol that was asked for.
    pub(super) fn accept<B>(self, mut response: Response<B>) -> Result<(Response<Body>, Tunnel), Error> {
        let mut chosen = response.headers().get_all(UPGRADE).iter();
        let protocol = match (chosen.next(), chosen.next()) {
            (Some(one), None) if is_listed(&self.protocols, one) => one.clone(),
            _ => {
                return Err(Error::with_source(
                    Kind::Upstream,
                    "a change to a protocol that was not asked for",
                ));
            }
        };
        let endpoint = response.extensions_mut().remove::<OnUpgrade>();
        let endpoint =
            endpoint.ok_or_else(|| Error::with_source(Kind::Upstream, "nothing follows its 101"))?;
        headers::clean_response(&mut response);
        if self.extended {
            *response.status_mut() = StatusCode::OK;
            response.headers_mut().remove(SEC_WEBSOCKET_ACCEPT);
        } else {
            name(response.headers_mut(), protocol);
        }
        let Self { client, held, permit, idle_timeout, .. } = self;
        Ok((response.map(|_| Body::empty()), Tunnel { client, endpoint, held, permit, idle_timeout }))
    }
}

impl Tunnel {
    /// Passes bytes from now on. The endpoint works on the request for as long as it does, and the client has it open.
    pub(super) fn dig(self, flight: Flight) {
        let Self { client, endpoint, held, permit, idle_timeout } = self;
        tokio::spawn(async move {
            tunnel::run(client, endpoint, held, idle_timeout).await;
            drop((flight, permit));
        });
    }
}

/// Names of protocols differ in case for some (RFC 9110 section 7.8), and are not told apart by it here.
fn is_listed(protocols: &HeaderValue, one: &HeaderValue) -> bool {
    let mut protocols = protocols.as_bytes().split(|&byte| byte == b',');
    protocols.any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(one.as_bytes().trim_ascii()))
}
