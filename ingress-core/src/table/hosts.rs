//! From a host to its routes: exact, then wildcard, then any (ruling R3).

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::directory::Directory;
use super::explain::HostVerdict;
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

/// The hosts that host-less rules do not take.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    /// All of them, in order.
    pub(super) hosts: Box<[HostMatch]>,
    names: HashSet<Box<[u8]>, RandomState>,
    /// What follows `*.`: all names below are reserved.
    suffixes: HashSet<Box<[u8]>, RandomState>,
    /// What serves these hosts instead: a single route for any host and path.
    default: Option<Shard>,
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
        let single = self.any.iter().chain(&self.reserved.default).map(Shard::only);
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
        if !is_exact || (fallthrough && !self.reserved.names.contains(host.as_bytes())) {
            let wildcard = host.parent().and_then(|parent| self.named.get(Level::Wildcard, parent));
            visitor.host(Level::Wildcard, Host::verdict(wildcard), wildcard);
            if let Some(routes) = wildcard {
                routes.visit(path, &self.path_hasher, visitor)?;
            }
            let owned = is_exact || wildcard.is_some();
            if (!owned || fallthrough) && !self.reserved.takes(host) {
                let any = self.any.as_ref().map(Shard::only);
                visitor.host(Level::Any, Host::verdict(any), any);
                return match any {
                    Some(any) => any.visit(path, &self.path_hasher, visitor),
                    None => ControlFlow::Continue(()),
                };
            }
        }
        let default = if self.reserved.takes(host) {
            &self.reserved.default
        } else {
            visitor.host(Level::Any, HostVerdict::OnlyDefault, None);
            &self.any
        };
        default.as_ref().map_or(ControlFlow::Continue(()), |default| default.only().visit_default(visitor))
    }
}

impl Reserved {
    pub(super) fn new(hosts: Vec<HostMatch>, default: Option<Shard>) -> Self {
        let mut reserved = Self { default, ..<Self as Default>::default() };
        for host in &hosts {
            match Level::of(host) {
                (Level::Exact, name) => reserved.names.insert(name.as_bytes().into()),
                (Level::Wildcard, suffix) => reserved.suffixes.insert(suffix.as_bytes().into()),
                (Level::Any, _) => false,
            };
        }
        Self { hosts: hosts.into(), ..reserved }
    }

    /// What serves these hosts where no rule for them does.
    pub(super) fn default(&self) -> Option<Host<'_>> {
        self.default.as_ref().map(Shard::only)
    }

    /// Whether the host itself is reserved, apart from those above it.
    pub(super) fn names(&self, host: &HostMatch) -> bool {
        matches!(host, HostMatch::Exact(name) if self.names.contains(name.as_str().as_bytes()))
    }

    #[inline]
    fn takes(&self, host: &RequestHost<'_>) -> bool {
        !(self.names.is_empty() && self.suffixes.is_empty()) && self.holds(host)
    }

    fn holds(&self, host: &RequestHost<'_>) -> bool {
        let mut above = host.parent().filter(|_| !self.suffixes.is_empty());
        while let Some(suffix) = above {
            if self.suffixes.contains(suffix) {
                return true;
            }
            above = memchr::memchr(b'.', suffix).map(|dot| &suffix[dot + 1..]);
        }
        self.names.contains(host.as_bytes())
    }
}
