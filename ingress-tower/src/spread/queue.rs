//! Requests that wait until there is room for them.

use std::collections::HashMap;
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ingress_core::{BackendRef, Limits, Policy, Timeout, Unchosen};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// How many requests wait where nothing else is said.
const MAX_PENDING: u32 = 1024;
/// How long they wait, unless a connection may take another time to be made.
const TIME: Duration = Duration::from_secs(5);
/// Queues of so many backends are kept.
const MAX_QUEUES: usize = 4096;

/// The queue of each backend that was asked for with limits.
#[derive(Debug, Default)]
pub(crate) struct Queues(Mutex<HashMap<BackendRef, Arc<Queue>>>);

/// The requests for one backend that have limits.
#[derive(Debug, Default)]
pub(super) struct Queue {
    requests: AtomicU32,
    pending: AtomicU32,
    room: Notify,
}

/// A request for a backend, which makes room when it ends.
pub(super) struct Permit {
    queue: Arc<Queue>,
    /// It was used, so that there is room again when it ends.
    used: bool,
}

/// One that waits.
struct Pending<'q>(&'q Queue);

/// Whether anything is said of how much a backend may have to do.
pub(super) fn has_limits(policy: &Policy) -> bool {
    let limits = &policy.limits;
    [limits.max_connections, limits.max_requests].into_iter().flatten().any(|limit| limit > 0)
}

impl Queues {
    pub(super) fn of(&self, backend: &BackendRef) -> Arc<Queue> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get(backend) {
            return queue.clone();
        }
        if queues.len() >= MAX_QUEUES {
            queues.retain(|_, queue| Arc::strong_count(queue) > 1);
        }
        queues.entry(backend.clone()).or_default().clone()
    }
}

impl Queue {
    /// Waits for room in the backend and, as `take` tells, at an endpoint. Nothing where too many wait, or for too long.
    pub(super) async fn enter<T>(
        self: Arc<Self>,
        policy: &Policy,
        mut take: impl FnMut() -> Result<T, Unchosen>,
    ) -> Result<(Permit, T), Unchosen> {
        let limits = &policy.limits;
        let mut attempt = || {
            let mut permit = self.permit(limits).ok_or(Unchosen::Full)?;
            let taken = take()?;
            permit.used = true;
            Ok((permit, taken))
        };
        match attempt() {
            Err(Unchosen::Full) => {}
            other => return other,
        }
        let until = Instant::now() + wait(policy);
        let _pending = self.wait_in_line(limits.max_pending.unwrap_or(MAX_PENDING)).ok_or(Unchosen::Full)?;
        loop {
            let mut room = pin!(self.room.notified());
            // Room that is made from here on is not missed.
            room.as_mut().enable();
            match attempt() {
                Err(Unchosen::Full) => {}
                other => return other,
            }
            timeout_at(until, room).await.map_err(|_| Unchosen::Full)?;
        }
    }

    fn permit(self: &Arc<Self>, limits: &Limits) -> Option<Permit> {
        let permit = Permit { queue: self.clone(), used: false };
        let requests = self.requests.fetch_add(1, SeqCst) + 1;
        let fits = limits.max_requests.is_none_or(|max| max == 0 || requests <= max);
        fits.then_some(permit)
    }

    fn wait_in_line(&self, max: u32) -> Option<Pending<'_>> {
        let pending = Pending(self);
        (self.pending.fetch_add(1, SeqCst) < max).then_some(pending)
    }
}

/// Room is waited for as long as a connection may take to be made.
fn wait(policy: &Policy) -> Duration {
    policy.connect_timeout.and_then(Timeout::limit).unwrap_or(TIME)
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.queue.requests.fetch_sub(1, SeqCst);
        // An attempt in vain makes no room, or those who wait would wake each other without end.
        if self.used && self.queue.pending.load(SeqCst) > 0 {
            self.queue.room.notify_one();
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, SeqCst);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}
