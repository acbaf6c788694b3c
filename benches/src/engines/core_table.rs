//! `ingress_core::RouteTable`.

use std::fmt;
use std::rc::Rc;

use ingress_core::{BackendRef, RequestHead, RequestHost, RequestPath, RouteTable};

use super::Engine;
use crate::table::{self, Services};
use crate::workload::{BenchRule, Requests};

/// The table, where each rule has a Service of its own that is called as the rule's number.
pub struct CoreTable {
    table: RouteTable,
}

/// With hosts and paths that were read before.
pub(super) struct Prepared(pub(super) Rc<CoreTable>);

/// With reading hosts and paths.
pub(super) struct FromText(pub(super) Rc<CoreTable>);

impl CoreTable {
    /// The table of these rules.
    pub fn new(rules: &[BenchRule]) -> Self {
        Self { table: table::builder(table::rules(rules, Services::Each(1))).build().0 }
    }

    fn find(&self, host: &RequestHost<'_>, path: &RequestPath<'_>) -> Option<u32> {
        let found = self.table.lookup(&RequestHead::new(host, path)).ok()??;
        match found.backend(|_| ingress_core::Turn::Ticket(0))?.reference() {
            BackendRef::Service(service) => service.name.parse().ok(),
            BackendRef::Resource(_) => None,
        }
    }

    /// The number of the rule that takes a request that is still text.
    pub fn find_text(&self, host: &str, path: &str) -> Option<u32> {
        self.find(&RequestHost::parse(host).ok()?, &RequestPath::parse(path).ok()?)
    }

    /// The number of what was found. Like that of the other engines, it comes without a look at the backend itself.
    #[inline]
    pub fn number(&self, host: &RequestHost<'_>, path: &RequestPath<'_>) -> u64 {
        match self.table.lookup(&RequestHead::new(host, path)) {
            Ok(Some(found)) => u64::from(found.backend_number()) + 1,
            _ => 0,
        }
    }

    /// As [`CoreTable::number`], of a host and a path that are still text. What cannot be read finds nothing.
    #[inline]
    pub fn number_of_text(&self, host: &str, path: &str) -> u64 {
        match (RequestHost::parse(host), RequestPath::parse(path)) {
            (Ok(host), Ok(path)) => self.number(&host, &path),
            _ => 0,
        }
    }

    /// Looks up requests that were read before.
    pub fn pass(&self, requests: &Requests) -> u64 {
        requests.prepared.iter().map(|(host, path)| self.number(host, path)).sum()
    }

    /// Reads requests and looks them up.
    pub fn pass_of_texts(&self, requests: &Requests) -> u64 {
        requests.texts.iter().map(|(host, path)| self.number_of_text(host, path)).sum()
    }
}

impl fmt::Debug for CoreTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoreTable").field("routes", &self.table.route_count()).finish_non_exhaustive()
    }
}

impl Engine for Prepared {
    fn name(&self) -> &'static str {
        "ingress-core"
    }

    fn find(&self, requests: &Requests, number: usize) -> Option<u32> {
        let (host, path) = &requests.prepared[number];
        self.0.find(host, path)
    }

    fn pass(&self, requests: &Requests) -> u64 {
        self.0.pass(requests)
    }
}

impl Engine for FromText {
    fn name(&self) -> &'static str {
        "ingress-core, from text"
    }

    fn find(&self, requests: &Requests, number: usize) -> Option<u32> {
        let (host, path) = requests.texts[number];
        self.0.find_text(host, path)
    }

    fn pass(&self, requests: &Requests) -> u64 {
        self.0.pass_of_texts(requests)
    }
}
