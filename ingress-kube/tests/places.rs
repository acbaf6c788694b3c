//! Which of a Service's endpoints are used: near ones, and those of one IP family.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use std::sync::Arc;

use common::findings;
use ingress_core::{Endpoint, Hints, Locality, RouteTable};
use ingress_kube::Config;

const INGRESS: &str = "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
";

fn service(spec: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{ports: [{{port: 80}}]{spec}}}\n"
    )
}

fn slice(name: &str, kind: &str, endpoints: &[String]) -> String {
    format!(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: {name}, labels: {{kubernetes.io/service-name: web}}}}\n\
         addressType: {kind}\nports: [{{port: 80}}]\nendpoints: [{}]\n",
        endpoints.join(", ")
    )
}

fn endpoints(table: &RouteTable) -> Vec<&Endpoint> {
    table.backends().next().unwrap().endpoints().all().collect()
}

fn shown(hints: Option<&Hints>) -> String {
    let hints = hints.cloned().unwrap_or_default();
    format!("{}|{}", hints.zones.join(" "), hints.nodes.join(" "))
}

/// Hints of the control plane are taken as they are; where there is none, the Service's field makes them.
#[test]
fn for_whom_endpoints_are_meant() {
    let bare = ["zone: a, nodeName: n1", "zone: b", "nodeName: n3", ""];
    let hinted = [
        "zone: a, nodeName: n1, hints: {forZones: [{name: a}, {name: b}], forNodes: [{name: n1}]}",
        "zone: b, hints: {forZones: []}",
        "zone: '', hints: {forZones: [{name: ''}]}",
        "",
    ];
    for (distribution, places, want) in [
        ("", bare, ["|", "|", "|", "|"]),
        (", trafficDistribution: ''", bare, ["|", "|", "|", "|"]),
        (", trafficDistribution: PreferSameZone", bare, ["a|", "b|", "|", "|"]),
        (", trafficDistribution: PreferClose", bare, ["a|", "b|", "|", "|"]),
        (", trafficDistribution: PreferSameNode", bare, ["a|n1", "b|", "|n3", "|"]),
        (", trafficDistribution: prefersamezone", bare, ["|", "|", "|", "|"]),
        ("", hinted, ["a b|n1", "|", "|", "|"]),
        (", trafficDistribution: PreferSameNode", hinted, ["a b|n1", "|", "|", "|"]),
    ] {
        let endpoint = |(number, place): (usize, &&str)| format!("{{addresses: [10.0.0.{number}], {place}}}");
        let all: Vec<_> = (1..).zip(&places).map(endpoint).collect();
        let text = [
            INGRESS,
            &service(distribution),
            &slice("s1", "IPv4", &all[..2]),
            &slice("s2", "IPv4", &all[2..]),
        ];
        let table = common::table(&text.concat(), &Config::default());
        let hints: Vec<_> = endpoints(&table).iter().map(|endpoint| shown(endpoint.hints())).collect();
        assert_eq!(hints, want, "{distribution:?} {places:?}");
        let zones: Vec<_> = endpoints(&table).iter().map(|endpoint| endpoint.zone()).collect();
        assert_eq!(zones, [Some("a"), Some("b"), None, None]);
        assert_eq!(
            findings(&table).len(),
            usize::from(distribution.contains("prefersamezone")),
            "{distribution:?}"
        );
    }
}

/// The table and the controller know where the gateway runs.
#[test]
fn near_endpoints_are_used() {
    let all = [
        "{addresses: [10.0.0.1], zone: a, nodeName: n1}".to_owned(),
        "{addresses: [10.0.0.2], zone: a, nodeName: n2}".to_owned(),
        "{addresses: [10.0.0.3], zone: b, nodeName: n3}".to_owned(),
    ];
    let at = |zone: &str, node: &str| {
        let known = |text: &str| (!text.is_empty()).then(|| Arc::from(text));
        Config::default().locality(Locality::new(known(zone), known(node)))
    };
    for (distribution, config, want) in [
        ("PreferSameZone", at("", ""), &[1, 2, 3][..]),
        ("PreferSameZone", at("a", ""), &[1, 2]),
        ("PreferSameZone", at("b", "n1"), &[3]),
        ("PreferSameZone", at("c", ""), &[1, 2, 3]),
        ("PreferSameNode", at("a", "n2"), &[2]),
        ("PreferSameNode", at("a", "n9"), &[1, 2]),
        ("PreferSameNode", at("", "n9"), &[1, 2, 3]),
    ] {
        let text =
            [INGRESS, &service(&format!(", trafficDistribution: {distribution}")), &slice("s", "IPv4", &all)]
                .concat();
        let want: Vec<_> = want.iter().map(|number| format!("10.0.0.{number}:80")).collect();
        let near = |table: &RouteTable| {
            let endpoints = table.backends().next().unwrap().endpoints().as_slice().to_vec();
            endpoints.iter().map(|endpoint| endpoint.address().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(near(&common::table(&text, &config)), want, "{distribution} {:?}", config.locality);
        let (reader, writer) = ingress_core::table(RouteTable::default());
        let mut controller = ingress_kube::IngressController::new(config, writer);
        for manifest in ingress_kube::manifests::parse_manifests(&text, "x.yaml").0 {
            controller.apply(manifest.object, None);
        }
        controller.publish();
        assert_eq!(near(&reader.snapshot()), want, "{distribution}");
    }
}

/// Each Pod of a Service with two families has an address of each; one of them is used.
#[test]
fn one_family_of_addresses() {
    let ready = ["", ""];
    let none = ["conditions: {ready: false, serving: false}"; 2];
    let leaving = ["conditions: {ready: false, serving: true, terminating: true}"; 2];
    let one = ["", "conditions: {ready: false}"];
    let (four, six) = (["10.0.0.1", "10.0.0.2"], ["fd00::1", "fd00::2"]);
    let both = [four, six].concat();
    let (four, six, both) = (&four[..], &six[..], &both[..]);
    for (spec, of_four, of_six, want) in [
        (", ipFamilies: [IPv4, IPv6]", Some(ready), Some(ready), four),
        (", ipFamilies: [IPv6, IPv4]", Some(ready), Some(ready), six),
        (", ipFamilies: [IPv6], clusterIP: 10.9.0.1", Some(ready), Some(ready), six),
        (", clusterIP: 10.9.0.1, clusterIPs: [10.9.0.1, 'fd09::1']", Some(ready), Some(ready), four),
        (", clusterIP: 'fd09::1'", Some(ready), Some(ready), six),
        (", clusterIPs: ['fd09::1', 10.9.0.1]", Some(ready), Some(ready), six),
        (", ipFamilies: [IPv5], clusterIP: 'fd09::1'", Some(ready), Some(ready), six),
        ("", Some(ready), Some(ready), both),
        (", clusterIP: None", Some(ready), Some(ready), both),
        (", ipFamilies: [IPv4]", Some(one), Some(ready), four),
        (", ipFamilies: [IPv4]", Some(leaving), Some(ready), four),
        (", ipFamilies: [IPv4]", Some(none), Some(ready), six),
        (", ipFamilies: [IPv4]", Some(none), Some(leaving), six),
        (", ipFamilies: [IPv4]", Some(none), Some(none), both),
        (", ipFamilies: [IPv4]", None, Some(ready), six),
        (", ipFamilies: [IPv6]", Some(ready), None, four),
        (", ipFamilies: [IPv6]", Some(none), None, four),
    ] {
        let slice = |name: &str, kind: &str, addresses: &[&str], states: Option<[&str; 2]>| {
            let states = states.into_iter().flatten();
            let endpoint = |(address, state): (&&str, &str)| format!("{{addresses: ['{address}'], {state}}}");
            let endpoints: Vec<_> = addresses.iter().zip(states).map(endpoint).collect();
            if endpoints.is_empty() { String::new() } else { slice(name, kind, &endpoints) }
        };
        let text =
            [INGRESS, &service(spec), &slice("s4", "IPv4", four, of_four), &slice("s6", "IPv6", six, of_six)];
        let table = common::table(&text.concat(), &Config::default());
        let mut found: Vec<_> =
            endpoints(&table).iter().map(|endpoint| endpoint.address().to_string()).collect();
        found.sort();
        let port = |address: &&str| match address.contains(':') {
            true => format!("[{address}]:80"),
            false => format!("{address}:80"),
        };
        assert_eq!(found, want.iter().map(port).collect::<Vec<_>>(), "{spec:?} {of_four:?} {of_six:?}");
        assert_eq!(findings(&table), [""; 0], "{spec:?}");
    }
}
