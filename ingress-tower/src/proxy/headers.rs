//! Which header fields pass, and which the gateway writes itself.
//!
//! What is meant for one connection goes first, together with whatever the peer's `Connection` field names,
//! and only then are the gateway's own fields added, so that no peer can take them away again (RFC 9110
//! section 7.6.1).

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, Version};
use http_body::Body as _;

use super::origin::Origin;
use crate::Body;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY: HeaderName = HeaderName::from_static("proxy");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(super) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(super) const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const X_FORWARDED_SCHEME: HeaderName = HeaderName::from_static("x-forwarded-scheme");
const X_FORWARDED_SERVER: HeaderName = HeaderName::from_static("x-forwarded-server");
const X_FORWARDED_SSL: HeaderName = HeaderName::from_static("x-forwarded-ssl");
pub(crate) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(super) const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Fields of one connection (RFC 9110 section 7.6.1), and those by which a client authenticates to a proxy.
static HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What only the gateway may say, whatever the client sent; `Proxy` is a trap for CGI programs.
static FORWARDING: [HeaderName; 12] = [
    header::FORWARDED,
    X_FORWARDED_FOR,
    X_FORWARDED_HOST,
    X_FORWARDED_PORT,
    X_FORWARDED_PREFIX,
    X_FORWARDED_PROTO,
    X_FORWARDED_SCHEME,
    X_FORWARDED_SERVER,
    X_FORWARDED_SSL,
    X_REAL_IP,
    X_REQUEST_ID,
    PROXY,
];

/// By these a client proves who it is, here and to an authentication service.
pub(crate) static CREDENTIALS: [HeaderName; 2] = [header::AUTHORIZATION, header::COOKIE];

/// Makes a client's request one of the gateway's own: HTTP/1.1, with `host` as the Host, with a length that says what
/// the body says, and with what the endpoint is told of its origin.
pub(crate) fn prepare_request(request: &mut Request<Body>, host: Option<HeaderValue>, origin: Origin) {
    let version = std::mem::replace(request.version_mut(), Version::HTTP_11);
    // It is about everybody on the way, and gRPC asks for it.
    let trailers = lists(request.headers(), &header::TE, b"trailers");
    remove_hop_by_hop(request.headers_mut());
    set_length(request);
    let headers = request.headers_mut();
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    for name in &FORWARDING {
        headers.remove(name);
    }
    remove_twins(headers);
    // The server answers it when the body is first asked for, which is after a connection was found.
    headers.remove(header::EXPECT);
    if version == Version::HTTP_2 {
        join_cookies(headers);
    }
    origin.write(headers);
    if let Some(host) = host {
        headers.insert(header::HOST, host);
    } else if !headers.contains_key(header::HOST) {
        // HTTP/1.1 has the field even where there is nothing to say (RFC 9112 section 3.2).
        headers.insert(header::HOST, HeaderValue::from_static(""));
    }
    hide(headers, &CREDENTIALS);
}

/// Takes what was meant for the connection to the endpoint out of its response, whose version becomes the
/// gateway's own.
pub(crate) fn clean_response<B>(response: &mut Response<B>) {
    *response.version_mut() = Version::HTTP_11;
    let headers = response.headers_mut();
    remove_hop_by_hop(headers);
    if stated_length(headers).is_none() {
        // Several that agree are as good as one; the server writes it from the body.
        headers.remove(header::CONTENT_LENGTH);
    }
    hide(headers, &[header::SET_COOKIE]);
}

/// Marks the values of fields, which let their holder in: no `Debug` output shows them, and HTTP/2 sends them in a way that
/// nobody on the way may remember (RFC 7541 section 7.1.3).
pub(crate) fn hide(headers: &mut HeaderMap, names: &[HeaderName]) {
    let values = headers.iter_mut().filter(|(name, _)| names.contains(name));
    values.for_each(|(_, value)| value.set_sensitive(true));
}

/// Takes out of trailers what must not stand there (RFC 9110 section 6.5.1): what frames or routes a message.
#[cfg(feature = "client")]
pub(crate) fn clean_trailers(trailers: &mut HeaderMap) {
    remove_hop_by_hop(trailers);
    for name in [header::CONTENT_LENGTH, header::HOST, header::TRAILER] {
        trailers.remove(name);
    }
}

/// Tells another request of the gateway's own what an endpoint is told of where a request comes from.
pub(crate) fn copy_origin(from: &HeaderMap, to: &mut HeaderMap) {
    copy(from, to, FORWARDING.iter().filter(|name| **name != PROXY).chain([&header::VIA]));
}

/// Takes over fields that say something of the request itself; not those that frame a message, are for one connection or are
/// the gateway's to say.
pub(crate) fn copy_fields<'n>(
    from: &HeaderMap,
    to: &mut HeaderMap,
    names: impl IntoIterator<Item = &'n HeaderName>,
) {
    copy(from, to, names.into_iter().filter(|name| is_about_content(name)));
}

/// Whether a field of this name may be taken over from one message into another.
pub(crate) fn is_about_content(name: &HeaderName) -> bool {
    let framing = [header::CONTENT_LENGTH, header::EXPECT, header::HOST, header::TRAILER];
    !HOP_BY_HOP.contains(name) && !FORWARDING.contains(name) && !framing.contains(name)
}

fn copy<'n>(from: &HeaderMap, to: &mut HeaderMap, names: impl Iterator<Item = &'n HeaderName>) {
    for name in names {
        for value in from.get_all(name) {
            to.append(name.clone(), value.clone());
        }
    }
}

/// Removes all fields of this name, also in the spelling of servers that take `_` for `-`.
pub(crate) fn remove_with_twins(headers: &mut HeaderMap, name: &HeaderName) {
    headers.remove(name);
    remove_twins_of(headers, name);
}

/// Removes all fields that are of this name in the spelling of such servers only.
pub(crate) fn remove_twins_of(headers: &mut HeaderMap, name: &HeaderName) {
    let is_twin = |other: &&HeaderName| {
        let dashed = |byte: u8| if byte == b'_' { b'-' } else { byte };
        *other != name && other.as_str().bytes().map(dashed).eq(name.as_str().bytes().map(dashed))
    };
    while let Some(twin) = headers.keys().find(is_twin).cloned() {
        headers.remove(twin);
    }
}

/// Whether the message has no transfer coding but the one that is taken off and put on again here: another
/// below the chunks would be lost (RFC 9112 section 6.1). `chunked` twice is no framing at all (section 7).
pub(crate) fn is_chunked_at_most(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// `Content-Length` says what the body says of itself, or nothing.
fn set_length(request: &mut Request<Body>) {
    let length = request.body().size_hint().exact();
    let expects_body = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    let headers = request.headers_mut();
    match length {
        None => drop(headers.remove(header::CONTENT_LENGTH)),
        Some(length) if stated_length(headers) == Some(length) => {}
        // A method that means nothing by a body needs no word about its absence (RFC 9110 section 8.6).
        Some(0) if !expects_body => drop(headers.remove(header::CONTENT_LENGTH)),
        Some(length) => drop(headers.insert(header::CONTENT_LENGTH, length.into())),
    }
}

/// The one `Content-Length`, if it is a plain number.
fn stated_length(headers: &HeaderMap) -> Option<u64> {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    // `parse` alone would accept a sign.
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

/// Whether the field has this member in its list.
pub(crate) fn lists(headers: &HeaderMap, field: &HeaderName, member: &[u8]) -> bool {
    let values = headers.get_all(field).iter();
    let mut members = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    members.any(|one| one.trim_ascii().eq_ignore_ascii_case(member))
}

/// Whether a field tells of a client's certificate, in the spelling of RFC 9440 or as the gateway does; `_` counts as `-`.
fn tells_of_certificates(name: &str) -> bool {
    let name = name.strip_prefix("x-").or_else(|| name.strip_prefix("x_")).unwrap_or(name);
    let bytes = name.bytes().map(|byte| if byte == b'_' { b'-' } else { byte });
    name.starts_with("client") && bytes.take(11).eq(*b"client-cert")
}

/// Removes the names that are the gateway's to say, and those that frame, in the spelling of servers that
/// take `_` for `-`, and all that tell of certificates.
fn remove_twins(headers: &mut HeaderMap) {
    let is_twin = |name: &&HeaderName| {
        tells_of_certificates(name.as_str())
            || name.as_str().contains('_')
                && FORWARDING.iter().chain(&HOP_BY_HOP).chain([&header::CONTENT_LENGTH]).any(|own| {
                    let dashed = name.as_str().bytes().map(|byte| if byte == b'_' { b'-' } else { byte });
                    dashed.eq(own.as_str().bytes())
                })
    };
    while let Some(twin) = headers.keys().find(is_twin).cloned() {
        headers.remove(twin);
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        remove_nominated(headers);
    }
    if headers.contains_key(header::TRANSFER_ENCODING) {
        // The framing was the coding; a length beside it is wrong (RFC 9112 section 6.3).
        headers.remove(header::CONTENT_LENGTH);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Removes the fields that `Connection` names. Host and Content-Length are not a peer's to take away.
fn remove_nominated(headers: &mut HeaderMap) {
    let nominated: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH)
        .collect();
    for name in nominated {
        headers.remove(name);
    }
}

/// HTTP/2 may send a cookie in crumbs; HTTP/1.1 has one Cookie field (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(header::COOKIE).iter();
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else { return };
    let mut cookie = first.as_bytes().to_vec();
    for crumb in std::iter::once(second).chain(crumbs) {
        cookie.extend_from_slice(b"; ");
        cookie.extend_from_slice(crumb.as_bytes());
    }
    if let Ok(cookie) = HeaderValue::from_maybe_shared(bytes::Bytes::from(cookie)) {
        headers.insert(header::COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests;
