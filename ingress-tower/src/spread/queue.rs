//! Requests that wait until there is room for them.

use std::collections::HashMap;
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// The queues in which somebody waits, whichever layer's they are; what makes room looks for its backend's here.
static WAITING: Mutex<Vec<(BackendRef, Arc<Queue>)>> = Mutex::new(Vec::new());
/// How many wait, so that nobody looks where nobody does.
static WAITERS: AtomicUsize = AtomicUsize::new(0);

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
    /// Whether there may be room for another one when it ends.
    wakes: bool,
}

/// One that waits.
struct Pending<'q>(&'q Arc<Queue>);

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
        backend: &BackendRef,
        policy: &Policy,
        mut take: impl FnMut() -> Result<T, Unchosen>,
    ) -> Result<(Permit, T), Unchosen> {
        let limits = &policy.limits;
        // An attempt in vain was in the way of others for a moment. Who waits does not wake others for it, or they would wake
        // each other without end.
        let mut attempt = |wakes: bool| {
            let mut permit = self.permit(limits, wakes).ok_or(Unchosen::Full)?;
            let taken = take()?;
            permit.wakes = true;
            Ok((permit, taken))
        };
        match attempt(true) {
            Err(Unchosen::Full) => {}
            other => return other,
        }
        let until = Instant::now() + wait(policy);
        let max = limits.max_pending.unwrap_or(MAX_PENDING);
        let _pending = Pending::begin(&self, backend, max).ok_or(Unchosen::Full)?;
        loop {
            let mut room = pin!(self.room.notified());
            // Room that is made from here on is not missed.
            room.as_mut().enable();
            match attempt(false) {
                Err(Unchosen::Full) => {}
                other => return other,
            }
            timeout_at(until, room).await.map_err(|_| Unchosen::Full)?;
        }
    }

    fn permit(self: &Arc<Self>, limits: &Limits, wakes: bool) -> Option<Permit> {
        let permit = Permit { queue: self.clone(), wakes };
        let requests = self.requests.fetch_add(1, SeqCst) + 1;
        let fits = limits.max_requests.is_none_or(|max| max == 0 || requests <= max);
        fits.then_some(permit)
    }
}

impl<'q> Pending<'q> {
    fn begin(queue: &'q Arc<Queue>, backend: &BackendRef, max: u32) -> Option<Self> {
        if queue.pending.fetch_add(1, SeqCst) >= max {
            queue.pending.fetch_sub(1, SeqCst);
            return None;
        }
        waiting().push((backend.clone(), queue.clone()));
        WAITERS.fetch_add(1, SeqCst);
        Some(Self(queue))
    }
}

/// A request for the backend has left an endpoint: whoever waits for room there may look again, one for each layer's queue.
pub(super) fn made_room(backend: &BackendRef) {
    if WAITERS.load(SeqCst) > 0 {
        let mut woken: Vec<Arc<Queue>> = Vec::new();
        for (_, queue) in waiting().iter().filter(|(other, _)| other == backend) {
            if !woken.iter().any(|other| Arc::ptr_eq(other, queue)) {
                woken.push(queue.clone());
            }
        }
        woken.iter().for_each(|queue| queue.room.notify_one());
    }
}

fn waiting() -> MutexGuard<'static, Vec<(BackendRef, Arc<Queue>)>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Room is waited for as long as a connection may take to be made.
fn wait(policy: &Policy) -> Duration {
    policy.connect_timeout.and_then(Timeout::limit).unwrap_or(TIME)
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.queue.requests.fetch_sub(1, SeqCst);
        if self.wakes && self.queue.pending.load(SeqCst) > 0 {
            self.queue.room.notify_one();
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        let mut waiting = waiting();
        if let Some(own) = waiting.iter().position(|(_, queue)| Arc::ptr_eq(queue, self.0)) {
            waiting.swap_remove(own);
        }
        drop(waiting);
        WAITERS.fetch_sub(1, SeqCst);
        self.0.pending.fetch_sub(1, SeqCst);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}
