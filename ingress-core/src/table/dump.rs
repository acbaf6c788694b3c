//! The table as data, for `/config_dump` and for comparing tables byte by byte.

use serde::Serialize;

use super::{AmbiguousPaths, HostFallthrough, RouteTable};
use crate::{Backend, Diagnostics, Endpoint, EndpointSet, EndpointState, Policy, Protocol, Source};

/// A table written out. Serialises to the same bytes for equal tables of one generation.
#[derive(Debug, Serialize)]
pub struct TableDump<'t> {
    generation: u64,
    host_fallthrough: HostFallthrough,
    ambiguous_paths: AmbiguousPaths,
    routes: Vec<RouteDump<'t>>,
    backends: Vec<BackendDump<'t>>,
    /// By the host that they are presented for; `*` is the default one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<CertificateDump>,
    /// Hosts whose connections are carried on undecrypted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passthrough: Vec<PassthroughDump<'t>>,
    /// Hosts that only rules for them take; those with `*.` at any depth.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reserved: Vec<String>,
    diagnostics: &'t Diagnostics,
}

#[derive(Debug, Serialize)]
struct RouteDump<'t> {
    host: String,
    path_type: &'static str,
    path: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    conditions: String,
    backends: Vec<ShareDump>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'t Policy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'t Source>,
}

#[derive(Debug, Serialize)]
struct ShareDump {
    backend: String,
    weight: u32,
}

#[derive(Debug, Serialize)]
struct PassthroughDump<'t> {
    host: String,
    backend: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'t Policy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'t Source>,
}

#[derive(Debug, Serialize)]
struct CertificateDump {
    host: String,
    names: Vec<String>,
}

#[derive(Debug, Serialize)]
struct BackendDump<'t> {
    backend: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'t Policy>,
    endpoints: Vec<EndpointDump<'t>>,
}

#[derive(Debug, Serialize)]
struct EndpointDump<'t> {
    address: &'t str,
    weight: u32,
    state: EndpointState,
    protocol: Protocol,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<&'t str>,
    /// It is meant for another place than this gateway's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    elsewhere: bool,
}

impl<'t> EndpointDump<'t> {
    fn new(endpoint: &'t Endpoint, elsewhere: bool) -> Self {
        let address = endpoint.authority().as_str();
        let (weight, state, protocol) = (endpoint.weight(), endpoint.state(), endpoint.protocol());
        Self { address, weight, state, protocol, zone: endpoint.zone(), elsewhere }
    }

    fn all(set: &'t EndpointSet) -> Vec<Self> {
        let near = set.as_slice().iter().map(|endpoint| Self::new(endpoint, false));
        let far = set.elsewhere().iter().map(|endpoint| Self::new(endpoint, true));
        near.chain(far).chain(set.unusable().iter().map(|endpoint| Self::new(endpoint, false))).collect()
    }
}

impl RouteTable {
    /// The table as a value that serialises.
    pub fn dump(&self) -> TableDump<'_> {
        let share = |(backend, weight): (&std::sync::Arc<Backend>, u32)| ShareDump {
            backend: backend.reference().to_string(),
            weight,
        };
        let routes = self.routes().map(|found| RouteDump {
            host: found.route.host().to_string(),
            path_type: found.route.path().kind(),
            path: found.route.path().as_str().to_owned(),
            conditions: found.route.conditions().to_string(),
            backends: found.backends().map(share).collect(),
            policy: found.route.policy().map(|policy| &**policy),
            source: found.route.source(),
        });
        let backends = self.backends().map(|backend| {
            let set = backend.endpoints();
            BackendDump {
                backend: backend.reference().to_string(),
                policy: backend.policy().map(|policy| &**policy),
                endpoints: EndpointDump::all(set),
            }
        });
        let certificates = self.certificates().map(|(host, certificate)| CertificateDump {
            host: host.to_string(),
            names: certificate.names().iter().map(ToString::to_string).collect(),
        });
        let passthrough = self.passthroughs().map(|(host, passed)| PassthroughDump {
            host: host.to_string(),
            backend: passed.backend.reference().to_string(),
            policy: passed.policy.map(|policy| &**policy),
            source: passed.source,
        });
        TableDump {
            generation: self.generation,
            host_fallthrough: self.options.fallthrough,
            ambiguous_paths: self.options.ambiguous,
            routes: routes.collect(),
            backends: backends.collect(),
            certificates: certificates.collect(),
            passthrough: passthrough.collect(),
            reserved: self.reserved_hosts().iter().map(ToString::to_string).collect(),
            diagnostics: &self.diagnostics,
        }
    }
}
