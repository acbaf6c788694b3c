//! The path engine: the only file that knows how paths of one host are searched.
//!
//! A host with a handful of rules is a list in order of precedence; nothing beats comparing a few short
//! texts. A host with more has a hash probe for exact paths and a trie of segments for prefixes, laid out
//! flat: one table maps a node and a segment to the next node, so a lookup makes one probe for each segment
//! that rules have in common with the path and stops at the first miss. Nothing ever hashes a whole prefix,
//! which would make a path of many short segments quadratic.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};

use super::RouteId;
use crate::PathMatch;

/// Up to this many rules a host is a list. `cargo bench -p benches --bench lookup` has both shapes.
const MAX_LISTED: usize = 16;

/// The paths of one host.
#[derive(Debug, Default)]
pub(super) enum PathIndex {
    #[default]
    Empty,
    List(Box<[Listed]>),
    Trie(Box<Trie>),
}

/// A rule of a short list.
#[derive(Debug)]
pub(super) struct Listed {
    /// For a prefix without its last slash.
    text: Box<str>,
    exact: bool,
    route: RouteId,
}

/// Exact paths and a segment trie.
#[derive(Debug)]
pub(super) struct Trie {
    exact: HashMap<Box<str>, RouteId, RandomState>,
    hasher: RandomState,
    edges: HashTable<Edge>,
    /// The route of the prefix that ends at each node, if one does. Node 0 is the root.
    nodes: Vec<Option<RouteId>>,
}

#[derive(Debug)]
struct Edge {
    parent: u32,
    child: u32,
    segment: Box<str>,
}

// ===== impl PathIndex =====

impl PathIndex {
    /// `rules` come in order of precedence; of several that take the same paths the first one counts.
    pub(super) fn build<'a>(rules: &[(&'a PathMatch, RouteId)]) -> Self {
        match rules.len() {
            0 => Self::Empty,
            1..=MAX_LISTED => Self::List(rules.iter().filter_map(|&(path, route)| Listed::new(path, route)).collect()),
            _ => Self::Trie(Box::new(Trie::build(rules))),
        }
    }

    #[inline]
    pub(super) fn find(&self, path: &str) -> Option<RouteId> {
        match self {
            Self::Empty => None,
            Self::List(list) => list.iter().find(|rule| rule.takes(path)).map(|rule| rule.route),
            Self::Trie(trie) => trie.find(path),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

// ===== impl Listed =====

impl Listed {
    fn new(path: &PathMatch, route: RouteId) -> Option<Self> {
        let (text, exact) = match path {
            PathMatch::Exact(text) => (text.as_str(), true),
            PathMatch::Prefix(text) => (text.without_slash(), false),
            PathMatch::Default => return None,
        };
        Some(Self { text: text.into(), exact, route })
    }

    #[inline]
    fn takes(&self, path: &str) -> bool {
        let (rule, path) = (self.text.as_bytes(), path.as_bytes());
        if self.exact { path == rule } else { path.starts_with(rule) && matches!(path.get(rule.len()), None | Some(b'/')) }
    }
}

// ===== impl Trie =====

impl Trie {
    fn build(rules: &[(&PathMatch, RouteId)]) -> Self {
        let mut trie = Self { exact: HashMap::default(), hasher: RandomState::default(), edges: HashTable::new(), nodes: vec![None] };
        for &(path, route) in rules {
            match path {
                PathMatch::Exact(text) => {
                    trie.exact.entry(text.as_str().into()).or_insert(route);
                }
                PathMatch::Prefix(text) => {
                    let node = segments(text.without_slash()).fold(0, |node, segment| trie.grow(node, segment));
                    trie.nodes[node as usize].get_or_insert(route);
                }
                PathMatch::Default => {}
            }
        }
        trie.edges.shrink_to_fit(|edge| trie.hasher.hash_one((edge.parent, &*edge.segment)));
        trie.nodes.shrink_to_fit();
        trie
    }

    /// The node below `parent` for `segment`, made if there is none yet.
    fn grow(&mut self, parent: u32, segment: &str) -> u32 {
        if let Some(child) = self.child(parent, segment) {
            return child;
        }
        let child = self.nodes.len() as u32;
        self.nodes.push(None);
        let (hasher, hash) = (&self.hasher, self.hasher.hash_one((parent, segment)));
        let edge = Edge { parent, child, segment: segment.into() };
        self.edges.insert_unique(hash, edge, |edge| hasher.hash_one((edge.parent, &*edge.segment)));
        child
    }

    #[inline]
    fn child(&self, parent: u32, segment: &str) -> Option<u32> {
        let hash = self.hasher.hash_one((parent, segment));
        let edge = self.edges.find(hash, |edge| edge.parent == parent && *edge.segment == *segment)?;
        Some(edge.child)
    }

    fn find(&self, path: &str) -> Option<RouteId> {
        if let Some(&route) = self.exact.get(path) {
            return Some(route);
        }
        let (mut node, mut best) = (0, self.nodes[0]);
        for segment in segments(path) {
            let Some(child) = self.child(node, segment) else { break };
            node = child;
            best = self.nodes[node as usize].or(best);
        }
        best
    }
}

/// The elements between slashes: none for nothing, `""` for `/`, `"a"` and `""` for `/a/`.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    let bytes = path.as_bytes();
    let mut start = 1;
    std::iter::from_fn(move || {
        if start > bytes.len() {
            return None;
        }
        let end = memchr::memchr(b'/', &bytes[start..]).map_or(bytes.len(), |at| start + at);
        let segment = path.get(start..end);
        start = end + 1;
        segment
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(rules: &[PathMatch]) -> [PathIndex; 2] {
        let rules: Vec<_> = rules.iter().enumerate().map(|(i, path)| (path, RouteId(i as u32))).collect();
        [PathIndex::build(&rules), PathIndex::Trie(Box::new(Trie::build(&rules)))]
    }

    #[test]
    fn segments_of_paths() {
        let list = |path| segments(path).collect::<Vec<_>>();
        assert!(list("").is_empty());
        assert_eq!(list("/"), [""]);
        assert_eq!(list("/a"), ["a"]);
        assert_eq!(list("/a/"), ["a", ""]);
        assert_eq!(list("/a//b"), ["a", "", "b"]);
    }

    #[test]
    fn list_and_trie_agree_on_borders() {
        let prefix = |p| PathMatch::prefix(p).unwrap();
        let rules = [
            PathMatch::exact("/foo").unwrap(),
            PathMatch::exact("/").unwrap(),
            prefix("/foo/bar/"),
            prefix("/foo/"),
            prefix("/foo"),
        ];
        for index in both(&rules) {
            for (path, want) in [
                ("/foo", Some(0)),
                ("/", Some(1)),
                ("/foo/bar", Some(2)),
                ("/foo/bar/x", Some(2)),
                ("/foo/barx", Some(3)),
                ("/foo/", Some(3)),
                ("/foo//", Some(3)),
                ("/fo", None),
                ("/food", None),
                ("//foo", None),
            ] {
                assert_eq!(index.find(path), want.map(RouteId), "{path:?} in {index:?}");
            }
        }
    }
}
