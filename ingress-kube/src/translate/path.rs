//! `path` and `pathType` of an Ingress to what they match.

use std::sync::Arc;

use ingress_core::{Code, Diagnostic, ObjectRef, PathError, PathMatch, Source};
use k8s_openapi::api::networking::v1::HTTPIngressPath;

use super::{Output, hints};

/// What a path matches, or what is wrong with it or its type.
pub(super) fn path_match(
    object: &Arc<ObjectRef>,
    field: &str,
    path: &HTTPIngressPath,
    out: &mut Output,
) -> Result<PathMatch, Diagnostic> {
    let text = path.path.as_deref().unwrap_or_default();
    let mut compared = |how: &str| {
        let message = format!("the path {text:?} looks like a pattern but is compared literally{how}");
        let help = "write the plain path; patterns are not supported";
        out.find(Code::LiteralPattern, object, format!("{field}.path"), message, help);
    };
    let parse: fn(&str) -> Result<PathMatch, PathError> = match &*path.path_type {
        "Exact" => PathMatch::exact,
        "Prefix" => PathMatch::prefix,
        "ImplementationSpecific" => {
            if hints::may_be_pattern(text) {
                compared(", as a Prefix");
            }
            return parsed(object, field, text, PathMatch::implementation_specific(text));
        }
        other => return Err(unknown_type(object, field, other)),
    };
    if text.contains(['?', '#']) {
        return Err(query(object, field, text));
    }
    if hints::looks_like_pattern(text) {
        compared("");
    }
    parsed(object, field, text, parse(text))
}

fn parsed(
    object: &Arc<ObjectRef>,
    field: &str,
    text: &str,
    result: Result<PathMatch, PathError>,
) -> Result<PathMatch, Diagnostic> {
    result.map_err(|error| {
        let message =
            if text.is_empty() { "the path is missing".into() } else { format!("{error}: {text:?}") };
        invalid(object, field, message, hints::path(text, error))
    })
}

/// A request's path ends before its query, and a fragment is never sent.
fn query(object: &Arc<ObjectRef>, field: &str, text: &str) -> Diagnostic {
    let message = format!("no request's path has the character ? or #: {text:?}");
    let help = match text.split(['?', '#']).next() {
        Some(path) if path.starts_with('/') => {
            format!("write {path}, since the query takes no part; or write the character as %3F or %23")
        }
        _ => "write the path without them".into(),
    };
    invalid(object, field, message, help)
}

fn invalid(object: &Arc<ObjectRef>, field: &str, message: String, help: String) -> Diagnostic {
    let source = Source::new(object.clone(), format!("{field}.path"));
    Diagnostic::new(Code::InvalidPath, source, message, help)
}

fn unknown_type(object: &Arc<ObjectRef>, field: &str, text: &str) -> Diagnostic {
    let message = match text {
        "" => "pathType is missing".into(),
        text => format!("pathType {text:?} is unknown"),
    };
    let source = Source::new(object.clone(), format!("{field}.pathType"));
    Diagnostic::new(Code::InvalidPathType, source, message, hints::path_type(text))
}
