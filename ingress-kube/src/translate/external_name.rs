//! Services of type ExternalName: a DNS name elsewhere. Followed only where the configuration says so.
//!
//! The name is looked up by whoever connects, which refuses addresses that lead back to the gateway, its node or
//! the cloud's metadata. Names that can only lead there, or to Services of this cluster, are refused here.

use ingress_core::{Code, Endpoint, HostError, HostMatch, HostName, PortRef};
use k8s_openapi::api::core::v1::Service;

use super::key::Key;
use super::protocol;
use super::service::{Problem, find_port, port_field};
use crate::store::Stored;
use crate::{Config, Store};

const INSTEAD: &str = "point at a Service with a selector, or with EndpointSlices of its own";

/// `spec.externalName` of a Service that is of this type.
pub(super) fn target(service: &Service) -> Option<&str> {
    let spec = service.spec.as_ref()?;
    (spec.type_.as_deref() == Some("ExternalName")).then(|| spec.external_name.as_deref().unwrap_or_default())
}

/// The Service of this cluster that the name may be one of. Whether there is such a Service decides.
pub(super) fn namesake(target: &str) -> Option<Key> {
    let name = target.strip_suffix('.').unwrap_or(target).to_ascii_lowercase();
    let (service, namespace) = name.split_once('.').filter(|(_, namespace)| !namespace.contains('.'))?;
    Some(Key::new(namespace, service))
}

/// Who answers for the port.
pub(super) fn resolve(
    store: &Store,
    config: &Config,
    service: &Stored<Service>,
    target: &str,
    port: &PortRef,
) -> Result<Endpoint, Problem> {
    let who = format!("Service {}/{} is of type ExternalName ({target})", service.namespace, service.name);
    let problem = |what: &str, help: &str| {
        Problem::new(Code::ExternalName, ".name", format!("{who}, which is not followed{what}"), help)
    };
    if !config.allow_external_name {
        let help = format!("{INSTEAD}, or start the gateway with --allow-external-name");
        return Err(problem("", &help));
    }
    let name = name(store, target).map_err(|(why, help)| problem(&format!(": {why}"), help))?;
    let found = find_port(&service.object, port).ok();
    let protocol = protocol::spoken(found.and_then(|found| found.app_protocol.as_deref()));
    Ok(Endpoint::named(name, number(service, port)?).with_protocol(protocol))
}

/// The DNS name, or why it is none to be followed and what to write instead.
pub(super) fn name(store: &Store, target: &str) -> Result<HostName, (&'static str, &'static str)> {
    let target = target.strip_suffix('.').unwrap_or(target);
    if target.is_empty() {
        return Err(("there is no name", "write spec.externalName"));
    }
    let name = match target.parse() {
        Ok(HostMatch::Exact(name)) => name,
        Err(HostError::Address) => {
            return Err((
                "it is an address",
                "write a Service without a selector, and an EndpointSlice with the address",
            ));
        }
        _ => return Err(("it is no DNS name", "write a DNS name into spec.externalName")),
    };
    let text = name.as_str();
    if text == "localhost" || text.ends_with(".localhost") {
        return Err(("the name stands for the gateway's own machine", INSTEAD));
    }
    if is_of_cluster(store, text) {
        return Err(("the name is one of this cluster", "point at the Service that has the name"));
    }
    Ok(name)
}

/// Whether the name leads to a Service or Pod of the cluster, alone or with the search domains of a Pod.
fn is_of_cluster(store: &Store, name: &str) -> bool {
    let labels: Vec<_> = name.split('.').collect();
    match &labels[..] {
        [_] | [.., "cluster", "local"] | [.., "svc" | "pod"] | ["kubernetes", "default"] => true,
        [service, namespace] => store.services.get(namespace, service).is_some(),
        _ => false,
    }
}

/// The number to connect to. A Service of this type need not list its ports.
fn number(service: &Stored<Service>, port: &PortRef) -> Result<u16, Problem> {
    let ports = service.object.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    match port {
        PortRef::Number(number) if ports.is_empty() && *number != 0 => return Ok(*number),
        _ => {}
    }
    let missing =
        |(message, help): (String, String)| Problem::new(Code::MissingPort, port_field(port), message, help);
    let found = find_port(&service.object, port).map_err(missing)?;
    u16::try_from(found.port).ok().filter(|&number| number != 0).ok_or_else(|| {
        missing((format!("{} is no port number", found.port), "write a number from 1 to 65535".into()))
    })
}
