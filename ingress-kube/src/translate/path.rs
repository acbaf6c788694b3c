//! `path` and `pathType` of an Ingress to what they match.

use std::sync::Arc;

use ingress_core::{Code, ObjectRef, PathError, PathMatch};
use k8s_openapi::api::networking::v1::HTTPIngressPath;

use super::annotations::PathSyntax;
use super::{Output, hints};

/// The type of paths whose meaning is the controller's own.
pub(super) const IMPLEMENTATION_SPECIFIC: &str = "ImplementationSpecific";

/// What a path matches, unless it or its type is faulty. `syntax` is how an ImplementationSpecific one is to be
/// read, if its Ingress says so.
pub(super) fn path_match(
    object: &Arc<ObjectRef>,
    field: &str,
    path: &HTTPIngressPath,
    syntax: Option<PathSyntax>,
    out: &mut Output,
) -> Option<PathMatch> {
    let text = path.path.as_deref().unwrap_or_default();
    let parse: fn(&str) -> Result<PathMatch, PathError> = match &*path.path_type {
        "Exact" => PathMatch::exact,
        "Prefix" => PathMatch::prefix,
        IMPLEMENTATION_SPECIFIC => return implementation_specific(object, field, text, syntax, out),
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
        let message = format!("the path {text:?} looks like a pattern but is compared literally");
        let help = format!("write the plain path, or pathType ImplementationSpecific and {SYNTAXES}");
        out.find(Code::LiteralPattern, object, format!("{field}.path"), message, help);
    }
    parsed(object, field, text, parse(text), out)
}

const SYNTAXES: &str = "the annotation ingress.gateway/path-syntax: regex or template";

fn implementation_specific(
    object: &Arc<ObjectRef>,
    field: &str,
    text: &str,
    syntax: Option<PathSyntax>,
    out: &mut Output,
) -> Option<PathMatch> {
    if syntax.is_none() && hints::may_be_pattern(text) {
        let message =
            format!("the path {text:?} looks like a pattern but is compared literally, as a Prefix");
        let help = format!("write the plain path, or {SYNTAXES}");
        out.find(Code::LiteralPattern, object, format!("{field}.path"), message, help);
    }
    let result = match syntax {
        None | Some(PathSyntax::Prefix) => PathMatch::implementation_specific(text),
        Some(PathSyntax::Template) => PathMatch::template(text),
        Some(PathSyntax::Regex) => return expression(object, field, text, out),
    };
    parsed(object, field, text, result, out)
}

fn expression(object: &Arc<ObjectRef>, field: &str, text: &str, out: &mut Output) -> Option<PathMatch> {
    let message = match PathMatch::regex(text) {
        _ if text.is_empty() => "the path is missing".into(),
        Ok(path) => return Some(path),
        Err(error) => format!("{error}: {text:?}"),
    };
    let help = "write a regular expression for the whole path, such as /items/[0-9]+";
    out.find(Code::InvalidPath, object, format!("{field}.path"), message, help);
    None
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
