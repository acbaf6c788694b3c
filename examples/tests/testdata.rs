//! The matching cases of `ingress-core/testdata` through the gateway's program, over sockets.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

#[path = "../../ingress-core/testdata/cases.rs"]
mod cases;

mod conditional;

use std::any::Any;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use cases::{AmbiguousPaths, Answer, Endpoint, Group, Kind};
use serde_json::{Value, json};
use support::client::Connection;
use support::cluster::Cluster;
use support::{Gateway, manifests, services};

#[test]
fn every_case() {
    run_all("a directory", |objects, flags| {
        let directory = tempfile::tempdir().unwrap();
        manifests::write(directory.path(), "group.yaml", objects);
        let gateway = Gateway::run(directory.path(), flags);
        (gateway, Box::new(directory))
    });
}

#[test]
fn every_case_of_a_cluster() {
    run_all("an API server", |objects, flags| {
        let cluster = Cluster::start();
        cluster.server.apply_all(objects.iter().cloned());
        let gateway = Gateway::run_cluster(cluster.kubeconfig(), flags);
        (gateway, Box::new(cluster))
    });
}

/// Starts a gateway with these objects and flags; what it needs is kept as long as it runs.
type Start = fn(&[Value], &[&str]) -> (Gateway, Box<dyn Any>);

fn run_all(source: &str, start: Start) {
    let plain = run(&cases::all(), |group| group.ingresses().iter().map(ingress).collect(), start);
    let conditional = |group: &Group| group.ingresses().iter().flat_map(conditional::ingresses).collect();
    let conditional = run(&cases::conditional(), conditional, start);
    println!("{} cases from {source}, {conditional} of them with conditions", plain + conditional);
    assert!(plain >= 250 && conditional >= 90, "only {plain} and {conditional} requests");
}

/// Sends the requests of all groups, and returns how many they are.
fn run(groups: &[Group], ingresses: fn(&Group) -> Vec<Value>, start: Start) -> usize {
    let mut running = BTreeMap::new();
    let mut requests = 0;
    let mut wrong = Vec::new();
    for group in groups {
        let mut objects = ingresses(group);
        objects.extend(beside(group, &mut running));
        let mut flags = vec!["--workers", "1"];
        flags.extend(group.serve_class.iter().flat_map(|name| ["--ingress-class", name]));
        flags.extend(group.host_fallthrough.then_some("--host-fallthrough"));
        flags.extend(match group.ambiguous_paths {
            AmbiguousPaths::Compare => vec![],
            AmbiguousPaths::Reject => vec!["--ambiguous-paths", "reject"],
            AmbiguousPaths::Trust => vec!["--ambiguous-paths", "trust"],
        });
        let (gateway, _kept) = start(&objects, &flags);
        for request in &group.requests {
            let answers: Vec<_> = (0..request.times).map(|_| answer(gateway.http, request)).collect();
            wrong.extend(group.fault(request, &answers));
            requests += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    requests
}

fn answer(gateway: SocketAddr, request: &cases::Request) -> Answer {
    let mut head = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, request.path, request.host);
    for (name, value) in &request.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if request.method != "GET" {
        head += "Content-Length: 0\r\n";
    }
    let mut connection = Connection::open(gateway).unwrap();
    connection.send(&(head + "\r\n")).unwrap();
    let answer = if request.method == "HEAD" { connection.answer_to_head() } else { connection.answer() };
    let answer = answer.unwrap_or_else(|error| panic!("{request:?}: {error}"));
    if answer.status == 200 { Answer::Body(answer.body) } else { Answer::Status(answer.status) }
}

/// All objects of the group but Ingresses; `running` has the endpoints that run already, by what they answer.
fn beside(group: &Group, running: &mut BTreeMap<String, SocketAddr>) -> Vec<Value> {
    let mut objects: Vec<_> = group.classes.iter().map(class).collect();
    for (namespace, name) in group.services() {
        objects.push(manifests::service(&namespace, &name));
        let endpoints = group.endpoints(&name);
        if endpoints.is_empty() {
            objects.push(manifests::slice(&namespace, &name, None));
        }
        for endpoint in endpoints {
            objects.push(slice(&namespace, &name, &endpoint, running));
        }
    }
    objects
}

/// Each endpoint has a port of its own, and so a slice of its own.
fn slice(
    namespace: &str,
    service: &str,
    endpoint: &Endpoint,
    running: &mut BTreeMap<String, SocketAddr>,
) -> Value {
    let Endpoint { answer, state } = endpoint;
    let address = if state.dead {
        services::refusing()
    } else {
        *running.entry(answer.clone()).or_insert_with(|| services::start(answer))
    };
    let mut slice = manifests::slice(namespace, service, Some(address));
    slice["metadata"]["name"] = answer.replace('#', "-").into();
    // A condition that is not given is null, which the API reads as absent.
    slice["endpoints"][0]["conditions"] =
        json!({ "ready": state.ready, "serving": state.serving, "terminating": state.terminating });
    slice
}

fn class(class: &cases::Class) -> Value {
    let controller = class.controller.as_deref().unwrap_or(ingress_kube::DEFAULT_CONTROLLER);
    let mut object = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
        "metadata": { "name": class.name },
        "spec": { "controller": controller },
    });
    if class.default {
        let annotation = "ingressclass.kubernetes.io/is-default-class";
        object["metadata"]["annotations"] = json!({ annotation: "true" });
    }
    if let Some(year) = class.created {
        object["metadata"]["creationTimestamp"] = cases::timestamp(year).into();
    }
    object
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
    if let Some(class) = &ingress.annotation {
        object["metadata"]["annotations"] = json!({ "kubernetes.io/ingress.class": class });
    }
    if let Some(class) = &ingress.class {
        object["spec"]["ingressClassName"] = class.as_str().into();
    }
    let encrypted: Vec<_> =
        ingress.rules.iter().filter(|rule| rule.tls).map(|rule| rule.host.as_str()).collect();
    if !encrypted.is_empty() {
        object["spec"]["tls"] = json!([{ "hosts": encrypted, "secretName": "certificate" }]);
    }
    if !rules.is_empty() {
        object["spec"]["rules"] = rules.into();
    }
    if let Some(name) = &ingress.default_backend {
        object["spec"]["defaultBackend"] = backend(name);
    }
    object
}

fn path(rule: &cases::Rule) -> Value {
    let kind = match rule.kind {
        Kind::Exact => "Exact",
        Kind::Prefix => "Prefix",
        _ => "ImplementationSpecific",
    };
    json!({ "path": rule.path, "pathType": kind, "backend": backend(&rule.backend) })
}

fn backend(name: &str) -> Value {
    match cases::resource(name) {
        Some((group, kind, name)) => {
            json!({ "resource": { "apiGroup": group, "kind": kind, "name": name } })
        }
        None => manifests::backend(name),
    }
}
