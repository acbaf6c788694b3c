//! From a host to its routes: exact, then wildcard, then any (ruling R3).

use std::ops::ControlFlow;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::directory::Directory;
use super::explain::HostVerdict;
use super::reserved::Reserved;
use super::route::Route;
use super::shard::{Host, Shard};
use super::visit::{Level, Visitor};
use crate::path::MarkedPath;
use crate::{HostMatch, RequestHost};

/// All hosts of a table. Clones share what was not changed since.
#[derive(Clone, Debug, Default)]
pub(super) struct HostIndex {
    /// Exact hosts and wildcards.
    named: Directory,
    any: Option<Shard>,
    reserved: Arc<Reserved>,
    /// For the paths of all hosts, of this table and of those that are made from it.
    path_hasher: RandomState,
}

impl HostIndex {
    pub(super) fn path_hasher(&self) -> &RandomState {
        &self.path_hasher
    }

    pub(super) fn named_count(&self) -> usize {
        self.named.len()
    }

    /// As this one, with other named hosts.
    pub(super) fn with_named(&self, hosts: &[Host<'_>]) -> Self {
        Self { named: Directory::new(hosts), ..self.clone() }
    }

    pub(super) fn set(&mut self, host: &HostMatch, routes: Option<Shard>) {
        match Level::of(host) {
            (Level::Any, _) => self.any = routes,
            (level, name) => self.named.set(level, name.as_bytes(), routes.as_ref().map(Shard::only)),
        }
    }

    pub(super) fn get(&self, host: &HostMatch) -> Option<Host<'_>> {
        match Level::of(host) {
            (Level::Any, _) => self.any.as_ref().map(Shard::only),
            (level, name) => self.named.get(level, name.as_bytes()),
        }
    }

    /// Whether this exact host or wildcard is there.
    pub(super) fn has(&self, level: Level, name: &[u8]) -> bool {
        self.named.get(level, name).is_some()
    }

    pub(super) fn reserved(&self) -> &Reserved {
        &self.reserved
    }

    pub(super) fn reserve(&mut self, reserved: Reserved) {
        self.reserved = Arc::new(reserved);
    }

    /// Exact hosts and wildcards, in no order.
    pub(super) fn named(&self) -> impl Iterator<Item = Host<'_>> {
        self.named.iter()
    }

    /// All hosts by precedence and name, and then what serves reserved hosts instead.
    pub(super) fn sorted(&self) -> Vec<Host<'_>> {
        let mut named: Vec<_> = self.named.iter().collect();
        named.sort_by(|a, b| (a.level() as u8, a.name()).cmp(&(b.level() as u8, b.name())));
        let single = self.any.as_ref().map(Shard::only).into_iter().chain(self.reserved.default());
        named.into_iter().chain(single).collect()
    }

    /// A host that matches owns the request: where no path of it fits, its own default backend serves and
    /// then the one of the host-less rules, but other hosts' paths only with `fallthrough`.
    #[inline(always)]
    pub(super) fn visit<'t, V: Visitor<'t>>(
        &'t self,
        host: &RequestHost<'_>,
        path: MarkedPath<'_>,
        fallthrough: bool,
        visitor: &mut V,
    ) -> ControlFlow<Route<'t>> {
        let exact = self.named.get(Level::Exact, host.as_bytes());
        visitor.host(Level::Exact, Host::verdict(exact), exact);
        if let Some(routes) = exact {
            routes.visit(path, &self.path_hasher, visitor)?;
        }
        self.visit_weaker(exact.is_some(), host, path, fallthrough, visitor)
    }

    /// Where no path of an exact host fits, or there is none.
    fn visit_weaker<'t, V: Visitor<'t>>(
        &'t self,
        is_exact: bool,
        host: &RequestHost<'_>,
        path: MarkedPath<'_>,
        fallthrough: bool,
        visitor: &mut V,
    ) -> ControlFlow<Route<'t>> {
        let mut owned = is_exact;
        let passes_on = !is_exact || (fallthrough && !self.reserved.has_name(host.as_bytes()));
        if passes_on {
            let wildcard = host.parent().and_then(|parent| self.named.get(Level::Wildcard, parent));
            visitor.host(Level::Wildcard, Host::verdict(wildcard), wildcard);
            if let Some(routes) = wildcard {
                routes.visit(path, &self.path_hasher, visitor)?;
            }
            owned |= wildcard.is_some();
        }
        let default = if self.reserved.takes(host) {
            self.reserved.default()
        } else {
            let any = self.any.as_ref().map(Shard::only);
            if passes_on && (!owned || fallthrough) {
                visitor.host(Level::Any, Host::verdict(any), any);
                return any
                    .map_or(ControlFlow::Continue(()), |any| any.visit(path, &self.path_hasher, visitor));
            }
            visitor.host(Level::Any, HostVerdict::OnlyDefault, None);
            any
        };
        default.map_or(ControlFlow::Continue(()), |default| default.visit_default(visitor))
    }
}
