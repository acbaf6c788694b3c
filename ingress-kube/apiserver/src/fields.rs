//! Who owns which fields: `metadata.managedFields`.
//!
//! A field is a path of names to a value that isn't an object, or to an empty one; lists are owned whole.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::kind::Kind;
use crate::store::Part;

pub(crate) type Path = Vec<String>;

/// One entry of `managedFields`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Owner {
    pub(crate) manager: String,
    /// `Apply` or `Update`.
    pub(crate) operation: String,
    pub(crate) subresource: Option<String>,
    pub(crate) api_version: String,
    pub(crate) time: String,
    pub(crate) fields: BTreeSet<Path>,
}

impl Owner {
    pub(crate) fn new(kind: &Kind, manager: &str, operation: &str, part: Part, time: String) -> Self {
        Self {
            manager: manager.to_owned(),
            operation: operation.to_owned(),
            subresource: (part == Part::Status).then(|| "status".to_owned()),
            api_version: kind.api_version(),
            time,
            fields: BTreeSet::new(),
        }
    }

    /// Whether both are the same entry, whatever they own.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (&self.manager, &self.operation, &self.subresource)
            == (&other.manager, &other.operation, &other.subresource)
    }

    fn parse(entry: &Value) -> Self {
        let text = |field: &str| entry[field].as_str().map(str::to_owned);
        let mut fields = BTreeSet::new();
        collect(&entry["fieldsV1"], &mut Vec::new(), &mut fields);
        Self {
            manager: text("manager").unwrap_or_default(),
            operation: text("operation").unwrap_or_default(),
            subresource: text("subresource"),
            api_version: text("apiVersion").unwrap_or_default(),
            time: text("time").unwrap_or_default(),
            fields,
        }
    }

    fn write(&self) -> Value {
        let mut tree = json!({});
        for path in &self.fields {
            let mut node = &mut tree;
            for name in path {
                node = &mut node[format!("f:{name}")];
                if node.is_null() {
                    *node = json!({});
                }
            }
        }
        let mut entry = json!({
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": tree,
        });
        if let Some(subresource) = &self.subresource {
            entry["subresource"] = subresource.as_str().into();
        }
        entry
    }
}

fn collect(node: &Value, path: &mut Path, into: &mut BTreeSet<Path>) {
    let Some(fields) = node.as_object() else { return };
    if fields.is_empty() && !path.is_empty() {
        into.insert(path.clone());
    }
    for (name, below) in fields {
        if let Some(name) = name.strip_prefix("f:") {
            path.push(name.to_owned());
            collect(below, path, into);
            path.pop();
        }
    }
}

/// All owners that an object names.
pub(crate) fn owners(object: &Value) -> Vec<Owner> {
    object["metadata"]["managedFields"].as_array().into_iter().flatten().map(Owner::parse).collect()
}

/// Writes the owners into an object; those that own nothing are left out.
pub(crate) fn set_owners(object: &mut Value, owners: &[Owner]) {
    let entries: Vec<Value> =
        owners.iter().filter(|owner| !owner.fields.is_empty()).map(Owner::write).collect();
    match object["metadata"].as_object_mut() {
        Some(metadata) if entries.is_empty() => drop(metadata.remove("managedFields")),
        Some(metadata) => drop(metadata.insert("managedFields".to_owned(), entries.into())),
        None => {}
    }
}

/// The fields of an object that a write of this part may own, with their values.
pub(crate) fn leaves<'a>(kind: &Kind, object: &'a Value, part: Part) -> BTreeMap<Path, &'a Value> {
    let mut leaves = BTreeMap::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        let mut path = vec![name.clone()];
        match name.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" if part == Part::Main => {
                for field in ["annotations", "finalizers", "labels", "ownerReferences"] {
                    if let Some(value) = value.get(field) {
                        walk(value, &mut vec![name.clone(), field.to_owned()], &mut leaves);
                    }
                }
            }
            "metadata" => {}
            "status" if kind.status && part == Part::Main => {}
            "status" => walk(value, &mut path, &mut leaves),
            _ if part == Part::Main => walk(value, &mut path, &mut leaves),
            _ => {}
        }
    }
    leaves
}

fn walk<'a>(value: &'a Value, path: &mut Path, into: &mut BTreeMap<Path, &'a Value>) {
    match value.as_object() {
        Some(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                path.push(name.clone());
                walk(value, path, into);
                path.pop();
            }
        }
        _ => drop(into.insert(path.clone(), value)),
    }
}

/// Notes an update that isn't an apply: who changes a field takes it from all others.
pub(crate) fn note_update(kind: &Kind, old: Option<&Value>, new: &mut Value, mut by: Owner, part: Part) {
    let mut owners = owners(new);
    let before = old.map(|old| leaves(kind, old, part)).unwrap_or_default();
    let after = leaves(kind, new, part);
    let changed: BTreeSet<Path> = after
        .iter()
        .filter(|(path, value)| before.get(*path) != Some(value))
        .map(|(path, _)| path.clone())
        .collect();
    for owner in &mut owners {
        let gone = |path: &Path| before.contains_key(path) && !after.contains_key(path);
        owner.fields.retain(|path| !changed.contains(path) && !gone(path));
    }
    by.fields = changed;
    match owners.iter_mut().find(|owner| owner.is(&by)) {
        Some(owner) if by.fields.is_empty() => owner.time = by.time,
        Some(owner) => {
            by.fields.append(&mut owner.fields);
            *owner = by;
        }
        None => owners.push(by),
    }
    set_owners(new, &owners);
}

/// The value at a path.
pub(crate) fn at<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, name| value.get(name))
}

/// Sets the value at a path; an empty object never replaces one that isn't.
pub(crate) fn set(object: &mut Value, path: &[String], value: &Value) {
    let mut node = object;
    for name in path {
        if !node.is_object() {
            *node = Value::Object(Map::new());
        }
        node = &mut node[name.as_str()];
    }
    if !(is_empty_object(value) && node.is_object()) {
        *node = value.clone();
    }
}

/// Removes the value at a path, and the objects around it that it leaves empty, but no top-level field.
pub(crate) fn unset(object: &mut Value, path: &[String]) {
    for length in (1..=path.len()).rev() {
        let (parent, name) = path[..length].split_at(length - 1);
        let pointer: String = parent.iter().map(|name| format!("/{}", escape(name))).collect();
        let Some(fields) = object.pointer_mut(&pointer).and_then(Value::as_object_mut) else { return };
        let emptied = length < path.len() && fields.get(&name[0]).is_some_and(is_empty_object);
        if length == path.len() || (emptied && length > 1) {
            fields.remove(&name[0]);
        }
    }
}

/// A name in a JSON pointer (RFC 6901).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

pub(crate) fn is_empty_object(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}
