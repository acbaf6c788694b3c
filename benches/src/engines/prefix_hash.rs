//! One hash map of host and path together.

use std::cell::RefCell;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::TextEngine;
use crate::workload::BenchRule;

/// One hash map for all rules. Each prefix of the path that ends with an element is hashed anew, with the host, and
/// probed, longest first.
#[derive(Debug)]
pub struct PrefixHash {
    rules: HashMap<Box<str>, [Option<u32>; 2], RandomState>,
    hosts: HashMap<Box<str>, (), RandomState>,
    /// Where host and path are put together.
    key: RefCell<String>,
}

/// Places of the numbers of a key.
const EXACT: usize = 0;
const PREFIX: usize = 1;

impl PrefixHash {
    /// The map of these rules.
    pub fn new(rules: &[BenchRule]) -> Self {
        let mut map: HashMap<Box<str>, [Option<u32>; 2], RandomState> = HashMap::default();
        for (number, rule) in rules.iter().enumerate() {
            let found = map.entry([&*rule.host, &*rule.path].concat().into()).or_default();
            found[if rule.exact { EXACT } else { PREFIX }] = Some(number as u32);
        }
        let hosts = rules.chunk_by(|a, b| a.host == b.host).map(|own| ((*own[0].host).into(), ()));
        Self { rules: map, hosts: hosts.collect(), key: RefCell::default() }
    }

    fn probe(&self, key: &str, host: usize) -> Option<u32> {
        if let Some([Some(exact), _]) = self.rules.get(key) {
            return Some(*exact);
        }
        let mut end = key.len();
        while end > host {
            if let Some([_, Some(prefix)]) = self.rules.get(&key[..end]) {
                return Some(*prefix);
            }
            end = host + memchr::memrchr(b'/', &key.as_bytes()[host..end])?;
        }
        None
    }
}

impl TextEngine for PrefixHash {
    const NAME: &'static str = "whole-prefix hash";

    #[inline]
    fn find(&self, host: &str, path: &str) -> Option<u32> {
        let mut key = self.key.borrow_mut();
        key.clear();
        if self.hosts.contains_key(host) {
            key.push_str(host);
        } else {
            key.push_str("*.");
            key.push_str(host.split_once('.')?.1);
            if !self.hosts.contains_key(&**key) {
                return None;
            }
        }
        let host = key.len();
        key.push_str(path);
        self.probe(&key, host)
    }
}
