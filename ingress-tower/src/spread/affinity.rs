//! Clients that come back to the endpoint that they met first.

use std::borrow::Cow;

use http::header::{HeaderValue, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, Response};
use ingress_core::{Affinity, AffinityCookie, Backend, EndpointId, EndpointIdKey, Policy, hash_key};

use super::key::cookies;
use crate::ConnectionInfo;

/// A client that is to stay with an endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    /// The place of the endpoint that its cookie names.
    home: Option<usize>,
    /// The cookie may pass over TLS only.
    secure: bool,
    ids: EndpointIdKey,
}

impl Session {
    /// That of a request, if the policy says so.
    pub(super) fn of(backend: &Backend, policy: &Policy, ids: &EndpointIdKey, parts: &Parts) -> Option<Self> {
        let cookie = cookie(policy)?;
        let home = cookies(&parts.headers, &name(cookie, backend))
            .filter_map(id)
            .find_map(|id| backend.place_of(ids, id))
            .filter(|&place| backend.endpoints().get(place).is_some_and(|home| home.weight() > 0));
        let secure = parts.extensions.get::<ConnectionInfo>().is_some_and(|info| info.tls);
        Some(Self { home, secure, ids: *ids })
    }

    /// Whether its cookie names an endpoint that is still there.
    pub(super) fn is_known(&self) -> bool {
        self.home.is_some()
    }

    /// The place of the endpoint that it has met.
    pub(super) fn home(&self) -> Option<usize> {
        self.home
    }

    /// Tells the client by whom it was answered, if it is to come back there.
    pub(crate) fn write<B>(
        &self,
        backend: &Backend,
        policy: &Policy,
        place: usize,
        answer: &mut Response<B>,
    ) {
        let Some(cookie) = cookie(policy) else { return };
        let stays = self.home.is_some() && !cookie.moves_on_failure;
        if self.home == Some(place) || stays {
            return;
        }
        if let Some(id) = backend.endpoint_id(&self.ids, place) {
            self.set(cookie, &name(cookie, backend), id, answer.headers_mut());
        }
    }

    fn set(&self, cookie: &AffinityCookie, name: &str, id: EndpointId, headers: &mut HeaderMap) {
        let secure = if self.secure && !has_secure(&cookie.attributes) { "; Secure" } else { "" };
        let text = format!("{name}={:016x}{}{secure}", id.0, cookie.attributes);
        if let Ok(mut value) = HeaderValue::try_from(text) {
            value.set_sensitive(true);
            headers.append(SET_COOKIE, value);
        }
    }
}

fn cookie(policy: &Policy) -> Option<&AffinityCookie> {
    match &policy.affinity {
        Some(Affinity::Cookie(cookie)) => Some(cookie),
        _ => None,
    }
}

/// The name of the cookie for a backend.
fn name<'c>(cookie: &'c AffinityCookie, backend: &Backend) -> Cow<'c, str> {
    if !cookie.of_backend {
        return Cow::Borrowed(&cookie.name);
    }
    let own = hash_key(backend.reference().to_string().as_bytes()) as u32;
    Cow::Owned(format!("{}-{own:08x}", cookie.name))
}

fn id(value: &[u8]) -> Option<EndpointId> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() == 16)?;
    u64::from_str_radix(text, 16).ok().map(EndpointId)
}

fn has_secure(attributes: &str) -> bool {
    attributes.split(';').any(|attribute| attribute.trim().eq_ignore_ascii_case("secure"))
}
