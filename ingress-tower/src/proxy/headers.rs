//! Which header fields pass, and which the gateway writes itself.
//!
//! What is meant for one connection goes first, together with whatever the peer's `Connection` field names,
//! and only then are the gateway's own fields added, so that no peer can take them away again (RFC 9110
//! section 7.6.1).

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, Version};

use crate::ConnectionInfo;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY: HeaderName = HeaderName::from_static("proxy");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Fields of one connection (RFC 9110 section 7.6.1), and those by which a client authenticates to a proxy.
const HOP_BY_HOP: [HeaderName; 8] = [
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
const FORWARDING: [HeaderName; 7] = [
    header::FORWARDED,
    X_FORWARDED_FOR,
    X_FORWARDED_HOST,
    X_FORWARDED_PORT,
    X_FORWARDED_PROTO,
    X_REAL_IP,
    PROXY,
];

/// The same names as servers see them that turn `-` into `_`.
const FORWARDING_TWINS: [&str; 5] =
    ["x_forwarded_for", "x_forwarded_host", "x_forwarded_port", "x_forwarded_proto", "x_real_ip"];

/// Makes a client's request one of the gateway's own: HTTP/1.1, with `host` as the Host.
pub(crate) fn prepare_request<B>(
    request: &mut Request<B>,
    host: Option<HeaderValue>,
    connection: Option<ConnectionInfo>,
) {
    let version = std::mem::replace(request.version_mut(), Version::HTTP_11);
    let headers = request.headers_mut();
    remove_hop_by_hop(headers);
    for name in &FORWARDING {
        headers.remove(name);
    }
    if headers.keys().any(|name| name.as_str().starts_with("x_")) {
        for name in FORWARDING_TWINS {
            headers.remove(name);
        }
    }
    // The server answers it when the body is first asked for, which is after a connection was found.
    headers.remove(header::EXPECT);
    if version == Version::HTTP_2 {
        join_cookies(headers);
    }
    if let Some(connection) = connection {
        let client = address(connection.client.ip());
        headers.insert(X_REAL_IP, client.clone());
        headers.insert(X_FORWARDED_FOR, client);
        headers.insert(
            X_FORWARDED_PROTO,
            HeaderValue::from_static(if connection.tls { "https" } else { "http" }),
        );
    }
    if let Some(host) = host {
        headers.insert(X_FORWARDED_HOST, host.clone());
        headers.insert(header::HOST, host);
    }
}

/// Takes what was meant for the connection to the endpoint out of its response.
pub(crate) fn clean_response<B>(response: &mut Response<B>) {
    remove_hop_by_hop(response.headers_mut());
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

fn address(ip: IpAddr) -> HeaderValue {
    // An IPv4 client on a dual-stack listener is still an IPv4 client.
    HeaderValue::from_maybe_shared(bytes::Bytes::from(ip.to_canonical().to_string()))
        .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn prepared(version: Version, headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut request = Request::new(());
        *request.version_mut() = version;
        for (name, value) in headers {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        let client = SocketAddr::from(([192, 0, 2, 7], 1234));
        let host = Some(HeaderValue::from_static("shop.example:8080"));
        prepare_request(&mut request, host, Some(ConnectionInfo::new(client)));
        assert_eq!(request.version(), Version::HTTP_11);
        request.headers().clone()
    }

    #[test]
    fn a_client_cannot_speak_for_the_gateway() {
        let headers = prepared(
            Version::HTTP_11,
            &[
                ("x-forwarded-for", "10.0.0.1"),
                ("x-forwarded-for", "10.0.0.2"),
                ("x_forwarded_for", "10.0.0.3"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "evil.example"),
                ("x-forwarded-port", "443"),
                ("x-real-ip", "10.0.0.1"),
                ("forwarded", "for=10.0.0.1"),
                ("proxy", "http://evil.example"),
                ("x_other", "stays"),
            ],
        );
        let want = [
            ("host", "shop.example:8080"),
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-host", "shop.example:8080"),
            ("x-forwarded-proto", "http"),
            ("x-real-ip", "192.0.2.7"),
            ("x_other", "stays"),
        ];
        let mut found: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        found.sort_unstable();
        assert_eq!(found, want);
    }

    #[test]
    fn fields_of_the_connection_go_but_not_the_gateways_own() {
        let headers = prepared(
            Version::HTTP_11,
            &[
                ("connection", "keep-alive, X-Session , x-forwarded-for"),
                ("connection", "host, content-length, te"),
                ("keep-alive", "timeout=5"),
                ("te", "trailers"),
                ("upgrade", "h2c"),
                ("proxy-connection", "keep-alive"),
                ("proxy-authorization", "Basic eA=="),
                ("x-session", "1"),
                ("content-length", "3"),
                ("expect", "100-continue"),
                ("trailer", "x-sum"),
            ],
        );
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let want = [
            "content-length",
            "host",
            "trailer",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-real-ip",
        ];
        assert_eq!(names, want);
    }

    #[test]
    fn a_length_beside_a_coding_goes() {
        let mut response = Response::new(());
        response.headers_mut().insert("transfer-encoding", HeaderValue::from_static("chunked"));
        response.headers_mut().insert("content-length", HeaderValue::from_static("5"));
        clean_response(&mut response);
        assert!(response.headers().is_empty());
    }

    #[test]
    fn cookie_crumbs_are_joined() {
        let crumbs = [("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")];
        assert_eq!(prepared(Version::HTTP_2, &crumbs)["cookie"], "a=1; b=2; c=3");
        assert_eq!(prepared(Version::HTTP_11, &crumbs).get_all("cookie").iter().count(), 3);
    }
}
