//! Annotations of the domain `ingress.gateway`: which there are, and what an Ingress or a Service says with them.
//!
//! A new one needs a line in the table of its family (in `list` for those about matching), a parser beside it, and a
//! field in [`Settings`] or in its [`Treatment`]. The parameters of an IngressClass hold the same names without the
//! domain, as defaults.

mod access;
mod affinity_cookie;
mod balance;
mod basic_auth;
mod callee;
mod canary;
mod client_certificate;
mod client_limits;
mod compression;
mod conditions;
mod cors;
mod custom;
mod error_pages;
mod external_auth;
mod fault;
mod fixed;
mod headers;
mod health_check;
mod jwt;
mod known;
mod list;
mod mirror;
mod named;
mod passthrough;
mod path_syntax;
mod policy;
mod resilience;
mod rewrite;
mod split;
mod values;

use std::sync::Arc;

use http::{HeaderName, Method};
use ingress_core::{Code, Conditions, Diagnostic, ObjectRef, PathMatch, Policy, Source, ValueMatch};
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

pub(super) use callee::{Found, NamedCallee};
pub(super) use canary::{SERVICE as CANARY_SERVICE, Share as CanaryShare};
pub(crate) use fault::{Fault, Vain};
pub(super) use named::{NamedSecret, NamedService};
pub(super) use passthrough::NAME as PASSTHROUGH;
pub(super) use path_syntax::PathSyntax;
pub(super) use split::Splits;

use fault::CLOSED;
use known::{find, instead, meant, names};
use list::ANNOTATIONS;
pub use list::{Annotation, Scope, Unreadable, ValueKind};
use policy::Treatment;

use super::Output;
use crate::Config;
use crate::store::Stored;

/// What stands in front of every name.
const DOMAIN: &str = "ingress.gateway/";

/// Why what is said of endpoints is said of a Service only.
const OF_ENDPOINTS: &str = "is about endpoints, which all routes to a Service share";
/// A value; the finding about it where it cannot be used; nothing where it is not written.
type Setting<T> = Option<Result<T, Diagnostic>>;

/// What the annotations of an Ingress say, and the parameters of its class where it says nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings<'a> {
    pub(super) path_syntax: Setting<PathSyntax>,
    methods: Setting<Vec<Method>>,
    headers: Setting<Vec<(HeaderName, ValueMatch)>>,
    queries: Setting<Vec<(Box<str>, ValueMatch)>>,
    pub(super) split: Setting<Splits<'a>>,
    /// Whether connections are not decrypted.
    pub(super) passes_tls: bool,
    treatment: Treatment,
}

/// All annotations of the domain `ingress.gateway` that are read, for help texts and documents.
pub fn annotations() -> &'static [Annotation] {
    &ANNOTATIONS
}

/// The name behind our domain, for an annotation that has it.
pub(super) fn own_name(annotation: &str) -> Option<&str> {
    annotation.strip_prefix(DOMAIN)
}

/// The key of an annotation of ours.
pub(super) fn key(name: &str) -> String {
    format!("{DOMAIN}{name}")
}

/// The field of an annotation of ours.
pub(super) fn field(name: &str) -> String {
    format!("metadata.annotations[{DOMAIN}{}]", name.escape_debug())
}

/// What the annotations that make up a policy name of a route's path that it does not have: the annotation's name and
/// the part's.
pub(super) fn unknown_parts<'p>(policy: &'p Policy, path: &PathMatch) -> Vec<(&'static str, &'p str)> {
    let names = path.names();
    let captures = rewrite::captures(policy).chain(headers::captures(policy));
    captures.filter(|(_, part)| names.iter().all(|name| name != part)).collect()
}

/// Whether an object itself has one of our annotations.
pub(super) fn has(metadata: &ObjectMeta, name: &str) -> bool {
    let annotations = metadata.annotations.iter().flat_map(|annotations| annotations.keys());
    annotations.filter_map(|annotation| own_name(annotation)).any(|own| own == name)
}

// ===== impl Settings =====

impl<'a> Settings<'a> {
    /// What the parameters of a class say.
    pub(super) fn of_class(parameters: &'a Stored<ConfigMap>, out: &mut Output) -> Self {
        let mut settings = Self::default();
        for (key, text) in parameters.object.data.iter().flatten() {
            let field = match key.contains('.') {
                true => format!("data[{}]", key.escape_debug()),
                false => format!("data.{}", key.escape_debug()),
            };
            match find(key) {
                Some(known) if known.scope.has_classes() => {
                    settings.set(known, text, &parameters.source, &field, out);
                }
                Some(known) => {
                    let (why, place) = match known.scope {
                        Scope::Endpoints => (OF_ENDPOINTS, "Service"),
                        _ => ("names objects beside one Ingress", "Ingress"),
                    };
                    let message = format!("{key} {why}, so a class cannot have it");
                    let help = format!("write the annotation {DOMAIN}{key} on the {place}");
                    let help = settings.closed_with(known.unreadable, help);
                    out.find(Code::InvalidAnnotation, &parameters.source, field, message, help);
                }
                None => {
                    let message = format!("{key:?} is no parameter of a class, and has no effect");
                    let help = instead(key, "", names(Scope::has_classes));
                    let help = settings.closed_with(meant(key), help);
                    out.find(Code::UnknownAnnotation, &parameters.source, field, message, help);
                }
            }
        }
        if parameters.object.binary_data.as_ref().is_some_and(|data| !data.is_empty()) {
            let help = "write the parameters into data";
            out.find(Code::IgnoredField, &parameters.source, "binaryData", "the field has no effect", help);
        }
        settings
    }

    /// What stands where it has no effect may have been meant to keep somebody out: then nobody may send requests, which the
    /// help says.
    fn closed_with(&mut self, meant: Unreadable, help: String) -> String {
        if meant != Unreadable::Closed {
            return help;
        }
        self.treatment.policy.access.closed = true;
        format!("{help}; until then {CLOSED}")
    }

    /// What a class says lives on without its ConfigMap: a split, which alone borrows from it, is not for classes.
    pub(super) fn without_split(self) -> Settings<'static> {
        let Self { path_syntax, methods, headers, queries, split: _, passes_tls, treatment } = self;
        Settings { path_syntax, methods, headers, queries, split: None, passes_tls, treatment }
    }

    /// Takes over what an Ingress says itself.
    pub(super) fn read(mut self, ingress: &'a Stored<Ingress>, config: &Config, out: &mut Output) -> Self {
        let of_class = std::mem::take(&mut self.treatment.balancing);
        let headers_of_class = std::mem::take(&mut self.treatment.policy.headers);
        if has(&ingress.object.metadata, "backend-ca-secret") {
            // Who names whom to trust does not mean everybody, as the class may.
            self.treatment.policy.tls.verify = None;
        }
        for (annotation, text) in ingress.object.metadata.annotations.iter().flatten() {
            if let Some(custom) = config.custom(annotation) {
                self.set_custom(custom, text, &ingress.source, out);
                continue;
            }
            let Some(name) = own_name(annotation) else { continue };
            match find(name) {
                Some(known) if known.scope.has_ingresses() => {
                    self.set(known, text, &ingress.source, &field(name), out);
                }
                Some(_) => {
                    let message = format!("{annotation} {OF_ENDPOINTS}, so an Ingress cannot have it");
                    let help = "write it on the Service";
                    out.find(Code::InvalidAnnotation, &ingress.source, field(name), message, help);
                }
                None => {
                    let meant = meant(name);
                    let so = match meant {
                        Unreadable::Closed => "and what it was meant for may keep somebody out",
                        _ => "so it has no effect",
                    };
                    let message = format!("there is no annotation {annotation:?}, {so}");
                    let help = instead(name, DOMAIN, names(Scope::has_ingresses));
                    let help = self.closed_with(meant, help);
                    out.find(Code::UnknownAnnotation, &ingress.source, field(name), message, help);
                }
            }
        }
        self.treatment.balancing = std::mem::take(&mut self.treatment.balancing).over(of_class);
        self.treatment.policy.headers = self.treatment.policy.headers.or(&headers_of_class);
        self
    }

    /// What a Service says of its endpoints.
    pub(super) fn of_service(service: &'a Stored<Service>, out: &mut Output) -> Self {
        let mut settings = Self::default();
        for (annotation, text) in service.object.metadata.annotations.iter().flatten() {
            let Some(name) = own_name(annotation) else { continue };
            match find(name) {
                Some(known) if known.scope.has_services() => {
                    settings.set(known, text, &service.source, &field(name), out);
                }
                Some(_) => {
                    let message = format!("{annotation} is about routes, so a Service cannot have it");
                    let help = "write it on the Ingress";
                    out.find(Code::InvalidAnnotation, &service.source, field(name), message, help);
                }
                None => {
                    let message = format!("there is no annotation {annotation:?}, so it has no effect");
                    let help = instead(name, DOMAIN, names(Scope::has_services));
                    out.find(Code::UnknownAnnotation, &service.source, field(name), message, help);
                }
            }
        }
        for vain in settings.in_vain() {
            out.find(Code::IgnoredField, &service.source, field(vain.name), vain.message(), vain.help());
        }
        settings
    }

    /// What a name and a value say that hold for a whole gateway.
    pub(crate) fn set_default(&mut self, name: &str, text: &str) -> Result<(), Fault> {
        let Some(known) = find(name).filter(|known| known.scope.has_gateways()) else {
            let message = format!("there is no policy {name:?}");
            return Err(Fault::new(message, instead(name, "", names(Scope::has_gateways))));
        };
        let mut found = None;
        let mut settings = self.clone();
        (known.read)(&mut settings, text, &mut |fault: Fault| {
            let finding = Diagnostic::new(Code::InvalidAnnotation, None, &*fault.message, &*fault.help);
            found = Some(fault);
            finding
        });
        if let Some(fault) = found {
            return Err(fault);
        }
        if let Some((_, part)) = headers::captures(&settings.treatment.policy).next() {
            let message = format!("{{{part}}} is no variable, and a gateway has no path with that name");
            return Err(Fault::new(message, "write a variable, such as {host} or {client}"));
        }
        *self = settings.without_split();
        Ok(())
    }

    /// What a request must meet besides host and path; the finding, if that cannot be read. Then no request
    /// may be taken, for the rules would take more than their author means.
    pub(super) fn conditions(&self) -> Result<Conditions, &Diagnostic> {
        let mut conditions = Conditions::default();
        for method in list(&self.methods)? {
            conditions = conditions.method(method);
        }
        for (name, value) in list(&self.headers)? {
            conditions = conditions.header(name, value.clone());
        }
        for (name, value) in list(&self.queries)? {
            conditions = conditions.query(name, value.clone());
        }
        Ok(conditions)
    }

    /// How requests are treated, if anything is said of that.
    pub(super) fn policy(&self) -> Option<Arc<Policy>> {
        Some(self.treatment.policy(self.splits())).filter(|policy| !policy.is_empty()).map(Arc::new)
    }

    /// What is said here of how requests are treated, and has no effect for want of something else.
    pub(super) fn in_vain(&self) -> Vec<Vain> {
        let mut vain = self.treatment.in_vain(self.splits());
        let policy = &self.treatment.policy;
        // Of closed paths, a limit may be said that cannot be read.
        if !policy.access.closed {
            vain.extend(client_limits::in_vain(&policy.client_limits));
        }
        vain
    }

    /// How a gateway treats requests where nothing else is said, and what of that is said in vain.
    pub(crate) fn of_gateway(&self) -> (Policy, Vec<Vain>) {
        // Any Ingress may have a split, and say that there is maintenance.
        let mut vain = self.treatment.in_vain(true);
        vain.retain(|vain| !vain.name.starts_with("maintenance-"));
        let mut policy = self.treatment.policy(true);
        client_limits::name(&mut policy.client_limits, || "gateway".into());
        (policy, vain)
    }

    /// Says whose the limits of clients are, so that no other Ingress with equal ones shares what is counted.
    pub(super) fn name_limits(&mut self, object: &ObjectRef) {
        let name = || format!("{}/{}", object.namespace, object.name).into();
        client_limits::name(&mut self.treatment.policy.client_limits, name);
    }

    /// Whether there are shares of a backend among which a request's key may choose.
    fn splits(&self) -> bool {
        matches!(self.split, Some(Ok(_))) || self.canary().is_some()
    }

    /// The Secrets that are named here, once.
    pub(super) fn take_secrets(&mut self) -> Vec<NamedSecret> {
        std::mem::take(&mut self.treatment.secrets)
    }

    /// The Services that are named here besides those of the rules, once.
    pub(super) fn take_services(&mut self) -> Vec<NamedService> {
        std::mem::take(&mut self.treatment.services)
    }

    /// Whom the gateway is to ask on its own account, once.
    pub(super) fn take_callees(&mut self) -> Vec<NamedCallee> {
        std::mem::take(&mut self.treatment.callees)
    }

    /// What is said of how requests are treated, to be completed with what is in other objects.
    pub(super) fn policy_mut(&mut self) -> &mut Policy {
        &mut self.treatment.policy
    }

    fn set(
        &mut self,
        known: &Annotation,
        text: &'a str,
        object: &Arc<ObjectRef>,
        field: &str,
        out: &mut Output,
    ) {
        let mut report = |fault: Fault| {
            let source = Source::new(object.clone(), field);
            let finding = Diagnostic::new(Code::InvalidAnnotation, source, fault.message, fault.help);
            out.findings.push(finding.clone());
            finding
        };
        (known.read)(self, text, &mut report);
    }
}

fn list<T>(setting: &Setting<Vec<T>>) -> Result<&[T], &Diagnostic> {
    match setting {
        None => Ok(&[]),
        Some(Ok(list)) => Ok(list),
        Some(Err(finding)) => Err(finding),
    }
}

/// The lines of a value that say something, each with its number from 1.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty())
}
