//! Objects that annotations name beside the object that they stand on: Secrets, of which something is made for its policy,
//! and Services, which the gateway asks on its own account.

use ingress_core::{BackendRef, CalleeAddress, Code, PortRef, ServiceRef};

use super::Output;
use super::annotations::{self, Fault, Found, NamedSecret, Settings};
use super::backend::{Place, Use};
use super::key::Key;
use crate::store::Stored;
use crate::{Config, Store};

/// Completes what the settings of an Ingress or a Service say with what is in the objects that they name. What cannot be
/// read is a finding, and costs what the annotation says that it costs.
pub(super) fn read<O>(
    stored: &Stored<O>,
    settings: &mut Settings<'_>,
    store: &Store,
    config: &Config,
    out: &mut Output,
) {
    for named in settings.take_secrets() {
        let key = Key::new(stored.namespace.clone(), &*named.name);
        let loaded = load(&named, &key, store, config, settings);
        out.secrets.push(key);
        if let Err((why, help)) = loaded {
            (named.without)(settings.policy_mut());
            let message = format!("{why}, so {}", named.consequence);
            let field = annotations::field(named.annotation);
            out.find(Code::InvalidAnnotation, &stored.source, field, message, help);
        }
    }
    for named in settings.take_services() {
        let backend = use_service(stored, named.annotation, &named.name, named.port, out);
        (named.put)(settings.policy_mut(), backend);
    }
    for named in settings.take_callees() {
        match named.find(&stored.namespace, store, config) {
            Ok(Found::Service(name, port)) => {
                let backend = use_service(stored, named.annotation, &name, port, out);
                (named.put)(settings.policy_mut(), named.callee(CalleeAddress::Backend(backend)));
            }
            Ok(Found::Elsewhere(callee)) => (named.put)(settings.policy_mut(), callee),
            Err(Fault { message, help }) => {
                settings.policy_mut().access.closed = true;
                let field = annotations::field(named.annotation);
                out.find(Code::InvalidAnnotation, &stored.source, field, message, help);
            }
        }
    }
}

fn use_service<O>(
    stored: &Stored<O>,
    annotation: &'static str,
    name: &str,
    port: PortRef,
    out: &mut Output,
) -> BackendRef {
    let service = ServiceRef { namespace: stored.namespace.clone(), name: name.into(), port };
    out.uses.push(Use { service: service.clone(), place: Place::Annotation(annotation) });
    BackendRef::Service(service)
}

fn load(
    named: &NamedSecret,
    key: &Key,
    store: &Store,
    config: &Config,
    settings: &mut Settings<'_>,
) -> Result<(), (String, String)> {
    let Key { namespace, name } = key;
    let Some(secret) = store.secrets.get(namespace, name) else {
        let help = format!("add the Secret to this namespace, with {} in it", named.content);
        return Err((format!("Secret {namespace}/{name} does not exist"), help));
    };
    (named.load)(&secret.object, config, settings.policy_mut())
        .map_err(|(why, help)| (format!("Secret {namespace}/{name}: {why}"), help))
}
