//! How objects are written: whole, or only their metadata.

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::kind::Kind;

/// How a client wants objects written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As they are.
    Whole,
    /// As `PartialObjectMetadata`.
    Metadata,
}

impl Form {
    /// What `Accept` asks for.
    pub(crate) fn negotiate(accept: Option<&str>, verb: &str) -> Result<Self, Failure> {
        let Some(accept) = accept else { return Ok(Self::Whole) };
        let (wanted, other) = match verb {
            "list" => ("PartialObjectMetadataList", "PartialObjectMetadata"),
            _ => ("PartialObjectMetadata", "PartialObjectMetadataList"),
        };
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            if !matches!(parts.next(), Some("application/json" | "application/*" | "*/*")) {
                continue;
            }
            let parameters: Vec<&str> = parts.collect();
            let Some(kind) = parameters.iter().find_map(|parameter| parameter.strip_prefix("as=")) else {
                return Ok(Self::Whole);
            };
            let known = parameters.contains(&"g=meta.k8s.io") && parameters.contains(&"v=v1");
            if known && kind == wanted {
                return Ok(Self::Metadata);
            }
            if known && kind == other {
                let is = if verb == "list" { "a list" } else { "not a list" };
                let message = format!("you requested {other}, but the requested object is {is}");
                return Err(Failure::new(406, "NotAcceptable", message));
            }
        }
        let message = "only the following media types are accepted: application/json";
        Err(Failure::new(406, "NotAcceptable", message))
    }

    /// An object as it stands for itself.
    pub(crate) fn object(self, object: &Value) -> Value {
        match self {
            Self::Whole => object.clone(),
            Self::Metadata => json!({
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": object["metadata"],
            }),
        }
    }

    /// An object in a list, where kind and version are the list's.
    pub(crate) fn item(self, object: &Value) -> Value {
        let mut item = self.object(object);
        if let (Self::Whole, Some(fields)) = (self, item.as_object_mut()) {
            fields.remove("kind");
            fields.remove("apiVersion");
        }
        item
    }

    /// A list.
    pub(crate) fn list(self, kind: &Kind, metadata: Value, items: Vec<Value>) -> Value {
        let (name, version) = match self {
            Self::Whole => (format!("{}List", kind.name), kind.api_version()),
            Self::Metadata => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
        };
        json!({"kind": name, "apiVersion": version, "metadata": metadata, "items": items})
    }

    /// The object of a bookmark; `initial_end` marks the end of the initial events.
    pub(crate) fn bookmark(self, kind: &Kind, version: u64, initial_end: bool) -> Value {
        let mut object = match self {
            Self::Whole => kind.skeleton(),
            Self::Metadata => json!({}),
        };
        object["kind"] = kind.name.into();
        object["apiVersion"] = kind.api_version().into();
        object["metadata"] = json!({"resourceVersion": version.to_string()});
        if initial_end {
            object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        self.object(&object)
    }
}
