//! Which EndpointSlices belong to which Service.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingress_core::{Code, Diagnostic, Source};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::key::Key;
use crate::Store;
use crate::store::Stored;

const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// The EndpointSlices by Service. A slice names its Service in a label, and both are in one namespace.
#[derive(Debug, Default)]
pub(super) struct Slices {
    of_service: BTreeSet<(Key, Arc<str>)>,
    /// The Service of each slice.
    services: BTreeMap<Key, Arc<str>>,
}

impl Slices {
    /// Takes over what a slice, which is gone or there, says now. Returns the Services whose endpoints it may have
    /// changed.
    pub(super) fn update(&mut self, key: &Key, slice: Option<&Stored<EndpointSlice>>) -> Vec<Key> {
        let before = self.services.get(key).cloned();
        let now = slice.map(service_name).filter(|name| !name.is_empty());
        let key_of = |name: &Arc<str>| Key::new(key.namespace.clone(), name.clone());
        if before.as_deref() == now {
            return before.iter().map(key_of).collect();
        }
        if let Some(name) = &before {
            self.of_service.remove(&(key_of(name), key.name.clone()));
            self.services.remove(key);
        }
        let now: Option<Arc<str>> = now.map(Arc::from);
        if let Some(name) = &now {
            self.of_service.insert((key_of(name), key.name.clone()));
            self.services.insert(key.clone(), name.clone());
        }
        before.iter().chain(&now).map(key_of).collect()
    }

    /// The slices of a Service, by name.
    pub(super) fn of<'a>(
        &self,
        service: &Stored<Service>,
        store: &'a Store,
    ) -> Vec<&'a Stored<EndpointSlice>> {
        let service = Key::of(service);
        let all = self.of_service.range((service.clone(), Arc::default())..);
        let own = all.take_while(|(other, _)| *other == service);
        own.filter_map(|(service, name)| store.slices.get(&service.namespace, name)).collect()
    }
}

/// A slice that names no Service is used for nothing.
pub(super) fn nameless(slice: &Stored<EndpointSlice>) -> Option<Diagnostic> {
    if !service_name(slice).is_empty() {
        return None;
    }
    let message = format!("without the label {SERVICE_NAME} the EndpointSlice has no effect");
    let help = format!("write {SERVICE_NAME}: NAME, with the name of its Service");
    let source = Source::new(slice.source.clone(), "metadata.labels");
    Some(Diagnostic::new(Code::IgnoredField, source, message, help))
}

fn service_name(slice: &Stored<EndpointSlice>) -> &str {
    let labels = slice.object.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(SERVICE_NAME)).map(String::as_str).unwrap_or_default()
}
