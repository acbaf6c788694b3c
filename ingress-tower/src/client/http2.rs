//! Connections that speak HTTP/2, each of which carries many requests at a time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri, Version};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Handle, Id};

use super::target::Target;
use super::upload::Upload;
use crate::{Body, BoxError};

/// How often an endpoint that says nothing is asked whether it is still there, and how long it may take to answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// What an endpoint may send of one response, and of all on a connection, before somebody reads it.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

pub(super) type Sender = http2::SendRequest<Upload>;

/// For each endpoint and runtime one connection.
#[derive(Debug, Default)]
pub(super) struct Connections {
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    by_target: HashMap<(Target, Id), Arc<Slot>, foldhash::fast::RandomState>,
    swept: Option<Instant>,
}

/// The lock is held by whoever connects, while others wait for the outcome.
#[derive(Debug)]
pub(super) struct Slot {
    sender: tokio::sync::Mutex<Option<Sender>>,
    /// How often it was tried to connect, and failed.
    failures: AtomicU64,
    /// When it was last asked for, in milliseconds of `since`.
    used: AtomicU64,
    since: Instant,
}

impl Connections {
    /// A connection to the endpoint: the one that is there, or a new one. Of requests that come while it is made, none
    /// makes another; if it cannot be made, that holds for all of them.
    pub(super) async fn get(
        &self,
        target: &Target,
        idle_timeout: Duration,
        connect: impl AsyncFnOnce(Weak<Slot>) -> Result<Sender, BoxError>,
    ) -> Result<Sender, BoxError> {
        let slot = self.slot(target, idle_timeout);
        let failures = slot.failures.load(Ordering::Relaxed);
        let mut sender = slot.sender.lock().await;
        if let Some(open) = sender.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(open.clone());
        }
        if slot.failures.load(Ordering::Relaxed) != failures {
            return Err("connecting failed for another request just now".into());
        }
        match connect(Arc::downgrade(&slot)).await {
            Ok(open) => Ok(sender.insert(open).clone()),
            Err(error) => {
                slot.failures.fetch_add(1, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    fn slot(&self, target: &Target, idle_timeout: Duration) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if slots.swept.is_none_or(|swept| now - swept > idle_timeout) {
            slots.swept = Some(now);
            // Without its sender a connection ends once its requests have.
            slots.by_target.retain(|_, slot| slot.unused(now) <= idle_timeout);
        }
        let key = (target.clone(), Handle::current().id());
        let slot = slots.by_target.entry(key).or_insert_with(|| Arc::new(Slot::new(now)));
        slot.touch(now);
        slot.clone()
    }
}

impl Slot {
    fn new(now: Instant) -> Self {
        Self {
            sender: tokio::sync::Mutex::new(None),
            failures: AtomicU64::new(0),
            used: AtomicU64::new(0),
            since: now,
        }
    }

    fn touch(&self, now: Instant) {
        let millis = u64::try_from((now - self.since).as_millis()).unwrap_or(u64::MAX);
        self.used.store(millis, Ordering::Relaxed);
    }

    /// How long nobody has asked for it.
    fn unused(&self, now: Instant) -> Duration {
        (now - self.since).saturating_sub(Duration::from_millis(self.used.load(Ordering::Relaxed)))
    }
}

/// Begins to speak HTTP/2. At its end the connection takes its sender out of the slot.
pub(super) async fn handshake<T>(stream: T, slot: Weak<Slot>) -> Result<Sender, BoxError>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        let _ = connection.await;
        if let Some(slot) = slot.upgrade() {
            slot.sender.lock().await.take_if(|sender| sender.is_closed());
        }
    });
    Ok(sender)
}

/// The request as HTTP/2 has it: the host is a part of the target, and no field (RFC 9113 section 8.3.1).
pub(super) fn prepare(request: &mut Request<Body>, target: &Target) {
    let host = request.headers_mut().remove(HOST);
    let host = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(if target.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = Some(host.unwrap_or_else(|| target.authority.clone()));
    parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    *request.version_mut() = Version::HTTP_2;
}
