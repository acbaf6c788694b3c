//! `request_timeout`: how long the whole exchange may take.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use ingress_core::BackendRef;
use tokio::time::{Instant, Sleep};

use crate::error::Kind;
use crate::{Body, BoxError, Error};

/// The body of an answer, until the time is up.
struct Timed {
    body: Body,
    end: Pin<Box<Sleep>>,
}

/// Waits for an answer, and lets its body have what is left of the time. What has left HTTP is not concerned.
pub(super) async fn until(
    end: Instant,
    answer: impl Future<Output = Result<Response<Body>, Error>>,
    backend: &BackendRef,
) -> Result<Response<Body>, Error> {
    let answer = tokio::time::timeout_at(end, answer).await;
    let response = answer.map_err(|_| Error::new(Kind::Timeout).of_backend(backend, None))??;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS || response.body().is_end_stream() {
        return Ok(response);
    }
    Ok(response.map(|body| Body::new(Timed { body, end: Box::pin(tokio::time::sleep_until(end)) })))
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if this.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err("the time for the request is up".into())));
        }
        Pin::new(&mut this.body).poll_frame(cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
