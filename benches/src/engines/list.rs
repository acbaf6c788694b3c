//! The list that most controllers have: the rules of a host in order of precedence, gone through from the top.

use std::cmp::Reverse;

use super::TextEngine;
use super::by_host::ByHost;
use crate::workload::BenchRule;

/// A hash map of hosts, each with its rules in order of precedence.
#[derive(Debug)]
pub struct SortedList(ByHost<Box<[Entry]>>);

#[derive(Debug)]
struct Entry {
    path: Box<str>,
    exact: bool,
    number: u32,
}

impl SortedList {
    /// The lists of these rules.
    pub fn new(rules: &[BenchRule]) -> Self {
        Self(ByHost::new(rules, |mut rules| {
            rules.sort_by_key(|(_, rule)| (!rule.exact, Reverse(rule.path.len())));
            let entry = |(number, rule): (u32, &BenchRule)| Entry {
                path: (*rule.path).into(),
                exact: rule.exact,
                number,
            };
            rules.into_iter().map(entry).collect()
        }))
    }
}

impl TextEngine for SortedList {
    const NAME: &'static str = "sorted list per host";

    #[inline]
    fn find(&self, host: &str, path: &str) -> Option<u32> {
        let takes = |entry: &&Entry| match path.strip_prefix(&*entry.path) {
            Some(rest) => rest.is_empty() || (!entry.exact && rest.starts_with('/')),
            None => false,
        };
        self.0.get(host)?.iter().find(takes).map(|entry| entry.number)
    }
}
