//! One Kubernetes object, its key and its origin.

use std::fmt;
use std::sync::Arc;

use ingress_core::ObjectRef;
use k8s_openapi::Metadata;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::translate::annotations;

/// The namespace of an object that names none, as kubectl has it.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

/// kubectl's copy of the whole manifest; nothing here reads it.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The kinds of objects that a routing table is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `networking.k8s.io/v1` Ingress.
    Ingress,
    /// `networking.k8s.io/v1` IngressClass; has no namespace.
    IngressClass,
    /// `v1` Service.
    Service,
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice,
    /// `v1` ConfigMap: the parameters of an IngressClass.
    ConfigMap,
    /// `v1` Secret: a certificate.
    Secret,
}

/// One object.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Object {
    /// `networking.k8s.io/v1` Ingress.
    Ingress(Box<Ingress>),
    /// `networking.k8s.io/v1` IngressClass.
    IngressClass(Box<IngressClass>),
    /// `v1` Service.
    Service(Box<Service>),
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice(Box<EndpointSlice>),
    /// `v1` ConfigMap: the parameters of an IngressClass.
    ConfigMap(Box<ConfigMap>),
    /// `v1` Secret: a certificate.
    Secret(Box<Secret>),
}

/// What tells one object from all others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The kind.
    pub kind: Kind,
    /// `metadata.namespace`; `default` where none is written, empty for a kind that has none.
    pub namespace: Arc<str>,
    /// `metadata.name`.
    pub name: Arc<str>,
}

/// Where in which file an object stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Origin {
    /// The file, as it is to be shown.
    pub file: Arc<str>,
    /// The line of the object's first key, counted from 1.
    pub line: u32,
    /// Which rules of an Ingress, by index, are not served because there are unknown fields in them. They
    /// have a finding and no paths any more.
    pub withheld_rules: Box<[usize]>,
}

// ===== impl Kind =====

impl Kind {
    /// The kind as manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "Ingress",
            Self::IngressClass => "IngressClass",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }

    fn is_namespaced(self) -> bool {
        self != Self::IngressClass
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// ===== impl Object =====

impl Object {
    /// The object's kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Ingress(_) => Kind::Ingress,
            Self::IngressClass(_) => Kind::IngressClass,
            Self::Service(_) => Kind::Service,
            Self::EndpointSlice(_) => Kind::EndpointSlice,
            Self::ConfigMap(_) => Kind::ConfigMap,
            Self::Secret(_) => Kind::Secret,
        }
    }

    /// `metadata`.
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Ingress(object) => &object.metadata,
            Self::IngressClass(object) => &object.metadata,
            Self::Service(object) => &object.metadata,
            Self::EndpointSlice(object) => &object.metadata,
            Self::ConfigMap(object) => &object.metadata,
            Self::Secret(object) => &object.metadata,
        }
    }

    /// The object's key. An object without a name has the empty one.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::new(self.kind(), self.metadata())
    }

    /// Takes the paths of some rules away, so that they take nothing even where nobody knows why. The rules
    /// stay, so that all others keep their index.
    #[cfg(feature = "manifests")]
    pub(crate) fn withhold_rules(&mut self, indices: &[usize]) {
        let Self::Ingress(ingress) = self else { return };
        let Some(rules) = ingress.spec.as_mut().and_then(|spec| spec.rules.as_mut()) else { return };
        for &index in indices {
            if let Some(rule) = rules.get_mut(index) {
                rule.http = None;
            }
        }
    }
}

/// Never shows what is in a Secret.
impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ingress(object) => object.fmt(f),
            Self::IngressClass(object) => object.fmt(f),
            Self::Service(object) => object.fmt(f),
            Self::EndpointSlice(object) => object.fmt(f),
            Self::ConfigMap(object) => object.fmt(f),
            Self::Secret(object) => f.debug_tuple("Secret").field(&object.metadata).finish(),
        }
    }
}

impl From<Ingress> for Object {
    fn from(object: Ingress) -> Self {
        Self::Ingress(Box::new(object))
    }
}

impl From<IngressClass> for Object {
    fn from(object: IngressClass) -> Self {
        Self::IngressClass(Box::new(object))
    }
}

impl From<Service> for Object {
    fn from(object: Service) -> Self {
        Self::Service(Box::new(object))
    }
}

impl From<EndpointSlice> for Object {
    fn from(object: EndpointSlice) -> Self {
        Self::EndpointSlice(Box::new(object))
    }
}

impl From<ConfigMap> for Object {
    fn from(object: ConfigMap) -> Self {
        Self::ConfigMap(Box::new(object))
    }
}

impl From<Secret> for Object {
    fn from(object: Secret) -> Self {
        Self::Secret(Box::new(object))
    }
}

// ===== impl Origin, ObjectKey =====

impl Origin {
    /// An object on a line of a file.
    pub fn new(file: impl Into<Arc<str>>, line: u32) -> Self {
        Self { file: file.into(), line, withheld_rules: Box::default() }
    }
}

impl ObjectKey {
    pub(crate) fn new(kind: Kind, metadata: &ObjectMeta) -> Self {
        let namespace = match metadata.namespace.as_deref() {
            _ if !kind.is_namespaced() => "",
            None | Some("") => DEFAULT_NAMESPACE,
            Some(namespace) => namespace,
        };
        Self { kind, namespace: namespace.into(), name: metadata.name.as_deref().unwrap_or_default().into() }
    }
}

impl fmt::Display for ObjectKey {
    /// `Ingress shop/web`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind)?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

// ===== what the store keeps of an object =====

/// An object that can be cut down to what is read, so that nothing else counts as a change and the rest
/// takes no memory.
pub(crate) trait Prune: Metadata<Ty = ObjectMeta> + PartialEq {
    /// Takes away what only objects of this kind have.
    fn drop_unread(&mut self) {}

    fn prune(&mut self) {
        self.drop_unread();
        let metadata = self.metadata_mut();
        metadata.managed_fields = None;
        metadata.resource_version = None;
        metadata.generation = None;
        if let Some(annotations) = &mut metadata.annotations {
            annotations.remove(LAST_APPLIED);
        }
    }
}

impl Prune for Ingress {
    fn drop_unread(&mut self) {
        self.status = None;
    }
}

impl Prune for IngressClass {}

impl Prune for Service {
    fn drop_unread(&mut self) {
        self.status = None;
    }
}

impl Prune for EndpointSlice {}

/// Most ConfigMaps are not ours, and may be large: only the names of what else is in them are kept.
impl Prune for ConfigMap {
    fn drop_unread(&mut self) {
        let known = |key: &str| annotations().iter().any(|known| known.name == key);
        for (_, text) in self.data.iter_mut().flatten().filter(|(key, _)| !known(key)) {
            *text = String::new();
        }
        self.binary_data.iter_mut().flatten().for_each(|(_, bytes)| bytes.0 = Vec::new());
        self.immutable = None;
    }
}

impl Prune for Secret {
    fn drop_unread(&mut self) {
        crate::secret::drop_unread(self);
    }
}

/// How rules and findings name the object.
pub(crate) fn object_ref(key: &ObjectKey, metadata: &ObjectMeta, origin: Option<&Origin>) -> ObjectRef {
    ObjectRef {
        kind: key.kind.as_str().into(),
        namespace: (&*key.namespace).into(),
        name: (&*key.name).into(),
        created: metadata.creation_timestamp.as_ref().map(|time| time.0.as_second()),
        file: origin.map(|origin| (&*origin.file).into()),
        line: origin.map(|origin| origin.line),
    }
}
