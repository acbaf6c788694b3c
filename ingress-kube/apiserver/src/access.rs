//! Who may do what: RBAC with one user.

use crate::call::Call;
use crate::failure::Failure;

const USER: &str = "system:serviceaccount:ingress:gateway";

/// One verb on one resource that is allowed, as a rule of a ClusterRole (or, with a namespace, of a Role).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Allowed {
    /// `get`, `list`, `watch`, `create`, `update`, `patch` or `delete`; `*` for all.
    pub verb: String,
    /// The API group; empty for the core group.
    pub group: String,
    /// The plural, with the subresource if there is one: `ingresses/status`.
    pub resource: String,
    /// Where; `None` for the whole cluster.
    pub namespace: Option<String>,
}

impl Allowed {
    /// In all namespaces.
    pub fn new(verb: impl Into<String>, group: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { verb: verb.into(), group: group.into(), resource: resource.into(), namespace: None }
    }

    /// In one namespace only.
    #[must_use]
    pub fn in_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    fn allows(&self, verb: &str, call: &Call) -> bool {
        (self.verb == "*" || self.verb == verb)
            && self.group == call.kind.group
            && self.resource == call.resource()
            && self.namespace.as_ref().is_none_or(|namespace| call.namespace.as_ref() == Some(namespace))
    }
}

/// Whether the rules, if there are any, allow this verb where the call is about to use it.
pub(crate) fn check(rules: Option<&[Allowed]>, verb: &str, call: &Call) -> Result<(), Failure> {
    if rules.is_none_or(|rules| rules.iter().any(|rule| rule.allows(verb, call))) {
        return Ok(());
    }
    let kind = call.kind;
    let name = call.name.as_deref().unwrap_or_default();
    let subject = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
    let scope = match &call.namespace {
        Some(namespace) => format!("in the namespace \"{namespace}\""),
        None => "at the cluster scope".to_owned(),
    };
    let message = format!(
        "{}{subject} is forbidden: User \"{USER}\" cannot {verb} resource \"{}\" in API group \"{}\" {scope}",
        kind.resource(),
        call.resource(),
        kind.group,
    );
    Err(Failure::new(403, "Forbidden", message).about(kind, name))
}
