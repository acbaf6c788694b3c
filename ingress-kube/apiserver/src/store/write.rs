//! Create, update and merge patch.

use std::sync::Arc;

use serde_json::Value;

use super::object::{check_times, is_regenerated, merge, normalise, now, own_metadata};
use super::{Key, Store};
use crate::failure::Failure;
use crate::fields::{Owner, note_update};
use crate::kind::Kind;

/// What of an object a write may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All but `status`, where that is a subresource.
    Main,
    /// `status` only.
    Status,
}

/// A write of one object.
#[derive(Debug)]
pub(crate) struct Write<'a> {
    pub(crate) kind: &'static Kind,
    pub(crate) key: Key,
    pub(crate) part: Part,
    /// Who owns the fields that are set.
    pub(crate) manager: &'a str,
}

impl Write<'_> {
    pub(super) fn not_found(&self) -> Failure {
        Failure::not_found(self.kind, &self.key.1)
    }

    /// Refuses a body that is about something else.
    pub(super) fn check_body(&self, body: &Value) -> Result<(), Failure> {
        let kind = self.kind;
        let says = |value: &Value, wanted: &str| value.as_str().is_none_or(|value| value == wanted);
        if !body.is_object() {
            return Err(Failure::bad_request("the body is not an object"));
        }
        if !says(&body["kind"], kind.name) || !says(&body["apiVersion"], &kind.api_version()) {
            let message = format!(
                "the API version in the data ({}, {}) does not match the expected API version ({}, {})",
                body["apiVersion"],
                body["kind"],
                kind.api_version(),
                kind.name
            );
            return Err(Failure::bad_request(message));
        }
        if !says(&body["metadata"]["namespace"], &self.key.0) {
            let message =
                "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Failure::bad_request(message));
        }
        if !self.key.1.is_empty() && !says(&body["metadata"]["name"], &self.key.1) {
            let message = format!(
                "the name of the object ({}) does not match the name on the URL ({})",
                body["metadata"]["name"], self.key.1
            );
            return Err(Failure::bad_request(message));
        }
        check_times(kind, body)
    }

    /// Refuses a body that names another version or another uid than the stored object has.
    pub(super) fn check_preconditions(&self, old: &Value, metadata: &Value) -> Result<(), Failure> {
        let differs = |field: &str| {
            let wanted = metadata[field].as_str().filter(|wanted| !wanted.is_empty());
            wanted.filter(|wanted| old["metadata"][field].as_str() != Some(wanted))
        };
        if let Some(uid) = differs("uid") {
            let stored = old["metadata"]["uid"].as_str().unwrap_or_default();
            let why =
                format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {stored}");
            return Err(Failure::conflict(self.kind, &self.key.1, &why));
        }
        match differs("resourceVersion") {
            Some(_) => Err(Failure::stale(self.kind, &self.key.1)),
            None => Ok(()),
        }
    }
}

impl Store {
    /// POST. `created` is the creation time of the object; the present without.
    pub(crate) fn create(
        &mut self,
        mut write: Write<'_>,
        body: Value,
        created: Option<String>,
    ) -> Result<Arc<Value>, Failure> {
        write.check_body(&body)?;
        let metadata = &body["metadata"];
        if metadata["resourceVersion"].as_str().is_some_and(|version| !version.is_empty()) {
            let message = "resourceVersion should not be set on objects to be created";
            return Err(Failure::new(500, "InternalError", message));
        }
        write.key.1 = match (metadata["name"].as_str(), metadata["generateName"].as_str()) {
            (Some(name), _) if !name.is_empty() => name.to_owned(),
            (_, Some(prefix)) if !prefix.is_empty() => format!("{prefix}{:05x}", self.version()),
            _ => {
                let why = "metadata.name: Required value: name or generateName is required";
                return Err(Failure::invalid(&write.kind.qualified(), "", why));
            }
        };
        if self.get(write.kind, &write.key).is_some() {
            return Err(Failure::already_exists(write.kind, &write.key.1));
        }
        let by = Owner::new(write.kind, write.manager, "Update", Part::Main, now());
        let mut object = self.new_object(&write, body, created);
        note_update(write.kind, None, &mut object, by, Part::Main);
        Ok(self.put(write.kind, write.key, object))
    }

    /// A body made into an object that is new.
    pub(super) fn new_object(
        &mut self,
        write: &Write<'_>,
        mut body: Value,
        created: Option<String>,
    ) -> Value {
        let kind = write.kind;
        normalise(kind, &mut body);
        if kind.status {
            body.as_object_mut().map(|body| body.remove("status"));
        }
        own_metadata(&mut body, None, &write.key.0, &write.key.1);
        body["apiVersion"] = kind.api_version().into();
        body["kind"] = kind.name.into();
        kind.complete(&mut body);
        if kind.name == "Namespace" {
            body["status"]["phase"] = "Active".into();
        }
        self.admit(kind, &mut body);
        body["metadata"]["uid"] = self.next_uid().into();
        body["metadata"]["creationTimestamp"] = created.unwrap_or_else(now).into();
        if kind.generation {
            body["metadata"]["generation"] = 1.into();
        }
        body
    }

    /// PUT. Without a change nothing happens.
    pub(crate) fn update(&mut self, write: Write<'_>, body: Value) -> Result<Arc<Value>, Failure> {
        write.check_body(&body)?;
        let old = self.get(write.kind, &write.key).ok_or_else(|| write.not_found())?.clone();
        let version = body["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if write.kind.conditional && version.is_empty() {
            let why = "metadata.resourceVersion: Invalid value: \"\": must be specified for an update";
            return Err(
                Failure::invalid(&write.kind.resource(), &write.key.1, why).about(write.kind, &write.key.1)
            );
        }
        write.check_preconditions(&old, &body["metadata"])?;
        Ok(self.replace(write, old, body))
    }

    /// PATCH with a merge patch.
    pub(crate) fn merge_patch(&mut self, write: Write<'_>, patch: Value) -> Result<Arc<Value>, Failure> {
        let old = self.get(write.kind, &write.key).ok_or_else(|| write.not_found())?.clone();
        write.check_preconditions(&old, &patch["metadata"])?;
        let mut body = (*old).clone();
        merge(&mut body, patch);
        write.check_body(&body)?;
        Ok(self.replace(write, old, body))
    }

    /// What `kubectl apply` does, but for the merge: creates or replaces, whatever the version.
    pub(crate) fn create_or_replace(
        &mut self,
        write: Write<'_>,
        mut body: Value,
    ) -> Result<Arc<Value>, Failure> {
        let created = body["metadata"]["creationTimestamp"].as_str().map(str::to_owned);
        if let Some(metadata) = body["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
        }
        match self.get(write.kind, &write.key).cloned() {
            None => self.create(write, body, created),
            Some(old) => {
                write.check_body(&body)?;
                Ok(self.replace(write, old, body))
            }
        }
    }

    fn replace(&mut self, write: Write<'_>, old: Arc<Value>, body: Value) -> Arc<Value> {
        let kind = write.kind;
        let mut new = replaced(&write, &old, body);
        if new == *old {
            return old;
        }
        let by = Owner::new(kind, write.manager, "Update", write.part, now());
        note_update(kind, Some(&old), &mut new, by, write.part);
        self.put_next(write, &old, new)
    }

    /// Stores the next version of an object.
    pub(super) fn put_next(&mut self, write: Write<'_>, old: &Value, mut new: Value) -> Arc<Value> {
        if write.kind.generation && is_regenerated(old, &new) {
            new["metadata"]["generation"] = (old["metadata"]["generation"].as_u64().unwrap_or(0) + 1).into();
        }
        self.put(write.kind, write.key, new)
    }
}

/// The stored object with the part that is written taken from the body.
pub(super) fn replaced(write: &Write<'_>, old: &Value, mut body: Value) -> Value {
    let kind = write.kind;
    normalise(kind, &mut body);
    let mut new = match write.part {
        Part::Main => {
            if kind.status {
                body["status"] = old["status"].clone();
            }
            own_metadata(&mut body, Some(old), &write.key.0, &write.key.1);
            body["apiVersion"] = old["apiVersion"].clone();
            body["kind"] = old["kind"].clone();
            body
        }
        Part::Status => {
            let mut new = old.clone();
            new["status"] = body.get("status").cloned().unwrap_or_else(|| serde_json::json!({}));
            new
        }
    };
    kind.complete(&mut new);
    new
}
