//! Services of type ExternalName.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![cfg(feature = "manifests")]

mod common;

use common::annotated::ingress;
use common::{findings, routes, table};
use ingress_kube::Config;

#[test]
fn names_of_external_services() {
    let at = "error[ING014]: Ingress default/web spec.rules[0].http.paths[0].backend.service.name: Service default/web is of type ExternalName";
    let port = "error[ING008]: Ingress default/web spec.rules[0].http.paths[0].backend.service.port.number: Service web has no port 80;";
    let own = "point at a Service with a selector, or with EndpointSlices of its own";
    let machine = format!("the name stands for the gateway's own machine; {own}");
    let cluster = "the name is one of this cluster; point at the Service that has the name";
    let refused = |name: &str, why: &str| Err(format!("{at} ({name}), which is not followed: {why}"));
    let to = |endpoint: &str| Ok(endpoint.to_owned());
    let cases = [
        ("externalName: api.example.com", to("api.example.com:80")),
        ("externalName: API.example.com., ports: [{port: 80, targetPort: 8080}]", to("api.example.com:80")),
        ("externalName: api.example.com, ports: [{port: 8443}]", Err(format!("{port} its ports are 8443"))),
        ("externalName: ''", refused("", "there is no name; write spec.externalName")),
        (
            "externalName: 10.0.0.1",
            refused(
                "10.0.0.1",
                "it is an address; write a Service without a selector, and an EndpointSlice with the address",
            ),
        ),
        (
            "externalName: '::1'",
            refused(
                "::1",
                "it is an address; write a Service without a selector, and an EndpointSlice with the address",
            ),
        ),
        ("externalName: 'a b'", refused("a b", "it is no DNS name; write a DNS name into spec.externalName")),
        (
            "externalName: '*.a.example'",
            refused("*.a.example", "it is no DNS name; write a DNS name into spec.externalName"),
        ),
        ("externalName: LocalHost", refused("LocalHost", &machine)),
        ("externalName: a.localhost.", refused("a.localhost.", &machine)),
        ("externalName: next.default.svc.cluster.local", refused("next.default.svc.cluster.local", cluster)),
        ("externalName: next.default.svc", refused("next.default.svc", cluster)),
        ("externalName: next.default", refused("next.default", cluster)),
        ("externalName: next", refused("next", cluster)),
        ("externalName: kubernetes.default", refused("kubernetes.default", cluster)),
        ("externalName: example.com", to("example.com:80")),
    ];
    for (spec, want) in cases {
        let external = format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{type: ExternalName, {spec}}}\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: next}}\nspec: {{clusterIP: 10.0.0.2, ports: [{{port: 80}}]}}\n"
        );
        let text = external + &ingress(&[], ("Prefix", "/a"), None);
        let table = table(&text, &Config::default().allow_external_name(true));
        let (endpoint, wrong) = match want {
            Ok(endpoint) => (endpoint, None),
            Err(wrong) => (String::new(), Some(wrong)),
        };
        assert_eq!(routes(&table), [format!("a.example Prefix /a -> default/web:80 [{endpoint}]")], "{spec}");
        assert_eq!(findings(&table), Vec::from_iter(wrong), "{spec}");
    }
}
