//! Lists that have many owners, and are wanted as one.

use std::collections::BTreeMap;

/// What each owner has to say. Owners that have nothing to say take no memory.
#[derive(Debug)]
pub(super) struct ByOwner<K, T> {
    lists: BTreeMap<K, Box<[T]>>,
    edits: Edits<T>,
}

/// What came and what went. An item may be in both.
#[derive(Debug)]
pub(crate) struct Edits<T> {
    pub(crate) added: Vec<T>,
    pub(crate) removed: Vec<T>,
}

impl<K: Ord, T: Clone + PartialEq> ByOwner<K, T> {
    /// Makes `list` all that this owner says, in any order.
    pub(super) fn set(&mut self, owner: K, list: Vec<T>) {
        if self.lists.get(&owner).map_or(&[][..], |known| known) == list {
            return;
        }
        self.edits.added.extend(list.iter().cloned());
        let before = match list.is_empty() {
            true => self.lists.remove(&owner),
            false => self.lists.insert(owner, list.into()),
        };
        self.edits.removed.extend(before.into_iter().flatten());
    }

    /// What changed since this was last asked.
    pub(super) fn take_edits(&mut self) -> Edits<T> {
        std::mem::take(&mut self.edits)
    }
}

impl<T> Edits<T> {
    pub(super) fn and(mut self, other: Self) -> Self {
        self.added.extend(other.added);
        self.removed.extend(other.removed);
        self
    }
}

impl<K, T> Default for ByOwner<K, T> {
    fn default() -> Self {
        Self { lists: BTreeMap::new(), edits: Edits::default() }
    }
}

impl<T> Default for Edits<T> {
    fn default() -> Self {
        Self { added: Vec::new(), removed: Vec::new() }
    }
}
