//! `client_limits.concurrency`: how many requests of each client are open.

use std::array;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Parts with a lock each. A power of two.
const SHARDS: usize = 16;

/// How many requests of each key are open. A key is here only as long as one is, so there are no more keys than requests.
pub(crate) struct Open {
    /// By the hash of the key, whose seed is secret.
    shards: [Mutex<HashMap<u64, u32>>; SHARDS],
    seed: RandomState,
}

/// A request that is open until all clones of this are gone.
#[derive(Clone, Debug)]
pub(crate) struct Permit(#[allow(dead_code, reason = "what counts is when it is dropped")] Arc<Held>);

struct Held {
    open: Arc<Open>,
    key: u64,
}

impl Default for Open {
    fn default() -> Self {
        Self { shards: array::from_fn(|_| Mutex::default()), seed: RandomState::new() }
    }
}

impl Open {
    /// Opens one more, unless so many are.
    pub(super) fn enter(self: &Arc<Self>, key: impl Hash, max: u32) -> Option<Permit> {
        let key = self.seed.hash_one(key);
        let mut shard = self.shard(key);
        let count = shard.entry(key).or_default();
        if *count >= max {
            if *count == 0 {
                shard.remove(&key);
            }
            return None;
        }
        *count += 1;
        drop(shard);
        Some(Permit(Arc::new(Held { open: self.clone(), key })))
    }

    /// Whether none is open.
    pub(super) fn is_idle(&self) -> bool {
        (0..SHARDS as u64).all(|shard| self.shard(shard).is_empty())
    }

    fn shard(&self, key: u64) -> MutexGuard<'_, HashMap<u64, u32>> {
        let shard = &self.shards[key as usize % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut shard = self.open.shard(self.key);
        if let Some(count) = shard.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                shard.remove(&self.key);
            }
        }
        if shard.is_empty() {
            // A crowd that has gone leaves no room behind.
            shard.shrink_to(64);
        }
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").finish_non_exhaustive()
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_open_until_the_last_clone_is_gone() {
        let open = Arc::new(Open::default());
        let (first, second) = (open.enter("a", 2).unwrap(), open.enter("a", 2).unwrap());
        let tunnel = first.clone();
        drop(first);
        assert!(open.enter("a", 2).is_none());
        let other = open.enter("b", 2).unwrap();
        drop(tunnel);
        let third = open.enter("a", 2).unwrap();
        assert!(open.enter("a", 2).is_none() && !open.is_idle());
        drop((second, third, other));
        assert!(open.is_idle());
        for key in 0..1000 {
            drop(open.enter(key, 1).unwrap());
        }
        assert!(open.enter("a", 0).is_none() && open.is_idle());
    }
}
