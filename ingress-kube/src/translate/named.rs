//! Objects that annotations name beside the object that they stand on: Secrets, of which something is made for its policy,
//! and Services, which the gateway asks on its own account.

use ingress_core::{BackendRef, Code, ServiceRef};

use super::Output;
use super::annotations::{self, NamedSecret, Settings};
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
        let (namespace, name) = (stored.namespace.clone(), (*named.name).into());
        let service = ServiceRef { namespace, name, port: named.port };
        out.uses.push(Use { service: service.clone(), place: Place::Annotation(named.annotation) });
        (named.put)(settings.policy_mut(), BackendRef::Service(service));
    }
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
