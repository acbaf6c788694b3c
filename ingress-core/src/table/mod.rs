//! The compiled table: rules in, decisions out.

mod builder;
#[cfg(feature = "serde")]
mod dump;
mod hosts;
mod paths;

use std::sync::Arc;

pub use builder::RouteTableBuilder;
#[cfg(feature = "serde")]
pub use dump::TableDump;

use crate::{Backend, Diagnostic, HostMatch, PathMatch, RequestHost, RequestPath, Source};
use hosts::HostIndex;

/// One immutable generation of routes, backends and endpoints.
///
/// Looking up allocates nothing and takes no lock. Two tables are equal when they answer every request
/// alike and report the same findings, whatever the order in which their rules were added; the generation
/// does not count.
#[derive(Debug, Default)]
pub struct RouteTable {
    generation: u64,
    routes: Box<[Route]>,
    backends: Box<[Arc<Backend>]>,
    hosts: HostIndex,
    reserved: Box<[HostMatch]>,
    diagnostics: Arc<[Diagnostic]>,
}

/// The compiled form of one rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    host: HostMatch,
    path: PathMatch,
    backend: u32,
    source: Option<Source>,
}

/// The route that takes a request, and its backend.
#[derive(Clone, Copy, Debug)]
pub struct RouteMatch<'t> {
    /// The route.
    pub route: &'t Route,
    /// What serves it; shared, so that it can be kept beyond the table.
    pub backend: &'t Arc<Backend>,
}

/// The path is one that application servers read in different ways, and these ways lead to different
/// routes (ruling R5). A server answers 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path can be read in several ways that lead to different routes")]
pub struct AmbiguousPath;

/// A route's place in its table, and its backend's, which spares a lookup reading the route itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RouteId {
    route: u32,
    backend: u32,
}

// ===== impl RouteTable =====

impl RouteTable {
    /// Starts a table.
    pub fn builder() -> RouteTableBuilder {
        RouteTableBuilder::default()
    }

    /// The route that takes a request with this host and path, or `None` when nothing does.
    ///
    /// # Errors
    ///
    /// [`AmbiguousPath`] when the path has several readings that reach different routes, or more of them
    /// than one request may cost.
    #[inline]
    pub fn lookup(
        &self,
        host: &RequestHost,
        path: &RequestPath<'_>,
    ) -> Result<Option<RouteMatch<'_>>, AmbiguousPath> {
        let found = self.hosts.find(host, path.as_str());
        if path.is_ambiguous() && !path.all_readings(|path| self.hosts.find(host, path) == found) {
            return Err(AmbiguousPath);
        }
        Ok(found.map(|id| self.route_match(id)))
    }

    fn route_match(&self, id: RouteId) -> RouteMatch<'_> {
        RouteMatch { route: &self.routes[id.route as usize], backend: &self.backends[id.backend as usize] }
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
        self.routes.iter().map(|route| RouteMatch { route, backend: &self.backends[route.backend as usize] })
    }

    /// All backends that a route points at, in the order of their references.
    pub fn backends(&self) -> impl ExactSizeIterator<Item = &Arc<Backend>> {
        self.backends.iter()
    }

    /// The hosts that only rules for them take ([`RouteTableBuilder::reserve`]), in order.
    pub fn reserved_hosts(&self) -> &[HostMatch] {
        &self.reserved
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
            && self.reserved == other.reserved
            && self.diagnostics == other.diagnostics
    }
}

// ===== impl Route =====

impl Route {
    /// Its place, where it is the `number`th of its table.
    fn id(&self, number: u32) -> RouteId {
        RouteId { route: number, backend: self.backend }
    }

    /// Which hosts it takes.
    pub fn host(&self) -> &HostMatch {
        &self.host
    }

    /// Which paths of these hosts it takes.
    pub fn path(&self) -> &PathMatch {
        &self.path
    }

    /// The object and field that it stems from.
    pub fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }
}
