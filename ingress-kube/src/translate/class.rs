//! Which Ingresses are served (ruling R11).
//!
//! The annotation `kubernetes.io/ingress.class` beats `spec.ingressClassName`; an empty text counts as
//! absent. *Named* is the one class that the configuration names, if it names one. A class is *ours* when
//! its `spec.controller` is the configured one and it is the named one, if any is named. The *default
//! class* is the IngressClass annotated `ingressclass.kubernetes.io/is-default-class: "true"`; of several
//! the newest, then the first by name, as the API server's admission plugin has it.
//!
//! | the Ingress has | and | result |
//! |---|---|---|
//! | annotation | it is the named class | served |
//! | annotation | another class is named | left to others |
//! | annotation | no class is named | not served, warning |
//! | field | an IngressClass of that name is ours | served |
//! | field | an IngressClass of that name is not ours | left to others |
//! | field | no such IngressClass, but it is the named class | served |
//! | field | no such IngressClass, and another class is named | left to others |
//! | field | no such IngressClass, and no class is named | not served, warning |
//! | neither | the option for class-less Ingresses is on | served |
//! | neither | there is a default class | as if the field named it |
//! | neither | no default class, no IngressClass at all, no class is named | served |
//! | neither | no default class otherwise | not served, warning |
//!
//! The last row but one is a plain directory of manifests, written by somebody who has never heard of
//! classes: what it holds is meant for the gateway that it was given to.

use std::cmp::Reverse;
use std::sync::Arc;

use ingress_core::Code;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};

use super::Output;
use crate::store::Stored;
use crate::{Config, Store};

const ANNOTATION: &str = "kubernetes.io/ingress.class";
const DEFAULT_ANNOTATION: &str = "ingressclass.kubernetes.io/is-default-class";

/// The IngressClass objects, read with the configuration in mind.
#[derive(Clone, Copy)]
pub(super) struct Classes<'a> {
    store: &'a Store,
    config: &'a Config,
    default: Option<&'a str>,
}

/// Who serves an Ingress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Us,
    /// Another controller.
    Other,
    /// Nobody; there is a finding.
    Nobody,
}

/// What is to be done with an Ingress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Served,
    Foreign,
    /// Not served, and nobody may know why: the annotation names a class while none is configured.
    Annotated,
    /// Not served: the field names a class that does not exist.
    Dangling,
    /// Not served: it names no class, and nothing says that it is ours.
    Classless,
}

/// The name of the default class.
pub(super) fn default(store: &Store) -> Option<Arc<str>> {
    let default = store.classes.iter().filter(|class| is_default(&class.object));
    let default = default.min_by_key(|class| (Reverse(class.source.created), class.name.clone()));
    default.map(|class| class.name.clone())
}

impl<'a> Classes<'a> {
    /// `default` is what [`default`] finds.
    pub(super) fn new(store: &'a Store, config: &'a Config, default: Option<&'a str>) -> Self {
        Self { store, config, default }
    }

    /// Who serves the Ingress. Reports it where its author may expect that somebody does.
    pub(super) fn owner(&self, stored: &Stored<Ingress>, out: &mut Output) -> Owner {
        let annotation = annotation(&stored.object);
        let field = field(&stored.object);
        let verdict = self.verdict(annotation, field);
        let (at, message, help) = match verdict {
            Verdict::Served => return Owner::Us,
            Verdict::Foreign => return Owner::Other,
            Verdict::Annotated => {
                let name = annotation.unwrap_or_default();
                (
                    "metadata.annotations[kubernetes.io/ingress.class]",
                    format!("class {name:?} is not served, because no class is configured"),
                    format!(
                        "start the gateway with --ingress-class {name}, or write spec.ingressClassName instead"
                    ),
                )
            }
            Verdict::Dangling => {
                let name = field.unwrap_or_default();
                let controller = &self.config.controller_class;
                (
                    "spec.ingressClassName",
                    format!("IngressClass {name:?} does not exist, so this Ingress is not served"),
                    format!(
                        "start the gateway with --ingress-class {name}, or add an IngressClass {name} with spec.controller: {controller}"
                    ),
                )
            }
            Verdict::Classless => (
                "spec.ingressClassName",
                "it names no class and no IngressClass is the default, so this Ingress is not served".into(),
                self.classless_help(),
            ),
        };
        out.find(Code::UnknownClass, &stored.source, at, message, help);
        Owner::Nobody
    }

    /// The classes that are ours.
    pub(super) fn ours(&self) -> impl Iterator<Item = &'a Stored<IngressClass>> {
        self.store.classes.iter().filter(|class| self.is_ours(class))
    }

    /// The name of the class that an Ingress of ours belongs to, if it belongs to one.
    pub(super) fn name_of<'s>(&'s self, ingress: &'s Ingress) -> Option<&'s str> {
        let default = self.default.filter(|_| !self.config.watch_ingress_without_class);
        annotation(ingress).or(field(ingress)).or(default)
    }

    /// A class that is named in the configuration but belongs to another controller is a likely mistake.
    pub(super) fn report(&self, out: &mut Output) {
        let Some(named) = &self.config.ingress_class else { return };
        let Some(class) = self.store.classes.get("", named).filter(|class| !self.is_ours(class)) else {
            return;
        };
        let theirs = controller(&class.object);
        let message = format!(
            "the gateway is configured to serve this class, but its controller is {theirs:?} and not {:?}",
            self.config.controller_class
        );
        let help = format!("start the gateway with --controller-class {theirs}, or change spec.controller");
        out.find(Code::UnknownClass, &class.source, "spec.controller", message, help);
    }

    fn verdict(&self, annotation: Option<&str>, field: Option<&str>) -> Verdict {
        let named = self.config.ingress_class.as_deref();
        match (annotation, field) {
            (Some(class), _) if named == Some(class) => Verdict::Served,
            (Some(_), _) if named.is_some() => Verdict::Foreign,
            (Some(_), _) => Verdict::Annotated,
            (None, Some(class)) => self.by_name(class),
            (None, None) if self.config.watch_ingress_without_class => Verdict::Served,
            (None, None) => match self.default {
                Some(class) => self.by_name(class),
                None if self.store.classes.is_empty() && named.is_none() => Verdict::Served,
                None => Verdict::Classless,
            },
        }
    }

    fn by_name(&self, name: &str) -> Verdict {
        let named = self.config.ingress_class.as_deref();
        match self.store.classes.get("", name) {
            Some(class) if self.is_ours(class) => Verdict::Served,
            Some(_) => Verdict::Foreign,
            None if named == Some(name) => Verdict::Served,
            None if named.is_some() => Verdict::Foreign,
            None => Verdict::Dangling,
        }
    }

    fn is_ours(&self, class: &Stored<IngressClass>) -> bool {
        let named = self.config.ingress_class.as_deref();
        controller(&class.object) == self.config.controller_class
            && named.is_none_or(|named| named == &*class.name)
    }

    fn classless_help(&self) -> String {
        let ours = self.ours().next().map(|class| &*class.name);
        let name = ours.or(self.config.ingress_class.as_deref()).unwrap_or("NAME");
        format!(
            "write spec.ingressClassName: {name}, or start the gateway with --watch-ingress-without-class"
        )
    }
}

fn annotation(ingress: &Ingress) -> Option<&str> {
    let annotations = ingress.metadata.annotations.as_ref()?;
    annotations.get(ANNOTATION).map(String::as_str).filter(|class| !class.is_empty())
}

fn field(ingress: &Ingress) -> Option<&str> {
    ingress.spec.as_ref()?.ingress_class_name.as_deref().filter(|class| !class.is_empty())
}

fn controller(class: &IngressClass) -> &str {
    class.spec.as_ref().and_then(|spec| spec.controller.as_deref()).unwrap_or_default()
}

fn is_default(class: &IngressClass) -> bool {
    let annotations = class.metadata.annotations.as_ref();
    annotations
        .and_then(|annotations| annotations.get(DEFAULT_ANNOTATION))
        .is_some_and(|value| value == "true")
}
