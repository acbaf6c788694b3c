//! What is behind a layer of tower: the rest of a request's way.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;

use crate::error::Kind;
use crate::respond::{Shape, respond};
use crate::{Body, BoxError, Error};

type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// What is behind a layer: the rest of a request's way, which it goes once. A second request is answered with 500.
pub struct Next(Option<Box<dyn FnOnce(Request<Body>) -> Answer + Send>>);

/// Sends a request through a layer, with `rest` behind it.
pub(super) async fn through<L, B>(
    layer: &L,
    request: Request<Body>,
    rest: impl FnOnce(Request<Body>) -> Answer + Send + 'static,
) -> Response<Body>
where
    L: Layer<Next>,
    L::Service: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let service = layer.layer(Next(Some(Box::new(rest))));
    match service.oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}

impl Service<Request<Body>> for Next {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Some(rest) = self.0.take() else {
            let shape = Shape::of(request.method(), request.headers());
            let error = Error::with_source(Kind::Resource, "a layer asked twice for one answer");
            return Box::pin(async move { Ok(respond(error, shape)) });
        };
        let answer = rest(request);
        Box::pin(async move { Ok(answer.await) })
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").finish_non_exhaustive()
    }
}
