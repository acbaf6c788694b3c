//! Errors as the `Status` objects that a server answers with.

use serde_json::{Value, json};

use crate::kind::Kind;

/// A request that isn't done.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// `details` of the Status; null for none.
    pub(crate) details: Value,
    /// Seconds, for `Retry-After`.
    pub(crate) retry_after: Option<u64>,
}

impl Failure {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Value::Null, retry_after: None }
    }

    /// With `details` about an object.
    pub(crate) fn about(mut self, kind: &Kind, name: &str) -> Self {
        let mut details = json!({"kind": kind.plural});
        if !name.is_empty() {
            details["name"] = name.into();
        }
        if !kind.group.is_empty() {
            details["group"] = kind.group.into();
        }
        self.details = details;
        self
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn not_found(kind: &Kind, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", kind.resource())).about(kind, name)
    }

    pub(crate) fn already_exists(kind: &Kind, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", kind.resource()))
            .about(kind, name)
    }

    pub(crate) fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let resource = kind.resource();
        let message = format!("Operation cannot be fulfilled on {resource} \"{name}\": {why}");
        Self::new(409, "Conflict", message).about(kind, name)
    }

    pub(crate) fn stale(kind: &Kind, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, why)
    }

    /// An object or options that break a rule; `why` begins with the field.
    pub(crate) fn invalid(what: &str, name: &str, why: &str) -> Self {
        Self::new(422, "Invalid", format!("{what} \"{name}\" is invalid: {why}"))
    }

    pub(crate) fn too_old(asked: u64, floor: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {asked} ({floor})"))
    }

    pub(crate) fn too_new(asked: u64, current: u64) -> Self {
        let what = "Too large resource version";
        let mut failure = Self::new(504, "Timeout", format!("Timeout: {what}: {asked}, current: {current}"));
        failure.details = json!({
            "causes": [{"reason": "ResourceVersionTooLarge", "message": what}],
            "retryAfterSeconds": 1,
        });
        failure.retry_after = Some(1);
        failure
    }

    /// The Status object.
    pub(crate) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        });
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status
    }
}
