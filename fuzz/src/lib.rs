//! The bodies of the fuzz targets: plain functions that panic when a property does not hold.
//!
//! `cargo fuzz run NAME` drives them with the nightly compiler; `tests/corpus.rs` runs them over `corpus/` with
//! any. A crash becomes a file of `corpus/NAME/`, named after what it showed.

mod annotations;
mod objects;
#[path = "../../ingress-core/tests/oracle/mod.rs"]
mod oracle;
mod table;

pub use annotations::annotations;
pub use objects::{Asked, Objects, objects};
pub use table::{Case, table_oracle};

use std::collections::BTreeSet;

use ingress_core::{Choice, Draw, HostMatch, PathMatch, RequestHead, RequestHost, RequestPath, RouteTable};
use ingress_kube::manifests::parse_manifests;
use ingress_kube::{Config, Store, translate};

/// Hosts of rules and requests: what is accepted reads as itself.
pub fn host_parse(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(host) = RequestHost::parse(text) {
        let normal = host.as_str();
        assert!(
            normal.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()),
            "{normal:?}"
        );
        let again = RequestHost::parse(normal).map(|host| host.to_string());
        assert_eq!(again.as_deref(), Ok(normal));
    }
    if let Ok(rule) = text.parse::<HostMatch>() {
        // Every host that a rule may name is one that a request may have.
        let example = match &rule {
            HostMatch::Exact(name) => name.to_string(),
            HostMatch::Wildcard(suffix) => format!("x.{suffix}"),
            HostMatch::Any => return,
        };
        assert_eq!(rule.to_string().parse().as_ref(), Ok(&rule));
        // One more label can make a wildcard's longest names too long for a request.
        assert!(
            RequestHost::parse(&example).is_ok() || example.len() > ingress_core::MAX_HOST_LEN,
            "{example:?}"
        );
    }
}

/// Paths of rules and requests: what is accepted is plain text without dot segments, and reads as itself.
pub fn path_parse(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(path) = RequestPath::parse(text) {
        check_normal(path.as_str());
        assert_eq!(path.is_rewritten(), path.as_str() != text && !text.is_empty());
    }
    for parse in [PathMatch::exact, PathMatch::prefix, PathMatch::implementation_specific] {
        let Ok(path) = parse(text) else { continue };
        check_normal(path.as_str());
        assert_eq!(parse(path.as_str()).as_ref(), Ok(&path));
        check_reachable(&path);
    }
}

fn check_normal(path: &str) {
    assert!(path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()), "{path:?}");
    assert!(!path.split('/').any(|element| matches!(element, "." | "..")), "{path:?}");
    let again = RequestPath::parse(path).map(|path| path.as_str().to_owned());
    assert_eq!(again.as_deref(), Ok(path));
}

/// A rule takes its own path, unless servers read that path in different ways.
fn check_reachable(path: &PathMatch) {
    let mut builder = RouteTable::builder();
    let backend = "default/web:80".parse().expect("a Service port");
    builder.rule(ingress_core::Rule::new(HostMatch::Any, path.clone(), backend));
    let (table, findings) = builder.build();
    let request = RequestPath::parse(path.as_str()).expect("a rule's path is a request's path");
    let found = table.lookup(&RequestHead::new(&RequestHost::ABSENT, &request));
    assert!(matches!(found, Ok(Some(_))) || request.is_ambiguous(), "{path:?}: {findings:?}");
}

/// The text of a manifest file, as YAML and as JSON, to a table.
pub fn manifest(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for file in ["fuzz.yaml", "fuzz.json"] {
        let (manifests, findings) = parse_manifests(text, file);
        for finding in &findings {
            assert!(!finding.to_string().contains('\u{fffd}') || text.contains('\u{fffd}'), "{finding}");
        }
        let keys: BTreeSet<_> = manifests.iter().map(|manifest| manifest.object.key()).collect();
        let (mut store, mut reversed) = (Store::default(), Store::default());
        for manifest in &manifests {
            store.apply(manifest.object.clone(), Some(manifest.origin.clone()));
        }
        for manifest in manifests.iter().rev() {
            reversed.apply(manifest.object.clone(), Some(manifest.origin.clone()));
        }
        let build = |store: &Store| translate(store, &Config::default()).build().0;
        let table = build(&store);
        // Of several objects with one key the last is kept, so only without them the order says nothing.
        assert!(keys.len() < manifests.len() || table == build(&reversed), "{text}");
        for found in table.routes() {
            let choice = Choice::new(Draw::at(0), None);
            for (backend, _) in found.backends() {
                let _ = backend.endpoints().choose(&choice);
            }
        }
        for finding in table.diagnostics() {
            assert!(!finding.to_string().is_empty());
        }
    }
}
