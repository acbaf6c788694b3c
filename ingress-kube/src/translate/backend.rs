//! `backend` and `defaultBackend` of an Ingress to what they point at.

use ingress_core::{BackendRef, Backends, Code, PortRef, ResourceRef};
use k8s_openapi::api::core::v1::TypedLocalObjectReference;
use k8s_openapi::api::networking::v1::{Ingress, IngressBackend, IngressServiceBackend};

use super::Output;
use super::annotations::{self, Splits};
use super::service::{Port, Services};
use crate::store::Stored;

/// What serves a path: what its backend points at, or the Services that share its requests, on the same port.
pub(super) fn resolve_shared<'a>(
    stored: &'a Stored<Ingress>,
    field: &str,
    backend: &'a IngressBackend,
    splits: Option<&Splits<'a>>,
    services: &mut Services<'a>,
    out: &mut Output,
) -> Backends {
    let service = backend.service.as_ref().filter(|_| backend.resource.is_none());
    let shared = service.and_then(|service| Some((service, splits?.of(&service.name)?)));
    let Some((service, shares)) = shared else {
        return resolve(stored, field, backend, services, out).into();
    };
    let port = match port(service) {
        Ok(port) => port,
        Err((at, message, help)) => {
            out.find(Code::InvalidBackend, &stored.source, format!("{field}.service{at}"), message, help);
            return nowhere(stored, &service.name).into();
        }
    };
    let share = |&(name, weight): &(&'a str, u32)| {
        let resolved = services.resolve(&stored.namespace, name, port, out);
        if let Some(problem) = &resolved.problem {
            let at = annotations::field("split");
            out.find(problem.code, &stored.source, at, problem.message.clone(), problem.help.clone());
        }
        (resolved.reference.clone(), weight)
    };
    Backends::split(shares.iter().map(share))
}

/// What a backend points at, and its findings.
///
/// A backend that points at nothing still gives a reference, to port 0, which no Service has: the route
/// stays and answers 503, because without it a shorter path would take the requests (ruling R7).
pub(super) fn resolve<'a>(
    stored: &'a Stored<Ingress>,
    field: &str,
    backend: &'a IngressBackend,
    services: &mut Services<'a>,
    out: &mut Output,
) -> BackendRef {
    match (&backend.service, &backend.resource) {
        (Some(service), None) => resolve_service(stored, field, service, services, out),
        (None, Some(resource)) => resolve_resource(stored, field, resource, services, out),
        (service, _) => {
            let message = match service {
                Some(_) => "both a service and a resource are given",
                None => "neither a service nor a resource is given",
            };
            let help = "write exactly one, such as service: {name: NAME, port: {number: 80}}";
            out.find(Code::InvalidBackend, &stored.source, field, message, help);
            nowhere(stored, service.as_ref().map_or("", |service| &service.name))
        }
    }
}

fn resolve_service<'a>(
    stored: &'a Stored<Ingress>,
    field: &str,
    service: &'a IngressServiceBackend,
    services: &mut Services<'a>,
    out: &mut Output,
) -> BackendRef {
    let port = match port(service) {
        Ok(port) => port,
        Err((at, message, help)) => {
            out.find(Code::InvalidBackend, &stored.source, format!("{field}.service{at}"), message, help);
            return nowhere(stored, &service.name);
        }
    };
    let resolved = services.resolve(&stored.namespace, &service.name, port, out);
    if let Some(problem) = &resolved.problem {
        let at = format!("{field}.service{}", problem.field);
        out.find(problem.code, &stored.source, at, problem.message.clone(), problem.help.clone());
    }
    resolved.reference.clone()
}

/// The port of a backend, or which field of it is at fault, how, and what to write instead.
fn port(service: &IngressServiceBackend) -> Result<Port<'_>, (&'static str, String, &'static str)> {
    if service.name.is_empty() {
        let help = "write the name of a Service in this namespace";
        return Err((".name", "the Service's name is missing".into(), help));
    }
    let port = service.port.as_ref();
    let name = port.and_then(|port| port.name.as_deref()).filter(|name| !name.is_empty());
    let number = port.and_then(|port| port.number).filter(|&number| number != 0);
    match (name, number) {
        (Some(name), None) => Ok(Port::Name(name)),
        (None, Some(number)) => u16::try_from(number).map(Port::Number).map_err(|_| {
            (".port.number", format!("{number} is no port number"), "write a number from 1 to 65535")
        }),
        (Some(_), Some(_)) => {
            Err((".port", "both a name and a number are given".into(), "write one of the two"))
        }
        (None, None) => {
            let help = "write its number or its name, such as number: 80";
            Err((".port", "the port is missing".into(), help))
        }
    }
}

fn resolve_resource(
    stored: &Stored<Ingress>,
    field: &str,
    resource: &TypedLocalObjectReference,
    services: &Services<'_>,
    out: &mut Output,
) -> BackendRef {
    let reference = ResourceRef {
        namespace: stored.namespace.clone(),
        api_group: resource.api_group.as_deref().unwrap_or_default().into(),
        kind: resource.kind.as_str().into(),
        name: resource.name.as_str().into(),
    };
    if !services.config().resources.contains(&reference) {
        let message = format!("nothing in this process answers for {reference}");
        let help = "write a service instead, or register the resource in the embedding program";
        out.find(Code::MissingResource, &stored.source, format!("{field}.resource"), message, help);
    }
    BackendRef::Resource(reference)
}

fn nowhere(stored: &Stored<Ingress>, name: &str) -> BackendRef {
    BackendRef::service(stored.namespace.clone(), name, PortRef::Number(0))
}
