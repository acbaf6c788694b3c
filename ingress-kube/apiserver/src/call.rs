//! What a request asks for: verb, kind, names and options.

use std::collections::BTreeMap;

use http::{HeaderMap, Method, Uri, header};

use crate::failure::Failure;
use crate::form::Form;
use crate::kind::Kind;

/// A request for objects.
#[derive(Debug)]
pub(crate) struct Call {
    /// As RBAC has it.
    pub(crate) verb: &'static str,
    pub(crate) kind: &'static Kind,
    /// `None` for all namespaces, and for kinds that have none.
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    /// Whether it is about the `status` subresource.
    pub(crate) status: bool,
    pub(crate) query: BTreeMap<String, String>,
    /// Who owns the fields that the request sets: `fieldManager`, or else the name of the client.
    pub(crate) manager: String,
}

impl Call {
    /// `None` for what isn't a path of an object or of a collection.
    pub(crate) fn parse(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let path = Path::parse(uri.path())?;
        let query: BTreeMap<String, String> =
            form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let watches = query.get("watch").is_some_and(|watch| matches!(watch.as_str(), "true" | "1"));
        let verb = match (method.as_str(), &path.name) {
            ("GET", _) if watches => "watch",
            ("GET", None) => "list",
            ("GET", Some(_)) => "get",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", Some(_)) => "delete",
            ("DELETE", None) => "deletecollection",
            _ => "",
        };
        let client =
            headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("unknown");
        let client = client.split('/').next().unwrap_or_default();
        let manager = query.get("fieldManager").map_or(client, String::as_str).to_owned();
        let Path { kind, namespace, name, status } = path;
        Some(Self { verb, kind, namespace, name, status, query, manager })
    }

    /// A parameter of the query that isn't empty.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.option(name).map(|value| matches!(value, "true" | "1"))
    }

    /// A number in the query.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Failure> {
        let parse = |value: &str| {
            value
                .parse()
                .map_err(|_| Failure::bad_request(format!("invalid {name} \"{value}\": not a number")))
        };
        self.option(name).map(parse).transpose()
    }

    /// The plural, with the subresource: `ingresses/status`.
    pub(crate) fn resource(&self) -> String {
        if self.status { format!("{}/status", self.kind.plural) } else { self.kind.plural.to_owned() }
    }

    /// The key of the one object that the call is about.
    pub(crate) fn key(&self) -> (String, String) {
        (self.namespace.clone().unwrap_or_default(), self.name.clone().unwrap_or_default())
    }

    /// Whether there is such a method on such a path.
    pub(crate) fn is_served(&self) -> bool {
        let one = self.name.is_some() && (self.namespace.is_some() || !self.kind.namespaced);
        match self.verb {
            "list" => true,
            "watch" => !self.status,
            "create" => self.name.is_none() && (self.namespace.is_some() || !self.kind.namespaced),
            "get" | "update" | "patch" => one,
            "delete" => one && !self.status,
            _ => false,
        }
    }

    /// How the client wants objects written.
    pub(crate) fn form(&self, headers: &HeaderMap) -> Result<Form, Failure> {
        let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        Form::negotiate(accept, self.verb)
    }
}

struct Path {
    kind: &'static Kind,
    namespace: Option<String>,
    name: Option<String>,
    status: bool,
}

impl Path {
    fn parse(path: &str) -> Option<Self> {
        let mut parts = path.trim_matches('/').split('/');
        let group = match parts.next()? {
            "api" => "",
            "apis" => parts.next().filter(|group| !group.is_empty())?,
            _ => return None,
        };
        if parts.next()? != "v1" {
            return None;
        }
        let rest: Vec<&str> = parts.collect();
        let (namespace, rest) = match *rest.as_slice() {
            ["namespaces", namespace, plural, ..] if plural != "status" => (Some(namespace), &rest[2..]),
            [_, ..] => (None, &rest[..]),
            [] => return None,
        };
        let kind = Kind::served(group, rest[0])?;
        if namespace.is_some() && !kind.namespaced {
            return None;
        }
        let (name, status) = match rest[1..] {
            [] => (None, false),
            [name] => (Some(name), false),
            [name, "status"] if kind.status => (Some(name), true),
            _ => return None,
        };
        let owned = |text: &str| text.to_owned();
        Some(Self { kind, namespace: namespace.map(owned), name: name.map(owned), status })
    }
}
