//! wayfind, a trie.

use super::TextEngine;
use super::by_host::ByHost;
use crate::workload::BenchRule;

/// A hash map of hosts, each with a wayfind router.
pub struct Wayfind(ByHost<wayfind::Router<u32>>);

impl Wayfind {
    /// The routers of these rules.
    pub fn new(rules: &[BenchRule]) -> Self {
        Self(ByHost::new(rules, router))
    }
}

/// It keeps the first rule of a text, so the Exact rules come first.
fn router(mut rules: Vec<(u32, &BenchRule)>) -> wayfind::Router<u32> {
    rules.sort_by_key(|(_, rule)| !rule.exact);
    let mut router = wayfind::RouterBuilder::new();
    for (number, rule) in rules {
        let endings = if rule.exact { &[""][..] } else { &["", "/", "/<*rest>"] };
        for ending in endings {
            // Refused is what an Exact rule of the same text has.
            let _ = router.insert(&format!("{}{ending}", rule.path), number);
        }
    }
    router.build()
}

impl TextEngine for Wayfind {
    const NAME: &'static str = "wayfind per host";

    #[inline]
    fn find(&self, host: &str, path: &str) -> Option<u32> {
        self.0.get(host)?.search(path).map(|found| *found.data())
    }
}

impl std::fmt::Debug for Wayfind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wayfind").finish_non_exhaustive()
    }
}
