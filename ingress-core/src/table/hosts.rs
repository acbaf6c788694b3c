//! From a host to its paths: exact, then wildcard, then any (ruling R3).

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::RouteId;
use super::paths::PathIndex;
use crate::{HostMatch, RequestHost};

/// All hosts of a table. The hash is seeded anew for each table, since names are other people's text.
#[derive(Debug, Default)]
pub(super) struct HostIndex {
    exact: HashMap<Box<[u8]>, HostRoutes, RandomState>,
    /// By what follows `*.`.
    wildcard: HashMap<Box<[u8]>, HostRoutes, RandomState>,
    any: HostRoutes,
}

/// What one host has.
#[derive(Debug, Default)]
pub(super) struct HostRoutes {
    pub(super) paths: PathIndex,
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

    /// A host that matches owns the request: where no path of it fits, its own default backend serves and
    /// then the one of the host-less rules, but no other host's paths.
    #[inline]
    pub(super) fn find(&self, host: &RequestHost, path: &str) -> Option<RouteId> {
        let routes = self.host_routes(host);
        routes.paths.find(path).or(routes.default).or(self.any.default)
    }

    fn host_routes(&self, host: &RequestHost) -> &HostRoutes {
        self.exact.get(host.as_bytes()).or_else(|| self.wildcard.get(host.parent()?)).unwrap_or(&self.any)
    }

    pub(super) fn len(&self) -> usize {
        self.exact.len() + self.wildcard.len() + usize::from(!self.any.is_empty())
    }
}

impl HostRoutes {
    fn is_empty(&self) -> bool {
        self.default.is_none() && self.paths.is_empty()
    }
}
