//! Who answers for a backend.

use std::cmp::Reverse;
use std::fmt;
use std::net::SocketAddr;

use http::uri::Authority;

use crate::HostName;
use crate::balance::{Algorithm, Picker};

/// One address of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    address: EndpointAddress,
    weight: u32,
    state: EndpointState,
    protocol: Protocol,
    authority: Authority,
}

/// Where an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum EndpointAddress {
    /// An IP address and a port.
    Socket(SocketAddr),
    /// A DNS name, to be looked up by whoever connects, and a port.
    Name(HostName, u16),
}

/// Whether an endpoint may be used: the `conditions` of an EndpointSlice's endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum EndpointState {
    /// `ready`: used.
    #[default]
    Ready,
    /// `serving` and `terminating`: used only where no endpoint of the backend is ready (KEP-1669).
    Terminating,
    /// Not `serving`: never used.
    NotServing,
}

/// What an endpoint speaks: `appProtocol` of a Service's port (KEP-2433, KEP-3726).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 without TLS, with prior knowledge (RFC 9113 section 3.3). gRPC needs it.
    H2c,
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/2 over TLS (RFC 9113 section 3.2).
    H2,
}

/// The endpoints of one backend, with the order in which they are chosen.
#[derive(Clone, Debug)]
pub struct EndpointSet {
    /// Those that may be chosen, by address, and then the others.
    endpoints: Box<[Endpoint]>,
    usable: usize,
    picker: Picker,
}

// ===== impl Endpoint =====

impl Endpoint {
    /// An address with weight 1 that is ready.
    pub fn new(address: SocketAddr) -> Self {
        Self::at(EndpointAddress::Socket(address))
    }

    /// A DNS name and a port, with weight 1 and ready.
    pub fn named(name: HostName, port: u16) -> Self {
        Self::at(EndpointAddress::Name(name, port))
    }

    fn at(address: EndpointAddress) -> Self {
        let authority: Authority = address.to_string().parse().expect("an address or name is an authority");
        // The first clone of a text moves it behind a shared count, which allocates: better here than in a
        // request.
        drop(authority.clone());
        let (state, protocol) = Default::default();
        Self { address, weight: 1, state, protocol, authority }
    }

    /// Sets the endpoint's share relative to the weights of the others; with 0 it is never chosen.
    #[must_use]
    pub fn with_weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Sets whether the endpoint may be used.
    #[must_use]
    pub fn with_state(mut self, state: EndpointState) -> Self {
        self.state = state;
        self
    }

    /// Sets what it speaks.
    #[must_use]
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Where it is.
    pub fn address(&self) -> &EndpointAddress {
        &self.address
    }

    /// The share relative to the weights of the others.
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Whether it may be used.
    pub fn state(&self) -> EndpointState {
        self.state
    }

    /// What it speaks.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Address or name, and port, as the authority of a URI, made once: cloning it allocates nothing.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }
}

impl EndpointAddress {
    /// The port.
    pub fn port(&self) -> u16 {
        match self {
            Self::Socket(address) => address.port(),
            Self::Name(_, port) => *port,
        }
    }
}

impl fmt::Display for EndpointAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

impl fmt::Display for EndpointState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Terminating => "terminating",
            Self::NotServing => "not serving",
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http1 => "HTTP/1.1",
            Self::H2c => "HTTP/2",
            Self::Https => "HTTP/1.1 over TLS",
            Self::H2 => "HTTP/2 over TLS",
        })
    }
}

impl Protocol {
    /// Whether TLS is below it.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::H2)
    }
}

// ===== impl EndpointSet =====

impl EndpointSet {
    /// Builds the set. The order does not matter: of endpoints with the same address the one in the best
    /// state is kept, then the one with the greatest weight, then the one with the first protocol.
    pub fn new(endpoints: impl IntoIterator<Item = Endpoint>, algorithm: &Algorithm) -> Self {
        let mut endpoints: Vec<_> = endpoints.into_iter().collect();
        endpoints.sort_by(|a, b| {
            let key = |endpoint: &Endpoint| (endpoint.state, Reverse(endpoint.weight), endpoint.protocol);
            a.address.cmp(&b.address).then_with(|| key(a).cmp(&key(b)))
        });
        endpoints.dedup_by(|other, kept| other.address == kept.address);
        let best = endpoints.iter().map(|endpoint| endpoint.state).min().unwrap_or_default();
        let is_usable = |endpoint: &Endpoint| endpoint.state == best && best != EndpointState::NotServing;
        endpoints.sort_by_key(|endpoint| !is_usable(endpoint));
        let usable = endpoints.partition_point(is_usable);
        let picker = algorithm.prepare(&endpoints[..usable]);
        Self { endpoints: endpoints.into(), usable, picker }
    }

    /// The algorithm's name: `RoundRobin`, `Random` or `Custom`.
    pub fn algorithm_name(&self) -> &'static str {
        self.picker.algorithm_name()
    }

    /// The endpoints that may be chosen, by address: those that are ready, or where none is, those that
    /// still serve while they terminate.
    pub fn as_slice(&self) -> &[Endpoint] {
        &self.endpoints[..self.usable]
    }

    /// The endpoints that are not chosen in their present state, by address.
    pub fn unusable(&self) -> &[Endpoint] {
        &self.endpoints[self.usable..]
    }

    /// Chooses an endpoint for the request with this ticket; `None` when none has a weight above 0.
    ///
    /// A ticket is a number from the caller, one for each request. With [`Algorithm::RoundRobin`] and
    /// tickets counted up by one, each endpoint gets exactly its weight's share of every period. Nothing
    /// is allocated or written, so threads that count tickets of their own share no memory.
    #[inline]
    pub fn pick(&self, ticket: u64) -> Option<&Endpoint> {
        let usable = self.as_slice();
        usable.get(self.picker.pick(usable, ticket)?)
    }

    /// Chooses an endpoint other than those already tried for this request.
    pub fn pick_other(&self, ticket: u64, tried: &[&Endpoint]) -> Option<&Endpoint> {
        let usable = |endpoint: &&Endpoint| {
            endpoint.weight > 0 && tried.iter().all(|tried| tried.address != endpoint.address)
        };
        (0..self.usable as u64)
            .filter_map(|step| self.pick(ticket.wrapping_add(step)))
            .find(usable)
            .or_else(|| self.as_slice().iter().find(usable))
    }
}

impl PartialEq for EndpointSet {
    fn eq(&self, other: &Self) -> bool {
        self.endpoints == other.endpoints && self.algorithm_name() == other.algorithm_name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(weights: &[u32]) -> EndpointSet {
        let endpoints = weights.iter().enumerate().map(|(i, &weight)| {
            Endpoint::new(SocketAddr::from(([10, 0, 0, i as u8 + 1], 80))).with_weight(weight)
        });
        EndpointSet::new(endpoints, &Algorithm::RoundRobin)
    }

    #[test]
    fn order_and_repetition_of_endpoints_do_not_matter() {
        let [a, b] = [1, 2].map(|i| Endpoint::new(SocketAddr::from(([10, 0, 0, i], 80))));
        let one = EndpointSet::new([a.clone(), b.clone()], &Algorithm::RoundRobin);
        let two = EndpointSet::new(
            [b.clone(), a.clone().with_weight(0), a.clone(), a.clone()],
            &Algorithm::RoundRobin,
        );
        assert_eq!(one, two);
        let three = EndpointSet::new([a.clone(), b, a.with_weight(0)], &Algorithm::RoundRobin);
        assert_eq!(one, three);
    }

    #[test]
    fn nothing_usable_is_nothing_chosen() {
        assert!(set(&[]).pick(0).is_none());
        assert!(set(&[0, 0]).pick(0).is_none());
        assert!(set(&[0, 0]).pick_other(0, &[]).is_none());
    }

    #[test]
    fn tried_endpoints_are_left_out_until_none_is_left() {
        let set = set(&[1000, 1, 0, 1]);
        for ticket in 0..2000 {
            let mut tried = Vec::new();
            while let Some(endpoint) = set.pick_other(ticket, &tried) {
                tried.push(endpoint);
            }
            let mut tried: Vec<_> =
                tried.into_iter().map(|endpoint| endpoint.address().to_string()).collect();
            tried.sort();
            assert_eq!(tried, ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.4:80"]);
        }
    }

    #[test]
    fn terminating_endpoints_serve_where_none_is_ready() {
        use EndpointState::{NotServing, Ready, Terminating};
        let usable = |states: &[EndpointState]| -> Vec<usize> {
            let endpoint = |(i, &state): (usize, &EndpointState)| {
                Endpoint::new(SocketAddr::from(([10, 0, 0, i as u8], 80))).with_state(state)
            };
            let set = EndpointSet::new(states.iter().enumerate().map(endpoint), &Algorithm::RoundRobin);
            assert_eq!(set.as_slice().len() + set.unusable().len(), states.len());
            assert_eq!(set.pick(0).is_some(), !set.as_slice().is_empty());
            let number = |endpoint: &Endpoint| {
                let EndpointAddress::Socket(address) = endpoint.address() else { panic!("{endpoint:?}") };
                usize::from(address.ip().to_string().rsplit('.').next().unwrap().parse::<u8>().unwrap())
            };
            set.as_slice().iter().map(number).collect()
        };
        assert_eq!(usable(&[NotServing, Terminating, Ready, Ready]), [2, 3]);
        assert_eq!(usable(&[NotServing, Terminating, NotServing, Terminating]), [1, 3]);
        assert_eq!(usable(&[NotServing]), [0; 0]);
    }

    #[test]
    fn of_one_address_the_best_state_counts() {
        let endpoint = || Endpoint::new(SocketAddr::from(([10, 0, 0, 1], 80)));
        let heavy = endpoint().with_weight(9).with_state(EndpointState::Terminating);
        let set = EndpointSet::new([heavy, endpoint()], &Algorithm::RoundRobin);
        assert_eq!((set.as_slice(), set.unusable()), (&[endpoint()][..], &[][..]));
    }
}
