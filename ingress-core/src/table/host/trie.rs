//! Paths that are too long for a block: a hash probe for exact ones, and a trie of segments for prefixes.
//!
//! Nothing ever hashes a whole prefix, which would make a path of many short segments quadratic: a lookup makes one
//! probe for each segment that rules have in common with the path, and stops at the first miss.

use std::hash::{BuildHasher, Hasher};
use std::ops::{ControlFlow, Range};

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};

use crate::PathMatch;

/// Exact paths and a segment trie.
#[derive(Debug)]
pub(super) struct Trie {
    exact: HashMap<Box<str>, u32, RandomState>,
    /// The length of the longest exact path: what is longer is not hashed.
    longest_exact: usize,
    hasher: RandomState,
    edges: HashTable<Edge>,
    /// The route of Prefix `/`.
    root: Option<u32>,
    /// By route of a prefix: the next weaker prefix that takes all its paths.
    weaker: Box<[(u32, u32)]>,
    /// The texts of all segments, each different one once: few and short, so they stay in the cache.
    texts: Box<[u8]>,
}

/// From a node to the one below it. Nodes are numbers, the root is 0; what is known about a node is in the
/// edge to it, so that a step reads one place.
#[derive(Debug)]
struct Edge {
    parent: u32,
    child: u32,
    segment: Span,
    /// The route of the prefix that ends at the child, if one does.
    route: Option<u32>,
}

/// A piece of a trie's texts.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

/// A trie being built.
#[derive(Debug)]
struct Growth<'r> {
    trie: Trie,
    texts: Vec<u8>,
    known: std::collections::HashMap<&'r [u8], Span>,
    /// The parent of each node; it has a smaller number.
    parents: Vec<u32>,
    /// The routes of the prefixes that end at each node, in their order.
    ends: std::collections::BTreeMap<u32, Vec<u32>>,
}

// ===== impl Trie =====

impl Trie {
    pub(super) fn build(rules: &[(&PathMatch, u32)]) -> Self {
        let mut growth = Growth::default();
        for &(path, route) in rules {
            match path {
                PathMatch::Exact(text) => {
                    growth.trie.longest_exact = growth.trie.longest_exact.max(text.as_str().len());
                    growth.trie.exact.entry(text.as_str().into()).or_insert(route);
                }
                PathMatch::Prefix(text) => growth.prefix(text.without_slash(), route),
                _ => {}
            }
        }
        growth.finish()
    }

    #[inline]
    pub(super) fn exact(&self, path: &str) -> Option<u32> {
        let known = (path.len() <= self.longest_exact).then(|| self.exact.get(path));
        known.flatten().copied()
    }

    #[inline]
    fn hash(hasher: &RandomState, parent: u32, segment: &[u8]) -> u64 {
        let mut hasher = hasher.build_hasher();
        hasher.write_u32(parent);
        hasher.write(segment);
        hasher.finish()
    }

    /// The prefixes that take the path, the longest first.
    pub(super) fn prefixes<R>(
        &self,
        path: &str,
        visit: &mut impl FnMut(u32) -> ControlFlow<R>,
    ) -> ControlFlow<R> {
        let mut next = self.longest(path);
        while let Some(prefix) = next {
            visit(prefix)?;
            next = self.weaker(prefix);
        }
        ControlFlow::Continue(())
    }

    fn weaker(&self, prefix: u32) -> Option<u32> {
        let found = self.weaker.binary_search_by_key(&prefix, |&(route, _)| route);
        found.ok().map(|at| self.weaker[at].1)
    }

    fn longest(&self, path: &str) -> Option<u32> {
        let (mut node, mut best) = (0, self.root);
        for segment in segments(path) {
            let same = |edge: &Edge| edge.parent == node && self.texts[edge.segment.range()] == *segment;
            let Some(edge) = self.edges.find(Self::hash(&self.hasher, node, segment), same) else { break };
            node = edge.child;
            best = edge.route.or(best);
        }
        best
    }
}

impl Span {
    #[inline]
    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

// ===== impl Growth =====

impl Default for Growth<'_> {
    fn default() -> Self {
        let (exact, hasher, edges) = (HashMap::default(), RandomState::default(), HashTable::new());
        let (weaker, texts) = Default::default();
        let trie = Trie { exact, longest_exact: 0, hasher, edges, root: None, weaker, texts };
        Self {
            trie,
            texts: Vec::new(),
            known: Default::default(),
            parents: vec![0],
            ends: Default::default(),
        }
    }
}

impl<'r> Growth<'r> {
    /// `folder` has no slash at its end. Of two routes for it the first counts.
    fn prefix(&mut self, folder: &'r str, route: u32) {
        let mut segments = segments(folder).peekable();
        if segments.peek().is_none() {
            self.trie.root.get_or_insert(route);
        }
        let mut node = 0;
        while let Some(segment) = segments.next() {
            let edge = self.edge(node, segment);
            node = edge.child;
            if segments.peek().is_none() {
                edge.route.get_or_insert(route);
            }
        }
        self.ends.entry(node).or_default().push(route);
    }

    /// The edge from `parent` for `segment`, made if there is none yet.
    fn edge(&mut self, parent: u32, segment: &'r [u8]) -> &mut Edge {
        let texts = &mut self.texts;
        let span = *self.known.entry(segment).or_insert_with(|| {
            let start = texts.len() as u32;
            texts.extend_from_slice(segment);
            Span { start, end: texts.len() as u32 }
        });
        let (hasher, texts) = (&self.trie.hasher, &*texts);
        // Equal texts have equal spans, so comparing the places is enough.
        let same = |edge: &Edge| {
            edge.parent == parent && edge.segment.start == span.start && edge.segment.end == span.end
        };
        let rehash = |edge: &Edge| Trie::hash(hasher, edge.parent, &texts[edge.segment.range()]);
        let entry = self.trie.edges.entry(Trie::hash(hasher, parent, segment), same, rehash);
        let parents = &mut self.parents;
        let made = entry.or_insert_with(|| {
            parents.push(parent);
            Edge { parent, child: parents.len() as u32 - 1, segment: span, route: None }
        });
        made.into_mut()
    }

    /// For each prefix the strongest of the others that take all its paths and come after it: of those with the same
    /// text, or else of those that end at the nearest node above.
    fn weaker(&self) -> Box<[(u32, u32)]> {
        let mut above: Vec<Option<&[u32]>> = vec![None; self.parents.len()];
        for (node, &parent) in self.parents.iter().enumerate().skip(1) {
            above[node] = self.ends.get(&parent).map(Vec::as_slice).or(above[parent as usize]);
        }
        let pairs = |(&node, routes): (&u32, &Vec<u32>)| {
            let above = above[node as usize].and_then(<[_]>::first).copied();
            let next: Vec<_> = routes.iter().skip(1).copied().map(Some).chain([above]).collect();
            routes.clone().into_iter().zip(next).filter_map(|(route, next)| Some((route, next?)))
        };
        let mut weaker: Vec<_> = self.ends.iter().flat_map(pairs).collect();
        weaker.sort_by_key(|&(route, _)| route);
        weaker.into()
    }

    fn finish(self) -> Trie {
        let weaker = self.weaker();
        let Self { mut trie, texts, .. } = self;
        trie.weaker = weaker;
        let hasher = &trie.hasher;
        trie.edges.shrink_to_fit(|edge| Trie::hash(hasher, edge.parent, &texts[edge.segment.range()]));
        trie.texts = texts.into();
        trie
    }
}

// ===== helpers =====

/// The elements between slashes: none for nothing, `""` for `/`, `"a"` and `""` for `/a/`.
#[inline]
fn segments(path: &str) -> impl Iterator<Item = &[u8]> {
    // The text in front of the first slash is nothing.
    let mut rest = path.as_bytes().get(1..);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = memchr::memchr(b'/', text);
        rest = end.map(|end| &text[end + 1..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_of_paths() {
        let list =
            |path| segments(path).map(|segment| std::str::from_utf8(segment).unwrap()).collect::<Vec<_>>();
        assert!(list("").is_empty());
        assert_eq!(list("/"), [""]);
        assert_eq!(list("/a"), ["a"]);
        assert_eq!(list("/a/"), ["a", ""]);
        assert_eq!(list("/a//b"), ["a", "", "b"]);
    }
}
