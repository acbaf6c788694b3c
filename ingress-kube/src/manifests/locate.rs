//! From a finding about an object of a file to the line of the field.
//!
//! Rules and findings know on which line their object begins. Only of a finding the line of the field is
//! wanted, and findings are few; so the file is read once more rather than its text or lines kept.

use std::collections::HashMap;

use super::field::FieldLines;

/// The text of a YAML file, and what was looked for in it.
#[derive(Debug)]
pub(super) struct Located {
    text: String,
    /// Where each line begins.
    starts: Vec<usize>,
    objects: HashMap<u32, FieldLines>,
}

impl Located {
    pub(super) fn new(text: String) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(breaks).collect();
        Self { text, starts, objects: HashMap::new() }
    }

    /// The line of a field of the object that begins on `line`; both count from 1.
    pub(super) fn line_of(&mut self, line: u32, field: &str) -> Option<u32> {
        if !self.objects.contains_key(&line) {
            let start = *self.starts.get(usize::try_from(line.checked_sub(1)?).ok()?)?;
            let lines = FieldLines::new(object_lines(self.text.get(start..)?));
            self.objects.insert(line, lines);
        }
        let inside = self.objects.get(&line)?.line_of(field)?;
        Some(line.saturating_add(inside).saturating_sub(1))
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
