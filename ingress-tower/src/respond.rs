//! Errors become responses here, and nowhere else.

use http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode, Version};

use crate::{Body, Error};

/// What a client understands as an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A status and a line of text.
    Http,
    /// The same without the text, of which only the length is told: an answer to HEAD has no content (RFC 9110 section
    /// 9.3.2).
    Head,
    /// The status of a call, in an answer that has only trailers.
    Grpc,
}

impl Shape {
    /// The shape for whoever sent a request with this method and these fields.
    pub(crate) fn of(method: &Method, headers: &HeaderMap) -> Self {
        if method == Method::HEAD {
            return Self::Head;
        }
        let rest =
            headers.get(CONTENT_TYPE).and_then(|kind| kind.as_bytes().strip_prefix(b"application/grpc"));
        // gRPC-Web is another protocol.
        match rest {
            Some([] | [b'+' | b';', ..]) => Self::Grpc,
            _ => Self::Http,
        }
    }
}

/// The answer for an error: its status, the status again as a line of text, and the error itself in the
/// extensions. What went wrong inside is for the log, not for the client.
pub(crate) fn respond(error: Error, shape: Shape) -> Response<Body> {
    #[cfg(feature = "tracing")]
    crate::log::answered(&error);
    if shape == Shape::Grpc {
        return respond_to_call(error);
    }
    let status = error.status();
    let body = if shape == Shape::Head { Body::empty() } else { Body::from(text(status)) };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if shape == Shape::Head {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(text(status).len()));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        // The answer must have the field (RFC 9110 section 15.5.6).
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS"));
    }
    tell(error, &mut response);
    response
}

/// The answer to a request that cannot be taken for what it says. Nobody knows what follows on such a
/// connection, so HTTP/1 closes it; `version` is the client's, since HTTP/2 forbids the field.
pub(crate) fn refuse(error: Error, method: &Method, version: Version) -> Response<Body> {
    let shape = if method == Method::HEAD { Shape::Head } else { Shape::Http };
    let mut response = respond(error, shape);
    if version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The answer to a gRPC call: 200, and the call's status where the trailers would be
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>, "Trailers-Only").
fn respond_to_call(error: Error) -> Response<Body> {
    // What clients make of an HTTP status themselves (doc/http-grpc-status-mapping.md).
    let status = match error.status() {
        StatusCode::UNAUTHORIZED => "16",
        StatusCode::FORBIDDEN => "7",
        StatusCode::NOT_FOUND => "12",
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => "14",
        StatusCode::BAD_REQUEST => "13",
        _ => "2",
    };
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from_static(status));
    if let Ok(message) = HeaderValue::from_str(&error.to_string()) {
        headers.insert("grpc-message", message);
    }
    tell(error, &mut response);
    response
}

/// Says in the extensions what went wrong, and where.
fn tell(error: Error, response: &mut Response<Body>) {
    if let Some(fields) = error.fields() {
        let fields = fields.iter().map(|(name, value)| (name.clone(), value.clone()));
        response.headers_mut().extend(fields);
    }
    let extensions = response.extensions_mut();
    if let Some(chosen) = error.chosen() {
        extensions.insert(chosen.clone());
    }
    extensions.insert(error);
}

fn text(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "400 Bad Request\n",
        StatusCode::UNAUTHORIZED => "401 Unauthorized\n",
        StatusCode::FORBIDDEN => "403 Forbidden\n",
        StatusCode::NOT_FOUND => "404 Not Found\n",
        StatusCode::METHOD_NOT_ALLOWED => "405 Method Not Allowed\n",
        StatusCode::REQUEST_TIMEOUT => "408 Request Timeout\n",
        StatusCode::PAYLOAD_TOO_LARGE => "413 Content Too Large\n",
        StatusCode::URI_TOO_LONG => "414 URI Too Long\n",
        StatusCode::TOO_MANY_REQUESTS => "429 Too Many Requests\n",
        StatusCode::MISDIRECTED_REQUEST => "421 Misdirected Request\n",
        StatusCode::NOT_IMPLEMENTED => "501 Not Implemented\n",
        StatusCode::BAD_GATEWAY => "502 Bad Gateway\n",
        StatusCode::SERVICE_UNAVAILABLE => "503 Service Unavailable\n",
        StatusCode::GATEWAY_TIMEOUT => "504 Gateway Timeout\n",
        _ => "500 Internal Server Error\n",
    }
}
