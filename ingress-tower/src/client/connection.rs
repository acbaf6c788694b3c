//! A connection that carries one request at a time, over HTTP/1.1.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Handle, Id};
use tokio::time::Sleep;

use super::upload::{Progress, Upload};
use crate::{BoxError, Unsent};

/// A connection to an endpoint.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) sender: Sender,
    /// When the request in hand last made progress.
    pub(super) progress: Progress,
    /// The deadline of the request in hand. It is moved, not made anew, for each request: a later deadline
    /// costs the timer nothing.
    pub(super) deadline: Pin<Box<Sleep>>,
    idle_since: Instant,
    /// It carries one request only.
    alone: bool,
    /// The runtime that drives it. A request of another one would have to wake it on every step.
    runtime: Id,
}

/// What requests are sent with, held by the connection's owner and by the task that drives it; whichever ends first drops it.
/// The task has to: a channel of tokio may miss, when its receiver is dropped, what is just being sent on another thread,
/// and keeps it as long as there is a sender. Such a request would wait for its answer in vain.
#[derive(Debug)]
pub(super) struct Sender(Arc<Mutex<Option<SendRequest<Upload>>>>);

impl Connection {
    /// A connection over the stream, driven by a task that ends when the endpoint closes it, or when it is dropped.
    /// `alone` says that it carries one request only, after which it may have left HTTP.
    pub(super) async fn open<T>(stream: T, alone: bool) -> hyper::Result<Self>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let sender = Sender(Arc::new(Mutex::new(Some(sender))));
        let other_end = Sender(sender.0.clone());
        if alone {
            drive(connection.with_upgrades(), other_end);
        } else {
            drive(connection, other_end);
        }
        Ok(Self {
            sender,
            progress: Progress::new(),
            deadline: Box::pin(tokio::time::sleep(Duration::ZERO)),
            idle_since: Instant::now(),
            alone,
            runtime: Handle::current().id(),
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.lock().as_ref().is_none_or(SendRequest::is_closed)
    }

    /// Whether the last answer was read to its end.
    pub(super) fn is_ready(&self) -> bool {
        self.sender.lock().as_ref().is_some_and(SendRequest::is_ready)
    }

    /// Notes that it is idle from now on; false if it can have no other request.
    pub(super) fn rest(&mut self, now: Instant) -> bool {
        self.idle_since = now;
        !self.alone && !self.is_closed()
    }

    pub(super) fn idle_since(&self) -> Instant {
        self.idle_since
    }

    pub(super) fn runtime(&self) -> Id {
        self.runtime
    }
}

impl Sender {
    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(&self, request: Request<Upload>) -> Result<Response<Incoming>, BoxError> {
        let answer = match &mut *self.lock() {
            Some(sender) => sender.try_send_request(request),
            None => {
                return Err(Unsent::new(request.map(Upload::into_inner), "the connection has ended").into());
            }
        };
        answer.await.map_err(refused)
    }

    fn lock(&self) -> MutexGuard<'_, Option<SendRequest<Upload>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let sender = self.lock().take();
        drop(sender);
    }
}

/// Drives a connection to its end. Its errors are those of its requests, too.
fn drive(connection: impl Future<Output = hyper::Result<()>> + Send + 'static, sender: Sender) {
    tokio::spawn(async move {
        let _ = connection.await;
        drop(sender);
    });
}

/// Why there is no answer; a request of which nothing was sent is handed back as [`Unsent`].
pub(super) fn refused(mut error: TrySendError<Request<Upload>>) -> BoxError {
    match error.take_message() {
        Some(request) => Unsent::new(request.map(Upload::into_inner), error.into_error()).into(),
        None => error.into_error().into(),
    }
}
