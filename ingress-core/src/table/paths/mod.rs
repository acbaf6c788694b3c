//! The path engine: the only module that knows how paths of one host are searched.
//!
//! A host with a handful of rules is a list in order of precedence; nothing beats comparing a few short
//! texts. A host with more has a hash probe for exact paths and a trie of segments for prefixes, laid out
//! flat: one table maps a node and a segment to the next node, so a lookup makes one probe for each segment
//! that rules have in common with the path and stops at the first miss. Nothing ever hashes a whole prefix,
//! which would make a path of many short segments quadratic.

mod list;
mod trie;

use std::ops::ControlFlow;

use super::route::RouteId;
use super::visit::Visitor;
use crate::PathMatch;
use list::List;
use trie::Trie;

/// Up to this many rules a host is a list. `cargo bench -p benches --bench lookup` has both shapes.
const MAX_LISTED: usize = 16;

/// The paths of one host.
#[derive(Debug, Default)]
pub(super) enum PathIndex {
    #[default]
    Empty,
    List(List),
    Trie(Box<Trie>),
}

// ===== impl PathIndex =====

impl PathIndex {
    /// `rules` come in order of precedence; of several that take the same paths the first one counts.
    pub(super) fn build(rules: &[(&PathMatch, RouteId)]) -> Self {
        match rules.len() {
            0 => Self::Empty,
            1..=MAX_LISTED => Self::List(List::build(rules)),
            _ => Self::Trie(Box::new(Trie::build(rules))),
        }
    }

    /// The exact path.
    #[inline]
    pub(super) fn exact(&self, path: &str) -> Option<RouteId> {
        match self {
            Self::Empty => None,
            Self::List(list) => list.exact(path.as_bytes()),
            Self::Trie(trie) => trie.exact(path),
        }
    }

    /// All prefixes that take the path, the strongest first, until the visitor breaks.
    #[inline]
    pub(super) fn prefixes(&self, path: &str, visitor: &mut impl Visitor) -> ControlFlow<RouteId> {
        match self {
            Self::Empty => ControlFlow::Continue(()),
            Self::List(list) => list.prefixes(path.as_bytes(), visitor),
            Self::Trie(trie) => trie.prefixes(path, visitor),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(number: u32) -> RouteId {
        RouteId { route: number, backend: 0 }
    }

    fn both(rules: &[PathMatch]) -> [PathIndex; 2] {
        let rules: Vec<_> = rules.iter().enumerate().map(|(i, path)| (path, route(i as u32))).collect();
        [PathIndex::build(&rules), PathIndex::Trie(Box::new(Trie::build(&rules)))]
    }

    /// Notes prefixes.
    #[derive(Default)]
    struct All(Vec<u32>);

    impl Visitor for All {
        fn candidate(&mut self, first: RouteId) -> ControlFlow<RouteId> {
            self.0.push(first.route);
            ControlFlow::Continue(())
        }
    }

    fn prefixes(index: &PathIndex, path: &str) -> Vec<u32> {
        let mut all = All::default();
        let _ = index.prefixes(path, &mut all);
        all.0
    }

    fn first(index: &PathIndex, path: &str) -> Option<RouteId> {
        index.exact(path).or_else(|| prefixes(index, path).first().map(|&number| route(number)))
    }

    #[test]
    fn weaker_prefixes_follow() {
        let prefix = |p| PathMatch::prefix(p).unwrap();
        let rules = [prefix("/a/b/c"), prefix("/a/x"), prefix("/a/"), prefix("/a"), prefix("/")];
        for index in both(&rules) {
            assert_eq!(prefixes(&index, "/a/b/c/d"), [0, 2, 3, 4]);
            assert_eq!(prefixes(&index, "/a/x"), [1, 2, 3, 4]);
            assert_eq!(prefixes(&index, "/b"), [4]);
        }
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
                assert_eq!(first(&index, path), want.map(route), "{path:?} in {index:?}");
            }
        }
    }
}
