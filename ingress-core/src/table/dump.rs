//! The table as data, for `/config_dump` and for comparing tables byte by byte.

use serde::Serialize;

use super::RouteTable;
use crate::{Diagnostic, Source};

/// A table written out. Serialises to the same bytes for equal tables of one generation.
#[derive(Debug, Serialize)]
pub struct TableDump<'t> {
    generation: u64,
    routes: Vec<RouteDump<'t>>,
    backends: Vec<BackendDump<'t>>,
    /// Hosts that only rules for them take; those with `*.` at any depth.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reserved: Vec<String>,
    diagnostics: &'t [Diagnostic],
}

#[derive(Debug, Serialize)]
struct RouteDump<'t> {
    host: String,
    path_type: &'static str,
    path: &'t str,
    backend: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'t Source>,
}

#[derive(Debug, Serialize)]
struct BackendDump<'t> {
    backend: String,
    algorithm: &'static str,
    endpoints: Vec<EndpointDump<'t>>,
}

#[derive(Debug, Serialize)]
struct EndpointDump<'t> {
    address: &'t str,
    weight: u32,
}

impl RouteTable {
    /// The table as a value that serialises.
    pub fn dump(&self) -> TableDump<'_> {
        let routes = self.routes().map(|found| RouteDump {
            host: found.route.host.to_string(),
            path_type: found.route.path.kind(),
            path: found.route.path.as_str(),
            backend: found.backend.reference().to_string(),
            source: found.route.source.as_ref(),
        });
        let backends = self.backends().map(|backend| BackendDump {
            backend: backend.reference().to_string(),
            algorithm: backend.endpoints().algorithm_name(),
            endpoints: backend
                .endpoints()
                .as_slice()
                .iter()
                .map(|endpoint| EndpointDump {
                    address: endpoint.authority().as_str(),
                    weight: endpoint.weight(),
                })
                .collect(),
        });
        TableDump {
            generation: self.generation,
            routes: routes.collect(),
            backends: backends.collect(),
            reserved: self.reserved.iter().map(ToString::to_string).collect(),
            diagnostics: &self.diagnostics,
        }
    }
}
