//! From a host to its paths: exact, then wildcard, then any (ruling R3).

use std::ops::ControlFlow;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use super::explain::HostVerdict;
use super::paths::PathIndex;
use super::patterns::Patterns;
use super::route::RouteId;
use super::visit::{Level, Visitor};
use crate::{HostMatch, RequestHost};

/// All hosts of a table. The hash is seeded anew for each table, since names are other people's text.
#[derive(Debug, Default)]
pub(super) struct HostIndex {
    exact: HashMap<Box<[u8]>, HostRoutes, RandomState>,
    /// By what follows `*.`.
    wildcard: HashMap<Box<[u8]>, HostRoutes, RandomState>,
    any: HostRoutes,
    reserved: Reserved,
}

/// The hosts that host-less rules do not take.
#[derive(Debug, Default)]
struct Reserved {
    names: HashSet<Box<[u8]>, RandomState>,
    /// What follows `*.`: all names below are reserved.
    suffixes: HashSet<Box<[u8]>, RandomState>,
    /// What serves these hosts instead.
    default: Option<RouteId>,
}

/// What one host has.
#[derive(Debug, Default)]
pub(super) struct HostRoutes {
    pub(super) paths: PathIndex,
    pub(super) patterns: Option<Box<Patterns>>,
    pub(super) default: Option<RouteId>,
}

impl HostIndex {
    pub(super) fn insert(&mut self, host: &HostMatch, routes: HostRoutes) {
        match host {
            HostMatch::Exact(name) => {
                self.exact.insert(name.as_str().as_bytes().into(), routes);
            }
            HostMatch::Wildcard(suffix) => {
                self.wildcard.insert(suffix.as_str().as_bytes().into(), routes);
            }
            HostMatch::Any => self.any = routes,
        }
    }

    /// Takes hosts away from wildcards and host-less rules; `default` is what reserved hosts have instead.
    pub(super) fn reserve(&mut self, hosts: &[HostMatch], default: Option<RouteId>) {
        self.reserved.default = default;
        for host in hosts {
            match host {
                HostMatch::Exact(name) => {
                    let name: Box<[u8]> = name.as_str().as_bytes().into();
                    self.exact.entry(name.clone()).or_default();
                    self.reserved.names.insert(name);
                }
                HostMatch::Wildcard(suffix) => {
                    self.reserved.suffixes.insert(suffix.as_str().as_bytes().into());
                }
                HostMatch::Any => {}
            }
        }
    }

    /// A host that matches owns the request: where no path of it fits, its own default backend serves and
    /// then the one of the host-less rules, but other hosts' paths only with `fallthrough`.
    #[inline]
    pub(super) fn visit(
        &self,
        host: &RequestHost,
        path: &str,
        fallthrough: bool,
        visitor: &mut impl Visitor,
    ) -> ControlFlow<RouteId> {
        let exact = self.exact.get(host.as_bytes());
        visitor.host(Level::Exact, HostRoutes::verdict(exact));
        if let Some(routes) = exact {
            routes.visit(path, visitor)?;
        }
        if exact.is_none() || (fallthrough && !self.reserved.names.contains(host.as_bytes())) {
            let wildcard = host.parent().and_then(|parent| self.wildcard.get(parent));
            visitor.host(Level::Wildcard, HostRoutes::verdict(wildcard));
            if let Some(routes) = wildcard {
                routes.visit(path, visitor)?;
            }
            let owned = exact.is_some() || wildcard.is_some();
            if (!owned || fallthrough) && !self.reserved.takes(host) {
                let any = Some(&self.any).filter(|any| !any.is_empty());
                visitor.host(Level::Any, HostRoutes::verdict(any));
                return self.any.visit(path, visitor);
            }
        }
        if self.reserved.takes(host) {
            return visit_default(self.reserved.default, visitor);
        }
        visitor.host(Level::Any, HostVerdict::OnlyDefault);
        visit_default(self.any.default, visitor)
    }

    /// What reserved hosts have in place of the default of the host-less rules.
    pub(super) fn reserved_default(&self) -> Option<RouteId> {
        self.reserved.default
    }

    pub(super) fn len(&self) -> usize {
        let routed = self.exact.values().filter(|routes| !routes.is_empty()).count();
        routed + self.wildcard.len() + usize::from(!self.any.is_empty())
    }
}

impl Reserved {
    #[inline]
    fn takes(&self, host: &RequestHost) -> bool {
        !(self.names.is_empty() && self.suffixes.is_empty()) && self.holds(host)
    }

    fn holds(&self, host: &RequestHost) -> bool {
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

impl HostRoutes {
    /// Exact paths, then templates and expressions, then prefixes, then the default backend.
    #[inline]
    fn visit(&self, path: &str, visitor: &mut impl Visitor) -> ControlFlow<RouteId> {
        if let Some(exact) = self.paths.exact(path) {
            visitor.candidate(exact)?;
        }
        if let Some(patterns) = &self.patterns {
            patterns.visit(path, visitor)?;
        }
        self.paths.prefixes(path, visitor)?;
        visit_default(self.default, visitor)
    }

    #[inline]
    fn verdict(routes: Option<&Self>) -> HostVerdict {
        match routes {
            None => HostVerdict::Absent,
            Some(routes) if routes.is_empty() => HostVerdict::Reserved,
            Some(_) => HostVerdict::Asked,
        }
    }

    fn is_empty(&self) -> bool {
        self.default.is_none() && self.patterns.is_none() && self.paths.is_empty()
    }
}

#[inline]
fn visit_default(default: Option<RouteId>, visitor: &mut impl Visitor) -> ControlFlow<RouteId> {
    default.map_or(ControlFlow::Continue(()), |default| visitor.candidate(default))
}
