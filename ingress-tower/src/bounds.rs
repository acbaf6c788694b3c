//! What the clients that carry requests upstream are, in one word.

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use crate::{Body, BoxError};

/// A client whose answers have bodies of type `B`.
pub(crate) trait Client<B>:
    Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

/// The body of an answer from upstream.
pub(crate) trait UpstreamBody:
    http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static
{
}

impl<C, B> Client<B> for C where
    C: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

impl<B> UpstreamBody for B where B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static {}
