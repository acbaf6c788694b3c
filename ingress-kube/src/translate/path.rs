//! `path` and `pathType` of an Ingress to what they match.

use std::sync::Arc;

use ingress_core::{Code, ObjectRef, PathError, PathMatch};
use k8s_openapi::api::networking::v1::HTTPIngressPath;

use super::{Output, hints};

/// What a path matches, unless it or its type is faulty.
pub(super) fn path_match(
    object: &Arc<ObjectRef>,
    field: &str,
    path: &HTTPIngressPath,
    out: &mut Output,
) -> Option<PathMatch> {
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
            return parsed(object, field, text, PathMatch::implementation_specific(text), out);
        }
        other => {
            report_type(object, field, other, out);
            return None;
        }
    };
    if text.contains(['?', '#']) {
        report_query(object, field, text, out);
        return None;
    }
    if hints::looks_like_pattern(text) {
        compared("");
    }
    parsed(object, field, text, parse(text), out)
}

fn parsed(
    object: &Arc<ObjectRef>,
    field: &str,
    text: &str,
    result: Result<PathMatch, PathError>,
    out: &mut Output,
) -> Option<PathMatch> {
    let error = match result {
        Ok(path) => return Some(path),
        Err(error) => error,
    };
    let message = if text.is_empty() { "the path is missing".into() } else { format!("{error}: {text:?}") };
    out.find(Code::InvalidPath, object, format!("{field}.path"), message, hints::path(text, error));
    None
}

/// A request's path ends before its query, and a fragment is never sent.
fn report_query(object: &Arc<ObjectRef>, field: &str, text: &str, out: &mut Output) {
    let message = format!("no request's path has the character ? or #: {text:?}");
    let help = match text.split(['?', '#']).next() {
        Some(path) if path.starts_with('/') => {
            format!("write {path}, since the query takes no part; or write the character as %3F or %23")
        }
        _ => "write the path without them".into(),
    };
    out.find(Code::InvalidPath, object, format!("{field}.path"), message, help);
}

fn report_type(object: &Arc<ObjectRef>, field: &str, text: &str, out: &mut Output) {
    let message = match text {
        "" => "pathType is missing".into(),
        text => format!("pathType {text:?} is unknown"),
    };
    let help = hints::path_type(text);
    out.find(Code::InvalidPathType, object, format!("{field}.pathType"), message, help);
}
