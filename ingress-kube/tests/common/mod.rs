//! What the tests of translation share.
#![allow(dead_code, reason = "no test file uses all of it")]

use ingress_core::{Diagnostic, RouteTable};
use ingress_kube::manifests::parse_manifests;
use ingress_kube::{Config, Store, translate};

/// The objects of a YAML text, which must be sound.
pub(crate) fn store(text: &str) -> Store {
    let (manifests, diagnostics) = parse_manifests(text, "x.yaml");
    assert_eq!(diagnostics, [], "{text}");
    let mut store = Store::default();
    for manifest in manifests {
        store.apply(manifest.object, None);
    }
    store
}

/// The table that follows.
pub(crate) fn table(text: &str, config: &Config) -> RouteTable {
    translate(&store(text), config).build().0
}

/// Routes as `host path -> backend [endpoints]`.
pub(crate) fn routes(table: &RouteTable) -> Vec<String> {
    let line = |found: ingress_core::RouteMatch<'_>| {
        let endpoints: Vec<_> = found
            .backend
            .endpoints()
            .as_slice()
            .iter()
            .map(|endpoint| endpoint.address().to_string())
            .collect();
        let (host, path, backend) = (found.route.host(), found.route.path(), found.backend.reference());
        format!("{host} {path} -> {backend} [{}]", endpoints.join(" "))
    };
    table.routes().map(line).collect()
}

pub(crate) fn findings(table: &RouteTable) -> Vec<String> {
    table.diagnostics().iter().map(Diagnostic::to_string).collect()
}
