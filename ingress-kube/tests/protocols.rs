//! What endpoints speak (`appProtocol`, KEP-3726).
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use ingress_core::Protocol;
use ingress_kube::{Config, Upstream};

/// What is spoken to the endpoints of a Service whose port and slice's port say this.
fn spoken(service: &str, slice: &str, config: &Config) -> Vec<Protocol> {
    let said = |text: &str| if text.is_empty() { String::new() } else { format!(", appProtocol: {text}") };
    let text = format!(
        "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: web}}
spec: {{defaultBackend: {{service: {{name: web, port: {{number: 80}}}}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{clusterIP: 10.0.0.1, ports: [{{port: 80{}}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-1, labels: {{kubernetes.io/service-name: web}}}}
addressType: IPv4
ports: [{{port: 8080{}}}]
endpoints: [{{addresses: [10.1.0.1]}}, {{addresses: [10.1.0.2]}}]
",
        said(service),
        said(slice)
    );
    let table = common::table(&text, config);
    let backend = table.backends().next().unwrap();
    backend.endpoints().as_slice().iter().map(ingress_core::Endpoint::protocol).collect()
}

#[test]
fn the_services_port_says_what_is_spoken_and_else_the_slices() {
    use Protocol::{H2, H2c, Http1, Https};
    let table = [
        ("", "", Http1),
        ("http", "", Http1),
        ("https", "", Https),
        ("kubernetes.io/wss", "", Https),
        ("wss", "", Https),
        ("grpcs", "", H2),
        ("", "https", Https),
        ("kubernetes.io/ws", "", Http1),
        ("example.com/own", "", Http1),
        ("kubernetes.io/h2c", "", H2c),
        ("h2c", "", H2c),
        ("http2", "", H2c),
        ("grpc", "", H2c),
        ("grpc", "http", H2c),
        ("http", "grpc", Http1),
        ("", "grpc", H2c),
    ];
    for (service, slice, want) in table {
        assert_eq!(spoken(service, slice, &Config::default()), [want, want], "{service:?} {slice:?}");
    }
    let through = Config::default().upstream(Upstream::ClusterIp);
    assert_eq!(spoken("grpc", "", &through), [H2c]);
}
