//! Reader of the matching cases beside this file.
//!
//! The same cases run through the table, through the tower service and through the gateway over sockets, so
//! this file is included by the tests of several crates:
//!
//! ```ignore
//! #[path = "../../ingress-core/testdata/cases.rs"]
//! mod cases;
//! ```
//!
//! `README.md` beside it says what each field means. Whatever cannot be read is a panic: the data are part
//! of the tests.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses what it needs")]

mod answers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use answers::{Answer, Endpoint, EndpointState, Expect};

/// A set of rules, and what they do with some requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub name: String,
    /// Where the expectations come from.
    pub from: String,
    pub rules: Vec<Rule>,
    /// Services that do not exist.
    #[serde(default)]
    pub missing: Vec<String>,
    /// Services that exist and have no endpoint.
    #[serde(default)]
    pub empty: Vec<String>,
    /// The endpoints of Services that have more than a single ready one.
    #[serde(default)]
    pub endpoints: BTreeMap<String, Vec<EndpointState>>,
    /// The IngressClass objects that exist.
    #[serde(default)]
    pub classes: Vec<Class>,
    /// The one class that the gateway is told to serve.
    pub serve_class: Option<String>,
    /// Names of the Ingresses that nobody serves for want of a class that is ours.
    #[serde(default)]
    pub unserved: Vec<String>,
    /// Whether a host without a fitting path leaves the request to wider hosts.
    #[serde(default)]
    pub host_fallthrough: bool,
    #[serde(default)]
    pub ambiguous_paths: AmbiguousPaths,
    pub requests: Vec<Request>,
    /// The file that holds the group, without folder and ending.
    #[serde(skip)]
    pub file: String,
}

/// One path of an Ingress, or its default backend.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The Ingress that holds the rule: `name` or `namespace/name`.
    #[serde(default = "web")]
    pub ingress: String,
    /// The year at whose beginning the Ingress was created.
    pub created: Option<i64>,
    /// `spec.ingressClassName` of the Ingress.
    pub class: Option<String>,
    /// The annotation `kubernetes.io/ingress.class` of the Ingress.
    pub annotation: Option<String>,
    /// Whether `spec.tls` of the Ingress names the rule's host.
    #[serde(default)]
    pub tls: bool,
    #[serde(default)]
    pub host: String,
    #[serde(default)]
    pub path: String,
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The name of a Service in the Ingress's namespace, whose port is [`PORT`]; or a resource, as
    /// `KIND.GROUP/NAME`.
    #[serde(default)]
    pub backend: String,
    /// In place of `backend`: Services with their weights.
    #[serde(default)]
    pub backends: BTreeMap<String, u32>,
    /// The one method that the rule takes.
    pub method: Option<String>,
    /// What the request's fields have to be.
    #[serde(default)]
    pub headers: BTreeMap<String, ValueMatch>,
    /// What the request's query parameters have to be.
    #[serde(default)]
    pub query: BTreeMap<String, ValueMatch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Kind {
    Exact,
    Prefix,
    ImplementationSpecific,
    /// ImplementationSpecific, with the path's names in braces.
    Template,
    /// ImplementationSpecific, with a regular expression for the path.
    Regex,
    /// `spec.defaultBackend` of the Ingress; has neither host nor path.
    Default,
}

/// What the gateway does with paths that servers read in different ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AmbiguousPaths {
    #[default]
    Compare,
    Reject,
    Trust,
}

/// What the value of a header or query parameter has to be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum ValueMatch {
    /// `name: text`.
    Exact(String),
    /// `name: { pattern: regex }`; the whole value has to fit.
    Pattern { pattern: String },
    /// `name: { present: true }`.
    Present { present: bool },
}

/// An IngressClass.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    pub name: String,
    /// `spec.controller`; the gateway's own unless given.
    pub controller: Option<String>,
    /// Whether it is the default class.
    #[serde(default)]
    pub default: bool,
    /// The year at whose beginning it was created.
    pub created: Option<i64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// What is special about it.
    #[serde(default)]
    pub name: String,
    #[serde(default = "get")]
    pub method: String,
    /// The value of the Host field as it is sent.
    pub host: String,
    /// The request target as it is sent.
    pub path: String,
    /// Further fields.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How often it is sent.
    #[serde(default = "once")]
    pub times: usize,
    pub expect: Expect,
}

/// The port number of every Service.
pub const PORT: u16 = 80;

/// One Ingress object.
#[derive(Clone, Debug)]
pub struct Ingress {
    pub namespace: String,
    pub name: String,
    /// `metadata.creationTimestamp` in seconds since 1970.
    pub created: Option<i64>,
    pub class: Option<String>,
    pub annotation: Option<String>,
    pub default_backend: Option<String>,
    /// All but the default backend, in the order of the file.
    pub rules: Vec<Rule>,
}

/// All groups that can be written as Ingress objects without annotations of ours, in the order of the files' names.
pub fn all() -> Vec<Group> {
    files(|name| !name.ends_with(CONDITIONAL)).iter().flat_map(|file| read(file)).collect()
}

/// All groups whose rules have conditions or shares, which Ingress objects say with annotations.
pub fn conditional() -> Vec<Group> {
    files(|name| name.ends_with(CONDITIONAL)).iter().flat_map(|file| read(file)).collect()
}

const CONDITIONAL: &str = ".httproute.yaml";

fn files(wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../ingress-core/testdata"));
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder entry").path()).collect();
    files.retain(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".yaml") && wanted(&name)
    });
    files.sort();
    files
}

fn read(file: &Path) -> Vec<Group> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut groups = parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    for group in &mut groups {
        group.file = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        group.check();
    }
    groups
}

/// The groups of a text.
pub fn parse(text: &str) -> Result<Vec<Group>, serde_saphyr::Error> {
    serde_saphyr::from_str(text)
}

fn web() -> String {
    "web".into()
}

fn get() -> String {
    "GET".into()
}

fn once() -> usize {
    1
}

// ===== impl Group =====

impl Group {
    /// The group's Ingress objects, by namespace and name.
    pub fn ingresses(&self) -> Vec<Ingress> {
        let mut objects = BTreeMap::new();
        for rule in &self.rules {
            let (namespace, name) = rule.ingress_name();
            let object = objects.entry((namespace, name)).or_insert_with(|| Ingress {
                namespace: namespace.into(),
                name: name.into(),
                created: None,
                class: None,
                annotation: None,
                default_backend: None,
                rules: Vec::new(),
            });
            object.created = object.created.or(rule.created.map(seconds));
            object.class = object.class.take().or_else(|| rule.class.clone());
            object.annotation = object.annotation.take().or_else(|| rule.annotation.clone());
            match rule.kind {
                Kind::Default => object.default_backend = Some(rule.backend.clone()),
                _ => object.rules.push(rule.clone()),
            }
        }
        objects.into_values().collect()
    }

    /// The same without those that no class makes ours: for whoever knows no classes.
    pub fn served_ingresses(&self) -> Vec<Ingress> {
        let mut ingresses = self.ingresses();
        ingresses.retain(|ingress| !self.unserved.contains(&ingress.name));
        ingresses
    }

    /// Namespace and name of every Service that a rule names and that is not missing.
    pub fn services(&self) -> Vec<(String, String)> {
        let named = self.rules.iter().flat_map(|rule| {
            let namespace = rule.ingress_name().0;
            rule.services().into_iter().map(|(name, _)| (namespace.to_owned(), name.to_owned()))
        });
        let mut services: Vec<_> = named.filter(|(_, name)| !self.missing.contains(name)).collect();
        services.sort();
        services.dedup();
        services
    }

    fn check(&self) {
        let name = &self.name;
        assert!(!name.is_empty() && !self.from.is_empty(), "{name}: a group says what it shows, and whence");
        for rule in &self.rules {
            assert_ne!(rule.backend.is_empty(), rule.backends.is_empty(), "{name}: backend or backends");
            let bare = rule.host.is_empty() && rule.path.is_empty();
            assert!(rule.kind != Kind::Default || bare, "{name}: a default backend has no host or path");
        }
        let known = |service: &str| {
            let mut services = self.rules.iter().flat_map(Rule::services);
            services.any(|(name, _)| name == service) && !self.used_endpoints(service).is_empty()
        };
        for request in &self.requests {
            let right = match &request.expect {
                Expect::Status(status) => [400, 404, 503].contains(status),
                Expect::Service(service) => known(service),
                Expect::Shares(shares) => request.times >= 100 && shares.keys().all(|service| known(service)),
            };
            assert!(right && request.times > 0, "{name}: {:?} cannot be expected", request.expect);
            let graphic = request.path.bytes().all(|byte| byte.is_ascii_graphic());
            let sendable = request.path.starts_with('/') && graphic;
            assert!(sendable, "{name}: a client cannot send the path {:?}", request.path);
        }
    }
}

// ===== impl Rule =====

impl Rule {
    /// Namespace and name of the Ingress.
    pub fn ingress_name(&self) -> (&str, &str) {
        self.ingress.split_once('/').unwrap_or(("default", &self.ingress))
    }

    /// The names of its Services, with their weights.
    pub fn services(&self) -> Vec<(&str, u32)> {
        let one = Some((&*self.backend, 1)).filter(|(name, _)| !name.is_empty() && resource(name).is_none());
        one.into_iter().chain(self.backends.iter().map(|(name, weight)| (&**name, *weight))).collect()
    }
}

/// API group, kind and name of a backend that is a resource.
pub fn resource(backend: &str) -> Option<(&str, &str, &str)> {
    let (kind, name) = backend.split_once('/')?;
    let (kind, group) = kind.split_once('.').unwrap_or((kind, ""));
    Some((group, kind, name))
}

// ===== impl Ingress =====

impl Ingress {
    /// The hosts of its rules, each once.
    pub fn hosts(&self) -> Vec<&str> {
        let mut hosts: Vec<_> = self.rules.iter().map(|rule| rule.host.as_str()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// `metadata.creationTimestamp` as Kubernetes writes it.
    pub fn creation_timestamp(&self) -> Option<String> {
        let created = self.created?;
        let year = (1970..).find(|&year| seconds(year) >= created)?;
        Some(timestamp(year))
    }
}

/// The beginning of a year as Kubernetes writes it.
pub fn timestamp(year: i64) -> String {
    format!("{year}-01-01T00:00:00Z")
}

/// The beginning of a year in seconds since 1970; good from 1970 to 2100.
fn seconds(year: i64) -> i64 {
    ((year - 1970) * 365 + (year - 1969) / 4) * 86_400
}
