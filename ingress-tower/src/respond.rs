//! Errors become responses here, and nowhere else.

use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode, Version};

use crate::{Body, Error};

/// The answer for an error: its status, the status again as a line of text, and the error itself in the
/// extensions. What went wrong inside is for the log, not for the client.
pub(crate) fn respond(error: Error) -> Response<Body> {
    #[cfg(feature = "tracing")]
    crate::log::answered(&error);
    let status = error.status();
    let mut response = Response::new(Body::from(text(status)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        // The answer must have the field (RFC 9110 section 15.5.6).
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS"));
    }
    response.extensions_mut().insert(error);
    response
}

/// The answer to a request that cannot be taken for what it says. Nobody knows what follows on such a
/// connection, so HTTP/1 closes it; `version` is the client's, since HTTP/2 forbids the field.
pub(crate) fn refuse(error: Error, version: Version) -> Response<Body> {
    let mut response = respond(error);
    if version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn text(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "400 Bad Request\n",
        StatusCode::NOT_FOUND => "404 Not Found\n",
        StatusCode::METHOD_NOT_ALLOWED => "405 Method Not Allowed\n",
        StatusCode::NOT_IMPLEMENTED => "501 Not Implemented\n",
        StatusCode::BAD_GATEWAY => "502 Bad Gateway\n",
        StatusCode::SERVICE_UNAVAILABLE => "503 Service Unavailable\n",
        StatusCode::GATEWAY_TIMEOUT => "504 Gateway Timeout\n",
        _ => "500 Internal Server Error\n",
    }
}
