//! Manifests that are read once, and the lines that findings about them name.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![cfg(feature = "manifests")]

use std::fs;
use std::path::Path;

use ingress_core::{Code, Diagnostic, RouteTable, table};
use ingress_kube::manifests::{Loaded, load_manifests};
use ingress_kube::{Config, IngressController};

const OLD: &str = "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a}
spec:
  rules:
  - host: shop.example
    http:
      paths:
      - {path: /x, pathType: Exact, backend: {service: {name: web, port: {number: 80}}}}
";

/// The same path in JSON, inside a List.
const NEW: &str = r#"{"kind": "List", "apiVersion": "v1", "items": [
  {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "b"},
   "spec": {"rules": [
     {"host": "shop.example",
      "http": {"paths": [
        {"path": "/y", "pathType": "Exact", "backend": {"service": {"name": "web", "port": {"number": 80}}}},
        {"path": "/x", "pathType": "Exact", "backend": {"service": {"name": "other", "port": {"number": 80}}}}
      ]}}
   ]}}
]}
"#;

fn publish(mut loaded: Loaded) -> Vec<Diagnostic> {
    let (_reader, writer) = table(RouteTable::default());
    let mut controller = IngressController::new(Config::default(), writer);
    loaded.publish(&mut controller).diagnostics.iter().cloned().collect()
}

fn shadowed(findings: &[Diagnostic], file: &str) {
    let finding = findings.iter().find(|finding| finding.code == Code::ShadowedRule).unwrap();
    let (loser, winner) = (finding.source.as_ref().unwrap(), finding.related.as_ref().unwrap());
    assert!(loser.object.file.as_deref().unwrap().ends_with(file), "{finding}");
    assert_eq!((loser.object.line, &*loser.field), (Some(7), "spec.rules[0].http.paths[1]"));
    assert_eq!((winner.object.line, &*winner.object.name), (Some(9), "a"));
}

#[test]
fn findings_of_the_compiler_name_the_lines_of_both_fields() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("below")).unwrap();
    fs::write(directory.path().join("old.yaml"), OLD).unwrap();
    fs::write(directory.path().join("below/new.json"), NEW).unwrap();
    fs::write(directory.path().join(".hidden.yaml"), "[").unwrap();
    let file = directory.path().join("old.yaml");
    let loaded = load_manifests([directory.path(), &file]).unwrap();
    assert_eq!((loaded.texts().len(), loaded.manifests().count(), loaded.diagnostics().count()), (2, 2, 0));
    shadowed(&publish(loaded), "new.json");
}

#[test]
fn json_in_yaml_and_texts_without_a_file_have_lines_too() {
    for name in ["new.yaml", "<stdin>"] {
        let mut loaded = Loaded::default();
        loaded.add_text("old.yaml", OLD);
        loaded.add_text(name, NEW);
        shadowed(&publish(loaded), name);
    }
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("old.yaml"), OLD).unwrap();
    fs::write(directory.path().join("new.yaml"), format!("# json\n{NEW}")).unwrap();
    let findings = publish(load_manifests([directory.path()]).unwrap());
    let finding = findings.iter().find(|finding| finding.code == Code::ShadowedRule).unwrap();
    assert_eq!(finding.source.as_ref().unwrap().object.line, Some(8), "{finding}");
}

#[test]
fn what_is_not_there_is_an_error_and_what_is_no_text_a_finding() {
    let error = load_manifests([Path::new("not/there")]).unwrap_err();
    assert_eq!(error.to_string(), "not/there does not exist");
    assert!(error.is_not_found());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bad.yaml");
    fs::write(&file, [0xff, 0xfe]).unwrap();
    for path in [directory.path(), &file] {
        let findings = publish(load_manifests([path]).unwrap());
        assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::UnreadableFile]);
    }
}

#[test]
fn an_object_of_two_files_counts_as_the_first_has_it() {
    let mut loaded = Loaded::default();
    loaded.add_text("b.yaml", OLD);
    loaded.add_text("a.yaml", format!("\n{OLD}"));
    let findings = publish(loaded);
    let finding = findings.iter().find(|finding| finding.code == Code::DuplicateObject).unwrap();
    let place = |source: &Option<ingress_core::Source>| {
        let object = source.as_ref().unwrap().object.clone();
        (object.file.clone().unwrap().to_string(), object.line)
    };
    assert_eq!(place(&finding.source), ("b.yaml".into(), Some(1)));
    assert_eq!(place(&finding.related), ("a.yaml".into(), Some(2)));
}
