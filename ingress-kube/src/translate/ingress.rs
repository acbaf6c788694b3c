//! One Ingress to its rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use ingress_core::{Code, Conditions, Diagnostic, HostMatch, ObjectRef, PathMatch, Policy, Rule, Source};
use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressRule, IngressSpec};

use super::annotations::{self, CanaryShare, Settings};
use super::backend::Place;
use super::defaults::{Candidate, Rank};
use super::passthrough::{self, Passing};
use super::{Output, backend, hints, ownership, path, tls, with_policy};
use crate::Config;
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
    config: &'a Config,
    settings: &'s Settings<'a>,
    /// The hosts whose rules are wanted, in order, if they are not all wanted.
    only: Option<&'s [Arc<HostMatch>]>,
    /// What requests must meet, or why nobody knows. The default backend has no conditions: it serves what the
    /// rules leave.
    conditions: Result<Conditions, &'s Diagnostic>,
    policy: Option<Arc<Policy>>,
    /// The policy of paths whose backend has a canary.
    canary_policy: Option<Arc<Policy>>,
}

/// Adds the rules and findings of one Ingress. Where `only` names hosts, in order, there are no rules for others, and
/// findings are incomplete.
pub(super) fn translate<'a>(
    stored: &'a Stored<Ingress>,
    settings: &Settings<'a>,
    config: &'a Config,
    only: Option<&[Arc<HostMatch>]>,
    out: &mut Output,
) {
    if only.is_none() {
        report_ignored(stored, config, out);
    }
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
    if only.is_none() {
        report_without_effect(&stored.source, &stored.object, spec, settings, out);
    }
    let policy = settings.policy();
    if settings.passes_tls {
        passthrough::report_unproved(stored, policy.as_deref(), out);
    }
    let conditions = settings.conditions();
    let canary_policy = settings.canary_policy();
    let subject =
        Subject { stored, config, settings, only, conditions, policy: policy.clone(), canary_policy };
    let mut hosts = Vec::new();
    for (index, rule) in spec.rules.iter().flatten().enumerate() {
        if stored.withheld_rules.contains(&index) {
            continue;
        }
        hosts.extend(translate_rule(&subject, index, rule, spec.default_backend.is_some(), out));
    }
    if only.is_none() {
        let ruleless = rules.is_empty().then_some(HostMatch::Any);
        let mut served: Vec<_> = hosts.iter().cloned().chain(ruleless).collect();
        served.sort();
        served.dedup();
        tls::read(stored, spec, &served, config, out);
    }
    if settings.passes_tls && spec.default_backend.is_some() {
        let message =
            "the default backend has no effect: connections are not decrypted, and go to the backend of /";
        out.find(Code::IgnoredField, &stored.source, DEFAULT_FIELD, message, "leave it out");
    } else if let Some(backend) = &spec.default_backend {
        let backend = backend::resolve(stored, Place::Default, backend, config, out);
        let default = Candidate { rank: Rank::Ruleless, source: default_source(stored), backend, policy };
        add_default(stored, rules.is_empty(), hosts, default, config, out);
    }
}

const DEFAULT_FIELD: &str = "spec.defaultBackend";

fn default_source(stored: &Stored<Ingress>) -> Source {
    Source::new(stored.source.clone(), DEFAULT_FIELD)
}

/// Each host of the Ingress takes its default backend, which may also become the overall one.
fn add_default(
    stored: &Stored<Ingress>,
    ruleless: bool,
    mut hosts: Vec<HostMatch>,
    default: Candidate,
    config: &Config,
    out: &mut Output,
) {
    let refusal = ownership::refusal(stored, DEFAULT_FIELD, &HostMatch::Any, config);
    if ruleless {
        match refusal {
            Some(finding) => out.refuse(Some(&HostMatch::Any), Some(PathMatch::Default), finding),
            None => out.default = Some(default),
        }
        return;
    }
    hosts.sort();
    hosts.dedup();
    let hostless = hosts.contains(&HostMatch::Any);
    for host in hosts.into_iter().filter(|host| *host != HostMatch::Any) {
        out.rule(default.rule(host));
    }
    if hostless {
        out.default = Some(Candidate { rank: Rank::Hostless, ..default });
    } else if refusal.is_none() {
        out.default = Some(Candidate { rank: Rank::Hosts, ..default });
    }
}

/// Adds the paths of one rule and returns its host, if that is one.
fn translate_rule(
    subject: &Subject<'_, '_>,
    index: usize,
    rule: &IngressRule,
    has_default: bool,
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
    if subject.only.is_some_and(|only| only.binary_search_by(|wanted| (**wanted).cmp(&host)).is_err()) {
        return None;
    }
    let paths = rule.http.as_ref().map(|http| http.paths.as_slice()).unwrap_or_default();
    let field = format!("spec.rules[{index}]{}", if text.is_empty() { "" } else { ".host" });
    if let Some(finding) = ownership::refusal(stored, &field, &host, subject.config) {
        paths.iter().for_each(|path| out.refuse(Some(&host), path::plain(path), finding.clone()));
        if paths.is_empty() {
            out.refuse(Some(&host), None, finding);
        }
        return None;
    }
    if subject.settings.passes_tls {
        let Subject { stored, config, settings, policy, .. } = subject;
        let passing = Passing { stored, config, settings, policy: policy.as_ref() };
        passing.translate(&host, index, paths, out);
        return Some(host);
    }
    if paths.is_empty() {
        report_no_paths(&stored.source, index, &host, has_default, out);
    }
    for (number, path) in paths.iter().enumerate() {
        translate_path(subject, &host, (index, number), path, out);
    }
    Some(host)
}

/// Adds one path. Where an annotation cannot be used that says which requests or paths are meant, it is not
/// served, for it would take more than its author means.
fn translate_path(
    subject: &Subject<'_, '_>,
    host: &HostMatch,
    (rule, number): (usize, usize),
    path: &HTTPIngressPath,
    out: &mut Output,
) {
    let Subject { stored, config, settings, conditions, policy, canary_policy, .. } = subject;
    let splits = settings.split.as_ref().and_then(|splits| splits.as_ref().ok());
    let place = Place::Path { rule, path: number };
    let shared = (splits, settings.canary());
    let (backends, has_canary) = backend::resolve_shared(stored, place, &path.backend, shared, config, out);
    let policy = if has_canary { canary_policy } else { policy };
    let syntax = match &settings.path_syntax {
        Some(Err(finding)) if path.path_type == path::IMPLEMENTATION_SPECIFIC => {
            return out.refuse(Some(host), None, finding.clone());
        }
        Some(syntax) => syntax.as_ref().ok().copied(),
        None => None,
    };
    let field = format!("spec.rules[{rule}].http.paths[{number}]");
    let path = match path::path_match(&stored.source, &field, path, syntax, out) {
        Ok(path) => path,
        Err(finding) => return out.refuse(Some(host), None, finding),
    };
    let conditions = match conditions {
        Ok(conditions) => conditions.clone(),
        Err(finding) => return out.refuse(Some(host), Some(path), (*finding).clone()),
    };
    report_unknown_parts(stored, &field, policy.as_deref(), &path, out);
    let source = Source::new(stored.source.clone(), field);
    let rule = Rule::with_backends(host.clone(), path, backends);
    out.rule(with_policy(rule, policy.as_ref()).with_conditions(conditions).with_source(source));
}

/// Names in templates of other paths and hosts that the path does not have.
fn report_unknown_parts(
    stored: &Stored<Ingress>,
    field: &str,
    policy: Option<&Policy>,
    path: &PathMatch,
    out: &mut Output,
) {
    for (annotation, part) in
        policy.map(|policy| annotations::unknown_parts(policy, path)).unwrap_or_default()
    {
        let message = format!(
            "{} names {{{part}}}, which this path does not have, so it is empty",
            annotations::key(annotation)
        );
        let help = match path {
            PathMatch::Template(_) | PathMatch::Regex(_) => "write a name that the path has, or a variable",
            _ => {
                "write path-syntax template or regex and a path with that name, or a variable such as {path}"
            }
        };
        out.find(Code::InvalidAnnotation, &stored.source, format!("{field}.path"), message, help);
    }
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
        if annotations::has(&ingress.metadata, name) {
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
    for (prefix, whole) in [("rewrite-prefix", "rewrite-path"), ("redirect-prefix", "redirect-path")] {
        if annotations::has(&ingress.metadata, prefix) {
            ignored(
                whole,
                &format!("{prefix} is written, too, and comes before"),
                "leave one of the two out",
            );
        }
    }
    for vain in settings.in_vain() {
        ignored(vain.name, &vain.why, &vain.help());
    }
    if let Some(canary) = settings.canary() {
        report_canary(object, canary, paths(), settings, out);
    }
    let Some(Ok(splits)) = &settings.split else { return };
    let backends: BTreeSet<_> =
        paths().filter_map(|path| Some(&*path.backend.service.as_ref()?.name)).collect();
    for service in splits.services().filter(|service| !backends.contains(service)) {
        let message = format!("no path of a rule has the backend {service:?}, so it is not split");
        let backends = || backends.iter().copied();
        let help = match (hints::similar(service, backends()), hints::list(backends())) {
            (Some(similar), _) => format!("write {similar}"),
            (None, Some(list)) => format!("the backends are {list}"),
            (None, None) => "write http.paths with this backend".into(),
        };
        out.find(Code::InvalidAnnotation, object, annotations::field("split"), message, help);
    }
}

/// Paths beside whose backends the canary has no place, once for each reason.
fn report_canary<'p>(
    object: &Arc<ObjectRef>,
    canary: CanaryShare<'_>,
    paths: impl Iterator<Item = &'p HTTPIngressPath>,
    settings: &Settings<'_>,
    out: &mut Output,
) {
    let splits = settings.split.as_ref().and_then(|splits| splits.as_ref().ok());
    let mut reasons = BTreeSet::new();
    let mut is_used = false;
    for path in paths {
        let service = path.backend.service.as_ref().map(|service| &*service.name);
        let reason = match service {
            Some(service) if splits.is_some_and(|splits| splits.of(service).is_some()) => {
                (format!("the requests of {service:?} are shared by split"), "leave one of the two out")
            }
            Some(service) if service == canary.service => {
                (format!("{service:?} is the backend itself"), "write the name of another Service")
            }
            Some(_) => {
                is_used = true;
                continue;
            }
            None => (
                "a resource is the backend".to_owned(),
                "write the annotation on an Ingress for Services alone",
            ),
        };
        reasons.insert(reason);
    }
    if !is_used && reasons.is_empty() {
        let why = "a canary is for the paths of rules, and there is none".to_owned();
        reasons.insert((why, "write http.paths, for example a Prefix / with a backend"));
    }
    let whole =
        if is_used { "the annotation has no effect on some paths" } else { "the annotation has no effect" };
    for (why, help) in reasons {
        let field = annotations::field(annotations::CANARY_SERVICE);
        out.find(Code::IgnoredField, object, field, format!("{whole}: {why}"), help);
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
fn report_ignored(stored: &Stored<Ingress>, config: &Config, out: &mut Output) {
    for name in stored.object.metadata.annotations.iter().flat_map(|annotations| annotations.keys()) {
        let is_ours = annotations::own_name(name).is_some() || config.custom(name).is_some();
        if !is_ours && speaks_to_a_controller(name) {
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
