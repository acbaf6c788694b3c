//! `path` and `pathType` of an Ingress to what they match.

use std::sync::Arc;

use ingress_core::{Code, Diagnostic, ObjectRef, PathError, PathMatch, Source};
use k8s_openapi::api::networking::v1::HTTPIngressPath;

use super::annotations::PathSyntax;
use super::{Output, hints};

/// The type of paths whose meaning is the controller's own.
pub(super) const IMPLEMENTATION_SPECIFIC: &str = "ImplementationSpecific";

/// What a path matches, or what is wrong with it or its type. `syntax` is how an ImplementationSpecific one is to be
/// read, if its Ingress says so.
pub(super) fn path_match(
    object: &Arc<ObjectRef>,
    field: &str,
    path: &HTTPIngressPath,
    syntax: Option<PathSyntax>,
    out: &mut Output,
) -> Result<PathMatch, Diagnostic> {
    let text = path.path.as_deref().unwrap_or_default();
    let parse: fn(&str) -> Result<PathMatch, PathError> = match &*path.path_type {
        "Exact" => PathMatch::exact,
        "Prefix" => PathMatch::prefix,
        IMPLEMENTATION_SPECIFIC => return implementation_specific(object, field, text, syntax, out),
        other => return Err(unknown_type(object, field, other)),
    };
    if text.contains(['?', '#']) {
        return Err(query(object, field, text));
    }
    if hints::looks_like_pattern(text) {
        let message = format!("the path {text:?} looks like a pattern but is compared literally");
        let help = format!("write the plain path, or pathType ImplementationSpecific and {SYNTAXES}");
        out.find(Code::LiteralPattern, object, format!("{field}.path"), message, help);
    }
    parsed(object, field, text, parse(text))
}

/// What a path matches, if it has no fault; nothing is said about it.
pub(super) fn plain(path: &HTTPIngressPath) -> Option<PathMatch> {
    let text = path.path.as_deref().unwrap_or_default();
    match &*path.path_type {
        "Exact" => PathMatch::exact(text).ok(),
        "Prefix" => PathMatch::prefix(text).ok(),
        IMPLEMENTATION_SPECIFIC => PathMatch::implementation_specific(text).ok(),
        _ => None,
    }
}

const SYNTAXES: &str = "the annotation ingress.gateway/path-syntax: regex or template";

fn implementation_specific(
    object: &Arc<ObjectRef>,
    field: &str,
    text: &str,
    syntax: Option<PathSyntax>,
    out: &mut Output,
) -> Result<PathMatch, Diagnostic> {
    if syntax.is_none() && hints::may_be_pattern(text) {
        let message =
            format!("the path {text:?} looks like a pattern but is compared literally, as a Prefix");
        let help = format!("write the plain path, or {SYNTAXES}");
        out.find(Code::LiteralPattern, object, format!("{field}.path"), message, help);
    }
    let result = match syntax {
        None | Some(PathSyntax::Prefix) => PathMatch::implementation_specific(text),
        Some(PathSyntax::Template) => PathMatch::template(text),
        Some(PathSyntax::Regex) => return expression(object, field, text),
    };
    parsed(object, field, text, result)
}

fn expression(object: &Arc<ObjectRef>, field: &str, text: &str) -> Result<PathMatch, Diagnostic> {
    let message = match PathMatch::regex(text) {
        _ if text.is_empty() => "the path is missing".into(),
        Ok(path) => return Ok(path),
        Err(error) => format!("{error}: {text:?}"),
    };
    let help = "write a regular expression for the whole path, such as /items/[0-9]+";
    Err(invalid(object, field, message, help.into()))
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
