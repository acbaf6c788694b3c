//! The compiled table: rules in, decisions out.

mod asking;
mod backends;
mod builder;
mod certificates;
mod conflicts;
mod diagnostics;
pub(crate) mod diff;
mod directory;
#[cfg(feature = "serde")]
mod dump;
mod editor;
pub(crate) mod explain;
mod host;
mod hosts;
mod multiset;
mod options;
mod passthrough;
mod radix;
mod reserved;
mod route;
mod same;
mod shard;
mod unserved;
mod visit;

use std::ops::ControlFlow;
use std::sync::Arc;

pub use builder::RouteTableBuilder;
pub use diagnostics::Diagnostics;
#[cfg(feature = "serde")]
pub use dump::TableDump;
pub use editor::TableEditor;
pub use options::{AmbiguousPaths, HostFallthrough};
pub use passthrough::Passthrough;
pub use route::{Route, RouteMatch};
pub use unserved::UnservedRule;

use crate::path::MarkedPath;
use crate::{Backend, BackendRef, Certificate, HostMatch, RequestHead};
use asking::Asking;
use backends::BackendTable;
use certificates::Certificates;
use hosts::HostIndex;
use multiset::Multiset;
use options::Options;
use passthrough::Passthroughs;
use visit::{Find, Visitor};

/// One immutable generation of routes, backends, endpoints and certificates.
///
/// Looking up takes no lock, and allocates only for conditions on queries and for ambiguous paths. Two
/// tables are equal when they answer every request alike and report the same findings, whatever the order
/// in which their rules were added; the generation does not count. Tables that a [`TableEditor`] makes one after
/// another share what did not change.
#[derive(Debug, Default)]
pub struct RouteTable {
    generation: u64,
    /// Made of nothing, so that its endpoints are strangers.
    is_fresh: bool,
    hosts: HostIndex,
    backends: BackendTable,
    certificates: Certificates,
    asking: Asking,
    passthroughs: Passthroughs,
    routes: usize,
    served_hosts: usize,
    options: Options,
    unserved: Multiset<UnservedRule>,
    diagnostics: Diagnostics,
}

/// The path is one that application servers read in different ways, and these ways lead to different
/// routes (ruling R5). A server answers 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path can be read in several ways that lead to different routes")]
pub struct AmbiguousPath;

// ===== impl RouteTable =====

impl RouteTable {
    /// Starts a table.
    pub fn builder() -> RouteTableBuilder {
        RouteTableBuilder::default()
    }

    /// The route that takes a request, or `None` when nothing does.
    ///
    /// # Errors
    ///
    /// [`AmbiguousPath`] when the path has several readings that reach different routes, or more of them
    /// than one request may cost; see [`AmbiguousPaths`].
    #[inline]
    pub fn lookup(&self, head: &RequestHead<'_>) -> Result<Option<RouteMatch<'_>>, AmbiguousPath> {
        let found = self.find(head, head.path().marked());
        if head.path().is_ambiguous() && !self.takes_ambiguous(head, found) {
            return Err(AmbiguousPath);
        }
        Ok(found.map(|route| self.route_match(route)))
    }

    #[inline]
    fn find(&self, head: &RequestHead<'_>, path: MarkedPath<'_>) -> Option<Route<'_>> {
        match self.visit(head, path, &mut Find(head)) {
            ControlFlow::Break(route) => Some(route),
            ControlFlow::Continue(()) => None,
        }
    }

    #[inline]
    fn visit<'t>(
        &'t self,
        head: &RequestHead<'_>,
        path: MarkedPath<'_>,
        visitor: &mut impl Visitor<'t>,
    ) -> ControlFlow<Route<'t>> {
        self.hosts.visit(head.host(), path, self.options.fallthrough == HostFallthrough::Always, visitor)
    }

    fn takes_ambiguous(&self, head: &RequestHead<'_>, found: Option<Route<'_>>) -> bool {
        match self.options.ambiguous {
            AmbiguousPaths::Compare => head.path().all_readings(|path| self.reaches(head, path, found)),
            AmbiguousPaths::Reject => false,
            AmbiguousPaths::Trust => true,
        }
    }

    /// Whether a reading of the path leads to the same route.
    fn reaches(&self, head: &RequestHead<'_>, path: &str, found: Option<Route<'_>>) -> bool {
        match (self.find(head, MarkedPath::new(path)), found) {
            (None, None) => true,
            (Some(other), Some(found)) => other.is(found),
            _ => false,
        }
    }

    #[inline]
    fn route_match<'t>(&'t self, route: Route<'t>) -> RouteMatch<'t> {
        RouteMatch::new(route, &self.backends)
    }

    /// The table's number: 0 until it is published, then one more than the table before it.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn set_generation(&mut self, generation: u64) {
        self.generation = generation;
    }

    /// Of a table that was not made from the one before it.
    pub(crate) fn fresh(self) -> Self {
        Self { is_fresh: true, ..self }
    }

    /// Takes over what the table before it knows of endpoints that are still there.
    pub(crate) fn follow(&mut self, before: &Self) {
        if std::mem::take(&mut self.is_fresh) {
            self.backends.recall(&before.backends);
        }
    }

    /// All routes: by host, and for each host the strongest first. They are sorted by each call.
    pub fn routes(&self) -> impl ExactSizeIterator<Item = RouteMatch<'_>> {
        let hosts = self.hosts.sorted();
        let routes: Vec<_> = hosts.into_iter().flat_map(|host| host.routes()).collect();
        routes.into_iter().map(|route| self.route_match(route))
    }

    /// How many routes there are.
    pub fn route_count(&self) -> usize {
        self.routes
    }

    /// All backends that a route points at, in the order of their references. They are sorted by each call.
    pub fn backends(&self) -> impl ExactSizeIterator<Item = &Arc<Backend>> {
        self.backends.sorted().into_iter()
    }

    /// A backend that a rule's policy names; see [`Policy::backends`](crate::Policy::backends).
    pub fn backend(&self, reference: &BackendRef) -> Option<&Arc<Backend>> {
        self.backends.named(reference)
    }

    /// How many backends the routes point at.
    pub fn backend_count(&self) -> usize {
        self.backends.backend_count()
    }

    /// How many endpoints of these backends may be chosen.
    pub fn endpoint_count(&self) -> usize {
        self.backends.endpoint_count()
    }

    /// The certificate for the name that a client asks for in its handshake (SNI, RFC 6066 section 3): that of the
    /// host, else that of the wildcard one label above, else the default one (ruling R13). Without a name it is the
    /// default one.
    pub fn certificate(&self, server_name: Option<&str>) -> Option<&Certificate> {
        self.certificates.find(server_name)
    }

    /// Whether a client is to be asked for a certificate of its own that asks for this name in its handshake: whether a
    /// rule that may take its requests has a [`ClientCertificate`](crate::ClientCertificate), or the policy of any backend.
    /// A client that asks for no name is asked where any rule has one. What is not in the table does not count, such as
    /// policies that hold where it says nothing.
    pub fn wants_certificate(&self, server_name: Option<&str>) -> bool {
        let fallthrough = self.options.fallthrough == HostFallthrough::Always;
        self.backends.want_certificates() || self.asking.asks(server_name, &self.hosts, fallthrough)
    }

    /// Where a connection is carried, undecrypted, whose client asks for this name in its handshake: what the rule of the
    /// host says, else that of the wildcard one label above, unless the table has the host itself
    /// ([`Rule::passthrough`](crate::Rule::passthrough)). Such a host has no routes: requests for it that come otherwise
    /// are those of a host without rules, which a wildcard does not take.
    pub fn passthrough(&self, server_name: &str) -> Option<Passthrough<'_>> {
        let passed = self.passthroughs.find(server_name, &self.hosts)?;
        Some(passed.to(self.backends.backend(passed.backend)?))
    }

    /// Whether connections of any host are carried on undecrypted.
    pub fn has_passthroughs(&self) -> bool {
        !self.passthroughs.is_empty()
    }

    /// All hosts whose connections are carried on undecrypted, in order.
    pub fn passthroughs(&self) -> impl Iterator<Item = (&HostMatch, Passthrough<'_>)> {
        let all = self.passthroughs.iter();
        all.filter_map(|(host, passed)| Some((host, passed.to(self.backends.backend(passed.backend)?))))
    }

    /// All certificates by host; that of [`HostMatch::Any`] is the default one.
    pub fn certificates(&self) -> impl Iterator<Item = (&HostMatch, &Certificate)> {
        self.certificates.iter()
    }

    /// The hosts that only rules for them take ([`RouteTableBuilder::reserve`]), in order.
    pub fn reserved_hosts(&self) -> &[HostMatch] {
        &self.hosts.reserved().hosts
    }

    /// The rules that are not served, in the order of their hosts: those that another rule hides, and those
    /// that [`RouteTableBuilder::unserved`] was told of.
    pub fn unserved_rules(&self) -> impl Iterator<Item = &UnservedRule> {
        self.unserved.iter()
    }

    /// How many hosts, wildcards and host-less rule sets there are; a reserved host without a rule is none.
    pub fn host_count(&self) -> usize {
        self.served_hosts
    }

    /// What was found while the table was compiled and translated.
    pub fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }
}

impl PartialEq for RouteTable {
    fn eq(&self, other: &Self) -> bool {
        self.options == other.options
            && self.reserved_hosts() == other.reserved_hosts()
            && self.certificates == other.certificates
            && self.unserved == other.unserved
            && self.diagnostics == other.diagnostics
            && self.backends().eq(other.backends())
            && self.routes().eq(other.routes())
            && self.passthroughs().eq(other.passthroughs())
    }
}
