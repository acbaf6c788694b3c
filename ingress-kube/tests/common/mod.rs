//! What the tests of translation share.
#![allow(dead_code, reason = "no test file uses all of it")]

pub(crate) mod annotated;
pub(crate) mod pretended;
pub(crate) mod samples;

use std::sync::Arc;

use ingress_core::{Backend, Diagnostic, RouteTable};
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
        let backend = |(backend, weight): (&Arc<Backend>, u32)| {
            let usable = backend.endpoints().as_slice().iter();
            let endpoints: Vec<_> = usable.map(|endpoint| endpoint.address().to_string()).collect();
            let share = if found.backends().count() > 1 { format!("={weight}") } else { String::new() };
            format!("{}{share} [{}]", backend.reference(), endpoints.join(" "))
        };
        let backends: Vec<_> = found.backends().map(backend).collect();
        format!("{} {} -> {}", found.route.host(), found.route.path(), backends.join(", "))
    };
    table.routes().map(line).collect()
}

pub(crate) fn findings(table: &RouteTable) -> Vec<String> {
    table.diagnostics().iter().map(Diagnostic::to_string).collect()
}
