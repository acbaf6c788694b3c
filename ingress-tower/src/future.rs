//! The future of one response.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use sync_wrapper::SyncWrapper;
use tower::util::Oneshot;
use tower_service::Service;

use crate::{Body, BoxError};

pin_project! {
    /// The response to come of an [`Ingress`](crate::Ingress). Only a proxied request is boxed.
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        kind: Kind<S, B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<S, B>
    where
        S: Service<Request<B>>,
    {
        Ready { response: Option<Response<Body>> },
        Inner { #[pin] future: Oneshot<S, Request<B>> },
        Boxed { future: SyncWrapper<Pin<Box<dyn Future<Output = Response<Body>> + Send>>> },
    }
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    pub(crate) fn ready(response: Response<Body>) -> Self {
        Self { kind: Kind::Ready { response: Some(response) } }
    }

    pub(crate) fn inner(inner: S, request: Request<B>) -> Self {
        Self { kind: Kind::Inner { future: Oneshot::new(inner, request) } }
    }

    pub(crate) fn boxed(future: impl Future<Output = Response<Body>> + Send + 'static) -> Self {
        Self { kind: Kind::Boxed { future: SyncWrapper::new(Box::pin(future)) } }
    }
}

impl<S, B, InnerBody> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<InnerBody>>,
    InnerBody: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Output = Result<Response<Body>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Ready { response } => {
                Poll::Ready(Ok(response.take().expect("a future is not polled after it is done")))
            }
            KindProjection::Inner { future } => {
                let response = ready!(future.poll(cx))?;
                Poll::Ready(Ok(response.map(Body::new)))
            }
            KindProjection::Boxed { future } => future.get_mut().as_mut().poll(cx).map(Ok),
        }
    }
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
