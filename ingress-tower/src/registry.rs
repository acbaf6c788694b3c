//! What all who say the same share, for as long as somebody does.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// So many are kept. What is made beyond that is shared by nobody.
const MAX: usize = 65_536;
/// Before so many are new, nobody looks for what is not used any more.
const FEW: usize = 64;

/// Values that are made once for each key.
#[derive(Debug)]
pub(crate) struct Registry<K, V>(Mutex<Kept<K, V>>);

#[derive(Debug)]
struct Kept<K, V> {
    values: HashMap<K, Arc<V>>,
    /// After so many more that are new, what is not used any more is forgotten: so many as there are, so that looking for it
    /// costs each of them little.
    patience: usize,
}

impl<K, V> Default for Registry<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Kept { values: HashMap::new(), patience: FEW }))
    }
}

impl<K: Eq + Hash, V> Registry<K, V> {
    /// The value of a key. One that nobody has any more is forgotten in time, if `is_idle` says that nothing is lost.
    pub(crate) fn get(&self, key: K, make: impl FnOnce() -> V, is_idle: impl Fn(&V) -> bool) -> Arc<V> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = kept.values.get(&key) {
            return value.clone();
        }
        kept.patience = kept.patience.saturating_sub(1);
        if kept.patience == 0 {
            kept.values.retain(|_, value| Arc::strong_count(value) > 1 || !is_idle(value));
            kept.patience = kept.values.len().max(FEW);
        }
        let value = Arc::new(make());
        if kept.values.len() < MAX {
            kept.values.insert(key, value.clone());
        }
        value
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_is_shared_and_what_is_not_is_forgotten() {
        let registry = Registry::default();
        let used = registry.get(0, || 0, |_| true);
        for key in 1..10_000 {
            registry.get(key, || key, |_| true);
            assert!(registry.len() <= 2 * FEW, "{key}");
        }
        assert!(Arc::ptr_eq(&used, &registry.get(0, || 1, |_| true)));
    }

    #[test]
    fn what_is_not_idle_is_kept_up_to_a_bound() {
        let registry = Registry::default();
        for key in 0..MAX + 10 {
            registry.get(key, || key, |_| false);
        }
        assert_eq!(registry.len(), MAX);
        assert_eq!(*registry.get(7, || 0, |_| false), 7);
    }
}
