//! What is wrong with a document, and where in it.

use std::borrow::Cow;

use k8s_openapi::serde_json;
use serde_saphyr::{DefaultMessageFormatter, MessageFormatter};

/// One fault of a document.
pub(super) struct Fault {
    /// The field; empty where only the line says it.
    pub(super) field: Cow<'static, str>,
    /// The line inside the document, counted from 1.
    pub(super) line: Option<u32>,
    pub(super) message: String,
    pub(super) help: String,
    /// A parser's finding; otherwise the document was read, but makes no sense.
    pub(super) syntax: bool,
}

impl Fault {
    pub(super) fn new(field: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { field: field.into(), line: None, message: message.into(), help: help.into(), syntax: false }
    }

    fn of_parser(line: Option<u64>, message: &str, otherwise: &'static str) -> Self {
        let (message, help) = reword(message, otherwise);
        let line = line.and_then(|line| u32::try_from(line).ok()).filter(|&line| line > 0);
        Self { field: "".into(), line, message, help, syntax: true }
    }
}

impl From<serde_saphyr::Error> for Fault {
    fn from(error: serde_saphyr::Error) -> Self {
        let error = error.without_snippet();
        let message = DefaultMessageFormatter.format_message(error);
        let otherwise = "look at this line and the one before: indentation by spaces, quotes, brackets";
        Self::of_parser(error.location().map(|at| at.line()), &message, otherwise)
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        let text = error.to_string();
        let message = text.rsplit_once(" at line ").map_or(&*text, |(message, _)| message);
        let otherwise = "look at this line and the one before: commas, quotes, brackets";
        Self::of_parser(u64::try_from(error.line()).ok(), message, otherwise)
    }
}

/// A parser's message on one line and in the words of a manifest, and what to write instead.
fn reword(message: &str, otherwise: &'static str) -> (String, String) {
    let text =
        message.strip_prefix("The string value [").and_then(|rest| rest.strip_suffix("] must be quoted"));
    if let Some(text) = text {
        return (
            format!("{text} is not read as a text, but the field holds one"),
            format!("write it in quotes: \"{text}\""),
        );
    }
    let (message, help) = match message {
        "expected mapping start" => ("a mapping is expected here", "write key: value"),
        "expected string scalar" => ("a text is expected here", "write one value, no list and no mapping"),
        "expected sequence start" => ("a list is expected here", "write each item behind a '- '"),
        _ if ["i32", "i64"].iter().any(|number| message.ends_with(number)) => {
            ("a whole number is expected here", "write digits only, without quotes")
        }
        _ if message.starts_with("recursion limit") || message.starts_with("budget breached: Depth") => {
            ("the values are nested too deeply to be read", "no object of Kubernetes nests as deeply")
        }
        // The parser says in its program's notation which of its limits it is.
        _ if message.starts_with("budget breached") => (
            "the document is too large to be read",
            "write its objects as documents of their own, with --- between them",
        ),
        _ if message.starts_with("duplicate mapping key") => {
            (message.split(", set ").next().unwrap_or(message), "keep one of the two")
        }
        _ if message.starts_with("invalid type") || message.starts_with("invalid value") => {
            (message, "see `kubectl explain` for what the field holds")
        }
        _ if message.split(' ').any(|word| word == "tab" || word == "tabs") => {
            (message, "indent this line or the next one by spaces, not tabs")
        }
        _ => (message, otherwise),
    };
    (message.split_whitespace().collect::<Vec<_>>().join(" "), help.into())
}
