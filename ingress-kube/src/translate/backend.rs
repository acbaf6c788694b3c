//! `backend` and `defaultBackend` of an Ingress to what they point at.

use ingress_core::{BackendRef, Backends, Code, PortRef, ResourceRef, ServiceRef};
use k8s_openapi::api::core::v1::TypedLocalObjectReference;
use k8s_openapi::api::networking::v1::{Ingress, IngressBackend, IngressServiceBackend};

use super::Output;
use super::annotations::{self, CANARY_SERVICE, CanaryShare, Splits};
use crate::Config;
use crate::store::Stored;

/// A Service's port that an Ingress points at, and where in the Ingress that is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    pub(super) service: ServiceRef,
    pub(super) place: Place,
}

/// Where an Ingress names a Service. Its text is made only where there is something to say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// `spec.rules[RULE].http.paths[PATH].backend`.
    Path { rule: usize, path: usize },
    /// `spec.defaultBackend`.
    Default,
    /// An annotation.
    Annotation(&'static str),
}

/// What serves a path: what its backend points at, or the Services that share its requests, on the same port; and whether
/// one of them is the canary. A backend that is split has none.
pub(super) fn resolve_shared(
    stored: &Stored<Ingress>,
    place: Place,
    backend: &IngressBackend,
    (splits, canary): (Option<&Splits<'_>>, Option<CanaryShare<'_>>),
    config: &Config,
    out: &mut Output,
) -> (Backends, bool) {
    let service = backend.service.as_ref().filter(|_| backend.resource.is_none());
    let shared = service.and_then(|service| Some((service, splits?.of(&service.name)?)));
    let Some((service, shares)) = shared else {
        let primary = resolve(stored, place, backend, config, out);
        return match canary.and_then(|canary| beside(stored, &primary, canary, out)) {
            Some(shared) => (shared, true),
            None => (primary.into(), false),
        };
    };
    let port = match port(service) {
        Ok(port) => port,
        Err((at, message, help)) => {
            out.find(Code::InvalidBackend, &stored.source, place.service_field(at), message, help);
            return (nowhere(stored, &service.name).into(), false);
        }
    };
    let share = |&(name, weight): &(&str, u32)| {
        (use_service(stored, name, port.clone(), Place::Annotation("split"), out), weight)
    };
    (Backends::split(shares.iter().map(share)), false)
}

/// A backend with the canary beside it; nothing where the backend is the canary, no Service, or nowhere. A canary that does
/// not exist has no endpoints, and so costs nothing.
fn beside(
    stored: &Stored<Ingress>,
    primary: &BackendRef,
    canary: CanaryShare<'_>,
    out: &mut Output,
) -> Option<Backends> {
    let BackendRef::Service(service) = primary else { return None };
    if *service.name == *canary.service || service.port == PortRef::Number(0) {
        return None;
    }
    let place = Place::Annotation(CANARY_SERVICE);
    let other = use_service(stored, canary.service, service.port.clone(), place, out);
    let weight = u32::from(canary.weight);
    Some(Backends::split([(primary.clone(), 100_u32.saturating_sub(weight)), (other, weight)]))
}

/// What a backend points at. Whether that is there and who answers is not looked at here.
///
/// A backend that points at nothing still gives a reference, to port 0, which no Service has: the route
/// stays and answers 503, because without it a shorter path would take the requests (ruling R7).
pub(super) fn resolve(
    stored: &Stored<Ingress>,
    place: Place,
    backend: &IngressBackend,
    config: &Config,
    out: &mut Output,
) -> BackendRef {
    match (&backend.service, &backend.resource) {
        (Some(service), None) => match port(service) {
            Ok(port) => use_service(stored, &service.name, port, place, out),
            Err((at, message, help)) => {
                out.find(Code::InvalidBackend, &stored.source, place.service_field(at), message, help);
                nowhere(stored, &service.name)
            }
        },
        (None, Some(resource)) => resolve_resource(stored, place, resource, config, out),
        (service, _) => {
            let message = match service {
                Some(_) => "both a service and a resource are given",
                None => "neither a service nor a resource is given",
            };
            let help = "write exactly one, such as service: {name: NAME, port: {number: 80}}";
            out.find(Code::InvalidBackend, &stored.source, place.field(), message, help);
            nowhere(stored, service.as_ref().map_or("", |service| &service.name))
        }
    }
}

fn use_service(
    stored: &Stored<Ingress>,
    name: &str,
    port: PortRef,
    place: Place,
    out: &mut Output,
) -> BackendRef {
    let service = ServiceRef { namespace: stored.namespace.clone(), name: name.into(), port };
    out.uses.push(Use { service: service.clone(), place });
    BackendRef::Service(service)
}

/// The port of a backend, or which field of it is at fault, how, and what to write instead.
fn port(service: &IngressServiceBackend) -> Result<PortRef, (&'static str, String, &'static str)> {
    if service.name.is_empty() {
        let help = "write the name of a Service in this namespace";
        return Err((".name", "the Service's name is missing".into(), help));
    }
    let port = service.port.as_ref();
    let name = port.and_then(|port| port.name.as_deref()).filter(|name| !name.is_empty());
    let number = port.and_then(|port| port.number).filter(|&number| number != 0);
    match (name, number) {
        (Some(name), None) => Ok(PortRef::Name(name.into())),
        (None, Some(number)) => u16::try_from(number).map(PortRef::Number).map_err(|_| {
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
    place: Place,
    resource: &TypedLocalObjectReference,
    config: &Config,
    out: &mut Output,
) -> BackendRef {
    let reference = ResourceRef {
        namespace: stored.namespace.clone(),
        api_group: resource.api_group.as_deref().unwrap_or_default().into(),
        kind: resource.kind.as_str().into(),
        name: resource.name.as_str().into(),
    };
    if !config.resources.contains(&reference) {
        let message = format!("nothing in this process answers for {reference}");
        let help = "write a service instead, or register the resource in the embedding program";
        out.find(Code::MissingResource, &stored.source, format!("{}.resource", place.field()), message, help);
    }
    BackendRef::Resource(reference)
}

fn nowhere(stored: &Stored<Ingress>, name: &str) -> BackendRef {
    BackendRef::service(stored.namespace.clone(), name, PortRef::Number(0))
}

// ===== impl Place =====

impl Place {
    /// The field that holds the backend.
    pub(super) fn field(self) -> String {
        match self {
            Self::Path { rule, path } => format!("spec.rules[{rule}].http.paths[{path}].backend"),
            Self::Default => "spec.defaultBackend".into(),
            Self::Annotation(name) => annotations::field(name),
        }
    }

    /// A field inside `backend.service`; an annotation has no fields.
    pub(super) fn service_field(self, inside: &str) -> String {
        match self {
            Self::Annotation(_) => self.field(),
            _ => format!("{}.service{inside}", self.field()),
        }
    }
}
