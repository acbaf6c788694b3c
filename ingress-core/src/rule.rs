//! The input of the compiler.

use crate::{BackendRef, HostMatch, PathMatch, Source};

/// One host and path, and what serves it. Compiled into a [`Route`](crate::Route).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// Which hosts.
    pub host: HostMatch,
    /// Which paths of these hosts.
    pub path: PathMatch,
    /// What serves them.
    pub backend: BackendRef,
    /// The object and field that the rule stems from; decides between two rules for the same host and
    /// path (ruling R10), where a rule without a source comes last.
    pub source: Option<Source>,
}

impl Rule {
    /// A rule without a source.
    pub fn new(host: HostMatch, path: PathMatch, backend: BackendRef) -> Self {
        Self { host, path, backend, source: None }
    }

    /// Says which object and field the rule stems from.
    #[must_use]
    pub fn with_source(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// The order in which rules are compiled: by host, by precedence of the path, and then the one that
    /// wins first. No part of it depends on the order in which rules were added.
    pub(crate) fn precedence(&self) -> impl Ord + '_ {
        (&self.host, &self.path, self.source.is_none(), &self.source, &self.backend)
    }
}
