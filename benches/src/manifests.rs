//! Kubernetes objects: Ingresses with a host, a Service and endpoints of their own.

use std::fmt::Write;

use ingress_kube::Object;
use ingress_kube::manifests::parse_manifests;

/// Paths of an Ingress.
pub const PATHS: usize = 3;

/// An Ingress of [`PATHS`] paths; the first one ends with the version.
pub fn ingress(number: usize, version: usize) -> String {
    let mut text = format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web-{number}\n  namespace: shop\nspec:\n  \
         rules:\n  - host: web-{number}.example.com\n    http:\n      paths:\n"
    );
    for path in 0..PATHS {
        let version = if path == 0 { version } else { 0 };
        let _ = write!(
            text,
            "      - path: /part-{path}/v{version}\n        pathType: Prefix\n        backend:\n          service:\n            \
             name: web-{number}\n            port:\n              number: 80\n"
        );
    }
    text
}

/// An Ingress as above with one finding, which names the version: an annotation for another controller.
pub fn ingress_with_finding(number: usize, version: usize) -> String {
    let metadata = format!("metadata:\n  annotations: {{haproxy.org/v{version}: yes-please}}\n");
    ingress(number, 0).replacen("metadata:\n", &metadata, 1)
}

/// The Service of an Ingress.
pub fn service(number: usize) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: web-{number}\n  namespace: shop\nspec:\n  ports:\n  \
         - name: http\n    port: 80\n"
    )
}

/// The two endpoints of a Service; the address of the second ends with the version.
pub fn slice(number: usize, version: u8) -> String {
    let [_, a, b, c] = (number as u32).to_be_bytes();
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: web-{number}-abcde\n  \
         namespace: shop\n  labels:\n    kubernetes.io/service-name: web-{number}\naddressType: IPv4\nports:\n\
         - name: http\n  port: 8080\nendpoints:\n- addresses: [10.{a}.{b}.{c}]\n- addresses: [11.{a}.{b}.{version}]\n"
    )
}

/// All objects of one Ingress, as a file.
pub fn file(number: usize) -> String {
    [ingress(number, 0), service(number), slice(number, 0)].join("---\n")
}

/// The objects of a text.
///
/// # Panics
///
/// Where the text has a fault.
pub fn objects(text: &str) -> Vec<Object> {
    let (manifests, diagnostics) = parse_manifests(text, "bench.yaml");
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    manifests.into_iter().map(|manifest| manifest.object).collect()
}
