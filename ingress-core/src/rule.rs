//! The input of the compiler.

use std::sync::Arc;

use crate::{BackendRef, Backends, Conditions, HostMatch, PathMatch, Policy, Source};

/// One host and path, and what serves it. Compiled into a [`Route`](crate::Route).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// Which hosts.
    pub host: HostMatch,
    /// Which paths of these hosts.
    pub path: PathMatch,
    /// What else a request must meet; nothing for a rule of an Ingress.
    pub conditions: Conditions,
    /// What serves them.
    pub backends: Backends,
    /// How they are treated; `None` where nothing is said. The rules of an Ingress share it.
    pub policy: Option<Arc<Policy>>,
    /// The object and field that the rule stems from; decides between two rules for the same host and
    /// path (ruling R10), where a rule without a source comes last.
    pub source: Option<Source>,
    /// Whether it takes connections instead of requests.
    pub(crate) passes_tls: bool,
}

impl Rule {
    /// A rule without conditions and without a source, served by one backend.
    pub fn new(host: HostMatch, path: PathMatch, backend: BackendRef) -> Self {
        Self::with_backends(host, path, Backends::One(backend))
    }

    /// As [`Rule::new`], where several backends may share the requests; see [`Backends::split`].
    pub fn with_backends(host: HostMatch, path: PathMatch, backends: Backends) -> Self {
        let (conditions, policy, source) = Default::default();
        Self { host, path, conditions, backends, policy, source, passes_tls: false }
    }

    /// A rule for whole connections: those of clients that ask for this host in their TLS handshake are carried to the
    /// backend as they are; see [`RouteTable::passthrough`](crate::RouteTable::passthrough). Where a host has such a rule
    /// and others, the one that wins first (ruling R10) says which kind is served, and the others are not.
    /// [`HostMatch::Any`] cannot have one.
    pub fn passthrough(host: HostMatch, backend: BackendRef) -> Self {
        let rule = Self::new(host, PathMatch::root(), backend);
        Self { passes_tls: true, ..rule }
    }

    /// Says what a request must meet besides host and path.
    #[must_use]
    pub fn with_conditions(mut self, conditions: Conditions) -> Self {
        self.conditions = conditions;
        self
    }

    /// Says how the requests are treated. A policy that says nothing is none.
    #[must_use]
    pub fn with_policy(mut self, policy: impl Into<Arc<Policy>>) -> Self {
        self.policy = Some(policy.into()).filter(|policy| !policy.is_empty());
        self
    }

    /// Says which object and field the rule stems from.
    #[must_use]
    pub fn with_source(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// As [`Rule::precedence`], for the whole host.
    pub(crate) fn claim(&self) -> impl Ord + '_ {
        (self.source.is_none(), &self.source, &self.path, &self.conditions, &self.backends, &self.policy)
    }

    /// The order in which the rules of a host are compiled: by precedence of path and conditions, and then the one
    /// that wins first. No part of it depends on the order in which rules were added.
    pub(crate) fn precedence(&self) -> impl Ord + '_ {
        let place = (self.path.precedence(), self.conditions.precedence());
        let said = (&self.conditions, &self.path, &self.backends, &self.policy, self.passes_tls);
        (place, self.source.is_none(), &self.source, said)
    }
}
