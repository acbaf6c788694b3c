//! From the object and field of a finding to the characters in the file that it is about.

use std::collections::HashMap;
use std::ops::Range;

use ingress_core::Source;
use ingress_kube::manifests::Loaded;

/// Longer lines, such as those of JSON without line breaks, are not shown.
const MAX_SHOWN_LEN: usize = 400;

/// The files' texts, each divided into lines once.
#[derive(Debug)]
pub(super) struct Texts<'l> {
    loaded: &'l Loaded,
    lines: HashMap<&'l str, Lines<'l>>,
}

#[derive(Debug)]
struct Lines<'l> {
    text: &'l str,
    /// Where each line begins.
    starts: Vec<usize>,
}

/// Where a finding points.
#[derive(Debug)]
pub(super) struct Place<'l> {
    /// Counted from 1.
    pub(super) line: u32,
    /// The line's text without its end; nothing if it is too long to be shown.
    pub(super) text: Option<&'l str>,
    /// The field's value within the text, or the whole of what is written on the line.
    pub(super) span: Range<usize>,
}

// ===== impl Texts =====

impl<'l> Texts<'l> {
    pub(super) fn new(loaded: &'l Loaded) -> Self {
        Self { loaded, lines: HashMap::new() }
    }

    /// Where a source is in its file, if it has a file and a line.
    pub(super) fn place(&mut self, source: &'l Source) -> Option<Place<'l>> {
        let file = source.object.file.as_deref()?;
        let line = source.object.line?;
        let loaded = self.loaded;
        let lines = match self.lines.get(file) {
            Some(lines) => lines,
            None => self.lines.entry(file).or_insert(Lines::new(loaded.text(file)?)),
        };
        let text = lines.get(line)?;
        let shown = text.len() <= MAX_SHOWN_LEN;
        let span = if shown { value_span(text, &source.field) } else { 0..0 };
        Some(Place { line, text: shown.then_some(text), span })
    }
}

impl<'l> Lines<'l> {
    fn new(text: &'l str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(breaks).collect() }
    }

    fn get(&self, line: u32) -> Option<&'l str> {
        let index = usize::try_from(line.checked_sub(1)?).ok()?;
        let start = *self.starts.get(index)?;
        let end = self.starts.get(index + 1).copied().unwrap_or(self.text.len());
        Some(self.text[start..end].trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r']))
    }
}

// ===== impl Place =====

impl Place<'_> {
    /// The first character and the one behind the last, counted from 1.
    pub(super) fn columns(&self) -> Option<(usize, usize)> {
        let text = self.text?;
        let column = |at: usize| text[..at].chars().count() + 1;
        Some((column(self.span.start), column(self.span.end)))
    }

    /// The text between the two.
    pub(super) fn marked(&self) -> Option<&str> {
        self.text.map(|text| &text[self.span.clone()])
    }
}

/// The value of a field on its line, or the key if the value is on the lines below. Of a line that does not
/// have the field's key, or has it twice, all that is written on it behind the dash of a list's item.
fn value_span(line: &str, field: &str) -> Range<usize> {
    let end = content_end(line);
    let written = line.trim_start_matches([' ', '\t']);
    let start = line.len() - written.strip_prefix("- ").unwrap_or(written).trim_start_matches(' ').len();
    let whole = start.min(end)..end;
    let last = match field.strip_suffix(']').and_then(|field| field.rsplit_once('[')) {
        Some((_, key)) => key,
        None => field.rsplit('.').next().unwrap_or_default(),
    };
    let mut found = line[..end].match_indices(last).filter(|_| !last.is_empty());
    let mut keys = found.by_ref().filter_map(|(at, _)| Key::at(&line[..end], at, last.len()));
    match (keys.next(), keys.next()) {
        (Some(key), None) => key.value_or_key(&line[..end]),
        _ => whole,
    }
}

/// A mapping's key on a line.
struct Key {
    span: Range<usize>,
    /// Behind the colon.
    value: usize,
    /// Between braces, where a comma ends the value.
    flow: bool,
}

impl Key {
    fn at(line: &str, at: usize, len: usize) -> Option<Self> {
        let (before, after) = (&line[..at], &line[at + len..]);
        let quote = before.chars().next_back().filter(|quote| ['"', '\''].contains(quote));
        let before = quote.map_or(before, |quote| &before[..before.len() - quote.len_utf8()]);
        let after = quote.map_or(Some(after), |quote| after.strip_prefix(quote))?;
        let value = after.trim_start_matches(' ').strip_prefix(':')?;
        let is_key = before.is_empty() || before.ends_with([' ', '{', ',', '\t']);
        let has_value = value.is_empty() || value.starts_with([' ', '\t']) || quote.is_some();
        (is_key && has_value).then(|| Self {
            span: at..at + len,
            value: line.len() - value.trim_start_matches([' ', '\t']).len(),
            flow: before.contains(['{', '[']),
        })
    }

    fn value_or_key(self, line: &str) -> Range<usize> {
        let value = &line[self.value..];
        let len = match value.chars().next() {
            // Opened here, and perhaps closed on another line.
            None | Some('{' | '[') => return self.span,
            Some(quote @ ('"' | '\'')) => value[1..].find(quote).map_or(value.len(), |end| end + 2),
            Some(_) if self.flow => value.find([',', '}', ']']).unwrap_or(value.len()),
            // JSON with one field on each line.
            Some(_) => value.trim_end_matches(',').len(),
        };
        self.value..self.value + value[..len].trim_end().len()
    }
}

/// Where the line ends without its comment and the blanks before it.
fn content_end(line: &str) -> usize {
    let mut quote = None;
    let mut before = ' ';
    for (at, char) in line.char_indices() {
        match (quote, char) {
            (None, '#') if before.is_whitespace() && at > 0 => return line[..at].trim_end().len(),
            (None, '"' | '\'') if [' ', '{', '[', ',', ':'].contains(&before) => quote = Some(char),
            (Some(open), _) if open == char => quote = None,
            _ => {}
        }
        before = char;
    }
    line.trim_end().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_the_field_is_found_on_its_line() {
        for (line, field, want) in [
            ("    - host: Web.example:80", "spec.rules[0].host", "Web.example:80"),
            ("    - host: 'a b' # no", "spec.rules[0].host", "'a b'"),
            ("      host: \"a # b\" # no", "spec.rules[0].host", "\"a # b\""),
            ("  host: it's # no", "host", "it's"),
            ("  - {path: /a, pathType: Exact, backend: {}}", "x[0].path", "/a"),
            ("  - {\"path\": \"/a\", \"pathType\": \"Exact\"}", "x[0].pathType", "\"Exact\""),
            ("  \"pathType\": \"Exact\",", "x[0].pathType", "\"Exact\""),
            ("  \"number\": 80,", "port.number", "80"),
            ("  \"port\":{\"number\":80}}", "port.number", "80"),
            ("    nginx.org/a.b: \"1\"", "metadata.annotations[nginx.org/a.b]", "\"1\""),
            ("  ports: # none", "spec.ports", "ports"),
            ("  ports: [{port: 0}]", "spec.ports", "ports"),
            ("  ports: [{port: 0}, {port: 1}]", "spec.ports[0].port", "ports: [{port: 0}, {port: 1}]"),
            ("      - path: /a", "spec.rules[0].http.paths[1]", "path: /a"),
            ("        service:", "backend.service.port.number", "service:"),
            ("  hostname: x", "host", "hostname: x"),
            ("  a: [b # c", "", "a: [b"),
            ("# comment", "host", "# comment"),
            ("\u{e9}: \u{fc} # x", "\u{e9}", "\u{fc}"),
            ("   ", "host", ""),
            ("", "host", ""),
            ("host: \"", "host", "\""),
        ] {
            assert_eq!(&line[value_span(line, field)], want, "{field} of {line:?}");
        }
    }

    #[test]
    fn whatever_is_on_the_line_the_span_is_in_it() {
        let parts = ["a", "\u{e9}", " ", "- ", ":", "'", "\"", "{", "}", "#"];
        let mut lines = vec![String::new()];
        for _ in 0..5 {
            let longer = lines.iter().flat_map(|line| parts.map(|part| format!("{line}{part}")));
            lines = longer.collect();
            for line in &lines {
                for field in ["", "a", "b.\u{e9}", "a[0]", "a[b]", "]", "'"] {
                    let span = value_span(line, field);
                    assert!(line.get(span.clone()).is_some(), "{span:?} {field} of {line:?}");
                }
            }
        }
    }

    #[test]
    fn lines_are_counted_as_editors_do() {
        let lines = Lines::new("\u{feff}a\r\nb\n\nc");
        let texts: Vec<_> = (0..6).map(|line| lines.get(line)).collect();
        assert_eq!(texts, [None, Some("a"), Some("b"), Some(""), Some("c"), None]);
    }
}
