//! Connections that wait for their next request.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Id};

use super::connection::Connection;
use super::target::Target;

/// Idle connections, in a shard for each thread.
#[derive(Debug)]
pub(super) struct Pool {
    shards: Box<[Shard]>,
    idle_timeout: Duration,
    max_idle: usize,
}

/// The lock is for the rare case that two threads want one shard; alone on its cache lines, it is seldom waited
/// for.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(Mutex<Idle>);

#[derive(Debug, Default)]
struct Idle {
    by_target: HashMap<Target, Vec<Connection>, foldhash::fast::RandomState>,
    swept: Option<Instant>,
}

impl Pool {
    pub(super) fn new(idle_timeout: Duration, max_idle: usize) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        // Twice as many as threads that run at once, since the first numbers often go to threads that
        // never send a request.
        let shards = (0..2 * threads).map(|_| Shard::default()).collect();
        Self { shards, idle_timeout, max_idle }
    }

    /// A connection to this endpoint that is still good: the one that this thread used last, or, where
    /// several threads share a runtime, one of another thread's.
    pub(super) fn take(&self, target: &Target) -> Option<Connection> {
        let own = self.own();
        let found = self.shard(own).take(target, self.idle_timeout, None);
        // Only now is the own shard free again: two locks at a time could wait for each other.
        if found.is_some() {
            return found;
        }
        let runtime = Handle::current().id();
        let mut others = (own + 1..self.shards.len()).chain(0..own);
        others.find_map(|other| self.shard(other).take(target, self.idle_timeout, Some(runtime)))
    }

    /// Keeps a connection whose response was read to its end.
    pub(super) fn give(&self, target: &Target, mut connection: Connection) {
        let now = Instant::now();
        if !connection.rest(now) {
            return;
        }
        let mut idle = self.shard(self.own());
        if idle.swept.is_none_or(|swept| now - swept > self.idle_timeout) {
            idle.sweep(now, self.idle_timeout);
        }
        match idle.by_target.get_mut(target) {
            Some(connections) if connections.len() >= self.max_idle => {}
            Some(connections) => connections.push(connection),
            None => {
                idle.by_target.insert(target.clone(), vec![connection]);
            }
        }
    }

    /// The place of this thread's shard.
    fn own(&self) -> usize {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static THREAD: Cell<usize> = Cell::new(THREADS.fetch_add(1, Ordering::Relaxed));
        }
        THREAD.get() % self.shards.len()
    }

    fn shard(&self, at: usize) -> MutexGuard<'_, Idle> {
        self.shards[at].0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    /// The connection that was used last of those that are good, and that belong to this runtime where one is
    /// named.
    fn take(&mut self, target: &Target, limit: Duration, runtime: Option<Id>) -> Option<Connection> {
        let connections = self.by_target.get_mut(target)?;
        let mut at = connections.len();
        while at > 0 {
            at -= 1;
            let connection = &connections[at];
            if connection.is_closed() || connection.idle_since().elapsed() > limit {
                connections.swap_remove(at);
            } else if connection.is_ready() && runtime.is_none_or(|own| own == connection.runtime()) {
                return Some(connections.remove(at));
            }
        }
        None
    }

    /// Drops what nobody will use: endpoints that are gone leave no connection behind for long.
    fn sweep(&mut self, now: Instant, idle_timeout: Duration) {
        self.swept = Some(now);
        self.by_target.retain(|_, connections| {
            connections.retain(|connection| {
                !connection.is_closed() && now - connection.idle_since() <= idle_timeout
            });
            !connections.is_empty()
        });
    }
}
