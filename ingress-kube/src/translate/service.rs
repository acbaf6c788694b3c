//! A Service's port: whether it exists, and who answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use ingress_core::{Code, Diagnostic, Endpoint, ObjectRef, Policy, PortRef, ServiceRef, Source};
use k8s_openapi::api::core::v1::{Service, ServicePort};

use super::annotations::Settings;
use super::backend::Place;
use super::key::Key;
use super::slices::Slices;
use super::{Output, endpoints, external_name, hints, ignored, named};
use crate::store::Stored;
use crate::{Config, Store, Upstream};

/// The objects around a Service.
pub(super) struct Lookup<'a> {
    pub(super) store: &'a Store,
    pub(super) config: &'a Config,
    pub(super) slices: &'a Slices,
    pub(super) names: &'a Names,
}

/// The namespaces that have a Service of a name, by name.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<(Arc<str>, Arc<str>)>);

/// What was found at a port of a Service.
#[derive(Default)]
pub(super) struct Resolved {
    /// Why it has no endpoints, for each backend that points at it.
    pub(super) problem: Option<Problem>,
    pub(super) endpoints: Vec<Endpoint>,
    /// What the Service says of how requests are treated.
    pub(super) policy: Option<Arc<Policy>>,
    /// The Secrets that it names for this.
    pub(super) secrets: Vec<Key>,
    /// Findings about the Service and its EndpointSlices.
    pub(super) findings: Vec<Diagnostic>,
    /// A Service whose coming or going changes this, besides the Service itself.
    pub(super) namesake: Option<Key>,
}

/// A finding about the backend of an Ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) code: Code,
    /// The field inside `backend.service`.
    pub(super) field: &'static str,
    pub(super) message: Box<str>,
    pub(super) help: Box<str>,
}

impl<'a> Lookup<'a> {
    /// The number of a Service's first TCP port.
    pub(super) fn first_port(&self, namespace: &str, name: &str) -> Option<u16> {
        let spec = self.store.services.get(namespace, name)?.object.spec.as_ref()?;
        let mut ports = spec.ports.iter().flatten();
        let first = ports.find(|port| endpoints::is_tcp(port.protocol.as_deref()))?;
        u16::try_from(first.port).ok()
    }

    /// Who answers for a port of a Service, or why nobody does.
    pub(super) fn resolve(&self, service: &ServiceRef) -> Resolved {
        let ServiceRef { namespace, name, port } = service;
        let Some(stored) = self.store.services.get(namespace, name) else {
            return Resolved::problem(self.missing_service(namespace, name));
        };
        if let Some(target) = external_name::target(&stored.object) {
            let mut resolved = match external_name::resolve(self.store, self.config, stored, target, port) {
                Ok(endpoint) => {
                    self.treated(stored, Resolved { endpoints: vec![endpoint], ..Resolved::default() })
                }
                Err(problem) => Resolved::problem(problem),
            };
            resolved.namesake = external_name::namesake(target);
            return resolved;
        }
        let found = match find_port(&stored.object, port) {
            Ok(found) => found,
            Err((message, help)) => {
                return Resolved::problem(Problem::new(Code::MissingPort, port_field(port), message, help));
            }
        };
        let mut out = Output::default();
        ignored::report(stored, self.config.upstream, &mut out);
        let endpoints = self.endpoints(stored, found, &mut out);
        self.treated(stored, Resolved { endpoints, findings: out.findings, ..Resolved::default() })
    }

    /// Adds what the Service says of how requests are treated.
    fn treated(&self, service: &Stored<Service>, mut resolved: Resolved) -> Resolved {
        let mut out = Output::default();
        let mut settings = Settings::of_service(service, &mut out);
        named::read(service, &mut settings, self.store, self.config, &mut out);
        resolved.policy = settings.policy();
        resolved.secrets = out.secrets;
        resolved.findings.extend(out.findings);
        resolved
    }

    fn endpoints(
        &self,
        service: &'a Stored<Service>,
        port: &'a ServicePort,
        out: &mut Output,
    ) -> Vec<Endpoint> {
        let slices = self.slices.of(service, self.store);
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
            _ => endpoints::join(service, port, &slices, out),
        }
    }

    fn missing_service(&self, namespace: &str, name: &str) -> Problem {
        let message = format!("Service {namespace}/{name} does not exist");
        let names = || self.store.services.of_namespace(namespace).map(|stored| &*stored.name);
        let help = match hints::similar(name, names()) {
            Some(similar) => format!("write {similar}, or add the Service"),
            None => match self.names.first(name) {
                Some(other) => format!(
                    "a Service of that name is in namespace {other}, but a backend is in the Ingress's own namespace"
                ),
                None if names().nth(hints::LISTED).is_some() => "add the Service".into(),
                None => {
                    let list = hints::list(names()).unwrap_or_else(|| "none".into());
                    format!("add the Service; namespace {namespace} has {list}")
                }
            },
        };
        Problem::new(Code::MissingService, ".name", message, help)
    }
}

impl Names {
    /// Notes whether the Service is there. Returns whether that is news.
    pub(super) fn set(&mut self, key: &Key, present: bool) -> bool {
        let pair = (key.name.clone(), key.namespace.clone());
        if present { self.0.insert(pair) } else { self.0.remove(&pair) }
    }

    fn first(&self, name: &str) -> Option<&str> {
        let (found, namespace) = self.0.range((Arc::from(name), Arc::default())..).next()?;
        (**found == *name).then_some(namespace)
    }
}

impl Resolved {
    fn problem(problem: Problem) -> Self {
        Self { problem: Some(problem), ..Self::default() }
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

    /// The finding about an Ingress that names the Service in this place.
    pub(super) fn at(&self, ingress: &Arc<ObjectRef>, place: Place) -> Diagnostic {
        let source = Source::new(ingress.clone(), place.service_field(self.field));
        Diagnostic::new(self.code, source, self.message.clone(), self.help.clone())
    }
}

/// The field inside `backend.service`.
pub(super) fn port_field(port: &PortRef) -> &'static str {
    match port {
        PortRef::Number(_) => ".port.number",
        PortRef::Name(_) => ".port.name",
    }
}

fn is(port: &PortRef, candidate: &ServicePort) -> bool {
    match port {
        PortRef::Number(number) => candidate.port == i32::from(*number),
        PortRef::Name(name) => candidate.name.as_deref() == Some(name),
    }
}

/// The Service's port that an Ingress names, or what is wrong and what to write instead.
pub(super) fn find_port<'a>(
    service: &'a Service,
    port: &PortRef,
) -> Result<&'a ServicePort, (String, String)> {
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    let mut named = ports.iter().filter(|candidate| is(port, candidate)).peekable();
    let other_protocol = named.peek().and_then(|port| port.protocol.as_deref());
    if let Some(found) = named.find(|port| endpoints::is_tcp(port.protocol.as_deref())) {
        return Ok(found);
    }
    let what = match port {
        PortRef::Number(number) => format!("port {number}"),
        PortRef::Name(name) => format!("port {name:?}"),
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
fn meant<'a>(port: &PortRef, mut ports: impl Iterator<Item = &'a ServicePort>) -> Option<String> {
    let PortRef::Name(name) = port else { return None };
    let number = name.parse().ok().map(PortRef::Number);
    ports.find_map(|port| match port.name.as_deref() {
        Some(known) if known.eq_ignore_ascii_case(name) => Some(known.to_owned()),
        _ if number.as_ref().is_some_and(|number| is(number, port)) => {
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
