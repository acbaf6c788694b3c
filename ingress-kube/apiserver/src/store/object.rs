//! Objects in order: what a server drops of what it is sent, and what it adds.

use std::time::SystemTime;

use serde_json::{Map, Value};

use super::Store;
use crate::failure::Failure;
use crate::kind::Kind;

/// What only the server writes in `metadata`.
const SERVERS_OWN: [&str; 6] =
    ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];

/// The present, in whole seconds.
pub(super) fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// Drops what a typed server doesn't keep: nulls, empty lists, and empty labels and annotations.
pub(super) fn normalise(kind: &Kind, object: &mut Value) {
    // The lists of an EndpointSlice are written even when they are empty.
    strip(object, kind.name != "EndpointSlice");
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|field, value| {
            let map = matches!(field.as_str(), "labels" | "annotations");
            !(map && value.as_object().is_some_and(Map::is_empty))
        });
    }
}

fn strip(value: &mut Value, empty_lists: bool) {
    match value {
        Value::Object(fields) => fields.retain(|_, value| {
            strip(value, empty_lists);
            let empty = empty_lists && value.as_array().is_some_and(Vec::is_empty);
            !(value.is_null() || empty)
        }),
        Value::Array(items) => items.iter_mut().for_each(|item| strip(item, empty_lists)),
        _ => {}
    }
}

/// Gives an object the metadata that its client has no say in: names, and what the server writes, from the
/// stored object if there is one.
pub(super) fn own_metadata(object: &mut Value, old: Option<&Value>, namespace: &str, name: &str) {
    if !object["metadata"].is_object() {
        object["metadata"] = Value::Object(Map::new());
    }
    let Some(metadata) = object["metadata"].as_object_mut() else { return };
    for field in SERVERS_OWN {
        match old.and_then(|old| old["metadata"].get(field)) {
            Some(value) => drop(metadata.insert(field.to_owned(), value.clone())),
            None => drop(metadata.remove(field)),
        }
    }
    metadata.insert("name".to_owned(), name.into());
    if !namespace.is_empty() {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
}

/// Whether what `generation` counts is different.
pub(super) fn is_regenerated(old: &Value, new: &Value) -> bool {
    let content = |object: &Value| {
        let mut fields = object.as_object().cloned().unwrap_or_default();
        fields.retain(|field, _| !matches!(field.as_str(), "metadata" | "status"));
        fields
    };
    content(old) != content(new)
}

/// Refuses times that don't have exactly six digits after the second, as MicroTime is parsed.
pub(super) fn check_times(kind: &Kind, object: &Value) -> Result<(), Failure> {
    for pointer in kind.micro_times {
        let Some(value) = object.pointer(pointer).filter(|value| !value.is_null()) else { continue };
        let text = value.as_str().unwrap_or_default();
        let digits =
            text.rsplit_once('.').map(|(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
        // Offsets other than Z are not what any of our clients writes.
        if digits != Some(6) || humantime::parse_rfc3339(text).is_err() {
            let message = format!(
                "{} in version \"v1\" cannot be handled as a {}: parsing time {value} as \
                 \"2006-01-02T15:04:05.000000Z07:00\": cannot parse",
                kind.name, kind.name
            );
            return Err(Failure::bad_request(message));
        }
    }
    Ok(())
}

/// A merge patch (RFC 7386).
pub(super) fn merge(into: &mut Value, patch: Value) {
    match patch {
        Value::Object(patch) => {
            if !into.is_object() {
                *into = Value::Object(Map::new());
            }
            let Some(fields) = into.as_object_mut() else { return };
            for (field, value) in patch {
                if value.is_null() {
                    fields.remove(&field);
                } else {
                    merge(fields.entry(field).or_insert(Value::Null), value);
                }
            }
        }
        other => *into = other,
    }
}

impl Store {
    /// What the admission plugin DefaultIngressClass does: an Ingress that names no class gets the default
    /// one, of several the newest, of several of the same age the first by name.
    pub(super) fn admit(&self, kind: &Kind, object: &mut Value) {
        let annotated = object.pointer("/metadata/annotations/kubernetes.io~1ingress.class").is_some();
        if kind.name != "Ingress" || annotated || object.pointer("/spec/ingressClassName").is_some() {
            return;
        }
        let Some(classes) = Kind::named("IngressClass") else { return };
        let is_default = "/metadata/annotations/ingressclass.kubernetes.io~1is-default-class";
        let created = |class: &Value| class["metadata"]["creationTimestamp"].as_str().map(str::to_owned);
        let class = self
            .objects(classes)
            .filter(|(_, class)| class.pointer(is_default).and_then(Value::as_str) == Some("true"))
            .min_by_key(|((_, name), class)| (std::cmp::Reverse(created(class)), name.clone()));
        if let Some(((_, name), _)) = class {
            object["spec"]["ingressClassName"] = name.as_str().into();
        }
    }
}
