//! What is behind a layer of tower: the rest of a request's way.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use sync_wrapper::SyncWrapper;
use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;

use crate::error::Kind;
use crate::respond::{Shape, respond};
use crate::{Body, BoxError, Error};

pub(super) type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
pub(super) type Rest = Box<dyn FnOnce(Request<Body>) -> Answer + Send>;

/// What is behind a layer: the rest of a request's way, which it goes once. A second request is answered with 500. It is
/// always ready, and never fails: what goes wrong behind it is an answer, which may have an [`Error`] in its extensions.
///
/// See [`PolicyRegistry`](crate::PolicyRegistry).
pub struct Next(Option<SyncWrapper<Rest>>);

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
    ask(layer.layer(Next::to(Box::new(rest))), request).await
}

/// The answer of a service that a layer made.
pub(super) async fn ask<S, B>(service: S, request: Request<Body>) -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    match service.oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}

impl Next {
    pub(super) fn to(rest: Rest) -> Self {
        Self(Some(SyncWrapper::new(rest)))
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
        let Some(rest) = self.0.take().map(SyncWrapper::into_inner) else {
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
