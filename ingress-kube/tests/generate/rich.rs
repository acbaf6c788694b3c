//! Objects that say more than the plain ones: annotations, parameters of classes, names elsewhere, and Services with
//! many similar names.

#[path = "../common/pretended.rs"]
mod pretended;

use ingress_kube::{Config, HostOwnership, Object, Origin};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::networking::v1::{Ingress, IngressClass, IngressClassParametersReference, IngressTLS};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// An object as the API may have it, and where it stands.
#[derive(Clone, Debug)]
pub struct Placed {
    pub object: Object,
    pub origin: Option<Origin>,
}

const ANNOTATIONS: &[(&str, &str)] = &[
    ("ingress.gateway/tls-passthrough", "true"),
    ("ingress.gateway/client-ca-secret", "t0"),
    ("ingress.gateway/client-certificate", "optional"),
    ("ingress.gateway/backend-ca-secret", "t0"),
    ("ingress.gateway/backend-ca-secret", "t1"),
    ("ingress.gateway/backend-protocol", "https"),
    ("ingress.gateway/retries", "2"),
    ("ingress.gateway/retry-on", "reset"),
    ("ingress.gateway/response-timeout", "2"),
    ("ingress.gateway/split", "s0: s1=1, missing=2"),
    ("ingress.gateway/split", "s1: s0=1, s2=1"),
    ("ingress.gateway/split", "s0"),
    ("ingress.gateway/canary-service", "s1"),
    ("ingress.gateway/canary-service", "missing"),
    ("ingress.gateway/canary-weight", "50%"),
    ("ingress.gateway/canary-header", "X-A"),
    ("ingress.gateway/maintenance-body", "x"),
    ("ingress.gateway/respond-status", "4O4"),
    ("ingress.gateway/match-method", "GET, HEAD"),
    ("ingress.gateway/match-method", "no method"),
    ("ingress.gateway/path-syntax", "template"),
    ("ingress.gateway/path-syntax", "none"),
    ("ingress.gateway/hash-key", "host"),
    ("ingress.gateway/load-balance", "random"),
    ("ingress.gateway/affinity", "cookie"),
    ("ingress.gateway/affinity-cookie", "sid; Secure"),
    ("ingress.gateway/health-check-path", "/"),
    ("ingress.gateway/splits", ""),
    ("nginx.org/rewrites", ""),
];
const PARAMETERS: [(&str, &str); 8] = [
    ("max-body-size", "1MiB"),
    ("match-header", "X-A"),
    ("match-header", "~"),
    ("path-syntax", "regex"),
    ("split", "s0: s1=1"),
    ("hash-key", "path"),
    ("load-balance", "round-robin"),
    ("health-check-path", "/"),
];
/// Few of them are pointed at.
const SERVICES: [&str; 12] =
    ["a", "b", "c", "d", "e", "f", "g", "missin", "missing", "mixing", "missings", "zissing"];
const ELSEWHERE: [&str; 6] = ["s0.default", "S1.b.", "missing.default", "elsewhere.example", "10.0.0.1", ""];

/// Any object, anywhere.
pub fn placed() -> impl Strategy<Value = Placed> {
    let origin = prop::option::weighted(0.3, (select(vec!["a.yaml", "b.yaml"]), 1..3u32, any::<bool>()));
    let origin = origin.prop_map(|origin| {
        origin.map(|(file, line, withheld)| {
            let mut origin = Origin::new(file, line);
            origin.withheld_rules = if withheld { [1].into() } else { Box::default() };
            origin
        })
    });
    (object(), origin).prop_map(|(object, origin)| Placed { object, origin })
}

fn object() -> impl Strategy<Value = Object> {
    prop_oneof![
        4 => super::object(),
        3 => ingress().prop_map(Object::from),
        2 => service().prop_map(Object::from),
        1 => class().prop_map(Object::from),
        1 => config_map().prop_map(Object::from),
        2 => secret().prop_map(Object::from),
    ]
}

/// As [`super::config`], and with a policy for hosts and certificates.
pub fn config(number: u8) -> Config {
    let config = match number {
        4 => Config::default()
            .allow_external_name(true)
            .watch_ingress_without_class(true)
            .default_backend_service("default/missing:http".parse().unwrap()),
        5 => {
            let policy = HostOwnership::default()
                .owner("a.x".parse().unwrap(), ["default"])
                .owner("*".parse().unwrap(), ["b"]);
            super::config(2).host_ownership(policy).allow_external_name(true)
        }
        _ => super::config(number),
    };
    match number {
        0 => config,
        1 => config.load_certificate(pretended::load).default_certificate("default", "t1"),
        _ => config.load_certificate(pretended::load).load_trust(trust),
    }
}

fn trust(pem: &[u8]) -> Result<ingress_core::Trust, Box<dyn std::error::Error + Send + Sync>> {
    if pem == b"key" { Ok(ingress_core::Trust::new(pem, ())) } else { Err("it is no PEM".into()) }
}

pub const CONFIGS: u8 = 6;

fn ingress() -> impl Strategy<Value = Ingress> {
    (super::ingress(), vec(select(ANNOTATIONS.to_vec()), 0..3), vec(tls(), 0..3)).prop_map(
        |(mut ingress, annotations, tls)| {
            let annotations = annotations.into_iter().map(|(name, value)| (name.into(), value.into()));
            ingress.metadata.annotations.get_or_insert_default().extend(annotations);
            let spec = ingress.spec.as_mut().unwrap();
            spec.tls = Some(tls);
            ingress
        },
    )
}

fn tls() -> impl Strategy<Value = IngressTLS> {
    let hosts = vec(super::mixed(&super::HOSTS, &super::BROKEN_HOSTS), 0..3);
    (hosts, select(vec![None, Some("t0"), Some("t1"), Some("t2")]))
        .prop_map(|(hosts, secret)| IngressTLS { hosts: Some(hosts), secret_name: secret.map(Into::into) })
}

fn secret() -> impl Strategy<Value = Secret> {
    let chain = select(vec!["a.x", "*.x", "b.x a.x", "", "not a host!"]).prop_map(pretended::chain);
    (super::metadata(&["t0", "t1"]), chain, select(vec!["key", "no key"])).prop_map(
        |(metadata, chain, key)| {
            let data = [("tls.crt", chain.as_str()), ("tls.key", key), ("ca.crt", key)];
            let data = data.map(|(name, text)| (name.into(), ByteString(text.into())));
            Secret { metadata, data: Some(data.into()), ..Secret::default() }
        },
    )
}

fn service() -> impl Strategy<Value = Service> {
    let name = prop_oneof![1 => Just(None), 2 => select(SERVICES.to_vec()).prop_map(Some)];
    let annotations = vec(select(ANNOTATIONS.to_vec()), 0..3);
    (super::service(), name, select(ELSEWHERE.to_vec()), select(vec![None, Some("ClientIP")]), annotations)
        .prop_map(|(mut service, name, elsewhere, affinity, annotations)| {
            let annotations = annotations.into_iter().map(|(name, value)| (name.into(), value.into()));
            service.metadata.annotations.get_or_insert_default().extend(annotations);
            let spec = service.spec.as_mut().unwrap();
            spec.external_name = spec.type_.as_ref().map(|_| elsewhere.into());
            spec.session_affinity = affinity.map(Into::into);
            if let Some(name) = name {
                service.metadata.name = Some(name.into());
            }
            service
        })
}

fn class() -> impl Strategy<Value = IngressClass> {
    let name = select(vec!["p0", "p1"]);
    let namespace = select(vec![None, Some("default"), Some("b")]);
    let kind = prop_oneof![5 => Just("ConfigMap"), 1 => Just("Secret")];
    (super::class(), name, namespace, kind).prop_map(|(mut class, name, namespace, kind)| {
        let spec = class.spec.as_mut().unwrap();
        spec.parameters = Some(IngressClassParametersReference {
            kind: kind.into(),
            name: name.into(),
            namespace: namespace.map(Into::into),
            scope: Some("Namespace".into()),
            ..IngressClassParametersReference::default()
        });
        class
    })
}

fn config_map() -> impl Strategy<Value = ConfigMap> {
    let data = vec(select(PARAMETERS.to_vec()), 0..3);
    (super::metadata(&["p0", "p1", "p2"]), data).prop_map(|(metadata, data)| {
        let data = data.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        ConfigMap { metadata, data: Some(data), ..ConfigMap::default() }
    })
}
