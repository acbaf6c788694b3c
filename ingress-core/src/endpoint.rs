//! Who answers for a backend.

use std::net::SocketAddr;

use http::uri::Authority;

use crate::balance::{Algorithm, Picker};

/// One address of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    address: SocketAddr,
    weight: u32,
    authority: Authority,
}

/// The endpoints of one backend, with the order in which they are chosen.
#[derive(Clone, Debug)]
pub struct EndpointSet {
    endpoints: Box<[Endpoint]>,
    picker: Picker,
}

// ===== impl Endpoint =====

impl Endpoint {
    /// An address with weight 1.
    pub fn new(address: SocketAddr) -> Self {
        let authority: Authority = address.to_string().parse().expect("a socket address is an authority");
        // The first clone of a text moves it behind a shared count, which allocates: better here than in a
        // request.
        drop(authority.clone());
        Self { address, weight: 1, authority }
    }

    /// Sets the endpoint's share relative to the weights of the others; with 0 it is never chosen.
    #[must_use]
    pub fn with_weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Address and port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The share relative to the weights of the others.
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Address and port as the authority of a URI, made once: cloning it allocates nothing.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }
}

// ===== impl EndpointSet =====

impl EndpointSet {
    /// Builds the set. The order does not matter: of endpoints with the same address the one with the
    /// greatest weight is kept.
    pub fn new(endpoints: impl IntoIterator<Item = Endpoint>, algorithm: &Algorithm) -> Self {
        let mut endpoints: Vec<_> = endpoints.into_iter().collect();
        endpoints.sort_by_key(|endpoint| (endpoint.address, std::cmp::Reverse(endpoint.weight)));
        endpoints.dedup_by_key(|endpoint| endpoint.address);
        let picker = algorithm.prepare(&endpoints);
        Self { endpoints: endpoints.into(), picker }
    }

    /// The algorithm's name: `RoundRobin`, `Random` or `Custom`.
    pub fn algorithm_name(&self) -> &'static str {
        self.picker.algorithm_name()
    }

    /// All endpoints, by address.
    pub fn as_slice(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Chooses an endpoint for the request with this ticket; `None` when none has a weight above 0.
    ///
    /// A ticket is a number from the caller, one for each request. With [`Algorithm::RoundRobin`] and
    /// tickets counted up by one, each endpoint gets exactly its weight's share of every period. Nothing
    /// is allocated or written, so threads that count tickets of their own share no memory.
    #[inline]
    pub fn pick(&self, ticket: u64) -> Option<&Endpoint> {
        self.endpoints.get(self.picker.pick(&self.endpoints, ticket)?)
    }

    /// Chooses an endpoint other than those already tried for this request.
    pub fn pick_other(&self, ticket: u64, tried: &[SocketAddr]) -> Option<&Endpoint> {
        let usable = |endpoint: &&Endpoint| endpoint.weight > 0 && !tried.contains(&endpoint.address);
        let attempts = self.endpoints.len() as u64;
        (0..attempts)
            .filter_map(|step| self.pick(ticket.wrapping_add(step)))
            .find(usable)
            .or_else(|| self.endpoints.iter().find(usable))
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
                tried.push(endpoint.address());
            }
            tried.sort();
            let want = [1, 2, 4].map(|i| SocketAddr::from(([10, 0, 0, i], 80)));
            assert_eq!(tried, want);
        }
    }
}
