//! The rules of an Ingress whose connections are not decrypted.

use std::sync::Arc;

use ingress_core::{Code, Diagnostic, HostMatch, Policy, Rule, Source};
use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress};

use super::annotations::Settings;
use super::backend::Place;
use super::{Output, annotations, backend, path, with_policy};
use crate::Config;
use crate::store::Stored;

/// What of an Ingress is the same for its hosts.
pub(super) struct Passing<'a> {
    pub(super) stored: &'a Stored<Ingress>,
    pub(super) config: &'a Config,
    pub(super) policy: Option<&'a Arc<Policy>>,
    pub(super) settings: &'a Settings<'a>,
}

impl Passing<'_> {
    /// Adds the rule of one host: the backend of its path `/` takes the connections. Without one nothing is served, for
    /// nobody said that it may be decrypted.
    pub(super) fn translate(
        &self,
        host: &HostMatch,
        index: usize,
        paths: &[HTTPIngressPath],
        out: &mut Output,
    ) {
        let field = format!("spec.rules[{index}]");
        let refusal = |message: &str, help: &str| {
            let source = Source::new(self.stored.source.clone(), &*field);
            Diagnostic::new(Code::InvalidAnnotation, source, message, help)
        };
        if *host == HostMatch::Any {
            let message = "TLS of all hosts cannot be passed through, so the rule is not served";
            let help = format!("write a host, or leave out {}", annotations::key(annotations::PASSTHROUGH));
            return out.refuse(Some(host), None, refusal(message, &help));
        }
        match self.settings.conditions() {
            Err(finding) => return out.refuse(Some(host), None, finding.clone()),
            Ok(conditions) if !conditions.is_empty() => {
                let message = "what requests must meet cannot be seen in connections that are not decrypted, so the rule is not served";
                let help = format!(
                    "leave out {}, or the annotations match-*",
                    annotations::key(annotations::PASSTHROUGH)
                );
                return out.refuse(Some(host), None, refusal(message, &help));
            }
            Ok(_) => {}
        }
        let is_root = |path: &&HTTPIngressPath| path.path.as_deref().unwrap_or("/") == "/";
        let root = paths.iter().enumerate().find(|(_, path)| is_root(path));
        let Some((number, root)) = root else {
            let message =
                "there is no path / whose backend could take connections, so the rule is not served";
            return out.refuse(Some(host), None, refusal(message, "write the path / with a backend"));
        };
        if let (Some(Err(finding)), path::IMPLEMENTATION_SPECIFIC) =
            (&self.settings.path_syntax, &*root.path_type)
        {
            return out.refuse(Some(host), None, finding.clone());
        }
        for (other, _) in paths.iter().enumerate().filter(|(other, _)| *other != number) {
            let message = "the path has no effect: connections are not decrypted, and go to the backend of /";
            let field = format!("{field}.http.paths[{other}]");
            out.find(Code::IgnoredField, &self.stored.source, field, message, "leave it out");
        }
        let place = Place::Path { rule: index, path: number };
        let backend = backend::resolve(self.stored, place, &root.backend, self.config, out);
        let source = Source::new(self.stored.source.clone(), format!("{field}.http.paths[{number}]"));
        let rule = with_policy(Rule::passthrough(host.clone(), backend), self.policy);
        out.rule(rule.with_source(source));
    }
}

/// What is said of requests that nobody sees, and closes their connections.
pub(super) fn report_unproved(stored: &Stored<Ingress>, policy: Option<&Policy>, out: &mut Output) {
    let Some(Policy { authentication, client_limits, maintenance, answer, custom, .. }) = policy else {
        return;
    };
    let reasons = [
        (authentication.is_needed(), "nobody can prove anything in them"),
        (client_limits.limits_requests(), "no requests can be counted in them"),
        (maintenance.on == Some(true) || answer.is_some(), "nobody can be answered in them"),
        (!custom.is_default(), "no policy of the program's own can look into them"),
    ];
    let reasons: Vec<_> = reasons.into_iter().filter(|reason| reason.0).map(|reason| reason.1).collect();
    if !reasons.is_empty() {
        let message =
            format!("connections that are not decrypted are closed, because {}", reasons.join(", and "));
        let help = "leave out the annotations that ask for it; the endpoints may do it themselves";
        let field = annotations::field(annotations::PASSTHROUGH);
        out.find(Code::InvalidAnnotation, &stored.source, field, message, help);
    }
}
