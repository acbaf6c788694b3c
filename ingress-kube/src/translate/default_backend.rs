//! The global default backend, which the configuration names and no object does.

use ingress_core::{Code, Diagnostic, PortRef, ServiceRef};

use super::service::{Lookup, Problem};

/// What the global default backend points at, if there is to be one. A Service or port that does not exist keeps
/// its rule, which answers 503 (ruling R7).
pub(super) fn reference(lookup: &Lookup<'_>) -> Option<ServiceRef> {
    let wanted = lookup.config.default_backend_service.as_ref()?;
    let first = || lookup.first_port(&wanted.namespace, &wanted.name).map(PortRef::Number);
    // No Service has port 0, so without a port the Service is missing, or all its ports are.
    let port = wanted.port.clone().or_else(first).unwrap_or(PortRef::Number(0));
    Some(ServiceRef { namespace: wanted.namespace.clone(), name: wanted.name.clone(), port })
}

/// Why the global default backend has no endpoints.
pub(super) fn finding(lookup: &Lookup<'_>, problem: &Problem) -> Option<Diagnostic> {
    let wanted = lookup.config.default_backend_service.as_ref()?;
    let (namespace, name) = (&wanted.namespace, &wanted.name);
    let portless = wanted.port.is_none() && lookup.first_port(namespace, name).is_none();
    let message = match problem.code {
        Code::MissingPort if portless => format!("Service {namespace}/{name} has no TCP port"),
        _ => problem.message.to_string(),
    };
    let help = match problem.code {
        Code::MissingService => "add the Service, or start the gateway with the name of another one".into(),
        Code::MissingPort if portless => "add a port to spec.ports of the Service".into(),
        _ => problem.help.clone(),
    };
    let message = format!("the global default backend, --default-backend-service {wanted}: {message}");
    Some(Diagnostic::new(Code::DefaultBackend, None, message, help))
}
