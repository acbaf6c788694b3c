//! The matching cases of `ingress-core/testdata` through the gateway's program, over sockets.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

#[path = "../../ingress-core/testdata/cases.rs"]
mod cases;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use cases::{Expect, Group, Kind};
use serde_json::{Value, json};
use support::{Gateway, client, manifests, services};

#[test]
fn all_cases() {
    let mut answers = BTreeMap::new();
    let mut count = 0;
    for group in cases::all() {
        let directory = tempfile::tempdir().unwrap();
        manifests::write(directory.path(), "group.yaml", &objects(&group, &mut answers));
        let gateway = Gateway::run(directory.path(), &["--workers", "1"]);
        for request in &group.requests {
            let answer = client::get(gateway.http, &request.host, &request.path);
            let found = if answer.status == 200 {
                Expect::Service(answer.body)
            } else {
                Expect::Status(answer.status)
            };
            assert_eq!(found, request.expect, "{}", group.label(request));
            count += 1;
        }
    }
    println!("{count} cases through the gateway");
    assert!(count >= 100, "{count}");
}

/// The group as Kubernetes objects; `answers` has the services that run already, by what they answer.
fn objects(group: &Group, answers: &mut BTreeMap<String, SocketAddr>) -> Vec<Value> {
    let mut objects: Vec<_> = group.ingresses().iter().map(ingress).collect();
    for (namespace, name) in group.services() {
        let address = group
            .has_endpoint(&name)
            .then(|| *answers.entry(name.clone()).or_insert_with(|| services::start(&name)));
        objects.push(manifests::service(&namespace, &name));
        objects.push(manifests::slice(&namespace, &name, address));
    }
    objects
}

fn ingress(ingress: &cases::Ingress) -> Value {
    let rules: Vec<_> = ingress
        .hosts()
        .into_iter()
        .map(|host| {
            let paths: Vec<_> = ingress.rules.iter().filter(|rule| rule.host == host).map(path).collect();
            let mut rule = json!({ "http": { "paths": paths } });
            if !host.is_empty() {
                rule["host"] = host.into();
            }
            rule
        })
        .collect();
    let mut object = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": ingress.name, "namespace": ingress.namespace },
        "spec": {},
    });
    if let Some(created) = ingress.creation_timestamp() {
        object["metadata"]["creationTimestamp"] = created.into();
    }
    if !rules.is_empty() {
        object["spec"]["rules"] = rules.into();
    }
    if let Some(service) = &ingress.default_backend {
        object["spec"]["defaultBackend"] = manifests::backend(service);
    }
    object
}

fn path(rule: &cases::Rule) -> Value {
    let kind = match rule.kind {
        Kind::Exact => "Exact",
        Kind::Prefix => "Prefix",
        Kind::ImplementationSpecific | Kind::Default => "ImplementationSpecific",
    };
    json!({ "path": rule.path, "pathType": kind, "backend": manifests::backend(&rule.backend) })
}
