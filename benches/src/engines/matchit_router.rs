//! matchit, a radix trie.

use std::collections::BTreeMap;

use super::TextEngine;
use super::by_host::ByHost;
use crate::workload::BenchRule;

/// A hash map of hosts, each with a matchit router.
#[derive(Debug)]
pub struct Matchit(ByHost<matchit::Router<Found>>);

/// What the rules of one text say. An Exact rule takes the text itself, a Prefix also what lies below.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    exact: Option<u32>,
    prefix: Option<u32>,
}

impl Matchit {
    /// The routers of these rules.
    pub fn new(rules: &[BenchRule]) -> Self {
        Self(ByHost::new(rules, router))
    }
}

/// A Prefix is three texts to matchit; what falls on one text is merged first, as it takes each text once.
fn router(rules: Vec<(u32, &BenchRule)>) -> matchit::Router<Found> {
    let mut texts: BTreeMap<String, Found> = BTreeMap::new();
    for (number, rule) in rules {
        if rule.exact {
            texts.entry(rule.path.clone()).or_default().exact = Some(number);
            continue;
        }
        for ending in ["", "/", "/{*rest}"] {
            texts.entry(format!("{}{ending}", rule.path)).or_default().prefix = Some(number);
        }
    }
    let mut router = matchit::Router::new();
    for (text, found) in texts {
        router.insert(text, found).expect("generated paths hold no braces");
    }
    router
}

impl TextEngine for Matchit {
    const NAME: &'static str = "matchit per host";

    #[inline]
    fn find(&self, host: &str, path: &str) -> Option<u32> {
        let found = self.0.get(host)?.at(path).ok()?.value;
        found.exact.or(found.prefix)
    }
}
