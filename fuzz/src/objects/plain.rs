//! What Ingresses ask for, read naively for the oracle. It shares no code with the translation, and gives up
//! where a host, a path or an annotation is of a kind that it does not know.

use std::cmp::Reverse;

use ingress_kube::{DEFAULT_CONTROLLER, Object};
use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressClass};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::oracle::{OracleRule, Type};

const HOSTS: [&str; 6] = ["", "x", "a.x", "b.x", "*.x", "*.a.x"];
const NO_HOSTS: [&str; 5] = ["*", "10.0.0.1", "a.x:80", "http://a.x", "a_b!"];
const PATHS: [&str; 6] = ["/", "/a", "/a/", "/a/b", "/b", "/ab"];
const NO_STRICT_PATHS: [&str; 8] = ["", "a", "//", "/a//b", "/..", "/a%2Fb", "/a?b", "/a b"];

/// The oracle's rules, each with the name and field of its Ingress; the strongest of equal rules first.
pub(super) fn rules(objects: &[&Object], serve_classless: bool) -> Option<Vec<(OracleRule, String)>> {
    let (mut ingresses, mut classes) = (Vec::new(), Vec::new());
    for object in objects.iter().filter(|object| !object.key().name.is_empty()) {
        match object {
            Object::Ingress(object) => ingresses.push((object.as_ref(), key(&object.metadata))),
            Object::IngressClass(object) => classes.push(object.as_ref()),
            _ => {}
        }
    }
    if classes.iter().any(|class| class.spec.as_ref().is_some_and(|spec| spec.parameters.is_some())) {
        return None;
    }
    ingresses.sort_by_key(|(ingress, key)| {
        let second = second(&ingress.metadata);
        (second.is_none(), second, key.clone())
    });
    let (mut rules, mut overall, mut hostless, mut other) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (ingress, (namespace, name)) in ingresses {
        if !is_served(ingress, &classes, serve_classless)? {
            continue;
        }
        let Some(spec) = &ingress.spec else { continue };
        let place = |field: &str| format!("{namespace}/{name} {field}");
        let mut hosts = Vec::new();
        for (index, rule) in spec.rules.iter().flatten().enumerate() {
            let host = rule.host.as_deref().unwrap_or("");
            if NO_HOSTS.contains(&host) {
                continue;
            }
            hosts.push(HOSTS.contains(&host).then_some(host)?);
            for (number, path) in rule.http.iter().flat_map(|http| &http.paths).enumerate() {
                if let Some((path, kind)) = read_path(path)? {
                    let place = place(&format!("spec.rules[{index}].http.paths[{number}]"));
                    rules.push((oracle_rule(host, &path, kind), place));
                }
            }
        }
        if spec.default_backend.is_none() {
            continue;
        }
        let default = |host: &str| (oracle_rule(host, "", Type::Default), place("spec.defaultBackend"));
        rules.extend(hosts.iter().filter(|host| !host.is_empty()).map(|host| default(host)));
        match spec.rules.as_deref().unwrap_or_default() {
            [] => overall.push(default("")),
            _ if hosts.contains(&"") => hostless.push(default("")),
            _ => other.push(default("")),
        }
    }
    let defaults = [overall, hostless, other].into_iter().find(|defaults| !defaults.is_empty());
    rules.extend(defaults.into_iter().flatten());
    Some(rules)
}

fn oracle_rule(host: &str, path: &str, kind: Type) -> OracleRule {
    OracleRule { host: host.into(), path: path.into(), kind, ..OracleRule::default() }
}

/// `Some(None)` for a path that is refused.
fn read_path(path: &HTTPIngressPath) -> Option<Option<(String, Type)>> {
    let text = path.path.as_deref().unwrap_or("");
    let kind = match &*path.path_type {
        "Exact" => Type::Exact,
        "Prefix" => Type::Prefix,
        "ImplementationSpecific" if text.is_empty() => return Some(Some(("/".into(), Type::Prefix))),
        "ImplementationSpecific" if PATHS.contains(&text) => Type::Prefix,
        "ImplementationSpecific" if text == "a" => return Some(None),
        "ImplementationSpecific" => return None,
        _ => return Some(None),
    };
    if NO_STRICT_PATHS.contains(&text) {
        return Some(None);
    }
    PATHS.contains(&text).then(|| Some((text.to_owned(), kind)))
}

/// `None` where an annotation may say anything.
fn is_served(ingress: &Ingress, classes: &[&IngressClass], serve_classless: bool) -> Option<bool> {
    for (name, value) in ingress.metadata.annotations.iter().flatten() {
        if name != "kubernetes.io/ingress.class" {
            return None;
        }
        // No class is configured by name, so an annotated Ingress is nobody's.
        if !value.is_empty() {
            return Some(false);
        }
    }
    let by_name = |name: &str| {
        let class = classes.iter().find(|class| class.metadata.name.as_deref() == Some(name));
        let spec = class.and_then(|class| class.spec.as_ref());
        spec.and_then(|spec| spec.controller.as_deref()) == Some(DEFAULT_CONTROLLER)
    };
    let field = ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref()).unwrap_or("");
    if !field.is_empty() {
        return Some(by_name(field));
    }
    let is_default = |class: &&&IngressClass| {
        let mut annotations = class.metadata.annotations.iter().flatten();
        annotations
            .any(|(name, value)| name == "ingressclass.kubernetes.io/is-default-class" && value == "true")
    };
    let newest_first =
        |class: &&&IngressClass| (Reverse(second(&class.metadata)), class.metadata.name.clone());
    let default = classes.iter().filter(is_default).min_by_key(newest_first);
    Some(match default.and_then(|class| class.metadata.name.as_deref()) {
        _ if serve_classless => true,
        Some(name) => by_name(name),
        None => classes.is_empty(),
    })
}

fn second(metadata: &ObjectMeta) -> Option<i64> {
    metadata.creation_timestamp.as_ref().map(|time| time.0.as_second())
}

/// Namespace and name.
fn key(metadata: &ObjectMeta) -> (String, String) {
    let namespace = metadata.namespace.as_deref().filter(|namespace| !namespace.is_empty());
    (namespace.unwrap_or("default").into(), metadata.name.clone().unwrap_or_default())
}
