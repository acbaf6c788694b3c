//! One Ingress to its rules.

use std::sync::Arc;

use ingress_core::{Code, Diagnostic, HostMatch, ObjectRef, PathMatch, Rule, Source};
use k8s_openapi::api::networking::v1::{Ingress, IngressRule, IngressSpec};

use super::service::Services;
use super::{Output, backend, hints, ownership, path};
use crate::store::Stored;

/// Annotations of these domains speak to some ingress controller; so do all whose domain has the word
/// `ingress` in it.
const CONTROLLER_DOMAINS: [&str; 7] = [
    "haproxy.org",
    "konghq.com",
    "nginx.com",
    "nginx.org",
    "projectcontour.io",
    "appgw.azure.com",
    "getambassador.io",
];

/// Adds the rules and findings of one Ingress.
pub(super) fn translate<'a>(
    stored: &'a Stored<Ingress>,
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
    let mut hosts = Vec::new();
    for (index, rule) in spec.rules.iter().flatten().enumerate() {
        if stored.withheld_rules.contains(&index) {
            continue;
        }
        hosts.extend(translate_rule(stored, index, rule, spec.default_backend.is_some(), services, out));
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
    stored: &'a Stored<Ingress>,
    index: usize,
    rule: &'a IngressRule,
    has_default: bool,
    services: &mut Services<'a>,
    out: &mut Output,
) -> Option<HostMatch> {
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
    let field = format!("spec.rules[{index}]{}", if text.is_empty() { "" } else { ".host" });
    if let Some(finding) = ownership::refusal(stored, &field, &host, services.config()) {
        out.refuse(Some(&host), None, finding);
        return None;
    }
    let paths = rule.http.as_ref().map(|http| http.paths.as_slice()).unwrap_or_default();
    if paths.is_empty() {
        report_no_paths(&stored.source, index, &host, has_default, out);
    }
    for (number, path) in paths.iter().enumerate() {
        let field = format!("spec.rules[{index}].http.paths[{number}]");
        let backend = backend::resolve(stored, &format!("{field}.backend"), &path.backend, services, out);
        match path::path_match(&stored.source, &field, path, out) {
            Ok(path) => {
                let source = Source::new(stored.source.clone(), field);
                out.rule(Rule::new(host.clone(), path, backend).with_source(source));
            }
            Err(finding) => out.refuse(Some(&host), None, finding),
        }
    }
    Some(host)
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
        if speaks_to_a_controller(name) {
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
