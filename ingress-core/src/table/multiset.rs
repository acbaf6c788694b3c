//! A sorted multiset that is changed one item at a time, and kept as it was by whoever has a clone.

use std::fmt;

use rpds::RedBlackTreeMapSync;

/// Items in order, each with how often it was put in. A clone costs nothing, and an item that comes or goes costs the
/// way to it in a tree.
#[derive(Clone)]
pub(crate) struct Multiset<T: Ord>(RedBlackTreeMapSync<T, usize>);

impl<T: Ord + Clone> Multiset<T> {
    pub(crate) fn insert(&mut self, item: T) {
        match self.0.get_mut(&item) {
            Some(count) => *count += 1,
            None => self.0.insert_mut(item, 1),
        }
    }

    /// Takes the item out once, if it is in.
    pub(crate) fn remove(&mut self, item: &T) {
        match self.0.get_mut(item) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) => _ = self.0.remove_mut(item),
            None => {}
        }
    }

    /// Each item once, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.keys()
    }

    /// How many different items there are.
    pub(crate) fn len(&self) -> usize {
        self.0.size()
    }

    /// Whether both are one and the same, which costs no comparison of items; equal ones may be two.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }
}

impl<T: Ord + Clone> Default for Multiset<T> {
    fn default() -> Self {
        Self(RedBlackTreeMapSync::new_sync())
    }
}

impl<T: Ord + Clone> FromIterator<T> for Multiset<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut all = Self::default();
        items.into_iter().for_each(|item| all.insert(item));
        all
    }
}

/// Two are equal when the same items are in them, however often.
impl<T: Ord + Clone> PartialEq for Multiset<T> {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || self.iter().eq(other.iter())
    }
}

impl<T: Ord + Clone + fmt::Debug> fmt::Debug for Multiset<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_stays_until_it_was_taken_out_as_often_as_it_was_put_in() {
        let mut all: Multiset<u8> = [3, 1, 3].into_iter().collect();
        let before = all.clone();
        assert!(all.is_same(&before));
        all.remove(&3);
        assert_eq!(all, before);
        all.remove(&3);
        all.remove(&3);
        all.remove(&7);
        assert_eq!(all.iter().collect::<Vec<_>>(), [&1]);
        assert_eq!((all.len(), before.len()), (1, 2));
    }
}
