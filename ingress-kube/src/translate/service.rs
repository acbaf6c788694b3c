//! A Service's port: whether it exists, and who answers.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use ingress_core::{BackendRef, Code, PortRef};
use k8s_openapi::api::core::v1::{Service, ServicePort};

use super::endpoints::Slices;
use super::{Output, endpoints, external_name, hints, ignored};
use crate::store::Stored;
use crate::{Config, Store, Upstream};

/// A port as an Ingress names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Port<'a> {
    Number(u16),
    Name(&'a str),
}

/// What all Ingresses together point at; each port is looked up once.
pub(super) struct Services<'a> {
    store: &'a Store,
    config: &'a Config,
    slices: Slices<'a>,
    resolved: HashMap<(&'a str, &'a str, Port<'a>), Rc<Resolved>>,
}

/// A port that was looked up; its endpoints are in the table already.
pub(super) struct Resolved {
    pub(super) reference: BackendRef,
    /// Why it has no endpoints, for each backend that points at it.
    pub(super) problem: Option<Problem>,
}

/// A finding about the backend of an Ingress.
pub(super) struct Problem {
    pub(super) code: Code,
    /// The field inside `backend.service`.
    pub(super) field: &'static str,
    pub(super) message: Box<str>,
    pub(super) help: Box<str>,
}

impl<'a> Services<'a> {
    pub(super) fn new(store: &'a Store, config: &'a Config) -> Self {
        Self { store, config, slices: Slices::new(store), resolved: HashMap::new() }
    }

    /// The number of a Service's first TCP port.
    pub(super) fn first_port(&self, namespace: &str, name: &str) -> Option<u16> {
        let spec = self.store.services.get(namespace, name)?.object.spec.as_ref()?;
        let mut ports = spec.ports.iter().flatten();
        let first = ports.find(|port| endpoints::is_tcp(port.protocol.as_deref()))?;
        u16::try_from(first.port).ok()
    }

    pub(super) fn config(&self) -> &'a Config {
        self.config
    }

    /// Looks a port up and adds its endpoints to the table.
    pub(super) fn resolve(
        &mut self,
        namespace: &'a str,
        name: &'a str,
        port: Port<'a>,
        out: &mut Output,
    ) -> Rc<Resolved> {
        if let Some(resolved) = self.resolved.get(&(namespace, name, port)) {
            return resolved.clone();
        }
        let resolved = Rc::new(self.look_up(namespace, name, port, out));
        self.resolved.insert((namespace, name, port), resolved.clone());
        resolved
    }

    fn look_up(&self, namespace: &'a str, name: &'a str, port: Port<'a>, out: &mut Output) -> Resolved {
        let Some(stored) = self.store.services.get(namespace, name) else {
            let reference = BackendRef::service(namespace, name, port.reference());
            return Resolved { reference, problem: Some(self.missing_service(namespace, name)) };
        };
        let reference = BackendRef::service(stored.namespace.clone(), stored.name.clone(), port.reference());
        if let Some(target) = external_name::target(&stored.object) {
            let found = external_name::resolve(self.store, self.config, stored, target, port);
            let problem = match found {
                Ok(endpoint) => {
                    out.builder.endpoints(reference.clone(), [endpoint]);
                    None
                }
                Err(problem) => Some(problem),
            };
            return Resolved { reference, problem };
        }
        let found = match find_port(&stored.object, port) {
            Ok(found) => found,
            Err((message, help)) => {
                let problem = Problem::new(Code::MissingPort, port.field(), message, help);
                return Resolved { reference, problem: Some(problem) };
            }
        };
        ignored::report(stored, found, self.config.upstream, out);
        let endpoints = self.endpoints(stored, found, out);
        out.builder.endpoints(reference.clone(), endpoints);
        Resolved { reference, problem: None }
    }

    fn endpoints(
        &self,
        service: &'a Stored<Service>,
        port: &'a ServicePort,
        out: &mut Output,
    ) -> Vec<ingress_core::Endpoint> {
        let slices = self.slices.of(service);
        let cluster_ip = endpoints::cluster_ip(service);
        let through_cluster_ip = slices.is_empty() || self.config.upstream == Upstream::ClusterIp;
        match cluster_ip {
            Some(address) if through_cluster_ip => endpoints::through_cluster_ip(service, address, port, out),
            _ if slices.is_empty() => {
                let name = &service.name;
                let message =
                    "the Service has neither an EndpointSlice nor a clusterIP, so its routes answer 503";
                let help = format!(
                    "add an EndpointSlice with the label kubernetes.io/service-name: {name}, or write spec.clusterIP"
                );
                out.find(Code::InvalidEndpoint, &service.source, "spec.clusterIP", message, help);
                Vec::new()
            }
            _ => endpoints::join(service, port, slices, out),
        }
    }

    fn missing_service(&self, namespace: &str, name: &str) -> Problem {
        let message = format!("Service {namespace}/{name} does not exist");
        let names = || self.store.services.of_namespace(namespace).map(|stored| &*stored.name);
        let elsewhere = || self.store.services.iter().find(|stored| &*stored.name == name);
        let help = match hints::similar(name, names()) {
            Some(similar) => format!("write {similar}, or add the Service"),
            None => match elsewhere() {
                Some(other) => format!(
                    "a Service of that name is in namespace {}, but a backend is in the Ingress's own namespace",
                    other.namespace
                ),
                None => match hints::list(names()) {
                    Some(list) => format!("add the Service; namespace {namespace} has {list}"),
                    None => format!("add the Service; namespace {namespace} has none"),
                },
            },
        };
        Problem::new(Code::MissingService, ".name", message, help)
    }
}

impl Problem {
    pub(super) fn new(
        code: Code,
        field: &'static str,
        message: impl Into<Box<str>>,
        help: impl Into<Box<str>>,
    ) -> Self {
        Self { code, field, message: message.into(), help: help.into() }
    }
}

impl Port<'_> {
    fn reference(self) -> PortRef {
        match self {
            Self::Number(number) => PortRef::Number(number),
            Self::Name(name) => PortRef::Name(Arc::from(name)),
        }
    }

    /// The field inside `backend.service`.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Number(_) => ".port.number",
            Self::Name(_) => ".port.name",
        }
    }

    fn is(self, port: &ServicePort) -> bool {
        match self {
            Self::Number(number) => port.port == i32::from(number),
            Self::Name(name) => port.name.as_deref() == Some(name),
        }
    }
}

/// The Service's port that an Ingress names, or what is wrong and what to write instead.
pub(super) fn find_port<'a>(
    service: &'a Service,
    port: Port<'_>,
) -> Result<&'a ServicePort, (String, String)> {
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    let mut named = ports.iter().filter(|candidate| port.is(candidate)).peekable();
    let other_protocol = named.peek().and_then(|port| port.protocol.as_deref());
    if let Some(found) = named.find(|port| endpoints::is_tcp(port.protocol.as_deref())) {
        return Ok(found);
    }
    let what = match port {
        Port::Number(number) => format!("port {number}"),
        Port::Name(name) => format!("port {name:?}"),
    };
    let mut tcp = ports.iter().filter(|port| endpoints::is_tcp(port.protocol.as_deref()));
    let help = match (meant(port, tcp.clone()), hints::list(tcp.by_ref().map(describe))) {
        (Some(meant), _) => format!("write {meant}"),
        (None, Some(list)) => format!("its ports are {list}"),
        (None, None) => "it has no TCP port; add one to spec.ports of the Service".into(),
    };
    let name = service.metadata.name.as_deref().unwrap_or_default();
    let message = match other_protocol {
        Some(protocol) => format!("{what} of Service {name} speaks {protocol}, not TCP"),
        None => format!("Service {name} has no {what}"),
    };
    Err((message, help))
}

/// What to write for a number in a name's place, or for a name in the wrong case.
fn meant<'a>(port: Port<'_>, mut ports: impl Iterator<Item = &'a ServicePort>) -> Option<String> {
    let Port::Name(name) = port else { return None };
    let number = name.parse().ok().map(Port::Number);
    ports.find_map(|port| match port.name.as_deref() {
        Some(known) if known.eq_ignore_ascii_case(name) => Some(known.to_owned()),
        _ if number.is_some_and(|number| number.is(port)) => {
            Some(format!("number: {} instead of a name", port.port))
        }
        _ => None,
    })
}

fn describe(port: &ServicePort) -> String {
    match port.name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => format!("{} ({name})", port.port),
        None => port.port.to_string(),
    }
}
