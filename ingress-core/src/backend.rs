//! What a rule points at.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::endpoint_id::EndpointIds;
use crate::{EndpointId, EndpointIdKey, EndpointSet, Policy};

/// What a rule points at: a port of a Service, or a resource that a service in this process answers
/// (`spec.rules[].http.paths[].backend` of an Ingress).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BackendRef {
    /// `backend.service`.
    Service(ServiceRef),
    /// `backend.resource`.
    Resource(ResourceRef),
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceRef {
    /// The Service's namespace; the Ingress's own.
    pub namespace: Arc<str>,
    /// `backend.service.name`.
    pub name: Arc<str>,
    /// `backend.service.port`.
    pub port: PortRef,
}

/// A Service's port: by number or by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PortRef {
    /// `port.number`.
    Number(u16),
    /// `port.name`.
    Name(Arc<str>),
}

/// A resource in the Ingress's own namespace (`TypedLocalObjectReference`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceRef {
    /// The namespace; the Ingress's own.
    pub namespace: Arc<str>,
    /// `resource.apiGroup`; empty for the core group.
    pub api_group: Arc<str>,
    /// `resource.kind`.
    pub kind: Arc<str>,
    /// `resource.name`.
    pub name: Arc<str>,
}

/// A backend of a table: what is asked for, and who answers now.
#[derive(Clone, Debug)]
pub struct Backend {
    reference: BackendRef,
    index: u32,
    endpoints: EndpointSet,
    ids: EndpointIds,
    policy: Option<Arc<Policy>>,
}

/// A text that is not `namespace/service:port`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not namespace/service:port, with a port number from 1 to 65535 or a port name")]
pub struct BackendRefError(Box<str>);

// ===== impl BackendRef =====

impl BackendRef {
    /// A port of a Service.
    pub fn service(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>, port: PortRef) -> Self {
        Self::Service(ServiceRef { namespace: namespace.into(), name: name.into(), port })
    }

    /// A resource, to be answered by a service in this process.
    pub fn resource(
        namespace: impl Into<Arc<str>>,
        api_group: impl Into<Arc<str>>,
        kind: impl Into<Arc<str>>,
        name: impl Into<Arc<str>>,
    ) -> Self {
        Self::Resource(ResourceRef {
            namespace: namespace.into(),
            api_group: api_group.into(),
            kind: kind.into(),
            name: name.into(),
        })
    }
}

impl FromStr for BackendRef {
    type Err = BackendRefError;

    /// Reads `namespace/service:port`, the port by number or by name.
    fn from_str(text: &str) -> Result<Self, BackendRefError> {
        let parse = || {
            let (namespace, rest) = text.split_once('/')?;
            let (name, port) = rest.split_once(':')?;
            if namespace.is_empty() || name.is_empty() || name.contains('/') {
                return None;
            }
            Some(Self::service(namespace, name, port.parse().ok()?))
        };
        parse().ok_or_else(|| BackendRefError(text.into()))
    }
}

impl fmt::Display for BackendRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(service) => write!(f, "{}/{}:{}", service.namespace, service.name, service.port),
            Self::Resource(resource) => resource.fmt(f),
        }
    }
}

// ===== impl PortRef =====

impl FromStr for PortRef {
    type Err = BackendRefError;

    /// Reads a number from 1 to 65535, or a name (which has at least one letter, RFC 6335 section 5.1).
    fn from_str(text: &str) -> Result<Self, BackendRefError> {
        let error = || BackendRefError(text.into());
        if text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().ok().filter(|&port| port != 0).map(Self::Number).ok_or_else(error);
        }
        if text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            Ok(Self::Name(text.into()))
        } else {
            Err(error())
        }
    }
}

impl fmt::Display for PortRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

// ===== impl ResourceRef =====

impl fmt::Display for ResourceRef {
    /// `namespace/Kind.group/name`, as kubectl writes kinds of a group.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.kind)?;
        if !self.api_group.is_empty() {
            write!(f, ".{}", self.api_group)?;
        }
        write!(f, "/{}", self.name)
    }
}

// ===== impl Backend =====

/// The number does not count.
impl PartialEq for Backend {
    fn eq(&self, other: &Self) -> bool {
        self.reference == other.reference && self.endpoints == other.endpoints && self.policy == other.policy
    }
}

impl Backend {
    pub(crate) fn new(reference: BackendRef, index: u32, endpoints: EndpointSet) -> Self {
        Self { reference, index, endpoints, ids: EndpointIds::default(), policy: None }
    }

    pub(crate) fn with_endpoints(&self, endpoints: EndpointSet) -> Self {
        let policy = self.policy.clone();
        Self { policy, ..Self::new(self.reference.clone(), self.index, endpoints) }.prepared()
    }

    pub(crate) fn with_policy(&self, policy: Option<Arc<Policy>>) -> Self {
        Self { policy, ..self.clone() }.prepared()
    }

    /// Works out what its own policy asks for, lest a request has to.
    fn prepared(self) -> Self {
        self.policy.iter().for_each(|policy| self.endpoints.prepare(policy.algorithm()));
        self
    }

    /// What the rules point at.
    pub fn reference(&self) -> &BackendRef {
        &self.reference
    }

    /// The backend's number in its table: a key for state kept beside the table. A [`TableEditor`](crate::TableEditor)
    /// keeps it from table to table for as long as routes point at the backend; afterwards another one may have it.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Who answers now; empty for a resource, and for a Service without usable endpoints.
    pub fn endpoints(&self) -> &EndpointSet {
        &self.endpoints
    }

    /// The name of the endpoint at a place, for clients to come back to it.
    pub fn endpoint_id(&self, key: &EndpointIdKey, place: usize) -> Option<EndpointId> {
        let endpoint = self.endpoints.get(place)?;
        Some(EndpointId::of(key, &self.reference, endpoint.authority().as_str()))
    }

    /// The place of the endpoint with this name. Of a name that is not one of its endpoints', nothing is found.
    pub fn place_of(&self, key: &EndpointIdKey, id: EndpointId) -> Option<usize> {
        self.ids.find(key, &self.reference, &self.endpoints, id)
    }

    /// How requests for it are treated, where the route says nothing else.
    pub fn policy(&self) -> Option<&Arc<Policy>> {
        self.policy.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_references() {
        for text in ["default/api:80", "shop/web:http", "a/b:8080-tls"] {
            assert_eq!(text.parse::<BackendRef>().map(|b| b.to_string()), Ok(text.into()));
        }
        for text in
            ["", "api:80", "a/b", "/b:80", "a/:80", "a/b:", "a/b:0", "a/b:65536", "a/b/c:80", "a/b:x y"]
        {
            assert!(text.parse::<BackendRef>().is_err(), "{text:?}");
        }
        let resource = BackendRef::resource("shop", "example.com", "Bucket", "static");
        assert_eq!(resource.to_string(), "shop/Bucket.example.com/static");
    }
}
