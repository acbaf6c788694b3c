//! Objects of which one that cannot be read does not cost the others.

use k8s_openapi::api::networking::v1::Ingress;
use kube::Resource;
use kube::core::error_boundary::{DeserializeGuard, InvalidObject};

use super::feed::{Content, Item};
use super::status::Seen;
use crate::Object;

/// An object, or what of it could be read.
pub(super) type Guarded<K> = DeserializeGuard<K>;

/// Objects that become ours.
pub(super) trait Readable: Resource + Into<Object> {
    /// What its status says, if somebody asks for that.
    fn seen(&self) -> Seen {
        Seen::default()
    }
}

impl Readable for k8s_openapi::api::networking::v1::IngressClass {}
impl Readable for k8s_openapi::api::core::v1::Service {}
impl Readable for k8s_openapi::api::core::v1::ConfigMap {}
impl Readable for k8s_openapi::api::discovery::v1::EndpointSlice {}

impl Readable for Ingress {
    fn seen(&self) -> Seen {
        Seen::of(self)
    }
}

/// The object, or why it cannot be read.
pub(super) fn item<K: Readable>(guarded: Guarded<K>) -> Item {
    match guarded.0 {
        Ok(object) => {
            let metadata = object.meta().clone();
            let seen = object.seen();
            Item::new(&metadata, Content::Object(object.into(), seen))
        }
        Err(InvalidObject { error, metadata }) => Item::new(&metadata, Content::Broken(error)),
    }
}
