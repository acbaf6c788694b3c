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

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A set of rules, and what they do with some requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub name: String,
    pub rules: Vec<Rule>,
    /// Services that do not exist.
    #[serde(default)]
    pub missing: Vec<String>,
    /// Services that exist and have no endpoint.
    #[serde(default)]
    pub empty: Vec<String>,
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
    #[serde(default)]
    pub host: String,
    #[serde(default)]
    pub path: String,
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The name of a Service in the Ingress's namespace; its port is [`PORT`].
    pub backend: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Kind {
    Exact,
    Prefix,
    ImplementationSpecific,
    /// `spec.defaultBackend` of the Ingress; has neither host nor path.
    Default,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The value of the Host field as it is sent.
    pub host: String,
    /// The request target as it is sent.
    pub path: String,
    pub expect: Expect,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Expect {
    /// No Service answers: 400, 404 or 503.
    Status(u16),
    /// The Service of this name answers.
    Service(String),
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
    pub default_backend: Option<String>,
    /// All but the default backend, in the order of the file.
    pub rules: Vec<Rule>,
}

/// All groups of all files, in the order of their names.
pub fn all() -> Vec<Group> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../ingress-core/testdata"));
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    files.iter().flat_map(|file| read(file)).collect()
}

fn read(file: &Path) -> Vec<Group> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut groups: Vec<Group> =
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    for group in &mut groups {
        group.file = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        group.check();
    }
    groups
}

fn web() -> String {
    "web".into()
}

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
                default_backend: None,
                rules: Vec::new(),
            });
            object.created = object.created.or(rule.created.map(seconds));
            match rule.kind {
                Kind::Default => object.default_backend = Some(rule.backend.clone()),
                _ => object.rules.push(rule.clone()),
            }
        }
        objects.into_values().collect()
    }

    /// Namespace and name of every Service that a rule names and that is not missing.
    pub fn services(&self) -> Vec<(String, String)> {
        let named = self.rules.iter().map(|rule| (rule.ingress_name().0.to_owned(), rule.backend.clone()));
        let mut services: Vec<_> = named.filter(|(_, name)| !self.missing.contains(name)).collect();
        services.sort();
        services.dedup();
        services
    }

    /// Whether a Service of this name has an endpoint.
    pub fn has_endpoint(&self, service: &str) -> bool {
        ![&self.missing, &self.empty].iter().any(|list| list.iter().any(|name| name == service))
    }

    /// `file: group: request`, for the message of a failed assertion.
    pub fn label(&self, request: &Request) -> String {
        format!("{}.yaml: {}: host {:?} path {:?}", self.file, self.name, request.host, request.path)
    }

    fn check(&self) {
        for rule in self.rules.iter().filter(|rule| rule.kind == Kind::Default) {
            assert!(
                rule.host.is_empty() && rule.path.is_empty(),
                "{}: a default backend has no host or path",
                self.name
            );
        }
        for request in &self.requests {
            let known = match &request.expect {
                Expect::Status(status) => [400, 404, 503].contains(status),
                Expect::Service(name) => {
                    self.rules.iter().any(|rule| rule.backend == *name) && self.has_endpoint(name)
                }
            };
            assert!(known, "{}: {:?} cannot be expected", self.name, request.expect);
            let sendable =
                request.path.starts_with('/') && request.path.bytes().all(|byte| byte.is_ascii_graphic());
            assert!(sendable, "{}: a client cannot send the path {:?}", self.name, request.path);
        }
    }
}

impl Rule {
    /// Namespace and name of the Ingress.
    pub fn ingress_name(&self) -> (&str, &str) {
        self.ingress.split_once('/').unwrap_or(("default", &self.ingress))
    }
}

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
        Some(format!("{year}-01-01T00:00:00Z"))
    }
}

/// The beginning of a year in seconds since 1970; good from 1970 to 2100.
fn seconds(year: i64) -> i64 {
    ((year - 1970) * 365 + (year - 1969) / 4) * 86_400
}
