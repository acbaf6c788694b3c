//! What is watched, and what a refusal of the API server means.

use std::fmt;

use crate::Kind;

/// A resource of the API that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Watched {
    /// `ingressclasses.networking.k8s.io`, of the whole cluster.
    IngressClasses,
    /// `ingresses.networking.k8s.io`.
    Ingresses,
    /// `services`.
    Services,
    /// `endpointslices.discovery.k8s.io`.
    EndpointSlices,
    /// `secrets`: only their metadata. What is in those that an Ingress or a Service names is read one by one.
    Secrets,
    /// `configmaps`: each that an IngressClass names as its parameters.
    ConfigMaps,
    /// `namespaces`, where they are selected by label.
    Namespaces,
}

impl Watched {
    /// Plural and group, as `kubectl auth can-i` takes them.
    pub fn resource(self) -> &'static str {
        match self {
            Self::IngressClasses => "ingressclasses.networking.k8s.io",
            Self::Ingresses => "ingresses.networking.k8s.io",
            Self::Services => "services",
            Self::EndpointSlices => "endpointslices.discovery.k8s.io",
            Self::Secrets => "secrets",
            Self::ConfigMaps => "configmaps",
            Self::Namespaces => "namespaces",
        }
    }

    /// The kind of the objects that come of it as they are.
    pub(super) fn kind(self) -> Option<Kind> {
        Some(match self {
            Self::IngressClasses => Kind::IngressClass,
            Self::Ingresses => Kind::Ingress,
            Self::Services => Kind::Service,
            Self::EndpointSlices => Kind::EndpointSlice,
            Self::ConfigMaps => Kind::ConfigMap,
            Self::Secrets | Self::Namespaces => return None,
        })
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.resource())
    }
}

/// What went wrong at a request, and where something is missing from the gateway's role, what to add to it.
pub(super) fn explain(error: &kube::Error, verbs: &str, resource: &str, namespace: Option<&str>) -> String {
    match error {
        kube::Error::Api(status) if status.is_forbidden() => {
            let (place, role) = match namespace {
                Some(namespace) => (format!("in namespace {namespace}"), format!("a Role in {namespace}")),
                None => ("in all namespaces".into(), "a ClusterRole".into()),
            };
            format!(
                "the gateway may not {verbs} {resource} {place}; add these verbs on it to {role} of its ServiceAccount"
            )
        }
        kube::Error::Api(status) => format!("the API server says {} {}", status.code, status.message),
        error => crate::causes(error),
    }
}
