//! Kubernetes objects from bytes, those that an API server refuses included.

use std::collections::BTreeMap;

use arbitrary::{Result, Unstructured};
use ingress_kube::{DEFAULT_CONTROLLER, Object};
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec, TypedLocalObjectReference};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressClass,
    IngressClassParametersReference, IngressClassSpec, IngressRule, IngressServiceBackend, IngressSpec,
    IngressTLS, ServiceBackendPort,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;

use super::choose::{any_text, choose, list, mostly, option, text};
use super::treatment;

pub(super) const NAMES: [&str; 4] = ["a", "b", "c", ""];
/// Sound ones first.
const HOSTS: [&str; 12] =
    ["", "x", "a.x", "b.x", "*.x", "*.a.x", "*", "10.0.0.1", "a.x:80", "http://a.x", "a_b!", "A.x"];
const PATHS: [&str; 18] = [
    "/", "/a", "/a/", "/a/b", "/b", "/ab", "", "a", "//", "/a//b", "/..", "/a%2Fb", "/a;v/b", "/%61",
    "/(.*)", "/a?b", "/{id}", "/a b",
];
const PATH_TYPES: [&str; 6] = ["Prefix", "Prefix", "Exact", "ImplementationSpecific", "prefix", ""];
const PORT_NAMES: [&str; 3] = ["http", "", "HTTP"];
const PORT_NUMBERS: [i32; 7] = [80, 81, 8080, 0, -1, 65535, 65536];
const ADDRESSES: [&str; 10] = [
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.3",
    "fd00::1",
    "",
    "x",
    "0.0.0.0",
    "169.254.169.254",
    "::ffff:224.0.0.1",
    "None",
];
const CLASSES: [&str; 4] = ["ours", "theirs", "missing", ""];
const PROTOCOLS: [&str; 4] = ["TCP", "UDP", "", "tcp"];

pub(super) fn object(data: &mut Unstructured<'_>) -> Result<Object> {
    Ok(match data.int_in_range(0..=10u8)? {
        0..=2 => ingress(data)?.into(),
        3..=4 => service(data)?.into(),
        5..=6 => slice(data)?.into(),
        7 => class(data)?.into(),
        8..=9 => treatment::secret(data)?.into(),
        _ => treatment::config_map(data)?.into(),
    })
}

pub(super) fn metadata(data: &mut Unstructured<'_>, names: &[&str]) -> Result<ObjectMeta> {
    let created = choose(data, &[None, Some(1), Some(2), Some(i64::MIN), Some(2)])?;
    Ok(ObjectMeta {
        name: mostly(data, |data| text(data, names))?,
        namespace: choose(data, &[None, Some("default"), Some("b"), Some("")])?.map(Into::into),
        creation_timestamp: created.and_then(|second| Timestamp::from_second(second).ok()).map(Time),
        ..ObjectMeta::default()
    })
}

fn ingress(data: &mut Unstructured<'_>) -> Result<Ingress> {
    let mut metadata = metadata(data, &NAMES)?;
    metadata.annotations = match data.int_in_range(0..=11u8)? {
        0..=5 => None,
        6 => Some([("kubernetes.io/ingress.class".into(), text(data, &CLASSES)?)].into()),
        7 => Some(BTreeMap::new()),
        8 => {
            let name = any_text(data)?;
            Some([(format!("nginx.ingress.kubernetes.io/{name}"), any_text(data)?)].into())
        }
        9 => Some([(any_text(data)?, any_text(data)?)].into()),
        _ => Some(list(data, 3, own_policy)?.into_iter().collect()),
    };
    Ok(Ingress { metadata, spec: mostly(data, ingress_spec)?, status: None })
}

fn own_policy(data: &mut Unstructured<'_>) -> Result<(String, String)> {
    treatment::policy(data, "ingress.gateway/")
}

fn ingress_spec(data: &mut Unstructured<'_>) -> Result<IngressSpec> {
    let class = choose(data, &[false, false, true])?;
    Ok(IngressSpec {
        ingress_class_name: if class { Some(text(data, &CLASSES)?) } else { None },
        default_backend: option(data, backend)?,
        rules: mostly(data, |data| list(data, 3, rule))?,
        tls: if choose(data, &[false, false, false, true])? {
            Some(list(data, 1, |data| {
                Ok(IngressTLS {
                    hosts: Some(vec![text(data, &HOSTS)?]),
                    secret_name: option(data, |data| text(data, &NAMES))?,
                })
            })?)
        } else {
            None
        },
    })
}

fn rule(data: &mut Unstructured<'_>) -> Result<IngressRule> {
    let paths = |data: &mut Unstructured<'_>| Ok(HTTPIngressRuleValue { paths: list(data, 4, path)? });
    Ok(IngressRule { host: mostly(data, |data| text(data, &HOSTS))?, http: mostly(data, paths)? })
}

fn path(data: &mut Unstructured<'_>) -> Result<HTTPIngressPath> {
    Ok(HTTPIngressPath {
        path: mostly(data, |data| text(data, &PATHS))?,
        path_type: text(data, &PATH_TYPES)?,
        backend: backend(data)?,
    })
}

fn backend(data: &mut Unstructured<'_>) -> Result<IngressBackend> {
    let port = |data: &mut Unstructured<'_>| {
        let (named, numbered) = choose(data, &[(false, true), (false, true), (true, false), (true, true)])?;
        Ok(ServiceBackendPort {
            name: if named { Some(text(data, &PORT_NAMES)?) } else { None },
            number: if numbered { Some(choose(data, &PORT_NUMBERS)?) } else { None },
        })
    };
    let resource = choose(data, &[false, false, false, false, true])?;
    Ok(IngressBackend {
        service: mostly(data, |data| {
            Ok(IngressServiceBackend { name: text(data, &NAMES)?, port: mostly(data, port)? })
        })?,
        resource: if resource {
            Some(TypedLocalObjectReference {
                api_group: option(data, any_text)?,
                kind: text(data, &["Bucket"])?,
                name: text(data, &NAMES)?,
            })
        } else {
            None
        },
    })
}

fn class(data: &mut Unstructured<'_>) -> Result<IngressClass> {
    let mut metadata = metadata(data, &CLASSES)?;
    metadata.annotations = option(data, |data| {
        let value = text(data, &["true", "false"])?;
        Ok([("ingressclass.kubernetes.io/is-default-class".into(), value)].into())
    })?;
    let parameters = |data: &mut Unstructured<'_>| {
        Ok(IngressClassParametersReference {
            api_group: option(data, any_text)?,
            kind: text(data, &["ConfigMap"])?,
            name: text(data, &NAMES)?,
            namespace: option(data, |data| text(data, &NAMES))?,
            scope: option(data, |data| text(data, &["Namespace", "Cluster"]))?,
        })
    };
    let spec = |data: &mut Unstructured<'_>| {
        Ok(IngressClassSpec {
            controller: mostly(data, |data| text(data, &[DEFAULT_CONTROLLER, "example.com/other"]))?,
            parameters: if choose(data, &[false, false, false, true])? {
                Some(parameters(data)?)
            } else {
                None
            },
        })
    };
    Ok(IngressClass { metadata, spec: mostly(data, spec)? })
}

fn service(data: &mut Unstructured<'_>) -> Result<Service> {
    let port = |data: &mut Unstructured<'_>| {
        Ok(ServicePort {
            name: option(data, |data| text(data, &PORT_NAMES))?,
            port: choose(data, &PORT_NUMBERS)?,
            protocol: if choose(data, &[false, false, true])? { Some(text(data, &PROTOCOLS)?) } else { None },
            ..ServicePort::default()
        })
    };
    let spec = |data: &mut Unstructured<'_>| {
        Ok(ServiceSpec {
            type_: choose(data, &[None, Some("ClusterIP"), None, Some("ExternalName")])?.map(Into::into),
            cluster_ip: mostly(data, |data| text(data, &ADDRESSES))?,
            cluster_ips: option(data, |data| list(data, 2, |data| text(data, &ADDRESSES)))?,
            external_name: option(data, |data| text(data, &HOSTS))?,
            ports: mostly(data, |data| list(data, 3, port))?,
            ..ServiceSpec::default()
        })
    };
    let (mut metadata, spec) = (metadata(data, &NAMES)?, mostly(data, spec)?);
    metadata.annotations = option(data, |data| Ok(list(data, 2, own_policy)?.into_iter().collect()))?;
    Ok(Service { metadata, spec, status: None })
}

fn slice(data: &mut Unstructured<'_>) -> Result<EndpointSlice> {
    let mut metadata = metadata(data, &["s0", "s1", "s2", "s3"])?;
    metadata.labels =
        mostly(data, |data| Ok([("kubernetes.io/service-name".into(), text(data, &NAMES)?)].into()))?;
    let port = |data: &mut Unstructured<'_>| {
        Ok(EndpointPort {
            name: option(data, |data| text(data, &PORT_NAMES))?,
            port: mostly(data, |data| choose(data, &PORT_NUMBERS))?,
            protocol: option(data, |data| text(data, &PROTOCOLS))?,
            ..EndpointPort::default()
        })
    };
    Ok(EndpointSlice {
        metadata,
        address_type: text(data, &["IPv4", "IPv4", "IPv6", "FQDN"])?,
        endpoints: mostly(data, |data| list(data, 3, endpoint))?,
        ports: mostly(data, |data| list(data, 2, port))?,
    })
}

fn endpoint(data: &mut Unstructured<'_>) -> Result<Endpoint> {
    let condition = |data: &mut Unstructured<'_>| choose(data, &[None, Some(true), Some(false)]);
    let conditions = |data: &mut Unstructured<'_>| {
        Ok(EndpointConditions {
            ready: condition(data)?,
            serving: condition(data)?,
            terminating: condition(data)?,
        })
    };
    Ok(Endpoint {
        addresses: list(data, 2, |data| text(data, &ADDRESSES))?,
        conditions: option(data, conditions)?,
        ..Endpoint::default()
    })
}
