//! What all who say the same share, and what stays for a while after the last has gone.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a value stays that nobody has. Whoever looks for such values decides when they go, so it may be longer.
pub(crate) const LINGER: Duration = Duration::from_secs(10 * 60);
/// So many stay at most that nobody has; beyond that, what was out of use longest goes.
const MAX_IDLE: usize = 1024;
/// So many are kept. What is made beyond that is shared by nobody.
const MAX: usize = 65_536;
/// Before so many are new, nobody looks for what is not used any more.
const FEW: usize = 64;

/// Values that are made of others, once for equal ones.
pub(crate) struct Lasting<K, V> {
    hasher: RandomState,
    kept: Mutex<Kept<K, V>>,
}

/// Keys are found by their hashes, so that nobody hashes a long one while others wait. Of two with the same hash one is not
/// kept.
struct Kept<K, V> {
    values: HashMap<u64, Lasted<K, V>>,
    /// After so many more that are new, somebody looks for what is not used any more.
    patience: usize,
}

struct Lasted<K, V> {
    key: K,
    value: Arc<V>,
    /// When somebody was last seen to have it.
    last: Instant,
}

impl<K, V> Default for Lasting<K, V> {
    fn default() -> Self {
        let kept = Kept { values: HashMap::new(), patience: FEW };
        Self { hasher: RandomState::new(), kept: Mutex::new(kept) }
    }
}

impl<K: Clone + Eq + Hash, V> Lasting<K, V> {
    /// The value of a key. Nobody waits while it is made; of two that are made at once, the first stays.
    pub(crate) fn get(&self, key: &K, make: impl FnOnce() -> V) -> Arc<V> {
        let hash = self.hasher.hash_one(key);
        if let Some(value) = self.kept().find(hash, key) {
            return value;
        }
        let made = Lasted { key: key.clone(), value: Arc::new(make()), last: Instant::now() };
        let (mut value, mut gone) = (made.value.clone(), Vec::new());
        let mut kept = self.kept();
        if let Some(first) = kept.find(hash, key) {
            value = first;
        } else {
            kept.patience = kept.patience.saturating_sub(1);
            if kept.patience == 0 {
                gone = kept.forget(made.last);
            }
            if kept.values.len() < MAX {
                gone.extend(kept.values.insert(hash, made));
            }
        }
        drop(kept);
        value
    }

    /// Forgets what nobody has had for long.
    pub(crate) fn forget(&self) {
        let gone = self.kept().forget(Instant::now());
        drop(gone);
    }

    fn kept(&self) -> MutexGuard<'_, Kept<K, V>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.kept().values.len()
    }
}

impl<K, V> fmt::Debug for Lasting<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lasting").finish_non_exhaustive()
    }
}

impl<K: Eq, V> Kept<K, V> {
    fn find(&self, hash: u64, key: &K) -> Option<Arc<V>> {
        let found = self.values.get(&hash).filter(|lasted| lasted.key == *key)?;
        Some(found.value.clone())
    }

    /// What has gone is dropped where nobody waits.
    fn forget(&mut self, now: Instant) -> Vec<Lasted<K, V>> {
        let mut idle = Vec::new();
        for (hash, lasted) in &mut self.values {
            if Arc::strong_count(&lasted.value) > 1 {
                lasted.last = now;
            } else {
                idle.push((lasted.last, *hash));
            }
        }
        idle.sort_unstable();
        let over = idle.len().saturating_sub(MAX_IDLE);
        let old = idle.partition_point(|(last, _)| now.saturating_duration_since(*last) >= LINGER);
        let gone = idle.iter().take(over.max(old)).filter_map(|(_, hash)| self.values.remove(hash)).collect();
        self.patience = self.values.len().clamp(FEW, MAX_IDLE);
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_nobody_has_stays_for_a_while() {
        let lasting = Lasting::default();
        let used = lasting.get(&"used", || 0);
        lasting.get(&"idle", || 1);
        tokio::time::advance(LINGER - Duration::from_secs(1)).await;
        lasting.forget();
        assert_eq!((*lasting.get(&"used", || 2), *lasting.get(&"idle", || 2)), (0, 1));
        tokio::time::advance(Duration::from_secs(1)).await;
        lasting.forget();
        assert_eq!((*lasting.get(&"idle", || 2), lasting.len()), (2, 2));
        // The time begins when nobody has it any more, as far as anybody saw.
        drop(used);
        tokio::time::advance(LINGER - Duration::from_secs(1)).await;
        lasting.forget();
        assert_eq!(*lasting.get(&"used", || 2), 0);
        tokio::time::advance(LINGER).await;
        lasting.forget();
        assert_eq!(lasting.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_out_of_use_longest_goes_first() {
        let lasting = Lasting::default();
        let used = lasting.get(&0, || 0);
        for key in 1..10_000 {
            lasting.get(&key, || key);
            tokio::time::advance(Duration::from_millis(1)).await;
            assert!(lasting.len() <= 2 * MAX_IDLE + 1, "{key}");
        }
        assert!(Arc::ptr_eq(&used, &lasting.get(&0, || 1)));
        assert_eq!(*lasting.get(&(10_000 - MAX_IDLE), || 0), 10_000 - MAX_IDLE);
    }

    #[test]
    fn what_makes_a_value_may_ask_for_others() {
        let lasting = Lasting::default();
        let outer = lasting.get(&1, || *lasting.get(&2, || 2) + *lasting.get(&1, || 5));
        assert_eq!((*outer, *lasting.get(&1, || 0)), (5, 5));
    }
}
