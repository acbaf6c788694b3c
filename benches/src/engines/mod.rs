//! What is compared: the table of `ingress-core`, and what else finds a route.

mod by_host;
mod core_table;
mod list;
mod matchit_router;
mod path_tree_router;
mod prefix_hash;
mod wayfind_router;

use std::rc::Rc;

pub use core_table::CoreTable;
pub use list::SortedList;
pub use matchit_router::Matchit;
pub use path_tree_router::PathTree;
pub use prefix_hash::PrefixHash;
pub use wayfind_router::Wayfind;

use crate::workload::{BenchRule, Requests};

/// Something that finds the number of the rule that takes a request.
pub trait Engine {
    /// Its name in the tables.
    fn name(&self) -> &'static str;

    /// The number of the rule that takes this request.
    fn find(&self, requests: &Requests, number: usize) -> Option<u32>;

    /// Looks all up, and adds up what was found so that nothing is left out.
    fn pass(&self, requests: &Requests) -> u64;
}

/// A peer, which knows hosts and paths as text only.
pub trait TextEngine {
    /// Its name in the tables.
    const NAME: &'static str;

    /// The number of the rule that takes the request.
    fn find(&self, host: &str, path: &str) -> Option<u32>;
}

/// How many of [`all`] are this project's; they come first, the prepared one before the other.
pub const OWN: usize = 2;

/// Where [`all`] has matchit.
pub const MATCHIT: usize = 2;

/// All engines, holding the same rules.
pub fn all(rules: &[BenchRule]) -> Vec<Box<dyn Engine>> {
    let table = Rc::new(CoreTable::new(rules));
    vec![
        Box::new(core_table::Prepared(table.clone())),
        Box::new(core_table::FromText(table)),
        Box::new(Matchit::new(rules)),
        Box::new(Wayfind::new(rules)),
        Box::new(PathTree::new(rules)),
        Box::new(SortedList::new(rules)),
        Box::new(PrefixHash::new(rules)),
    ]
}

impl<E: TextEngine> Engine for E {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn find(&self, requests: &Requests, number: usize) -> Option<u32> {
        let (host, path) = requests.texts[number];
        TextEngine::find(self, host, path)
    }

    fn pass(&self, requests: &Requests) -> u64 {
        let find = |&(host, path): &(&'static str, &'static str)| TextEngine::find(self, host, path);
        requests.texts.iter().map(|texts| find(texts).map_or(0, |number| u64::from(number) + 1)).sum()
    }
}
