//! path-tree, a radix trie.

use super::TextEngine;
use super::by_host::ByHost;
use crate::workload::BenchRule;

/// A hash map of hosts, each with a path-tree.
#[derive(Debug)]
pub struct PathTree(ByHost<path_tree::PathTree<u32>>);

impl PathTree {
    /// The trees of these rules.
    pub fn new(rules: &[BenchRule]) -> Self {
        Self(ByHost::new(rules, tree))
    }
}

/// It keeps the last rule of a text, so the Exact rules come last.
fn tree(mut rules: Vec<(u32, &BenchRule)>) -> path_tree::PathTree<u32> {
    rules.sort_by_key(|(_, rule)| rule.exact);
    let mut tree = path_tree::PathTree::new();
    for (number, rule) in rules {
        let _ = tree.insert(&rule.path, number);
        if !rule.exact {
            let _ = tree.insert(&format!("{}/*", rule.path), number);
        }
    }
    tree
}

impl TextEngine for PathTree {
    const NAME: &'static str = "path-tree per host";

    #[inline]
    fn find(&self, host: &str, path: &str) -> Option<u32> {
        self.0.get(host)?.find(path).map(|(number, _)| *number)
    }
}
