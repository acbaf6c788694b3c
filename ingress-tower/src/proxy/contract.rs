//! What a client that carries requests upstream can tell the proxy beyond its error.

use std::fmt;

use http::Request;

use crate::{Body, BoxError};

/// An error of a client that sent nothing of the request and hands it back. The proxy tries another
/// endpoint then, whatever the method (ruling R15); with any other error it answers 502.
///
/// Any client may return it, boxed or as its error type.
pub struct Unsent {
    request: Request<Body>,
    source: BoxError,
}

/// An error of a client that waited long enough for the head of a response; the proxy answers 504.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the endpoint did not begin to answer in time")]
pub struct TimedOut;

/// An error of a client that waited long enough for more of the request's body; the proxy answers 408.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client stopped sending the body of the request")]
pub struct Stalled;

impl Unsent {
    /// `source` is why; no byte of `request` may have been sent.
    pub fn new(request: Request<Body>, source: impl Into<BoxError>) -> Self {
        Self { request, source: source.into() }
    }

    /// The request as the client got it, but for its URI, and the reason.
    pub fn into_parts(self) -> (Request<Body>, BoxError) {
        (self.request, self.source)
    }
}

impl fmt::Debug for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsent").field("source", &self.source).finish_non_exhaustive()
    }
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request was not sent")
    }
}

impl std::error::Error for Unsent {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}
