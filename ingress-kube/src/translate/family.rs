//! One address of each Pod, where a Service has two families of IP addresses (KEP-563).
//!
//! Such a Service has EndpointSlices of both families, and each of its Pods is in two of them. Both addresses at once
//! would count as two servers, so that limits and failures would be counted apart.

use std::net::IpAddr;

use ingress_core::{Endpoint, EndpointAddress, EndpointState};
use k8s_openapi::api::core::v1::Service;

use super::endpoints;
use crate::store::Stored;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// The endpoints of the Service's first family, as long as one of them serves; else those of the other one. Of a Service
/// that does not say which family is its first, all.
pub(super) fn choose(service: &Stored<Service>, mut endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
    let Some(first) = first(service) else { return endpoints };
    let is_of = |endpoint: &Endpoint, family| Family::of(endpoint) == Some(family);
    let serves = |family| {
        let mut own = endpoints.iter().filter(|endpoint| is_of(endpoint, family));
        own.any(|endpoint| endpoint.state() != EndpointState::NotServing)
    };
    let chosen = match serves(first) {
        true => first,
        false if serves(first.other()) => first.other(),
        false => return endpoints,
    };
    endpoints.retain(|endpoint| is_of(endpoint, chosen));
    endpoints
}

/// The family that stands first in `spec.ipFamilies`, or the one of the `clusterIP`.
fn first(service: &Stored<Service>) -> Option<Family> {
    let families = service.object.spec.as_ref()?.ip_families.as_deref().unwrap_or_default();
    match families.first().map(String::as_str) {
        Some("IPv4") => Some(Family::V4),
        Some("IPv6") => Some(Family::V6),
        _ => Some(Family::of_address(endpoints::cluster_ip(service)?.parse().ok()?)),
    }
}

impl Family {
    fn of(endpoint: &Endpoint) -> Option<Self> {
        match endpoint.address() {
            EndpointAddress::Socket(address) => Some(Self::of_address(address.ip())),
            _ => None,
        }
    }

    fn of_address(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }
}
