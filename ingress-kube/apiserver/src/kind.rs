//! The kinds that are served, and what differs between them.

use serde_json::{Value, json};

/// One kind of objects.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Empty for the core group.
    pub(crate) group: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) namespaced: bool,
    /// Whether there is a `status` subresource.
    pub(crate) status: bool,
    /// Whether `metadata.generation` counts the changes of what isn't metadata or status.
    pub(crate) generation: bool,
    /// Whether an update must say which version it is about.
    pub(crate) conditional: bool,
    /// Fields that must be a time with six digits after the second.
    pub(crate) micro_times: &'static [&'static str],
    /// What a server writes of an object without content, as JSON; so are its bookmarks.
    skeleton: &'static str,
}

const PLAIN: Kind = Kind {
    name: "",
    group: "",
    plural: "",
    namespaced: true,
    status: false,
    generation: false,
    conditional: false,
    micro_times: &[],
    skeleton: "{}",
};

/// All kinds; each has the version `v1`.
pub(crate) static KINDS: [Kind; 9] = [
    Kind {
        name: "Ingress",
        group: "networking.k8s.io",
        plural: "ingresses",
        status: true,
        generation: true,
        skeleton: r#"{"spec":{},"status":{"loadBalancer":{}}}"#,
        ..PLAIN
    },
    Kind {
        name: "IngressClass",
        group: "networking.k8s.io",
        plural: "ingressclasses",
        namespaced: false,
        generation: true,
        skeleton: r#"{"spec":{}}"#,
        ..PLAIN
    },
    Kind {
        name: "Service",
        plural: "services",
        status: true,
        skeleton: r#"{"spec":{},"status":{"loadBalancer":{}}}"#,
        ..PLAIN
    },
    Kind {
        name: "EndpointSlice",
        group: "discovery.k8s.io",
        plural: "endpointslices",
        generation: true,
        skeleton: r#"{"addressType":"","endpoints":null,"ports":null}"#,
        ..PLAIN
    },
    Kind { name: "Secret", plural: "secrets", ..PLAIN },
    Kind { name: "ConfigMap", plural: "configmaps", ..PLAIN },
    Kind {
        name: "Namespace",
        plural: "namespaces",
        namespaced: false,
        status: true,
        skeleton: r#"{"spec":{},"status":{}}"#,
        ..PLAIN
    },
    Kind {
        name: "Lease",
        group: "coordination.k8s.io",
        plural: "leases",
        conditional: true,
        micro_times: &["/spec/acquireTime", "/spec/renewTime"],
        skeleton: r#"{"spec":{}}"#,
        ..PLAIN
    },
    Kind {
        name: "Event",
        group: "events.k8s.io",
        plural: "events",
        micro_times: &["/eventTime", "/series/lastObservedTime"],
        skeleton: r#"{"eventTime":null}"#,
        ..PLAIN
    },
];

impl Kind {
    /// The kind that objects name in `kind`.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// The kind that paths name.
    pub(crate) fn served(group: &str, plural: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.group == group && kind.plural == plural)
    }

    /// `apiVersion` of its objects.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { "v1".to_owned() } else { format!("{}/v1", self.group) }
    }

    /// `ingresses.networking.k8s.io`, as messages have it.
    pub(crate) fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The kind and its group as messages about invalid objects have it.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() { self.name.to_owned() } else { format!("{}.{}", self.name, self.group) }
    }

    /// What a server writes of an object without content.
    pub(crate) fn skeleton(&self) -> Value {
        serde_json::from_str(self.skeleton).unwrap_or_else(|_| json!({}))
    }

    /// Adds what a server writes even where nothing is set.
    pub(crate) fn complete(&self, object: &mut Value) {
        fill(object, self.skeleton());
        if self.name == "Secret" {
            fill(object, json!({"type": "Opaque"}));
        }
    }
}

fn fill(object: &mut Value, with: Value) {
    let (Value::Object(object), Value::Object(with)) = (object, with) else { return };
    for (field, value) in with {
        match object.get_mut(&field) {
            Some(there) => fill(there, value),
            None => drop(object.insert(field, value)),
        }
    }
}
