//! Fields and lines of a JSON text.
//!
//! A value is taken apart one level at a time, each part as the text that it is: where that text begins in
//! the whole one is its line.

use std::fmt;

use k8s_openapi::serde_json;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::document::before;
use super::field::{FieldLines, MAX_DEPTH, MAX_PATH_LEN, push_key};

/// The lines on which the fields of a JSON value begin, counted from 1. Of what cannot be read nothing is
/// known.
pub(super) fn field_lines(text: &str) -> FieldLines {
    let mut fields = FieldLines::default();
    walk(text, |path, line| fields.note(path, line));
    fields
}

/// The field that begins on a line (counted from 1) of a JSON value. Nothing where several begin beside each
/// other, since the line then says nothing about which it is.
pub(super) fn field_at(text: &str, line: u32) -> String {
    let (mut found, mut several) = (String::new(), false);
    walk(text, |path, begins| {
        if begins == line {
            let inside = path.strip_prefix(&*found);
            several |= !found.is_empty() && !inside.is_some_and(|rest| rest.starts_with(['.', '[']));
            path.clone_into(&mut found);
        }
    });
    if several { String::new() } else { found }
}

/// Visits all fields in the order of the text, with their lines.
fn walk(text: &str, mut visit: impl FnMut(&str, u32)) {
    let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at);
    Walk { text, breaks: breaks.collect(), path: String::new(), visit: &mut visit }.value(text, 0);
}

struct Walk<'t, 'v> {
    text: &'t str,
    /// Where lines end.
    breaks: Vec<usize>,
    path: String,
    visit: &'v mut dyn FnMut(&str, u32),
}

/// What is in a mapping or list, one level of it.
enum Parts<'t> {
    Mapping(Vec<(String, &'t RawValue)>),
    List(Vec<&'t RawValue>),
    Plain,
}

// ===== impl Walk =====

impl<'t> Walk<'t, '_> {
    fn value(&mut self, value: &'t str, depth: usize) {
        if depth >= MAX_DEPTH || !value.trim_start().starts_with(['{', '[']) {
            return;
        }
        match serde_json::from_str(value).unwrap_or(Parts::Plain) {
            Parts::Plain => {}
            Parts::Mapping(fields) => {
                for (key, value) in fields {
                    self.part(value.get(), depth, |path| push_key(path, &key));
                }
            }
            Parts::List(items) => {
                for (index, value) in items.into_iter().enumerate() {
                    self.part(value.get(), depth, |path| *path += &format!("[{index}]"));
                }
            }
        }
    }

    fn part(&mut self, value: &'t str, depth: usize, push: impl FnOnce(&mut String)) {
        let len = self.path.len();
        push(&mut self.path);
        if self.path.len() <= MAX_PATH_LEN {
            let start = before(self.text, value).len();
            let above = self.breaks.partition_point(|&at| at < start);
            (self.visit)(&self.path, u32::try_from(above).unwrap_or(u32::MAX).saturating_add(1));
            self.value(value, depth + 1);
        }
        self.path.truncate(len);
    }
}

// ===== impl Parts =====

impl<'de> Deserialize<'de> for Parts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PartsVisitor)
    }
}

struct PartsVisitor;

impl<'de> Visitor<'de> for PartsVisitor {
    type Value = Parts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Parts<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = access.next_entry()? {
            fields.push(field);
        }
        Ok(Parts::Mapping(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Parts<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Parts::List(items))
    }

    fn visit_unit<E: Error>(self) -> Result<Parts<'de>, E> {
        Ok(Parts::Plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
  "metadata": { "annotations": {
    "a.example/b": "x" } },
  "spec": { "rules": [
    { "host": "a" },
    {
      "host": "b", "http":
        { "paths": [] }
    }
  ] }
}"#;

    #[test]
    fn fields_have_the_line_on_which_their_value_begins() {
        let lines = field_lines(TEXT);
        for (field, line) in [
            ("metadata", Some(2)),
            ("metadata.annotations[a.example/b]", Some(3)),
            ("spec.rules[0].host", Some(5)),
            ("spec.rules[1]", Some(6)),
            ("spec.rules[1].http.paths", Some(8)),
            ("spec.rules[1].http.paths[4].path", Some(8)),
            ("spec.rules[2].host", Some(4)),
            ("nothing", None),
        ] {
            assert_eq!(lines.line_of(field), line, "{field}");
        }
        assert_eq!(field_lines("{ \"a\": ").line_of("a"), None);
    }

    #[test]
    fn a_line_has_the_one_field_that_begins_there() {
        for (line, field) in [
            (1, ""),
            (2, "metadata.annotations"),
            (3, "metadata.annotations[a.example/b]"),
            (5, "spec.rules[0].host"),
            (7, "spec.rules[1].host"),
            (8, "spec.rules[1].http.paths"),
            (9, ""),
        ] {
            assert_eq!(field_at(TEXT, line), field, "{line}");
        }
        assert_eq!(field_at(r#"{"a": 1, "ab": 2}"#, 1), "");
    }

    #[test]
    fn what_nests_too_deeply_ends_the_search_only() {
        let text = "[".repeat(20_000);
        assert_eq!(field_lines(&text).line_of("x"), None);
        let text = format!("{{\"a\":\n{}1{}}}", "{\"b\":".repeat(100), "}".repeat(100));
        assert_eq!(field_lines(&text).line_of("a.b.b"), Some(2));
    }
}
