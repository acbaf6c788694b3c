//! Who answers for a Service's port (ruling R12).
//!
//! The EndpointSlices of a Service carry its name in a label and are joined. A Service's port leads to the
//! slice's port *of the same name*, which holds the number to dial; `targetPort` takes no part. Ready
//! endpoints are used; if there is none, those that still serve while they terminate (KEP-1669); never one
//! that does not serve. A condition that is not set is `ready`, `serving` and not `terminating`. `family` chooses between
//! the addresses of a Service that has two of each Pod, `locality` says for which zones and nodes endpoints are meant.

use std::net::{IpAddr, SocketAddr};

use ingress_core::{Code, Endpoint, EndpointState};
use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::{Endpoint as SliceEndpoint, EndpointPort, EndpointSlice};

use super::locality::Places;
use super::{Output, api, family, protocol};
use crate::store::Stored;

/// The endpoints of a port in all slices of its Service. The builder removes duplicates, and chooses among
/// those that are ready or, where none is, among those that are terminating.
pub(super) fn join(
    service: &Stored<Service>,
    port: &ServicePort,
    slices: &[&Stored<EndpointSlice>],
    out: &mut Output,
) -> Vec<Endpoint> {
    let name = port.name.as_deref().unwrap_or_default();
    let mut endpoints = Vec::new();
    let mut places = Places::new(service, slices);
    let mut port_found = false;
    for slice in slices {
        for (number, own) in ports(slice, name, out) {
            port_found = true;
            let protocol = protocol::spoken(port.app_protocol.as_deref().or(own));
            let endpoint = |(address, slice)| {
                let endpoint = Endpoint::new(SocketAddr::new(address, number)).with_state(state(slice));
                places.place(endpoint.with_protocol(protocol), slice)
            };
            endpoints.extend(addresses(slice, out).into_iter().map(endpoint));
        }
    }
    if !port_found {
        report_port_name(service, port, slices, out);
    }
    family::choose(service, endpoints)
}

/// The numbers of the slice's TCP ports with this name, each with its `appProtocol`; there is at most one in a valid
/// slice.
fn ports<'s>(slice: &'s Stored<EndpointSlice>, name: &str, out: &mut Output) -> Vec<(u16, Option<&'s str>)> {
    let mut numbers = Vec::new();
    for (index, port) in slice.object.ports.iter().flatten().enumerate() {
        if port.name.as_deref().unwrap_or_default() != name || !is_tcp(port.protocol.as_deref()) {
            continue;
        }
        let Some(number) = port.port else { continue };
        match u16::try_from(number) {
            Ok(number) if number != 0 => numbers.push((number, port.app_protocol.as_deref())),
            _ => {
                let field = format!("ports[{index}].port");
                let message = format!("{number} is no port number");
                out.find(
                    Code::InvalidEndpoint,
                    &slice.source,
                    field,
                    message,
                    "write a number from 1 to 65535",
                );
            }
        }
    }
    numbers
}

/// The endpoints that can be dialled, each with its address.
fn addresses<'s>(slice: &'s Stored<EndpointSlice>, out: &mut Output) -> Vec<(IpAddr, &'s SliceEndpoint)> {
    if slice.object.address_type == "FQDN" {
        let message = "addresses of type FQDN are not dialled";
        let help = "write addressType: IPv4 or IPv6, and addresses of that type";
        out.find(Code::InvalidEndpoint, &slice.source, "addressType", message, help);
        return Vec::new();
    }
    let mut found = Vec::new();
    for (index, endpoint) in api::endpoints(&slice.object).iter().enumerate() {
        // All addresses of an endpoint are the same thing; only the first is to be used (discovery/v1).
        let text = endpoint.addresses.first().map(String::as_str).unwrap_or_default();
        match dialable(text) {
            Ok(address) => found.push((address, endpoint)),
            Err(why) => {
                let field = format!("endpoints[{index}].addresses[0]");
                let message = format!("{why}: {text:?}");
                let help = "write the IP address of a Pod or server";
                out.find(Code::InvalidEndpoint, &slice.source, field, message, help);
            }
        }
    }
    found
}

fn state(endpoint: &SliceEndpoint) -> EndpointState {
    let conditions = endpoint.conditions.as_ref();
    let condition = |value: Option<bool>, nil| value.unwrap_or(nil);
    let ready = condition(conditions.and_then(|conditions| conditions.ready), true);
    let serving = condition(conditions.and_then(|conditions| conditions.serving), true);
    let terminating = condition(conditions.and_then(|conditions| conditions.terminating), false);
    match (ready, serving && terminating) {
        (true, _) => EndpointState::Ready,
        (false, true) => EndpointState::Terminating,
        (false, false) => EndpointState::NotServing,
    }
}

/// The address, unless nothing can or may be behind it. Link-local addresses are refused as the API server
/// refuses them: cloud providers serve credentials there. Loopback is accepted, unlike there.
fn dialable(text: &str) -> Result<IpAddr, &'static str> {
    let address: IpAddr = text.parse().map_err(|_| "the address is no IP address")?;
    let link_local = match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    let canonical = address.to_canonical();
    if link_local || canonical.is_unspecified() || canonical.is_multicast() {
        return Err("the address is not one of a single server");
    }
    Ok(address)
}

/// Endpoints that exist but cannot be reached for want of a port name are a mistake; a Service without
/// endpoints is not, and its slices have no ports either.
fn report_port_name(
    service: &Stored<Service>,
    port: &ServicePort,
    slices: &[&Stored<EndpointSlice>],
    out: &mut Output,
) {
    let Some(slice) = slices.iter().find(|slice| !api::endpoints(&slice.object).is_empty()) else { return };
    let name = port.name.as_deref().unwrap_or_default();
    let message = format!(
        "no TCP port here is called {name:?}, as port {} of Service {} is, so its routes answer 503",
        port.port, service.name
    );
    let names = |port: &EndpointPort| format!("{:?}", port.name.as_deref().unwrap_or_default());
    let help = match super::hints::list(slice.object.ports.iter().flatten().map(names)) {
        Some(list) => format!("a Service's port and its endpoints' port need the same name; here are {list}"),
        None => "add the port, with the same name".into(),
    };
    out.find(Code::InvalidEndpoint, &slice.source, "ports", message, help);
}

/// The Service's `clusterIP`, unless it is headless. A text that is no address counts as none.
pub(super) fn cluster_ip(service: &Stored<Service>) -> Option<&str> {
    let spec = service.object.spec.as_ref()?;
    let first = spec.cluster_ips.iter().flatten().next();
    let address =
        spec.cluster_ip.as_deref().filter(|address| !address.is_empty()).or(first.map(String::as_str))?;
    (address != "None" && !address.is_empty()).then_some(address)
}

pub(super) fn through_cluster_ip(
    service: &Stored<Service>,
    address: &str,
    port: &ServicePort,
    out: &mut Output,
) -> Vec<Endpoint> {
    let number = u16::try_from(port.port).ok().filter(|&number| number != 0);
    let (field, message) = match (dialable(address), number) {
        (Ok(address), Some(number)) => {
            let protocol = protocol::spoken(port.app_protocol.as_deref());
            return vec![Endpoint::new(SocketAddr::new(address, number)).with_protocol(protocol)];
        }
        (Err(why), _) => ("spec.clusterIP", format!("{why}: {address:?}")),
        (_, None) => ("spec.ports", format!("{} is no port number", port.port)),
    };
    let help = "write the address and port at which the Service can be reached";
    out.find(Code::InvalidEndpoint, &service.source, field, message, help);
    Vec::new()
}

/// A protocol that is not set is TCP.
pub(super) fn is_tcp(protocol: Option<&str>) -> bool {
    matches!(protocol, None | Some("" | "TCP"))
}
