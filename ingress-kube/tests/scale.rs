//! How long ten thousand Ingresses take. `cargo test --release -p ingress-kube --all-features --test scale -- --ignored --nocapture`
#![allow(clippy::unwrap_used)]
#![cfg(feature = "manifests")]

mod common;

use std::fmt::Write;
use std::time::Instant;

use ingress_core::RouteTable;
use ingress_kube::manifests::ManifestDir;
use ingress_kube::{Config, IngressController, translate};

fn ingress(i: usize) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: i{i}\n  namespace: shop\n  labels:\n    app: shop\nspec:\n  rules:\n  - host: h{i}.example.com\n    http:\n      paths:\n      - path: /api\n        pathType: Prefix\n        backend:\n          service:\n            name: s{}\n            port:\n              name: http\n",
        i % 16
    )
}

fn services() -> String {
    (0..16).fold(String::new(), |mut text, i| {
        let _ = write!(
            text,
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: s{i}, namespace: shop}}\nspec: {{ports: [{{name: http, port: 80}}]}}\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: s{i}, namespace: shop, labels: {{kubernetes.io/service-name: s{i}}}}}\naddressType: IPv4\nports: [{{name: http, port: 8080}}]\nendpoints: [{{addresses: [10.1.0.{i}]}}]\n"
        );
        text
    })
}

#[test]
#[ignore = "a measurement"]
fn ten_thousand() {
    let directory = tempfile::tempdir().unwrap();
    for i in 0..10_000 {
        std::fs::write(directory.path().join(format!("{i}.yaml")), ingress(i)).unwrap();
    }
    std::fs::write(directory.path().join("services.yaml"), services()).unwrap();
    let all: String = (0..10_000).map(|i| format!("---\n{}", ingress(i))).collect();
    let store = common::store(&(all + &services()));
    for _ in 0..3 {
        let started = Instant::now();
        let builder = translate(&store, &Config::default());
        let translated = started.elapsed();
        let (table, _) = builder.build();
        println!(
            "translate {translated:?}, build {:?}, {} routes",
            started.elapsed() - translated,
            table.routes().len()
        );
    }
    let (_, writer) = ingress_core::table(RouteTable::default());
    let (sender, reports) = std::sync::mpsc::channel();
    let controller = IngressController::new(Config::default(), writer);
    let handle = ManifestDir::open(directory.path())
        .unwrap()
        .watch(controller, move |report| sender.send(report.clone()).unwrap())
        .unwrap();
    let first = reports.recv().unwrap();
    println!(
        "first load {:?}, {} objects, {} routes, {} findings",
        first.took,
        first.objects.total(),
        first.routes,
        first.diagnostics.len()
    );
    for i in 0..3 {
        let started = Instant::now();
        std::fs::write(directory.path().join(format!("{i}.yaml")), ingress(i).replace("/api", "/new"))
            .unwrap();
        let report = reports.recv().unwrap();
        println!(
            "edit of one file: {:?} from write to report, took {:?}, {:?}",
            started.elapsed(),
            report.took,
            report.changed
        );
    }
    drop(handle);
}

#[test]
#[ignore = "a measurement"]
fn parts_of_a_load() {
    use ingress_kube::manifests::parse_manifests;
    let texts: Vec<_> = (0..10_000).map(ingress).collect();
    let started = Instant::now();
    let count: usize = texts.iter().map(|text| parse_manifests(text, "x.yaml").0.len()).sum();
    println!("parse {count} in {:?}", started.elapsed());
}
