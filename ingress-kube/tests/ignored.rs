//! What is written and has no effect is said, once for each field.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use common::findings;
use ingress_kube::manifests::parse_manifests;
use ingress_kube::{Config, Upstream};

fn found(service: &str) -> Vec<String> {
    found_by(service, &Config::default())
}

fn found_by(service: &str, config: &Config) -> Vec<String> {
    findings(&common::table(&text(service), config))
}

fn text(service: &str) -> String {
    let backend = "{service: {name: web, port: {number: 80}}}";
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: web}}\n\
         spec: {{rules: [{{http: {{paths: [{{path: /a, pathType: Prefix, backend: {backend}}}, \
         {{path: /b, pathType: Prefix, backend: {backend}}}]}}}}]}}\n\
         ---\napiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{clusterIP: 10.0.0.1, {service}}}\n"
    )
}

#[test]
fn fields_of_services() {
    let at = "warning[ING016]: Service default/web spec.";
    let ports = "ports: [{port: 53, protocol: UDP}, {port: 80, appProtocol: ";
    let table = [
        ("ports: [{port: 80}], sessionAffinity: None".into(), ""),
        (
            "ports: [{port: 80}], sessionAffinity: ClientIP".into(),
            "sessionAffinity: the field has no effect: ",
        ),
        ("ports: [{port: 80}], trafficDistribution: PreferClose".into(), ""),
        ("ports: [{port: 80}], trafficDistribution: PreferSameZone".into(), ""),
        ("ports: [{port: 80}], trafficDistribution: PreferSameNode".into(), ""),
        (
            "ports: [{port: 80}], trafficDistribution: PreferSameRack".into(),
            "trafficDistribution: the field has no effect: there is no traffic distribution \"PreferSameRack\"; write PreferSameZone or PreferSameNode",
        ),
        (
            "ports: [{port: 80}], internalTrafficPolicy: Local".into(),
            "internalTrafficPolicy: the field has no effect: requests go to the endpoints of all nodes; write spec.trafficDistribution: PreferSameNode, or ",
        ),
        ("ports: [{port: 80}], internalTrafficPolicy: Cluster".into(), ""),
        (format!("{ports}http}}]"), ""),
        (format!("{ports}example.com/own}}]"), ""),
        (format!("{ports}kubernetes.io/ws}}]"), ""),
        (format!("{ports}https}}]"), ""),
        (format!("{ports}grpcs}}]"), ""),
        (format!("{ports}kubernetes.io/h2c}}]"), ""),
        ("ports: [{port: 80}, {port: 443, appProtocol: https}]".into(), ""),
    ];
    for (service, want) in table {
        let found = found(&service);
        match want {
            "" => assert_eq!(found, [""; 0], "{service}"),
            want => {
                assert_eq!(found.len(), 1, "{service}: {found:?}");
                assert!(found[0].starts_with(&format!("{at}{want}")), "{found:?}");
            }
        }
    }
}

/// kube-proxy may have an affinity that is said here in another way.
#[test]
fn session_affinity_beside_our_own() {
    let service = "ports: [{port: 80}], sessionAffinity: ClientIP";
    let annotated = |text: &str| {
        let metadata = "metadata: {name: web, annotations: {ingress.gateway/affinity: source-address}}\nspec: {clusterIP";
        text.replace("metadata: {name: web}\nspec: {clusterIP", metadata)
    };
    assert_eq!(found(service).len(), 1);
    assert_eq!(findings(&common::table(&annotated(&text(service)), &Config::default())), [""; 0]);
}

#[test]
fn kube_proxy_acts_on_what_is_about_the_choice() {
    let service = "ports: [{port: 80, appProtocol: grpcs}], sessionAffinity: ClientIP, internalTrafficPolicy: Local, trafficDistribution: PreferSameRack";
    let found = found_by(service, &Config::default().upstream(Upstream::ClusterIp));
    assert_eq!(found, [""; 0]);
}

#[test]
fn objects_that_nobody_reads() {
    let object = |version: &str, kind: &str| {
        format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: web, namespace: shop}}\n")
    };
    let (manifests, found) = parse_manifests(&object("v1", "Endpoints"), "x.yaml");
    assert!(manifests.is_empty());
    let want = "warning[ING016]: x.yaml:1: Endpoints shop/web: Endpoints objects have no effect; write an EndpointSlice with the label kubernetes.io/service-name: web; a cluster makes one by itself";
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [want]);
    for (version, kind) in [("v1", "Secret"), ("apps/v1", "Deployment"), ("example.com/v1", "Endpoints")] {
        assert_eq!(parse_manifests(&object(version, kind), "x.yaml").1, [], "{version} {kind}");
    }
}
