//! The text of one object, and how it is cut out of a file.

use std::collections::HashMap;

use k8s_openapi::serde_json;
use serde::de::{Deserialize, DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;
use serde_saphyr::{DuplicateKeyPolicy, Location, Options};

use super::fault::Fault;
use super::field::{FieldLines, field_at};
use super::header::{Header, guess_header};
use super::json;
use super::strict::{self, Unknown};
use crate::{Kind, Object};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Yaml,
    Json,
}

/// The text of one object or List.
pub(super) struct Document<'t> {
    pub(super) text: &'t str,
    /// The line of the file on which the text begins, counted from 1.
    pub(super) line: u32,
    pub(super) syntax: Syntax,
    /// What it is unless it says so itself: an item of an IngressList need not.
    pub(super) kind: Option<Kind>,
    /// Whether it is an item of a List.
    pub(super) item: bool,
}

// ===== impl Syntax =====

impl Syntax {
    /// What is called `*.json` is read as JSON, anything else as YAML.
    pub(super) fn of_file(name: &str) -> Self {
        if name.ends_with(".json") { Self::Json } else { Self::Yaml }
    }

    /// Of a text without a name: JSON if its first value is a mapping in JSON. YAML that begins like one is
    /// not read as it.
    pub(super) fn of_text(text: &str) -> Self {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let is_json = || IgnoredAny::deserialize(&mut serde_json::Deserializer::from_str(text)).is_ok();
        if text.starts_with('{') && is_json() { Self::Json } else { Self::Yaml }
    }
}

// ===== impl Document =====

impl Document<'_> {
    /// The object, and the fields in it that its kind does not have.
    pub(super) fn object(&self, kind: Kind) -> Result<(Object, Vec<Unknown>), Fault> {
        let mut unknown = Vec::new();
        let object = match kind {
            Kind::Ingress => self.parse_strictly(&mut unknown).map(Object::Ingress),
            Kind::IngressClass => self.parse_strictly(&mut unknown).map(Object::IngressClass),
            Kind::Service => self.parse_strictly(&mut unknown).map(Object::Service),
            Kind::EndpointSlice => self.parse_strictly(&mut unknown).map(Object::EndpointSlice),
            Kind::ConfigMap => self.parse_strictly(&mut unknown).map(Object::ConfigMap),
            Kind::Secret => self.parse_strictly(&mut unknown).map(Object::Secret),
        };
        Ok((object?, unknown))
    }

    fn parse_strictly<T: DeserializeOwned>(&self, unknown: &mut Vec<Unknown>) -> Result<T, Fault> {
        match self.syntax {
            Syntax::Json => {
                let mut deserializer = serde_json::Deserializer::from_str(self.text);
                let object = strict::read(&mut deserializer, unknown)?;
                deserializer.end()?;
                Ok(object)
            }
            Syntax::Yaml => {
                let read =
                    |deserializer: serde_saphyr::Deserializer<'_, '_>| strict::read(deserializer, unknown);
                Ok(serde_saphyr::with_deserializer_from_str_with_options(self.text, options(), read)?)
            }
        }
    }

    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        match self.syntax {
            Syntax::Json => Ok(serde_json::from_str(self.text)?),
            Syntax::Yaml => Ok(serde_saphyr::from_str_with_options(self.text, options())?),
        }
    }

    /// Whether the text is a mapping in YAML or JSON, of whatever meaning.
    pub(super) fn is_well_formed(&self) -> bool {
        type AnyMapping = HashMap<String, IgnoredAny>;
        match self.syntax {
            Syntax::Json => serde_json::from_str::<AnyMapping>(self.text).is_ok(),
            Syntax::Yaml => {
                let mut options = options();
                options.duplicate_keys = DuplicateKeyPolicy::LastWins;
                serde_saphyr::from_str_with_options::<AnyMapping>(self.text, options).is_ok()
            }
        }
    }

    /// What the object is; nothing for an empty document. Nearly all manifests say so on lines of their
    /// own, which spares reading them twice, and reading the ones that are not wanted at all.
    pub(super) fn header(&self) -> Result<Option<Header>, Fault> {
        if self.syntax == Syntax::Yaml {
            let header = guess_header(self.text);
            if header.api_version.is_some() && header.kind.is_some() {
                return Ok(Some(header));
            }
        }
        self.parse()
    }

    /// The lines of all fields, counted inside the document.
    pub(super) fn field_lines(&self) -> FieldLines {
        match self.syntax {
            Syntax::Json => json::field_lines(self.text),
            Syntax::Yaml => FieldLines::new(self.text.lines()),
        }
    }

    /// The field on a line, counted inside the document.
    pub(super) fn field_at(&self, line: u32) -> String {
        match self.syntax {
            Syntax::Json => json::field_at(self.text, line),
            Syntax::Yaml => field_at(self.text, line),
        }
    }

    /// The line on which the first key stands.
    pub(super) fn first_line(&self) -> u32 {
        let skipped = match self.syntax {
            Syntax::Json => 0,
            Syntax::Yaml => self.text.lines().take_while(|line| is_blank(line)).count(),
        };
        self.line.saturating_add(u32::try_from(skipped).unwrap_or(u32::MAX))
    }
}

// ===== helpers =====

/// A text where YAML reads a number or a boolean is refused, as the API server refuses it.
pub(super) fn options() -> Options {
    serde_saphyr::options! { with_snippet: false, no_schema: true }
}

/// The documents of a YAML text that hold anything, each with its first line. They are cut apart before
/// they are parsed, so that a fault in one leaves the others alone. No valid document has `---` at the
/// beginning of a line.
pub(super) fn documents(text: &str) -> Vec<(u32, &str)> {
    let mut starts = vec![(1, 0)];
    let mut offset = 0;
    for (number, line) in (1u32..).zip(text.split_inclusive('\n')) {
        let marker = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if marker && offset > 0 {
            starts.push((number, offset));
        }
        offset += line.len();
    }
    let ends: Vec<_> = starts.iter().skip(1).map(|&(_, start)| start).chain([text.len()]).collect();
    let documents = starts.into_iter().zip(ends).map(|((line, start), end)| (line, &text[start..end]));
    documents.filter(|(_, text)| !text.lines().all(is_blank)).collect()
}

/// The values of a JSON text, one behind the other as `jq -c '.items[]'` writes them, each with its first
/// line. What follows a fault is one last value, which cannot be read.
pub(super) fn json_values(text: &str) -> Vec<(u32, &str)> {
    let mut values = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    loop {
        let start = stream.byte_offset();
        let value = match stream.next() {
            None => return values,
            Some(Ok(value)) => value.get(),
            Some(Err(_)) => {
                let rest = text.get(start..).unwrap_or_default();
                let value = rest.trim_start();
                values.push((1 + line_breaks(&text[..text.len() - value.len()]), value));
                return values;
            }
        };
        values.push((1 + line_breaks(before(text, value)), value));
    }
}

/// What stands in a text before a part that is borrowed from it.
pub(super) fn before<'t>(text: &'t str, part: &str) -> &'t str {
    let offset = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    text.get(..offset).unwrap_or_default()
}

/// Whether a line of YAML says nothing: blank, a comment, a directive, or a document's beginning or end.
pub(super) fn is_blank(line: &str) -> bool {
    let line = line.strip_prefix("---").or_else(|| line.strip_prefix("...")).unwrap_or(line);
    let line = line.trim();
    line.is_empty() || line.starts_with(['#', '%'])
}

/// The text of an item of a block sequence that begins at `location`, as a document of its own: all lines
/// that are indented as deep as its first one, without that indentation.
pub(super) fn item_text(text: &str, location: Location) -> Option<String> {
    let start = usize::try_from(location.span().byte_offset()?).ok()?;
    let column = usize::try_from(location.column()).ok()?.checked_sub(1)?;
    let mut lines = text.get(start..)?.split_inclusive('\n');
    let mut item = lines.next()?.to_owned();
    for line in lines {
        let indent = line.len() - line.trim_start_matches(' ').len();
        if line.trim().is_empty() {
            item.push('\n');
        } else if indent >= column {
            item.push_str(line.get(column..)?);
        } else {
            break;
        }
    }
    Some(item)
}

pub(super) fn line_breaks(text: &str) -> u32 {
    u32::try_from(text.bytes().filter(|&byte| byte == b'\n').count()).unwrap_or(u32::MAX)
}
