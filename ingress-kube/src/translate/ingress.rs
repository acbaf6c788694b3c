//! One Ingress to its rules.

use std::sync::Arc;

use ingress_core::{Code, Conditions, Diagnostic, HostMatch, ObjectRef, PathMatch, Rule, Source};
use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressRule, IngressSpec};

use super::annotations::{self, Settings};
use super::service::Services;
use super::{Output, backend, hints, ownership, path};
use crate::store::Stored;

/// Annotations of these domains speak to some ingress controller; so do all whose domain has the word
/// `ingress` in it. Those of our own domain are read elsewhere.
const CONTROLLER_DOMAINS: [&str; 7] = [
    "haproxy.org",
    "konghq.com",
    "nginx.com",
    "nginx.org",
    "projectcontour.io",
    "appgw.azure.com",
    "getambassador.io",
];

/// An Ingress, and what its annotations say.
struct Subject<'s, 'a> {
    stored: &'a Stored<Ingress>,
    settings: &'s Settings<'a>,
    /// What requests must meet, or why nobody knows. The default backend has no conditions: it serves what the
    /// rules leave.
    conditions: Result<Conditions, &'s Diagnostic>,
}

/// Adds the rules and findings of one Ingress.
pub(super) fn translate<'a>(
    stored: &'a Stored<Ingress>,
    settings: &Settings<'a>,
    services: &mut Services<'a>,
    defaults: &mut Defaults,
    out: &mut Output,
) {
    report_ignored(stored, out);
    let empty = IngressSpec::default();
    let spec = stored.object.spec.as_ref().unwrap_or(&empty);
    let rules = spec.rules.as_deref().unwrap_or_default();
    if rules.is_empty() && spec.default_backend.is_none() {
        let help = "write spec.rules, or a spec.defaultBackend that takes every request";
        out.find(
            Code::EmptyIngress,
            &stored.source,
            "spec",
            "it has neither rules nor a default backend",
            help,
        );
        return;
    }
    // `spec` may be the local empty one only when there is nothing to translate.
    let Some(spec) = &stored.object.spec else { return };
    report_without_effect(&stored.source, &stored.object, spec, settings, out);
    let subject = Subject { stored, settings, conditions: settings.conditions() };
    let mut hosts = Vec::new();
    for (index, rule) in spec.rules.iter().flatten().enumerate() {
        if stored.withheld_rules.contains(&index) {
            continue;
        }
        hosts.extend(translate_rule(&subject, index, rule, spec.default_backend.is_some(), services, out));
    }
    let Some(default) = &spec.default_backend else { return };
    let backend = backend::resolve(stored, "spec.defaultBackend", default, services, out);
    let rule = Rule::new(HostMatch::Any, PathMatch::Default, backend)
        .with_source(Source::new(stored.source.clone(), "spec.defaultBackend"));
    hosts.sort();
    hosts.dedup();
    let refusal = ownership::refusal(stored, "spec.defaultBackend", &HostMatch::Any, services.config());
    match refusal {
        Some(finding) if rules.is_empty() => {
            out.refuse(Some(&HostMatch::Any), Some(PathMatch::Default), finding)
        }
        refusal => defaults.add(rules.is_empty(), hosts, rule, refusal.is_none(), out),
    }
}

/// Adds the paths of one rule and returns its host, if that is one.
fn translate_rule<'a>(
    subject: &Subject<'_, 'a>,
    index: usize,
    rule: &'a IngressRule,
    has_default: bool,
    services: &mut Services<'a>,
    out: &mut Output,
) -> Option<HostMatch> {
    let stored = subject.stored;
    let text = rule.host.as_deref().unwrap_or_default();
    let host: HostMatch = match text.parse() {
        Ok(host) => host,
        Err(error) => {
            let source = Source::new(stored.source.clone(), format!("spec.rules[{index}].host"));
            let message = format!("{error}: {text:?}");
            let finding = Diagnostic::new(Code::InvalidHost, source, message, hints::host(text, error));
            out.refuse(None, None, finding);
            return None;
        }
    };
    let paths = rule.http.as_ref().map(|http| http.paths.as_slice()).unwrap_or_default();
    let field = format!("spec.rules[{index}]{}", if text.is_empty() { "" } else { ".host" });
    if let Some(finding) = ownership::refusal(stored, &field, &host, services.config()) {
        paths.iter().for_each(|path| out.refuse(Some(&host), path::plain(path), finding.clone()));
        if paths.is_empty() {
            out.refuse(Some(&host), None, finding);
        }
        return None;
    }
    if paths.is_empty() {
        report_no_paths(&stored.source, index, &host, has_default, out);
    }
    for (number, path) in paths.iter().enumerate() {
        let field = format!("spec.rules[{index}].http.paths[{number}]");
        translate_path(subject, &host, field, path, services, out);
    }
    Some(host)
}

/// Adds one path. Where an annotation cannot be used that says which requests or paths are meant, it is not
/// served, for it would take more than its author means.
fn translate_path<'a>(
    subject: &Subject<'_, 'a>,
    host: &HostMatch,
    field: String,
    path: &'a HTTPIngressPath,
    services: &mut Services<'a>,
    out: &mut Output,
) {
    let Subject { stored, settings, conditions } = subject;
    let splits = settings.split.as_ref().and_then(|splits| splits.as_ref().ok());
    let at = format!("{field}.backend");
    let backends = backend::resolve_shared(stored, &at, &path.backend, splits, services, out);
    let syntax = match &settings.path_syntax {
        Some(Err(finding)) if path.path_type == path::IMPLEMENTATION_SPECIFIC => {
            return out.refuse(Some(host), None, finding.clone());
        }
        Some(syntax) => syntax.as_ref().ok().copied(),
        None => None,
    };
    let path = match path::path_match(&stored.source, &field, path, syntax, out) {
        Ok(path) => path,
        Err(finding) => return out.refuse(Some(host), None, finding),
    };
    let conditions = match conditions {
        Ok(conditions) => conditions.clone(),
        Err(finding) => return out.refuse(Some(host), Some(path), (*finding).clone()),
    };
    let source = Source::new(stored.source.clone(), field);
    let rule = Rule::with_backends(host.clone(), path, backends);
    out.rule(rule.with_conditions(conditions).with_source(source));
}

/// Annotations of ours that nothing in the Ingress is there for.
fn report_without_effect(
    object: &Arc<ObjectRef>,
    ingress: &Ingress,
    spec: &IngressSpec,
    settings: &Settings<'_>,
    out: &mut Output,
) {
    let paths =
        || spec.rules.iter().flatten().filter_map(|rule| rule.http.as_ref()).flat_map(|http| &http.paths);
    let mut ignored = |name: &str, why: &str, help: &str| {
        if annotations::has(ingress, name) {
            let message = format!("the annotation has no effect: {why}");
            out.find(Code::IgnoredField, object, annotations::field(name), message, help);
        }
    };
    for name in ["match-method", "match-header", "match-query"] {
        if paths().next().is_none() {
            let why = "conditions are for the paths of rules, and the default backend takes all that is left";
            ignored(name, why, "write http.paths, for example a Prefix / with a backend");
        }
    }
    if paths().all(|path| path.path_type != path::IMPLEMENTATION_SPECIFIC) {
        let why = "no path is of type ImplementationSpecific";
        ignored("path-syntax", why, "write pathType: ImplementationSpecific where it is to be read this way");
    }
    let Some(Ok(splits)) = &settings.split else { return };
    let backends = || paths().filter_map(|path| Some(&*path.backend.service.as_ref()?.name));
    for service in splits.services().filter(|service| backends().all(|backend| backend != *service)) {
        let message = format!("no path of a rule has the backend {service:?}, so it is not split");
        let help = match (hints::similar(service, backends()), hints::list(backends())) {
            (Some(similar), _) => format!("write {similar}"),
            (None, Some(list)) => format!("the backends are {list}"),
            (None, None) => "write http.paths with this backend".into(),
        };
        out.find(Code::InvalidAnnotation, object, annotations::field("split"), message, help);
    }
}

fn report_no_paths(
    object: &Arc<ObjectRef>,
    index: usize,
    host: &HostMatch,
    has_default: bool,
    out: &mut Output,
) {
    let rule = match host {
        HostMatch::Any => "a rule without a host".into(),
        host => format!("host {:?}", host.to_string()),
    };
    let message = if has_default {
        format!("{rule} has no paths and takes the default backend only")
    } else {
        format!("{rule} has no paths and there is no default backend, so the rule takes nothing")
    };
    let help = "write http.paths, for example a Prefix / with a backend";
    out.find(Code::NoHttp, object, format!("spec.rules[{index}]"), message, help);
}

/// What is written but has no effect is said, once for each field.
fn report_ignored(stored: &Stored<Ingress>, out: &mut Output) {
    let spec = stored.object.spec.as_ref();
    if spec.and_then(|spec| spec.tls.as_ref()).is_some_and(|tls| !tls.is_empty()) {
        let help = "HTTPS is not served yet; end it in front of the gateway, or leave the field out";
        out.find(Code::IgnoredField, &stored.source, "spec.tls", "the field has no effect", help);
    }
    for name in stored.object.metadata.annotations.iter().flat_map(|annotations| annotations.keys()) {
        if annotations::own_name(name).is_none() && speaks_to_a_controller(name) {
            let field = format!("metadata.annotations[{name}]");
            let help = "leave it out once you do not need what it does elsewhere";
            out.find(Code::IgnoredField, &stored.source, field, "the annotation has no effect", help);
        }
    }
}

fn speaks_to_a_controller(annotation: &str) -> bool {
    let Some((domain, name)) = annotation.split_once('/') else { return false };
    match domain {
        "kubernetes.io" => name.starts_with("ingress.") && name != "ingress.class",
        _ => {
            domain.contains("ingress")
                || CONTROLLER_DOMAINS.iter().any(|known| {
                    domain.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                })
        }
    }
}

/// Default backends, kept until it is known which of them also is the overall one.
///
/// Each host of an Ingress takes that Ingress's default backend. The overall default, which also takes the
/// hosts that no rule names, is that of the Ingresses without rules; without such, that of the Ingresses
/// with host-less rules; without those, the global default backend that the configuration names; without one,
/// that of the oldest Ingress with a default backend: "If none of the hosts or paths match the HTTP request in
/// the Ingress objects, the traffic is routed to your default backend" (Kubernetes documentation, Ingress).
#[derive(Default)]
pub(super) struct Defaults {
    /// Of Ingresses without rules.
    overall: Vec<Rule>,
    /// Of Ingresses with a rule that has no host.
    hostless: Vec<Rule>,
    /// Of all other Ingresses: the one that comes first.
    first: Option<Rule>,
}

impl Defaults {
    /// `rule` is for any host; `hosts` are the valid ones of the Ingress. It can become the overall default only
    /// if it `may` claim every host.
    fn add(&mut self, ruleless: bool, hosts: Vec<HostMatch>, rule: Rule, may: bool, out: &mut Output) {
        if ruleless {
            self.overall.push(rule);
            return;
        }
        let hostless = hosts.contains(&HostMatch::Any);
        for host in hosts.into_iter().filter(|host| *host != HostMatch::Any) {
            let mut own = rule.clone();
            own.host = host;
            out.rule(own);
        }
        if hostless {
            self.hostless.push(rule);
        } else if may && self.first.as_ref().is_none_or(|first| rule.source < first.source) {
            self.first = Some(rule);
        }
    }

    /// `global` is the rule of the global default backend.
    pub(super) fn finish(self, global: Option<Rule>, out: &mut Output) {
        let overall = match (self.overall.is_empty(), self.hostless.is_empty()) {
            (false, _) => {
                self.hostless.iter().for_each(|rule| report_hidden(rule, out));
                self.overall
            }
            (true, false) => self.hostless,
            (true, true) => global.or(self.first).into_iter().collect(),
        };
        overall.into_iter().for_each(|rule| out.rule(rule));
    }
}

fn report_hidden(rule: &Rule, out: &mut Output) {
    let Some(source) = &rule.source else { return };
    let message = "requests without a rule go to the default backend of an Ingress that has no rules";
    let help = "give the rule a host, or write a Prefix / instead of the default backend";
    out.find(Code::ShadowedRule, &source.object, source.field.clone(), message, help);
}
