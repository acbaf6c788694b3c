//! Hosts that are kept for the rules that name them.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::shard::{Host, Shard};
use super::visit::Level;
use crate::{HostMatch, MAX_HOST_LEN, RequestHost};

/// The hosts that host-less rules do not take.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    /// All of them, in order.
    pub(super) hosts: Box<[HostMatch]>,
    names: HashSet<Box<[u8]>, RandomState>,
    suffixes: Suffixes,
    /// What serves these hosts instead: a single route for any host and path.
    default: Option<Shard>,
}

/// What follows `*.`: all names below are reserved.
#[derive(Debug, Default)]
struct Suffixes {
    all: HashSet<Box<[u8]>, RandomState>,
    /// Whether one has so many bytes. A host has up to 126 suffixes, and few of them are so long that they are worth
    /// a hash.
    lengths: Box<[bool]>,
}

impl Reserved {
    pub(super) fn new(hosts: Vec<HostMatch>, default: Option<Shard>) -> Self {
        let mut reserved = Self { default, ..<Self as Default>::default() };
        for host in &hosts {
            match Level::of(host) {
                (Level::Exact, name) => _ = reserved.names.insert(name.as_bytes().into()),
                (Level::Wildcard, suffix) => reserved.suffixes.insert(suffix.as_bytes()),
                (Level::Any, _) => {}
            }
        }
        Self { hosts: hosts.into(), ..reserved }
    }

    /// What serves these hosts where no rule for them does.
    pub(super) fn default(&self) -> Option<Host<'_>> {
        self.default.as_ref().map(Shard::only)
    }

    /// Whether the host itself is reserved, apart from those above it.
    pub(super) fn names(&self, host: &HostMatch) -> bool {
        matches!(host, HostMatch::Exact(name) if self.has_name(name.as_str().as_bytes()))
    }

    pub(super) fn has_name(&self, name: &[u8]) -> bool {
        self.names.contains(name)
    }

    /// Whether the host is reserved, by itself or by one above it.
    #[inline]
    pub(super) fn takes(&self, host: &RequestHost<'_>) -> bool {
        !self.hosts.is_empty() && (self.has_name(host.as_bytes()) || self.suffixes.take(host))
    }
}

impl Suffixes {
    fn insert(&mut self, suffix: &[u8]) {
        if self.lengths.is_empty() {
            self.lengths = vec![false; MAX_HOST_LEN + 1].into();
        }
        self.lengths[suffix.len()] = true;
        self.all.insert(suffix.into());
    }

    fn take(&self, host: &RequestHost<'_>) -> bool {
        let mut above = host.parent();
        while let Some(suffix) = above {
            if self.lengths.get(suffix.len()) == Some(&true) && self.all.contains(suffix) {
                return true;
            }
            above = memchr::memchr(b'.', suffix).map(|dot| &suffix[dot + 1..]);
        }
        false
    }
}
