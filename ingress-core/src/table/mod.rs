//! The compiled table: rules in, decisions out.

mod builder;
mod conflicts;
pub(crate) mod diff;
#[cfg(feature = "serde")]
mod dump;
pub(crate) mod explain;
mod hosts;
mod options;
mod paths;
mod patterns;
mod route;
mod unserved;
mod visit;

use std::ops::ControlFlow;
use std::sync::Arc;

pub use builder::RouteTableBuilder;
#[cfg(feature = "serde")]
pub use dump::TableDump;
pub use options::{AmbiguousPaths, HostFallthrough};
pub use route::{Route, RouteMatch};
pub use unserved::UnservedRule;

use crate::split::Split;
use crate::{Backend, Diagnostic, HostMatch, RequestHead};
use hosts::HostIndex;
use options::Options;
use route::RouteId;
use visit::{Find, Visitor};

/// One immutable generation of routes, backends and endpoints.
///
/// Looking up takes no lock, and allocates only for conditions on queries and for ambiguous paths. Two
/// tables are equal when they answer every request alike and report the same findings, whatever the order
/// in which their rules were added; the generation does not count.
#[derive(Debug, Default)]
pub struct RouteTable {
    generation: u64,
    routes: Box<[Route]>,
    backends: Box<[Arc<Backend>]>,
    /// Their numbers follow those of the backends.
    splits: Box<[Split]>,
    hosts: HostIndex,
    /// Some route has conditions.
    conditional: bool,
    options: Options,
    reserved: Box<[HostMatch]>,
    unserved: Box<[UnservedRule]>,
    diagnostics: Arc<[Diagnostic]>,
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
        let path = head.path();
        let found = self.find(head, path.as_str());
        if path.is_ambiguous() && !self.takes_ambiguous(head, found) {
            return Err(AmbiguousPath);
        }
        Ok(found.map(|id| self.route_match(id)))
    }

    #[inline]
    fn find(&self, head: &RequestHead<'_>, path: &str) -> Option<RouteId> {
        let mut find = Find { routes: &self.routes, head, conditional: self.conditional };
        match self.visit(head, path, &mut find) {
            ControlFlow::Break(id) => Some(id),
            ControlFlow::Continue(()) => None,
        }
    }

    #[inline]
    fn visit(&self, head: &RequestHead<'_>, path: &str, visitor: &mut impl Visitor) -> ControlFlow<RouteId> {
        self.hosts.visit(head.host(), path, self.options.fallthrough == HostFallthrough::Always, visitor)
    }

    fn takes_ambiguous(&self, head: &RequestHead<'_>, found: Option<RouteId>) -> bool {
        match self.options.ambiguous {
            AmbiguousPaths::Compare => head.path().all_readings(|path| self.find(head, path) == found),
            AmbiguousPaths::Reject => false,
            AmbiguousPaths::Trust => true,
        }
    }

    #[inline]
    fn route_match(&self, id: RouteId) -> RouteMatch<'_> {
        RouteMatch::new(&self.routes[id.route as usize], id.backend, &self.backends, &self.splits)
    }

    /// The table's number: 0 until it is published, then one more than the table before it.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn set_generation(&mut self, generation: u64) {
        self.generation = generation;
    }

    /// All routes: by host, and for each host the strongest first.
    pub fn routes(&self) -> impl ExactSizeIterator<Item = RouteMatch<'_>> {
        (0..self.routes.len()).map(|number| self.route_match(self.routes[number].id(number as u32)))
    }

    /// All backends that a route points at, in the order of their references.
    pub fn backends(&self) -> impl ExactSizeIterator<Item = &Arc<Backend>> {
        self.backends.iter()
    }

    /// The hosts that only rules for them take ([`RouteTableBuilder::reserve`]), in order.
    pub fn reserved_hosts(&self) -> &[HostMatch] {
        &self.reserved
    }

    /// The rules that are not served, in the order of their hosts: those that another rule hides, and those
    /// that [`RouteTableBuilder::unserved`] was told of.
    pub fn unserved_rules(&self) -> &[UnservedRule] {
        &self.unserved
    }

    /// How many hosts, wildcards and host-less rule sets there are; a reserved host without a rule is none.
    pub fn host_count(&self) -> usize {
        self.hosts.len()
    }

    /// What was found while the table was compiled and translated.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}

impl PartialEq for RouteTable {
    fn eq(&self, other: &Self) -> bool {
        self.routes == other.routes
            && self.backends == other.backends
            && self.splits == other.splits
            && self.options == other.options
            && self.reserved == other.reserved
            && self.unserved == other.unserved
            && self.diagnostics == other.diagnostics
    }
}
