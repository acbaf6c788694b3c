//! Errors become responses here, and nowhere else.

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use crate::{Body, Error};

/// The answer for an error: its status, the status again as a line of text, and the error itself in the
/// extensions. What went wrong inside is for the log, not for the client.
pub(crate) fn respond(error: Error) -> Response<Body> {
    log(&error);
    let status = error.status();
    let mut response = Response::new(Body::from(text(status)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.extensions_mut().insert(error);
    response
}

fn text(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "400 Bad Request\n",
        StatusCode::NOT_FOUND => "404 Not Found\n",
        StatusCode::METHOD_NOT_ALLOWED => "405 Method Not Allowed\n",
        StatusCode::BAD_GATEWAY => "502 Bad Gateway\n",
        StatusCode::SERVICE_UNAVAILABLE => "503 Service Unavailable\n",
        StatusCode::GATEWAY_TIMEOUT => "504 Gateway Timeout\n",
        _ => "500 Internal Server Error\n",
    }
}

#[cfg(feature = "tracing")]
fn log(error: &Error) {
    let (reason, status) = (error.reason(), error.status().as_u16());
    let source = std::error::Error::source(error).map(innermost);
    if error.status().is_server_error() {
        let (backend, endpoint) = (error.backend().map(ToString::to_string), error.endpoint());
        tracing::warn!(status, reason, backend, ?endpoint, source, "{error}");
    } else {
        tracing::debug!(status, reason, source, "{error}");
    }
}

/// The cause at the end of the chain: "connection refused" rather than "error sending request".
#[cfg(feature = "tracing")]
fn innermost(mut error: &(dyn std::error::Error + 'static)) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(not(feature = "tracing"))]
fn log(_: &Error) {}
