//! Lists that have many owners, and are wanted as one.

use std::collections::BTreeMap;

/// What each owner has to say. Owners that have nothing to say take no memory.
#[derive(Debug)]
pub(super) struct ByOwner<K, T> {
    lists: BTreeMap<K, Box<[T]>>,
    changed: bool,
}

impl<K: Ord, T: PartialEq> ByOwner<K, T> {
    /// Makes `list` all that this owner says, in any order.
    pub(super) fn set(&mut self, owner: K, list: Vec<T>) {
        if list.is_empty() {
            self.changed |= self.lists.remove(&owner).is_some();
        } else if self.lists.get(&owner).is_none_or(|known| **known != *list) {
            self.changed = true;
            self.lists.insert(owner, list.into());
        }
    }

    /// All lists.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.lists.values().flatten()
    }

    /// Whether something changed since this was last asked.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }
}

impl<K, T> Default for ByOwner<K, T> {
    fn default() -> Self {
        Self { lists: BTreeMap::new(), changed: true }
    }
}
