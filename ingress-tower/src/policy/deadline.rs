//! `request_timeout`: how long the whole exchange may take.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::{Body, BoxError};

/// The body of an answer, until the time is up.
struct Timed {
    body: Body,
    end: Pin<Box<Sleep>>,
}

/// Waits as long as there is time; any time, where there is no end.
pub(crate) async fn by<T>(end: Option<Instant>, what: impl Future<Output = T>) -> Option<T> {
    match end {
        Some(end) => tokio::time::timeout_at(end, what).await.ok(),
        None => Some(what.await),
    }
}

/// Lets the body of an answer have what is left of the time. What has left HTTP is not concerned.
pub(super) fn bound(end: Instant, response: Response<Body>) -> Response<Body> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS || response.body().is_end_stream() {
        return response;
    }
    response.map(|body| Body::new(Timed { body, end: Box::pin(tokio::time::sleep_until(end)) }))
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
