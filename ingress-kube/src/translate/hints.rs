//! What to write instead.

use std::fmt::Display;

use ingress_core::{HostError, HostMatch, PathError};

/// How many names a message lists.
pub(super) const LISTED: usize = 5;
/// Among more names than these, no similar one is looked for.
pub(super) const COMPARED: usize = 256;

/// What to write instead of a host.
pub(super) fn host(text: &str, error: HostError) -> String {
    // What is left of a URL, or of a name with a port, is often what was meant.
    let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
    let bare = bare.split(['/', ':']).next().unwrap_or_default().trim().trim_end_matches('.');
    if !bare.is_empty() && bare != text && bare.parse::<HostMatch>().is_ok() {
        return format!("write just the name: {bare}");
    }
    match error {
        HostError::Wildcard => {
            "write *.NAME for exactly one more label, or leave the host out to take every host".into()
        }
        HostError::Address => "write a DNS name, or leave the host out to take every host".into(),
        HostError::Port => "write just the name; a request's port takes no part".into(),
        HostError::Label => {
            "a label between dots has letters, digits and '-', and begins and ends with no '-'".into()
        }
        HostError::TooLong => "a host has at most 253 characters, and 63 between two dots".into(),
        _ => "a host has letters, digits, '-' and '.'; write other letters as punycode (xn--...)".into(),
    }
}

/// What to write instead of a path.
pub(super) fn path(text: &str, error: PathError) -> String {
    match error {
        _ if text.contains(char::is_control) => "write the path without control characters".into(),
        PathError::NotAbsolute if text.is_empty() => "write /, or another path that starts with it".into(),
        PathError::NotAbsolute => format!("write /{text}"),
        PathError::EmptyElement => {
            let merged: Vec<_> = text.split('/').filter(|element| !element.is_empty()).collect();
            format!("write /{}", merged.join("/"))
        }
        PathError::DotElement | PathError::AboveRoot => "write the path that it leads to".into(),
        PathError::EscapedSlash => "pathType ImplementationSpecific takes it as it is".into(),
        PathError::Control => "write a space as %20".into(),
        PathError::BadEscape => "write the character % as %25".into(),
        PathError::Template => {
            "write a whole element in braces, such as /users/{id}, or {*rest} at the end".into()
        }
        _ => String::new(),
    }
}

/// What to write instead of a path type.
pub(super) fn path_type(text: &str) -> String {
    let known = ["Exact", "Prefix", "ImplementationSpecific"];
    match known.iter().find(|known| known.eq_ignore_ascii_case(text)) {
        Some(known) => format!("write {known}"),
        None => "write Exact, Prefix or ImplementationSpecific".into(),
    }
}

/// Whether an ImplementationSpecific path has characters that patterns have; many servers read it as one.
pub(super) fn may_be_pattern(path: &str) -> bool {
    path.contains(['\\', '^', '$', '*', '+', '?', '(', ')', '[', ']', '{', '}', '|'])
}

/// Whether a path that no server reads as a pattern looks like one all the same. `/c++`, `/$metadata` and
/// `/items(1)` are plain paths.
pub(super) fn looks_like_pattern(path: &str) -> bool {
    path.contains(['\\', '^', '*', '[', '{', '|']) || path.contains(".+") || path.ends_with('$')
}

/// The first few names as a list, or nothing when there are none.
pub(crate) fn list(names: impl Iterator<Item = impl Display>) -> Option<String> {
    let names: Vec<_> = names.take(LISTED + 1).map(|name| name.to_string()).collect();
    match names.len() {
        0 => None,
        count if count > LISTED => Some(format!("{} and others", names[..LISTED].join(", "))),
        _ => Some(names.join(", ")),
    }
}

/// The name nearest to one that does not exist, if it is near enough to be what was meant, and the names are not too
/// many to tell.
pub(crate) fn similar<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let names: Vec<_> = names.take(COMPARED + 1).collect();
    if names.len() > COMPARED {
        return None;
    }
    let limit = name.len() / 3;
    let near = names.into_iter().filter_map(|candidate| {
        let distance = distance(name, candidate, limit)?;
        (distance <= limit).then_some((distance, candidate))
    });
    near.min().map(|(_, candidate)| candidate)
}

/// Whether [`similar`] may return the candidate.
pub(super) fn is_near(name: &str, candidate: &str) -> bool {
    let limit = name.len() / 3;
    distance(name, candidate, limit).is_some_and(|distance| distance <= limit)
}

/// How many bytes to insert, delete or replace (Levenshtein), or nothing when it must exceed `limit`.
fn distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    // Names have at most 63 bytes in a cluster; a file may hold any text.
    if a.len().abs_diff(b.len()) > limit || a.len().max(b.len()) > 253 {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replace = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied()
}
