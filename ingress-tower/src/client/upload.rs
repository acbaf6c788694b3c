//! A request's body, which tells how far it has come.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

use crate::{Body, BodyError};

/// When the request in hand last made progress.
#[derive(Clone, Debug)]
pub(crate) struct Progress(Arc<Last>);

#[derive(Debug)]
struct Last {
    epoch: Instant,
    micros: AtomicU64,
    /// More of the body is asked for, and has not come.
    wanting: AtomicBool,
}

/// The body of a request on its way to an endpoint.
#[derive(Debug)]
pub(super) struct Upload {
    body: Body,
    progress: Progress,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Last {
            epoch: Instant::now(),
            micros: AtomicU64::new(0),
            wanting: AtomicBool::new(false),
        }))
    }

    pub(crate) fn note(&self) {
        let micros = u64::try_from(self.0.epoch.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.0.micros.store(micros, Ordering::Relaxed);
    }

    /// Whether it is the client that is waited for.
    pub(super) fn is_wanting(&self) -> bool {
        self.0.wanting.load(Ordering::Relaxed)
    }

    pub(crate) fn last(&self) -> Instant {
        self.0.epoch + Duration::from_micros(self.0.micros.load(Ordering::Relaxed))
    }
}

impl Upload {
    pub(super) fn new(body: Body, progress: &Progress) -> Self {
        progress.0.wanting.store(false, Ordering::Relaxed);
        Self { body, progress: progress.clone() }
    }

    pub(super) fn into_inner(self) -> Body {
        self.body
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        this.progress.0.wanting.store(frame.is_pending(), Ordering::Relaxed);
        if frame.is_ready() {
            this.progress.note();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
