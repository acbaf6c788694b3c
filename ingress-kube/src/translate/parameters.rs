//! `spec.parameters` of an IngressClass: a ConfigMap with defaults for the annotations of its Ingresses.
//!
//! A ConfigMap is in a namespace, so its scope is `Namespace`, and the namespace is named; the default scope,
//! `Cluster`, is for objects that have none (KEP-2365). A class whose parameters cannot be used is served without.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use ingress_core::Code;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::networking::v1::{Ingress, IngressClassParametersReference};

use super::annotations::Settings;
use super::class::Classes;
use super::key::Key;
use super::{Output, hints};
use crate::Store;
use crate::store::Stored;

/// What the parameters of our classes say.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    by_class: HashMap<Arc<str>, Settings<'static>>,
    /// The ConfigMaps that classes name, also those that do not exist.
    named: BTreeSet<Key>,
    /// Whether there is a finding about a class, which other ConfigMaps may change.
    faulty: bool,
}

/// The field inside `spec.parameters` that is at fault, how, and what to write instead.
type Fault = (&'static str, String, String);

impl Parameters {
    pub(super) fn new(store: &Store, classes: &Classes<'_>, out: &mut Output) -> Self {
        let mut parameters = Self::default();
        for class in classes.ours() {
            let spec = class.object.spec.as_ref();
            let Some(reference) = spec.and_then(|spec| spec.parameters.as_ref()) else { continue };
            let namespace = reference.namespace.as_deref().unwrap_or_default();
            parameters.named.insert(Key::new(namespace, &*reference.name));
            match config_map(store, reference) {
                Ok(found) => {
                    let settings = Settings::of_class(found, out).without_split();
                    parameters.by_class.insert(class.name.clone(), settings);
                }
                Err((field, message, help)) => {
                    parameters.faulty = true;
                    let at = format!("spec.parameters{field}");
                    out.find(Code::InvalidParameters, &class.source, at, message, help);
                }
            }
        }
        parameters
    }

    /// Whether the ConfigMap may change what the classes say.
    pub(super) fn name(&self, config_map: &Key) -> bool {
        self.named.contains(config_map)
    }

    /// The ConfigMaps that classes name.
    #[cfg(feature = "client")]
    pub(super) fn named(&self) -> &BTreeSet<Key> {
        &self.named
    }

    /// Whether any ConfigMap may change what is said about the classes.
    pub(super) fn are_faulty(&self) -> bool {
        self.faulty
    }

    /// What the class of an Ingress of ours says; nothing for an Ingress without a class.
    pub(super) fn of<'a>(&self, classes: &Classes<'_>, ingress: &Stored<Ingress>) -> Settings<'a> {
        let class = classes.name_of(&ingress.object);
        class.and_then(|class| self.by_class.get(class)).cloned().unwrap_or_default()
    }
}

fn config_map<'a>(
    store: &'a Store,
    reference: &IngressClassParametersReference,
) -> Result<&'a Stored<ConfigMap>, Fault> {
    let group = reference.api_group.as_deref().unwrap_or_default();
    if reference.kind != "ConfigMap" || !group.is_empty() {
        let (field, message) = match group {
            "" => (".kind", format!("parameters of kind {:?} are not read", reference.kind)),
            _ => (
                ".apiGroup",
                format!("parameters of kind {:?} of group {group:?} are not read", reference.kind),
            ),
        };
        return Err((field, message, "write kind: ConfigMap, without an apiGroup".into()));
    }
    let name = &*reference.name;
    let namespace = reference.namespace.as_deref().filter(|namespace| !namespace.is_empty());
    let found = || store.config_maps.iter().find(|stored| &*stored.name == name);
    let somewhere = || found().map_or("NAMESPACE", |stored| &*stored.namespace);
    match reference.scope.as_deref().unwrap_or("Cluster") {
        "Namespace" => {}
        "Cluster" => {
            let message = match namespace {
                Some(_) => "scope Cluster, which is the default, forbids a namespace",
                None => "a ConfigMap is in a namespace, which scope Cluster, the default, cannot name",
            };
            let help =
                format!("write scope: Namespace and namespace: {}", namespace.unwrap_or_else(|| somewhere()));
            return Err((".scope", message.into(), help));
        }
        other => {
            return Err((".scope", format!("there is no scope {other:?}"), "write scope: Namespace".into()));
        }
    }
    let Some(namespace) = namespace else {
        let message = "scope Namespace needs a namespace".into();
        return Err((".namespace", message, format!("write namespace: {}", somewhere())));
    };
    store.config_maps.get(namespace, name).ok_or_else(|| {
        let message = format!("ConfigMap {namespace}/{name} does not exist");
        let names = store.config_maps.of_namespace(namespace).map(|stored| &*stored.name);
        match (hints::similar(name, names), found()) {
            (Some(similar), _) => (".name", message, format!("write {similar}, or add the ConfigMap")),
            (None, Some(other)) => {
                let help = format!("write namespace: {}, where there is one of that name", other.namespace);
                (".namespace", message, help)
            }
            (None, None) => (".name", message, "add the ConfigMap, or leave the parameters out".into()),
        }
    })
}
