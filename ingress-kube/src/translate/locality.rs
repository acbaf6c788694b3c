//! For whom the endpoints of a Service are meant: zones and nodes (KEP-2433, KEP-3015, KEP-4444).
//!
//! The control plane writes hints into EndpointSlices, for `spec.trafficDistribution` of the Service among others. Where
//! nobody has, as in a directory of manifests, they are made here of that field as the control plane makes them. Whether
//! they are followed is decided where it is known which endpoints are used.

use std::collections::BTreeSet;
use std::sync::Arc;

use ingress_core::{Endpoint, Hints};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::{Endpoint as SliceEndpoint, EndpointSlice};

use super::api;
use crate::store::Stored;

/// Which endpoints `spec.trafficDistribution` prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Distribution {
    /// `PreferSameZone`, or its deprecated alias `PreferClose`.
    SameZone,
    /// `PreferSameNode`: those on the node, else those in the zone.
    SameNode,
}

/// Puts endpoints into their places. Equal texts and hints of one Service are in memory once.
#[derive(Debug)]
pub(super) struct Places {
    distribution: Option<Distribution>,
    names: BTreeSet<Arc<str>>,
    hints: BTreeSet<Arc<Hints>>,
}

impl Distribution {
    /// What the field says: nothing, or a text that has no meaning.
    pub(super) fn of(service: &Service) -> Result<Option<Self>, &str> {
        let text = service.spec.as_ref().and_then(|spec| spec.traffic_distribution.as_deref());
        match text.unwrap_or_default() {
            "" => Ok(None),
            "PreferSameZone" | "PreferClose" => Ok(Some(Self::SameZone)),
            "PreferSameNode" => Ok(Some(Self::SameNode)),
            other => Err(other),
        }
    }
}

impl Places {
    pub(super) fn new(service: &Stored<Service>, slices: &[&Stored<EndpointSlice>]) -> Self {
        let endpoints = || slices.iter().flat_map(|slice| api::endpoints(&slice.object));
        let distribution = Distribution::of(&service.object).ok().flatten();
        let distribution = distribution.filter(|_| !endpoints().any(has_hints));
        Self { distribution, names: BTreeSet::new(), hints: BTreeSet::new() }
    }

    /// The endpoint, with its zone and for whom it is meant.
    pub(super) fn place(&mut self, endpoint: Endpoint, slice: &SliceEndpoint) -> Endpoint {
        let zone = some(slice.zone.as_deref());
        let node =
            some(slice.node_name.as_deref()).filter(|_| self.distribution == Some(Distribution::SameNode));
        let (zones, nodes) = match self.distribution {
            Some(_) => (zone.into_iter().collect(), node.into_iter().collect()),
            None => named(slice),
        };
        let hints = self.hints(&zones, &nodes);
        let zone = zone.map(|zone| self.name(zone));
        endpoint.with_zone(zone).with_hints(hints)
    }

    fn hints(&mut self, zones: &[&str], nodes: &[&str]) -> Option<Arc<Hints>> {
        if zones.is_empty() && nodes.is_empty() {
            return None;
        }
        let mut hints = Hints::default();
        hints.zones = zones.iter().map(|zone| self.name(zone)).collect();
        hints.nodes = nodes.iter().map(|node| self.name(node)).collect();
        if let Some(known) = self.hints.get(&hints) {
            return Some(known.clone());
        }
        let hints = Arc::new(hints);
        self.hints.insert(hints.clone());
        Some(hints)
    }

    fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        self.names.insert(name.clone());
        name
    }
}

/// The zones and the nodes that the hints name.
fn named(endpoint: &SliceEndpoint) -> (Vec<&str>, Vec<&str>) {
    let hints = endpoint.hints.as_ref();
    let zones = hints.and_then(|hints| hints.for_zones.as_deref()).unwrap_or_default();
    let nodes = hints.and_then(|hints| hints.for_nodes.as_deref()).unwrap_or_default();
    (
        zones.iter().filter_map(|zone| some(Some(&zone.name))).collect(),
        nodes.iter().filter_map(|node| some(Some(&node.name))).collect(),
    )
}

fn has_hints(endpoint: &SliceEndpoint) -> bool {
    let (zones, nodes) = named(endpoint);
    !zones.is_empty() || !nodes.is_empty()
}

/// An empty text says nothing.
fn some(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}
