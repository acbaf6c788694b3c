//! The right answers, from the rules as they are written.

use std::collections::HashMap;
use std::ops::Range;

use crate::engines::Engine;
use crate::workload::{BenchRule, Requests, hosts};

/// Answers by going through all rules of a host.
#[derive(Debug)]
pub struct Oracle<'r> {
    rules: &'r [BenchRule],
    hosts: HashMap<&'r str, Range<usize>>,
}

impl<'r> Oracle<'r> {
    /// The answers that these rules give.
    pub fn new(rules: &'r [BenchRule]) -> Self {
        let by_name = |range: Range<usize>| (&*rules[range.start].host, range);
        Self { rules, hosts: hosts(rules).into_iter().map(by_name).collect() }
    }

    /// The number of the rule that takes the request: of the host itself or else of its wildcard the Exact rule, or
    /// else the longest Prefix.
    pub fn find(&self, host: &str, path: &str) -> Option<u32> {
        let wildcard = || format!("*.{}", host.split_once('.').map_or("", |(_, suffix)| suffix));
        let range = self.hosts.get(host).or_else(|| self.hosts.get(&*wildcard()))?;
        let rules = range.clone().map(|number| (number as u32, &self.rules[number]));
        let taking = rules.filter(|(_, rule)| takes(rule, path));
        taking.max_by_key(|(_, rule)| (rule.exact, rule.path.len())).map(|(number, _)| number)
    }

    /// Asserts that all engines answer a sample of the requests as it is right.
    ///
    /// # Panics
    ///
    /// Where one does not.
    pub fn check(&self, engines: &[Box<dyn Engine>], requests: &Requests) {
        let step = (requests.len() / 5000).max(1);
        for number in (0..requests.len()).step_by(step) {
            let (host, path) = requests.texts[number];
            let right = self.find(host, path);
            for engine in engines {
                assert_eq!(engine.find(requests, number), right, "{} for {host} {path}", engine.name());
            }
        }
    }
}

fn takes(rule: &BenchRule, path: &str) -> bool {
    match path.strip_prefix(&*rule.path) {
        Some("") => true,
        Some(rest) => !rule.exact && rest.starts_with('/'),
        None => false,
    }
}
