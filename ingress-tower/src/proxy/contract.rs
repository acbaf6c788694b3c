//! What a client that carries requests upstream can tell the proxy beyond its error.

use std::fmt;

use http::Request;
use ingress_core::{Policy, Timeout};

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

/// What the policy of a route asks of the client; it stands in the request's extensions if there is something. What is
/// `None` is left to the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// [`Policy::connect_timeout`].
    pub connect: Option<Timeout>,
    /// [`Policy::response_timeout`].
    pub response: Option<Timeout>,
    /// [`Policy::idle_timeout`].
    pub idle: Option<Timeout>,
}

impl Timeouts {
    /// Those of a policy, if it has any.
    pub fn of(policy: &Policy) -> Option<Self> {
        let timeouts = Self {
            connect: policy.connect_timeout,
            response: policy.response_timeout,
            idle: policy.idle_timeout,
        };
        (timeouts != Self::default()).then_some(timeouts)
    }
}

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
