//! A hash map of hosts, as the peers that know only paths have it.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::workload::{BenchRule, hosts};

/// Exact hosts before wildcards. The hash is the table's own, so that it makes no difference.
#[derive(Debug)]
pub(super) struct ByHost<T> {
    exact: HashMap<Box<str>, T, RandomState>,
    wildcard: HashMap<Box<str>, T, RandomState>,
}

impl<T> ByHost<T> {
    /// Builds what each host has, from its rules and their numbers.
    pub(super) fn new(rules: &[BenchRule], build: impl Fn(Vec<(u32, &BenchRule)>) -> T) -> Self {
        let mut by_host = Self { exact: HashMap::default(), wildcard: HashMap::default() };
        for range in hosts(rules) {
            let host = &rules[range.start].host;
            let own = build(range.map(|number| (number as u32, &rules[number])).collect());
            match host.strip_prefix("*.") {
                Some(suffix) => by_host.wildcard.insert(suffix.into(), own),
                None => by_host.exact.insert((**host).into(), own),
            };
        }
        by_host
    }

    #[inline]
    pub(super) fn get(&self, host: &str) -> Option<&T> {
        self.exact.get(host).or_else(|| self.wildcard.get(host.split_once('.')?.1))
    }
}
