//! Manifests as JSON, which is YAML, too.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

/// An Ingress with one host and one Prefix.
pub fn ingress(name: &str, host: &str, path: &str, service: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": name, "namespace": "default" },
        "spec": { "rules": [{ "host": host, "http": { "paths": [
            { "path": path, "pathType": "Prefix", "backend": backend(service) },
        ] } }] },
    })
}

/// A host `NAME.example` all of whose paths go to a Service of that name with one endpoint.
pub fn served(name: &str, address: SocketAddr) -> [Value; 3] {
    [
        ingress(name, &format!("{name}.example"), "/", name),
        service("default", name),
        slice("default", name, Some(address)),
    ]
}

/// A backend on port 80 of a Service.
pub fn backend(service: &str) -> Value {
    json!({ "service": { "name": service, "port": { "number": 80 } } })
}

/// A Service with port 80.
pub fn service(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": name, "namespace": namespace },
        "spec": { "ports": [{ "port": 80 }] },
    })
}

/// An EndpointSlice of a Service, with an endpoint at the address or without any.
pub fn slice(namespace: &str, service: &str, address: Option<SocketAddr>) -> Value {
    let endpoints: Vec<_> = address.iter().map(|address| json!({ "addresses": [address.ip()] })).collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{service}-1"), "namespace": namespace,
            "labels": { "kubernetes.io/service-name": service },
        },
        "addressType": "IPv4",
        "ports": [{ "port": address.map_or(80, |address| address.port()) }],
        "endpoints": endpoints,
    })
}

/// Writes objects as one file that replaces an older one at once, as `kubectl` and config maps do.
pub fn write(directory: &Path, file: &str, objects: &[Value]) {
    let text: Vec<_> = objects.iter().map(|object| format!("---\n{object:#}\n")).collect();
    write_text(directory, file, &text.concat());
}

/// The same with any text.
pub fn write_text(directory: &Path, file: &str, text: &str) {
    let hidden = directory.join(format!(".{file}.new"));
    std::fs::write(&hidden, text).expect("the test's directory can be written");
    std::fs::rename(hidden, directory.join(file)).expect("a file can be renamed in its directory");
}
