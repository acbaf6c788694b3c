//! Where the program runs, and which endpoints are meant for it.

use std::sync::Arc;

use crate::Endpoint;

/// Where the program that serves the table runs. What is not known is not gone by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Locality {
    /// The zone of its node: the label `topology.kubernetes.io/zone`.
    pub zone: Option<Arc<str>>,
    /// The name of its node.
    pub node: Option<Arc<str>>,
}

/// For whom an endpoint is meant: `hints` of an EndpointSlice's endpoint (KEP-2433, KEP-4444).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Hints {
    /// `forZones`.
    pub zones: Vec<Arc<str>>,
    /// `forNodes`.
    pub nodes: Vec<Arc<str>>,
}

impl Hints {
    /// For these zones and nodes.
    pub fn new(zones: Vec<Arc<str>>, nodes: Vec<Arc<str>>) -> Self {
        Self { zones, nodes }
    }
}

impl Locality {
    /// A place of which zone and node are known, or not.
    pub fn new(zone: Option<Arc<str>>, node: Option<Arc<str>>) -> Self {
        Self { zone, node }
    }

    /// Which of the endpoints are meant for this place: those for the node, if all are meant for nodes and some for this
    /// one; else likewise those for the zone; and else all, as kube-proxy has it, so that a hint that is missing or wrong
    /// leaves nobody without endpoints.
    pub(crate) fn narrow(&self, endpoints: &[Endpoint]) -> Narrowed<'_> {
        let node = own_of(endpoints, self.node.as_ref(), |hints| &hints.nodes);
        match (node, own_of(endpoints, self.zone.as_ref(), |hints| &hints.zones)) {
            (Some(node), _) => Narrowed::Node(node),
            (None, Some(zone)) => Narrowed::Zone(zone),
            (None, None) => Narrowed::Nothing,
        }
    }
}

/// The name of this place, if all endpoints are meant for such places and one at least for this one.
fn own_of<'l>(
    endpoints: &[Endpoint],
    own: Option<&'l Arc<str>>,
    names: fn(&Hints) -> &[Arc<str>],
) -> Option<&'l str> {
    let own = own?;
    let named = |endpoint: &Endpoint| endpoint.hints().is_some_and(|hints| !names(hints).is_empty());
    let ours = |endpoint: &Endpoint| endpoint.hints().is_some_and(|hints| names(hints).contains(own));
    (endpoints.iter().all(named) && endpoints.iter().any(ours)).then_some(own)
}

/// What the hints of a set say for a place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Narrowed<'l> {
    Nothing,
    Zone(&'l str),
    Node(&'l str),
}

impl Narrowed<'_> {
    pub(crate) fn has(self, endpoint: &Endpoint) -> bool {
        let names = |names: fn(&Hints) -> &[Arc<str>], own: &str| {
            endpoint.hints().is_some_and(|hints| names(hints).iter().any(|name| **name == *own))
        };
        match self {
            Self::Nothing => true,
            Self::Zone(zone) => names(|hints| &hints.zones, zone),
            Self::Node(node) => names(|hints| &hints.nodes, node),
        }
    }
}
