//! Requests that ask to leave HTTP for another protocol, such as WebSocket (RFC 9110 section 7.8).
//!
//! An endpoint is asked on a connection that is used for nothing else. Only after its 101 do bytes pass, and then
//! both ways until both sides have ended. What answers otherwise answers as HTTP.

use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use http::{Request, Response, Version};
use http_body::Body as _;
use hyper::upgrade::OnUpgrade;
use ingress_core::Timeout;

use super::{Timeouts, headers, tunnel};
use crate::connection::Held;
use crate::error::Kind;
use crate::{Body, Error};

/// What is needed of a request once the endpoint agrees.
#[derive(Debug)]
pub(crate) struct Upgrading {
    client: OnUpgrade,
    protocols: HeaderValue,
    held: Option<Held>,
    idle_timeout: Option<Timeout>,
}

/// What the request asks to change to, where that may be forwarded. A request with a body, or one of another version
/// than HTTP/1.1, is answered as if it did not ask; so is one for `h2c`, which this server speaks without asking
/// (RFC 9113 section 3.1).
pub(crate) fn asked(request: &Request<Body>) -> Option<HeaderValue> {
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
pub(crate) fn ask(headers: &mut HeaderMap, protocols: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocols);
}

impl Upgrading {
    /// Of a request that asks.
    pub(crate) fn take(request: &mut Request<Body>) -> Option<Self> {
        let protocols = request.headers().get(UPGRADE)?.clone();
        let client = request.extensions_mut().remove()?;
        let held = request.extensions_mut().remove();
        let idle_timeout = request.extensions().get::<Timeouts>().and_then(|timeouts| timeouts.idle);
        Some(Self { client, protocols, held, idle_timeout })
    }

    /// Joins both sides after the endpoint's 101, if it changes to a protocol that was asked for.
    pub(super) fn accept<B>(self, mut response: Response<B>) -> Result<Response<Body>, Error> {
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
        ask(response.headers_mut(), protocol);
        tokio::spawn(tunnel::run(self.client, endpoint, self.held, self.idle_timeout));
        Ok(response.map(|_| Body::empty()))
    }
}

/// Names of protocols differ in case for some (RFC 9110 section 7.8), and are not told apart by it here.
fn is_listed(protocols: &HeaderValue, one: &HeaderValue) -> bool {
    let mut protocols = protocols.as_bytes().split(|&byte| byte == b',');
    protocols.any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(one.as_bytes().trim_ascii()))
}
