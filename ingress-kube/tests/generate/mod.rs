//! Random objects with few names, so that they claim the same hosts and paths, replace each other, and refer to
//! each other or to nothing. Some of each kind are broken.
#![allow(dead_code, unreachable_pub, reason = "no test file uses all of it")]

pub mod rich;

use ingress_core::Locality;
use ingress_kube::{Config, DEFAULT_CONTROLLER, Object, Upstream};
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::{
    Endpoint, EndpointConditions, EndpointHints, EndpointPort, EndpointSlice, ForZone,
};
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressClass, IngressClassSpec,
    IngressRule, IngressServiceBackend, IngressSpec, ServiceBackendPort,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

pub const HOSTS: [&str; 4] = ["", "a.x", "b.x", "*.x"];
pub const BROKEN_HOSTS: [&str; 3] = ["*", "a.x:80", "a_b!"];
pub const PATHS: [&str; 7] = ["/", "/a", "/a/", "/a/b", "/b", "/a;v/b", "/a%2Fb"];
const BROKEN_PATHS: [&str; 4] = ["", "a", "/a//b", "/a?b"];

/// How many cases a property is tried with: `PROPTEST_CASES`, if that is set.
pub fn cases(default: u32) -> u32 {
    let set = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    set.unwrap_or(default)
}

/// Any object.
pub fn object() -> impl Strategy<Value = Object> {
    prop_oneof![
        4 => ingress().prop_map(Object::from),
        1 => class().prop_map(Object::from),
        2 => service().prop_map(Object::from),
        3 => slice().prop_map(Object::from),
    ]
}

/// What the embedding program may decide.
pub fn config(number: u8) -> Config {
    match number {
        0 => Config::default(),
        1 => Config::default()
            .watch_ingress_without_class(true)
            .locality(Locality::new(Some("za".into()), None)),
        2 => Config::default().ingress_class("ours").default_backend_service("default/s0".parse().unwrap()),
        _ => Config::default().upstream(Upstream::ClusterIp),
    }
}

fn metadata(names: &[&'static str]) -> impl Strategy<Value = ObjectMeta> + use<> {
    let namespace = prop_oneof![4 => Just("default"), 1 => Just("b")];
    let created = prop::option::of(0..3i64);
    (select(names.to_vec()), namespace, created).prop_map(|(name, namespace, created)| ObjectMeta {
        name: Some(name.into()),
        namespace: Some(namespace.into()),
        creation_timestamp: created.map(|second| Time(Timestamp::from_second(second).unwrap())),
        ..ObjectMeta::default()
    })
}

/// Of the sound texts as a rule, of the broken ones now and then.
fn mixed(sound: &[&'static str], broken: &[&'static str]) -> impl Strategy<Value = String> + use<> {
    prop_oneof![6 => select(sound.to_vec()), 1 => select(broken.to_vec())].prop_map(str::to_owned)
}

pub fn ingress() -> impl Strategy<Value = Ingress> {
    let class = prop_oneof![6 => Just(None), 3 => Just(Some("ours")), 1 => Just(Some("theirs")), 1 => Just(Some("none"))];
    let annotation = prop_oneof![8 => Just(None), 1 => Just(Some("ours")), 1 => Just(Some("theirs"))];
    let default = prop_oneof![3 => Just(None), 1 => backend().prop_map(Some)];
    (metadata(&["i0", "i1", "i2", "i3"]), class, annotation, default, vec(rule(), 0..4)).prop_map(
        |(mut metadata, class, annotation, default_backend, rules)| {
            metadata.annotations =
                annotation.map(|class| [("kubernetes.io/ingress.class".into(), class.into())].into());
            let ingress_class_name = class.map(Into::into);
            let spec = IngressSpec {
                ingress_class_name,
                default_backend,
                rules: Some(rules),
                ..IngressSpec::default()
            };
            Ingress { metadata, spec: Some(spec), status: None }
        },
    )
}

fn rule() -> impl Strategy<Value = IngressRule> {
    (mixed(&HOSTS, &BROKEN_HOSTS), vec(path(), 0..4)).prop_map(|(host, paths)| IngressRule {
        host: Some(host),
        http: Some(HTTPIngressRuleValue { paths }),
    })
}

fn path() -> impl Strategy<Value = HTTPIngressPath> {
    let kind = mixed(&["Prefix", "Prefix", "Exact", "ImplementationSpecific"], &["prefix", ""]);
    (mixed(&PATHS, &BROKEN_PATHS), kind, backend()).prop_map(|(path, path_type, backend)| HTTPIngressPath {
        path: Some(path),
        path_type,
        backend,
    })
}

fn backend() -> impl Strategy<Value = IngressBackend> {
    let port = select(vec![
        (None, Some(80)),
        (None, Some(80)),
        (Some("http"), None),
        (None, Some(81)),
        (None, None),
    ]);
    let service = (select(vec!["s0", "s1", "s2", "missing"]), port).prop_map(|(name, (port, number))| {
        let port = ServiceBackendPort { name: port.map(Into::into), number };
        IngressServiceBackend { name: name.into(), port: Some(port) }
    });
    prop_oneof![9 => service.prop_map(Some), 1 => Just(None)]
        .prop_map(|service| IngressBackend { service, resource: None })
}

pub fn class() -> impl Strategy<Value = IngressClass> {
    let controller =
        select(vec![Some(DEFAULT_CONTROLLER), Some(DEFAULT_CONTROLLER), Some("example.com/other"), None]);
    (metadata(&["ours", "theirs"]), controller, any::<bool>()).prop_map(
        |(mut metadata, controller, default)| {
            metadata.namespace = None;
            let annotation = ("ingressclass.kubernetes.io/is-default-class".into(), default.to_string());
            metadata.annotations = Some([annotation].into());
            let spec =
                IngressClassSpec { controller: controller.map(Into::into), ..IngressClassSpec::default() };
            IngressClass { metadata, spec: Some(spec) }
        },
    )
}

/// With a clusterIP, headless, or a name elsewhere.
pub fn service() -> impl Strategy<Value = Service> {
    let address = select(vec![Some("10.1.0.1"), Some("None"), None, Some("x")]);
    let kind = prop_oneof![6 => Just(None), 1 => Just(Some("ExternalName"))];
    let port =
        (select(vec![80, 80, 81, 0]), select(vec![Some("http"), None]), select(vec![None, Some("UDP")]));
    let port = port.prop_map(|(port, name, protocol)| ServicePort {
        port,
        name: name.map(Into::into),
        protocol: protocol.map(Into::into),
        ..ServicePort::default()
    });
    let family = select(vec![None, None, Some("IPv4"), Some("IPv6")]);
    let distribution = select(vec![None, None, Some("PreferSameZone"), Some("PreferSameNode"), Some("x")]);
    (metadata(&["s0", "s1", "s2"]), address, kind, vec(port, 0..3), (family, distribution)).prop_map(
        |(metadata, address, kind, ports, (family, distribution))| {
            let spec = ServiceSpec {
                cluster_ip: address.map(Into::into),
                type_: kind.map(Into::into),
                external_name: kind.map(|_| "elsewhere.example".into()),
                ports: Some(ports),
                ip_families: family.map(|family| vec![family.into()]),
                traffic_distribution: distribution.map(Into::into),
                ..ServiceSpec::default()
            };
            Service { metadata, spec: Some(spec), status: None }
        },
    )
}

pub fn slice() -> impl Strategy<Value = EndpointSlice> {
    let service = mixed(&["s0", "s1", "s2"], &["", "missing"]);
    let kind = mixed(&["IPv4"], &["FQDN"]);
    let ports = vec((select(vec![8080, 8080, 8081, 0]), select(vec![Some("http"), None])), 0..3);
    (metadata(&["e0", "e1", "e2", "e3"]), service, kind, vec(endpoint(), 0..4), ports).prop_map(
        |(mut metadata, service, address_type, endpoints, ports)| {
            metadata.labels = Some([("kubernetes.io/service-name".into(), service)].into());
            let port = |(port, name): (i32, Option<&str>)| EndpointPort {
                port: Some(port),
                name: name.map(Into::into),
                ..EndpointPort::default()
            };
            let ports = Some(ports.into_iter().map(port).collect());
            EndpointSlice { metadata, address_type, endpoints: Some(endpoints), ports }
        },
    )
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let condition = || select(vec![None, Some(true), Some(false)]);
    let conditions = (condition(), condition(), condition());
    let address = mixed(&["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1"], &["x", "0.0.0.0"]);
    let zone = || prop::option::of(select(vec!["za", "zb"]));
    (address, prop::option::of(conditions), zone(), prop::option::weighted(0.2, zone())).prop_map(
        |(address, conditions, zone, hint)| Endpoint {
            zone: zone.map(Into::into),
            hints: hint.map(|zone| EndpointHints {
                for_zones: zone.map(|name| vec![ForZone { name: name.into() }]),
                ..EndpointHints::default()
            }),
            addresses: vec![address],
            conditions: conditions.map(|(ready, serving, terminating)| EndpointConditions {
                ready,
                serving,
                terminating,
            }),
            ..Endpoint::default()
        },
    )
}
