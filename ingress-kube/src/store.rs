//! The present set of objects.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use ingress_core::ObjectRef;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};

use crate::object::{Kind, Object, ObjectKey, Origin, Prune, object_ref};

/// The present set of objects: all that a table depends on. Which way it came about makes no difference.
///
/// Of each object only what is read is kept: no status, no managed fields, no resource version.
#[derive(Debug, Default)]
pub struct Store {
    pub(crate) ingresses: Objects<Ingress>,
    pub(crate) classes: Objects<IngressClass>,
    pub(crate) services: Objects<Service>,
    pub(crate) slices: Objects<EndpointSlice>,
    pub(crate) config_maps: Objects<ConfigMap>,
    pub(crate) secrets: Objects<Secret>,
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// It was not there before.
    Added,
    /// Something in it that is read has another value.
    Changed,
    /// It is the same, but stands in another file or on another line.
    Moved,
    /// It is gone.
    Removed,
    /// Nothing happened.
    Unchanged,
}

/// How many objects there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Ingresses, those of other classes included.
    pub ingresses: usize,
    /// IngressClasses.
    pub ingress_classes: usize,
    /// Services.
    pub services: usize,
    /// EndpointSlices.
    pub endpoint_slices: usize,
    /// ConfigMaps, those that no IngressClass refers to included.
    pub config_maps: usize,
    /// Secrets, those without a certificate included.
    pub secrets: usize,
}

/// The objects of one kind, by namespace and name.
pub(crate) struct Objects<T> {
    namespaces: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Stored<T>>>,
    len: usize,
}

/// One object, and how rules and findings name it.
#[derive(Debug)]
pub(crate) struct Stored<T> {
    pub(crate) object: T,
    pub(crate) source: Arc<ObjectRef>,
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
    /// See [`Origin::withheld_rules`].
    pub(crate) withheld_rules: Box<[usize]>,
}

// ===== impl Store =====

impl Store {
    /// Adds an object, or replaces the one with the same key. An object without a name, which no API
    /// server hands out, is left out.
    pub fn apply(&mut self, object: Object, origin: Option<Origin>) -> Change {
        let key = object.key();
        if key.name.is_empty() {
            return Change::Unchanged;
        }
        let origin = origin.as_ref();
        match object {
            Object::Ingress(object) => self.ingresses.apply(&key, *object, origin),
            Object::IngressClass(object) => self.classes.apply(&key, *object, origin),
            Object::Service(object) => self.services.apply(&key, *object, origin),
            Object::EndpointSlice(object) => self.slices.apply(&key, *object, origin),
            Object::ConfigMap(object) => self.config_maps.apply(&key, *object, origin),
            Object::Secret(object) => self.secrets.apply(&key, *object, origin),
        }
    }

    /// Removes an object.
    pub fn delete(&mut self, key: &ObjectKey) -> Change {
        match key.kind {
            Kind::Ingress => self.ingresses.delete(key),
            Kind::IngressClass => self.classes.delete(key),
            Kind::Service => self.services.delete(key),
            Kind::EndpointSlice => self.slices.delete(key),
            Kind::ConfigMap => self.config_maps.delete(key),
            Kind::Secret => self.secrets.delete(key),
        }
    }

    /// Makes `objects` the whole set, and says what became of each object that is not as it was. Of
    /// several objects with one key the last is kept.
    pub fn replace(
        &mut self,
        objects: impl IntoIterator<Item = (Object, Option<Origin>)>,
    ) -> Vec<(ObjectKey, Change)> {
        let mut gone: BTreeSet<ObjectKey> = self.keys().collect();
        let mut changes = Vec::new();
        for (object, origin) in objects {
            let key = object.key();
            gone.remove(&key);
            match self.apply(object, origin) {
                Change::Unchanged => {}
                change => changes.push((key, change)),
            }
        }
        for key in gone {
            self.delete(&key);
            changes.push((key, Change::Removed));
        }
        changes
    }

    /// As [`Store::replace`], for the objects of one kind in one namespace, or in all.
    #[cfg(feature = "client")]
    pub(crate) fn replace_part(
        &mut self,
        kind: Kind,
        namespace: Option<&str>,
        objects: impl IntoIterator<Item = Object>,
    ) -> Vec<(ObjectKey, Change)> {
        let is_part =
            |key: &ObjectKey| key.kind == kind && namespace.is_none_or(|only| *key.namespace == *only);
        let mut gone: BTreeSet<ObjectKey> = self.keys().filter(is_part).collect();
        let mut changes = Vec::new();
        for object in objects {
            let key = object.key();
            gone.remove(&key);
            changes.push((key, self.apply(object, None)));
        }
        changes.extend(gone.into_iter().map(|key| {
            let change = self.delete(&key);
            (key, change)
        }));
        changes
    }

    /// The keys of all objects.
    pub fn keys(&self) -> impl Iterator<Item = ObjectKey> + '_ {
        let ingresses = self.ingresses.iter().map(|stored| stored.key(Kind::Ingress));
        let classes = self.classes.iter().map(|stored| stored.key(Kind::IngressClass));
        let services = self.services.iter().map(|stored| stored.key(Kind::Service));
        let slices = self.slices.iter().map(|stored| stored.key(Kind::EndpointSlice));
        let config_maps = self.config_maps.iter().map(|stored| stored.key(Kind::ConfigMap));
        let secrets = self.secrets.iter().map(|stored| stored.key(Kind::Secret));
        ingresses.chain(classes).chain(services).chain(slices).chain(config_maps).chain(secrets)
    }

    /// How many objects there are of each kind.
    pub fn counts(&self) -> Counts {
        Counts {
            ingresses: self.ingresses.len,
            ingress_classes: self.classes.len,
            services: self.services.len,
            endpoint_slices: self.slices.len,
            config_maps: self.config_maps.len,
            secrets: self.secrets.len,
        }
    }
}

// ===== impl Objects =====

impl<T> Default for Objects<T> {
    fn default() -> Self {
        Self { namespaces: BTreeMap::new(), len: 0 }
    }
}

/// Objects are many, and some are secret.
impl<T> fmt::Debug for Objects<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects").field("len", &self.len).finish_non_exhaustive()
    }
}

impl<T> Objects<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<&Stored<T>> {
        self.namespaces.get(namespace)?.get(name)
    }

    /// All objects by namespace and name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Stored<T>> {
        self.namespaces.values().flat_map(BTreeMap::values)
    }

    /// The objects of one namespace by name.
    pub(crate) fn of_namespace(&self, namespace: &str) -> impl Iterator<Item = &Stored<T>> {
        self.namespaces.get(namespace).into_iter().flat_map(BTreeMap::values)
    }

    fn delete(&mut self, key: &ObjectKey) -> Change {
        let Some(objects) = self.namespaces.get_mut(&key.namespace) else { return Change::Unchanged };
        if objects.remove(&key.name).is_none() {
            return Change::Unchanged;
        }
        self.len -= 1;
        if objects.is_empty() {
            self.namespaces.remove(&key.namespace);
        }
        Change::Removed
    }
}

impl<T: Prune> Objects<T> {
    fn apply(&mut self, key: &ObjectKey, mut object: T, origin: Option<&Origin>) -> Change {
        object.prune();
        let stored = Stored {
            source: Arc::new(object_ref(key, object.metadata(), origin)),
            object,
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            withheld_rules: origin.map(|origin| origin.withheld_rules.clone()).unwrap_or_default(),
        };
        let objects = self.namespaces.entry(key.namespace.clone()).or_default();
        let Some(before) = objects.get_mut(&key.name) else {
            objects.insert(key.name.clone(), stored);
            self.len += 1;
            return Change::Added;
        };
        let same = before.object == stored.object && before.withheld_rules == stored.withheld_rules;
        let change = match (same, before.source == stored.source) {
            (true, true) => return Change::Unchanged,
            (true, false) => Change::Moved,
            (false, _) => Change::Changed,
        };
        *before = stored;
        change
    }
}

impl<T> Stored<T> {
    fn key(&self, kind: Kind) -> ObjectKey {
        ObjectKey { kind, namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

// ===== impl Change, Counts =====

impl Change {
    /// What is left of this change after a later one to the same object.
    pub(crate) fn then(self, later: Self) -> Self {
        match (self, later) {
            (earlier, Self::Unchanged) => earlier,
            (Self::Unchanged, later) => later,
            (Self::Added, Self::Removed) => Self::Unchanged,
            (Self::Added, _) => Self::Added,
            (Self::Removed, Self::Added) | (Self::Changed, Self::Moved) => Self::Changed,
            (_, later) => later,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Moved => "moved",
            Self::Removed => "removed",
            Self::Unchanged => "unchanged",
        })
    }
}

impl Counts {
    /// All objects together.
    pub fn total(&self) -> usize {
        self.ingresses
            + self.ingress_classes
            + self.services
            + self.endpoint_slices
            + self.config_maps
            + self.secrets
    }
}
