//! What changes for requests between two tables.

mod region;
mod sample;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use super::explain::{EndpointStep, endpoint_steps};
use super::shard::Host;
use super::{Route, RouteMatch, RouteTable};
use crate::{BackendRef, Conditions, HostMatch};
use region::Region;
pub use sample::SampleRequest;
use sample::{Samples, requests};

/// What changes for requests when one table takes the place of another: which hosts and paths get other backends,
/// and which backends other endpoints. Where a rule stems from, and what was found, does not count.
///
/// It is found by asking both tables for sample requests, some for each rule of either: a change that shows only in
/// requests between rules, such as those that meet the conditions of several or fit two templates, may be missed. Rules
/// without conditions are asked by requests that meet those of up to 16 others of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TableDiff {
    /// Hosts and paths whose requests are served by others, by host and precedence.
    pub routes: Vec<RouteChange>,
    /// Backends of both tables with other endpoints, in order.
    pub backends: Vec<BackendChange>,
}

/// Hosts and paths whose requests are served by others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RouteChange {
    /// The host of the requests, or `*.` and a name; `*` for hosts that no rule names.
    pub host: Box<str>,
    /// The path, and what else requests meet.
    pub path: Box<str>,
    /// Who serves them before.
    pub before: Served,
    /// Who serves them afterwards.
    pub after: Served,
    /// One such request; `None` when none is easily found, as for some regular expressions.
    pub sample: Option<SampleRequest>,
}

/// Who serves a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Served {
    /// These backends, by weight.
    Backends(Vec<Share>),
    /// No route takes it.
    Nobody,
    /// Its path is refused as ambiguous.
    Refused,
}

/// A backend and its share of a route's requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Share {
    /// The backend.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::explain::serialize_text"))]
    pub backend: BackendRef,
    /// Its weight; 1 for a single backend.
    pub weight: u32,
}

/// A backend with other endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BackendChange {
    /// The backend.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::explain::serialize_text"))]
    pub backend: BackendRef,
    /// Endpoints that only the later table has, or has with another weight or state.
    pub added: Vec<EndpointStep>,
    /// Endpoints that only the earlier table has, or has with another weight or state.
    pub removed: Vec<EndpointStep>,
    /// A request that this backend serves afterwards, if one is known.
    pub sample: Option<SampleRequest>,
}

/// How many conditions of a host are met by requests for rules that have none.
const CONDITIONS: usize = 16;

/// The first few conditions of a host.
fn few_conditions<'t>(regions: &[Region<'t>]) -> Vec<&'t Conditions> {
    let all = regions.iter().map(|region| region.conditions);
    let mut all: Vec<_> = all.filter(|conditions| !conditions.is_empty()).collect();
    all.sort_unstable();
    all.dedup();
    all.truncate(CONDITIONS);
    all
}

// ===== impl RouteTable =====

impl RouteTable {
    /// What changes for requests when `later` takes this table's place. It allocates, and takes time in proportion
    /// to the number of hosts times the rules that each of them could reach.
    pub fn diff(&self, later: &Self) -> TableDiff {
        let samples = Samples::of([self, later]);
        let mut routes = Vec::new();
        let mut served_by = BTreeMap::new();
        for host in samples.hosts() {
            let reachable = [self, later].into_iter().flat_map(|table| table.reachable(&host.matches));
            let mut regions: Vec<_> = reachable.map(Region::of).collect();
            regions.sort_by(|a, b| a.order().cmp(&b.order()));
            regions.dedup_by(|a, b| a.is_same(b));
            let conditions = few_conditions(&regions);
            let changes = regions.into_iter().filter_map(|region| {
                let mut change = None;
                for request in requests(&region, &conditions, &host.name, &samples.token) {
                    let winners = [self, later].map(|table| request.ask(table));
                    for (backend, _) in winners[1].iter().flatten().flat_map(RouteMatch::backends) {
                        served_by.entry(backend.reference().clone()).or_insert_with(|| request.clone());
                    }
                    let won = |won: &RouteMatch<'_>| Region::of(won.route).is_same(&region);
                    let concerns = winners.iter().flatten().flatten().any(won);
                    let [before, after] = winners.map(Served::new);
                    if concerns && before != after && change.is_none() {
                        change = Some((before, after, request));
                    }
                }
                let (before, after, request) = change?;
                Some(RouteChange {
                    host: host.text.clone(),
                    path: region.what().into(),
                    before,
                    after,
                    sample: Some(request),
                })
            });
            routes.extend(changes);
        }
        routes.extend(self.unsampled(later, &samples));
        routes.extend(self.passed_changes(later));
        // Exact hosts, wildcards, all others; the order inside a host stays.
        routes.sort_by_cached_key(|change| {
            (change.host.starts_with('*'), &*change.host == "*", change.host.clone())
        });
        TableDiff { routes, backends: self.backend_changes(later, &served_by) }
    }

    /// The routes that can take requests of a host, given the matches that take it.
    fn reachable<'t>(&'t self, hosts: &'t [HostMatch]) -> impl Iterator<Item = Route<'t>> {
        let reserved = hosts.contains(&HostMatch::Any).then(|| self.hosts.reserved().default()).flatten();
        hosts.iter().filter_map(|host| self.hosts.get(host)).chain(reserved).flat_map(Host::routes)
    }

    /// Changes of routes that no sample request is found for: they are compared as they are written.
    fn unsampled(&self, later: &Self, samples: &Samples) -> Vec<RouteChange> {
        let unsampled = |table: &'_ Self| {
            let shares = table.routes().filter_map(|found| {
                let region = Region::of(found.route);
                let key = (found.route.host().to_string(), region.what());
                requests(&region, &[], "any.invalid", &samples.token)
                    .is_empty()
                    .then(|| (key, Served::new(Ok(Some(found)))))
            });
            shares.collect::<BTreeMap<_, _>>()
        };
        let (mut before, mut after) = (unsampled(self), unsampled(later));
        let keys: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
        let change = |key: (String, String)| {
            let before = before.remove(&key).unwrap_or(Served::Nobody);
            let after = after.remove(&key).unwrap_or(Served::Nobody);
            let (host, path) = (key.0.into(), key.1.into());
            (before != after).then_some(RouteChange { host, path, before, after, sample: None })
        };
        keys.into_iter().filter_map(change).collect()
    }

    /// Changes of what is carried on undecrypted.
    fn passed_changes(&self, later: &Self) -> Vec<RouteChange> {
        let [before, after] = [self, later].map(|table| {
            table.passthroughs().map(|(host, passed)| (host, passed.backend)).collect::<BTreeMap<_, _>>()
        });
        let hosts: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
        let served = |backend: Option<&&std::sync::Arc<crate::Backend>>| match backend {
            Some(backend) => {
                Served::Backends(vec![Share { backend: backend.reference().clone(), weight: 1 }])
            }
            None => Served::Nobody,
        };
        let change = |host: &HostMatch| {
            let (before, after) = (served(before.get(host)), served(after.get(host)));
            let (host, path) = (host.to_string().into(), "TLS passed through".into());
            (before != after).then_some(RouteChange { host, path, before, after, sample: None })
        };
        hosts.into_iter().filter_map(change).collect()
    }

    fn backend_changes(
        &self,
        later: &Self,
        served_by: &BTreeMap<BackendRef, SampleRequest>,
    ) -> Vec<BackendChange> {
        let earlier = self.backends.sorted();
        let change = |later: &std::sync::Arc<crate::Backend>| {
            let place = earlier.binary_search_by(|one| one.reference().cmp(later.reference())).ok()?;
            let [before, after] = [earlier[place], later]
                .map(|backend| endpoint_steps(backend.endpoints()).collect::<Vec<_>>());
            let only = |these: &[EndpointStep], others: &[EndpointStep]| {
                these.iter().filter(|endpoint| !others.contains(endpoint)).cloned().collect::<Vec<_>>()
            };
            let (added, removed) = (only(&after, &before), only(&before, &after));
            let sample = served_by.get(later.reference()).cloned();
            let backend = later.reference().clone();
            let changed = !(added.is_empty() && removed.is_empty());
            changed.then_some(BackendChange { backend, added, removed, sample })
        };
        later.backends().filter_map(change).collect()
    }
}

// ===== impl TableDiff, Served =====

impl TableDiff {
    /// Whether nothing changes for requests.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.backends.is_empty()
    }
}

impl Served {
    fn new(found: Result<Option<RouteMatch<'_>>, super::AmbiguousPath>) -> Self {
        match found {
            Err(_) => Self::Refused,
            Ok(None) => Self::Nobody,
            Ok(Some(found)) => Self::Backends(
                found
                    .backends()
                    .map(|(backend, weight)| Share { backend: backend.reference().clone(), weight })
                    .collect(),
            ),
        }
    }
}
