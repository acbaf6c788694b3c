//! A vector whose clones share what was not changed since.

use std::sync::Arc;

/// A tree of fixed height over places counted from 0. Cloning it copies one pointer; setting a place copies the nodes
/// above it that a clone shares, which is one for each factor of 16 in size.
#[derive(Clone, Debug)]
pub(super) struct Radix<T> {
    root: Node<T>,
    /// How many levels are above the leaves.
    height: u32,
}

#[derive(Clone, Debug)]
enum Node<T> {
    Leaf(Arc<[T]>),
    Inner(Arc<[Node<T>]>),
}

const BITS: u32 = 4;
const WIDTH: usize = 1 << BITS;

impl<T: Clone + Default> Default for Radix<T> {
    fn default() -> Self {
        Self { root: Node::leaf(), height: 0 }
    }
}

impl<T> Radix<T> {
    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<&T> {
        if place >> (BITS * (self.height + 1)) != 0 {
            return None;
        }
        let (mut node, mut shift) = (&self.root, BITS * self.height);
        loop {
            match node {
                Node::Leaf(values) => return values.get(place & (WIDTH - 1)),
                Node::Inner(nodes) => node = &nodes[place >> shift & (WIDTH - 1)],
            }
            shift -= BITS;
        }
    }

    /// All values by place, those never set included.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let mut stack = vec![&self.root];
        std::iter::from_fn(move || {
            loop {
                match stack.pop()? {
                    Node::Leaf(values) => return Some(&**values),
                    Node::Inner(nodes) => stack.extend(nodes.iter().rev()),
                }
            }
        })
        .flatten()
    }
}

impl<T: Clone + Default> Radix<T> {
    /// A place to change, in nodes that no clone shares; those below it that were never set hold the default.
    pub(super) fn slot(&mut self, place: usize) -> &mut T {
        while place >> (BITS * (self.height + 1)) != 0 {
            self.height += 1;
            let below = std::mem::replace(&mut self.root, Node::leaf());
            let fill = (1..WIDTH).map(|_| Node::empty());
            self.root = Node::Inner(std::iter::once(below).chain(fill).collect());
        }
        let (mut node, mut shift) = (&mut self.root, BITS * self.height);
        loop {
            match node {
                Node::Leaf(values) => return &mut Arc::make_mut(values)[place & (WIDTH - 1)],
                Node::Inner(nodes) => node = &mut Arc::make_mut(nodes)[place >> shift & (WIDTH - 1)],
            }
            shift -= BITS;
            // Nodes are made when a place below them is first set.
            if let Node::Leaf(values) = node {
                if values.is_empty() {
                    *node = if shift == 0 { Node::leaf() } else { Node::inner() };
                }
            }
        }
    }
}

impl<T: Clone + Default> Node<T> {
    fn leaf() -> Self {
        Self::Leaf(std::iter::repeat_with(T::default).take(WIDTH).collect())
    }

    fn inner() -> Self {
        Self::Inner((0..WIDTH).map(|_| Self::empty()).collect())
    }

    /// Stands for a node of which nothing was set.
    fn empty() -> Self {
        Self::Leaf(Arc::default())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A vector holds what was set, and its clones what they held when they were made.
        #[test]
        fn clones_do_not_change(places in prop::collection::vec((0usize..300_000, 1u32..), 1..60)) {
            let (mut radix, mut model) = (Radix::<u32>::default(), BTreeMap::new());
            let mut before = Vec::new();
            for (place, value) in places {
                before.push((radix.clone(), model.clone()));
                *radix.slot(place) = value;
                model.insert(place, value);
            }
            before.push((radix, model));
            for (radix, model) in before {
                let set = radix.iter().copied().filter(|value| *value != 0);
                prop_assert!(set.eq(model.values().copied()));
                for (place, value) in model {
                    prop_assert_eq!(radix.get(place), Some(&value));
                }
                prop_assert_eq!(radix.get(1 << 40), None);
            }
        }
    }
}
