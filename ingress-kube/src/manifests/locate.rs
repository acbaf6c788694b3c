//! From a finding about an object of a file to the line of the field.
//!
//! Rules and findings know on which line their object begins. Only of a finding the line of the field is
//! wanted, and findings are few; so the file is read once more rather than its text or lines kept.

use std::collections::HashMap;
use std::ops::Range;

use ingress_core::ObjectRef;
use k8s_openapi::serde_json;

use super::document::{Syntax, before, documents, is_blank, json_values};
use super::field::FieldLines;
use super::header::Header;
use super::json;
use super::parse::JsonList;

/// The text of a file, and what was looked for in it.
#[derive(Debug)]
pub(super) struct Located {
    text: String,
    /// Where each line begins.
    starts: Vec<usize>,
    /// Objects that are written in JSON, in the order of the text.
    json: Vec<JsonObject>,
    objects: HashMap<Start, FieldLines>,
}

/// Where in the file an object in JSON is.
#[derive(Debug)]
struct JsonObject {
    line: u32,
    bytes: Range<usize>,
}

/// Where an object begins. Several in JSON may be on one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Start {
    Line(u32),
    Byte(usize),
}

impl Located {
    pub(super) fn new(text: String, syntax: Syntax) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let starts: Vec<_> = std::iter::once(0).chain(breaks).collect();
        let mut located = Self { starts, json: Vec::new(), objects: HashMap::new(), text: String::new() };
        let plain = text.strip_prefix('\u{feff}').unwrap_or(&text);
        match syntax {
            Syntax::Json => located.add_json(&text, plain),
            // JSON is YAML, too.
            Syntax::Yaml => {
                for (_, document) in documents(plain) {
                    let blank: usize =
                        document.split_inclusive('\n').take_while(|line| is_blank(line)).map(str::len).sum();
                    let value = &document[blank..];
                    let value = value.strip_prefix("---").unwrap_or(value).trim_start();
                    if value.starts_with('{') {
                        located.add_json(&text, value);
                    }
                }
            }
        }
        located.text = text;
        located
    }

    /// The line of a field of an object that begins on `line`; both count from 1.
    pub(super) fn line_of(&mut self, line: u32, object: &ObjectRef, field: &str) -> Option<u32> {
        let json = self.json_object(line, object).map(|object| object.bytes.clone());
        let start = json.as_ref().map_or(Start::Line(line), |bytes| Start::Byte(bytes.start));
        if !self.objects.contains_key(&start) {
            let lines = match json {
                Some(bytes) => json::field_lines(self.text.get(bytes)?),
                None => {
                    let start = *self.starts.get(usize::try_from(line.checked_sub(1)?).ok()?)?;
                    FieldLines::new(object_lines(self.text.get(start..)?))
                }
            };
            self.objects.insert(start, lines);
        }
        let inside = self.objects.get(&start)?.line_of(field)?;
        Some(line.saturating_add(inside).saturating_sub(1))
    }

    /// Notes the values of a part of the text, and the items of those that are Lists.
    fn add_json(&mut self, text: &str, part: &str) {
        for (_, value) in json_values(part) {
            let list = serde_json::from_str::<Header>(value).is_ok_and(|header| header.is_list());
            let list = list.then(|| serde_json::from_str::<JsonList<'_>>(value).ok()).flatten();
            match list {
                Some(list) => {
                    list.items.into_iter().flatten().for_each(|item| self.add_object(text, item.get()))
                }
                None => self.add_object(text, value),
            }
        }
    }

    fn add_object(&mut self, text: &str, object: &str) {
        let start = before(text, object).len();
        let line = u32::try_from(self.starts.partition_point(|&line| line <= start)).unwrap_or(u32::MAX);
        self.json.push(JsonObject { line, bytes: start..start + object.len() });
    }

    fn json_object(&self, line: u32, wanted: &ObjectRef) -> Option<&JsonObject> {
        let first = self.json.partition_point(|object| object.line < line);
        let there: Vec<_> = self.json[first..].iter().take_while(|object| object.line == line).collect();
        let is_wanted = |object: &&JsonObject| {
            let header =
                serde_json::from_str::<Header>(self.text.get(object.bytes.clone()).unwrap_or_default());
            header.is_ok_and(|header| {
                header.kind.is_none_or(|kind| kind == *wanted.kind)
                    && header.metadata.is_some_and(|metadata| metadata.name.as_deref() == Some(&*wanted.name))
            })
        };
        match there[..] {
            [only] => Some(only),
            _ => there.into_iter().find(is_wanted),
        }
    }
}

/// The lines of the object with which a text begins, without what an item of a list is indented by.
fn object_lines(text: &str) -> impl Iterator<Item = &str> {
    let first = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
    let column = first.len() - first.trim_start_matches([' ', '-']).len();
    let rest = text.lines().skip(1).map_while(move |line| {
        let indent = line.len() - line.trim_start_matches(' ').len();
        if line.trim().is_empty() {
            return Some("");
        }
        (indent >= column && !line.starts_with("---")).then(|| &line[column..])
    });
    std::iter::once(&first[column..]).chain(rest)
}
