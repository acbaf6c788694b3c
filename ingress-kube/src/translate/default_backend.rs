//! The global default backend, which the configuration names and no object does.

use ingress_core::{BackendRef, Code, Diagnostic, HostMatch, PathMatch, PortRef, Rule};

use super::Output;
use super::service::{Port, Services};

/// The rule of the global default backend, if there is to be one. It has no source, since no object says it.
/// A Service or port that does not exist keeps its rule, which answers 503 (ruling R7).
pub(super) fn rule(services: &mut Services<'_>, out: &mut Output) -> Option<Rule> {
    let wanted = services.config().default_backend_service.as_ref()?;
    let (namespace, name) = (&*wanted.namespace, &*wanted.name);
    let port = match &wanted.port {
        Some(PortRef::Number(number)) => Some(Port::Number(*number)),
        Some(PortRef::Name(name)) => Some(Port::Name(name)),
        None => services.first_port(namespace, name).map(Port::Number),
    };
    // No Service has port 0, so without a port the Service is missing, or all its ports are.
    let resolved = services.resolve(namespace, name, port.unwrap_or(Port::Number(0)), out);
    if let Some(problem) = &resolved.problem {
        let message = match (port, problem.code) {
            (None, Code::MissingPort) => format!("Service {namespace}/{name} has no TCP port"),
            _ => problem.message.to_string(),
        };
        let help = match problem.code {
            Code::MissingService => {
                "add the Service, or start the gateway with the name of another one".into()
            }
            Code::MissingPort if port.is_none() => "add a port to spec.ports of the Service".into(),
            _ => problem.help.clone(),
        };
        let message = format!("the global default backend, --default-backend-service {wanted}: {message}");
        out.findings.push(Diagnostic::new(Code::DefaultBackend, None, message, help));
    }
    let backend: BackendRef = resolved.reference.clone();
    out.builder.reserve_default(backend.clone());
    Some(Rule::new(HostMatch::Any, PathMatch::Default, backend))
}
