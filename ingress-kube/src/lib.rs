//! From Kubernetes objects to a routing table.
//!
//! [`translate`] is the one place where Kubernetes types become `ingress-core` types: a pure function of a
//! [`Store`] (the present objects) and a [`Config`]. An [`IngressController`] keeps the two and publishes
//! tables. With the feature `manifests` the objects come from a watched directory (`manifests`); with no
//! feature the crate reads nothing by itself, so a lint tool can use it.
//!
//! ```
//! use ingress_core::{RouteTable, table};
//! use ingress_kube::{Config, IngressController};
//! use k8s_openapi::api::core::v1::Service;
//!
//! let (reader, writer) = table(RouteTable::default());
//! let mut controller = IngressController::new(Config::default(), writer);
//! controller.apply(Service::default().into(), None);
//! let report = controller.publish();
//! assert_eq!(report.generation, reader.snapshot().generation());
//! ```
//!
//! The library enables no `k8s-openapi` version feature; the program does.

#![cfg_attr(test, allow(clippy::unwrap_used))]

#[cfg(feature = "client")]
pub mod client;
mod config;
mod controller;
mod default_backend;
mod defaults;
#[cfg(feature = "manifests")]
mod error;
#[cfg(feature = "manifests")]
pub mod manifests;
mod object;
mod ownership;
mod parallel;
mod secret;
mod store;
mod translate;

pub use config::{Config, CustomAnnotation, DEFAULT_CONTROLLER, Upstream};
pub use controller::{IngressController, Report};
pub use default_backend::{DefaultBackendService, DefaultBackendServiceError};
pub use defaults::{Defaults, DefaultsError};
#[cfg(feature = "manifests")]
pub use error::Error;
pub use object::{Kind, Object, ObjectKey, Origin};
#[cfg(feature = "manifests")]
pub use ownership::HostOwnershipError;
pub use ownership::{HostOwnership, HostPattern};
pub use secret::{CheckKeys, LoadCertificate, LoadTrust, TlsData};
pub use store::{Change, Counts, Store};
#[cfg(feature = "client")]
use translate::causes;
pub use translate::{Annotation, Scope, Unreadable, ValueKind, annotations, translate};
