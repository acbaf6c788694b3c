//! Text to objects.

use std::collections::HashMap;
use std::sync::Arc;

use ingress_core::{Code, Diagnostic, ObjectRef, Source};
use k8s_openapi::serde_json;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;
use serde_saphyr::{DuplicateKeyPolicy, Location, Options, Spanned};

use super::fault::Fault;
use super::field::field_at;
use super::header::{Header, guess_header};
use crate::{Kind, Object, Origin};

/// One object of a file, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The object.
    pub object: Object,
    /// File and line.
    pub origin: Origin,
}

/// Reads all objects in the text of one file, and says what is wrong with the others. `file` is the name
/// to be shown; a text that is called `*.json` is read as JSON, any other as YAML.
///
/// A fault costs its document (or item of a List) only.
pub fn parse_manifests(text: &str, file: &str) -> (Vec<Manifest>, Vec<Diagnostic>) {
    let mut parser = Parser { file: file.into(), manifests: Vec::new(), diagnostics: Vec::new() };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if file.ends_with(".json") {
        if !text.trim().is_empty() {
            parser.document(&Document { text, line: 1, syntax: Syntax::Json, kind: None, item: false });
        }
    } else {
        for (line, text) in documents(text) {
            parser.document(&Document { text, line, syntax: Syntax::Yaml, kind: None, item: false });
        }
    }
    (parser.manifests, parser.diagnostics)
}

struct Parser {
    file: Arc<str>,
    manifests: Vec<Manifest>,
    diagnostics: Vec<Diagnostic>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Syntax {
    Yaml,
    Json,
}

/// The text of one object or List.
struct Document<'t> {
    text: &'t str,
    /// The line of the file on which the text begins, counted from 1.
    line: u32,
    syntax: Syntax,
    /// What it is unless it says so itself: an item of an IngressList need not.
    kind: Option<Kind>,
    /// Whether it is an item of a List.
    item: bool,
}

#[derive(serde::Deserialize)]
struct YamlList {
    #[serde(default)]
    items: Option<Vec<Spanned<serde_json::Value>>>,
}

#[derive(serde::Deserialize)]
struct JsonList<'t> {
    #[serde(borrow, default)]
    items: Option<Vec<&'t RawValue>>,
}

// ===== impl Parser =====

impl Parser {
    fn document(&mut self, document: &Document<'_>) {
        let mut header = match document.header() {
            Ok(Some(header)) => header,
            Ok(None) => return,
            Err(fault) => return self.report(document, &guess_header(document.text), fault),
        };
        if let Some(kind) = document.kind {
            header.complete(kind);
        }
        if header.is_list() {
            if document.item {
                let fault =
                    Fault::new("kind", "a List is inside another one", "write its items into the outer one");
                return self.report(document, &header, fault);
            }
            return self.list(document, &header);
        }
        let object = match header.wanted() {
            Ok(Some(wanted)) => document.object(wanted),
            Ok(None) => return,
            Err(fault) => Err(fault),
        };
        match object {
            Ok(object) => self.object(document, &header, object),
            Err(fault) => self.report(document, &header, fault),
        }
    }

    fn list(&mut self, document: &Document<'_>, header: &Header) {
        let result = match document.syntax {
            Syntax::Json => self.json_list(document, header.listed()),
            Syntax::Yaml => self.yaml_list(document, header.listed()),
        };
        if let Err(fault) = result {
            self.report(document, header, fault);
        }
    }

    fn json_list(&mut self, document: &Document<'_>, kind: Option<Kind>) -> Result<(), Fault> {
        let list: JsonList<'_> = serde_json::from_str(document.text)?;
        for item in list.items.into_iter().flatten() {
            // Items are borrowed from the text, so where they begin says on which line.
            let offset = (item.get().as_ptr() as usize).saturating_sub(document.text.as_ptr() as usize);
            let line = document.line + line_breaks(document.text.get(..offset).unwrap_or_default());
            self.document(&Document { text: item.get(), line, syntax: Syntax::Json, kind, item: true });
        }
        Ok(())
    }

    fn yaml_list(&mut self, document: &Document<'_>, kind: Option<Kind>) -> Result<(), Fault> {
        let list: YamlList = serde_saphyr::from_str_with_options(document.text, options())?;
        for item in list.items.into_iter().flatten() {
            let line = u32::try_from(item.defined.line()).unwrap_or(u32::MAX).saturating_sub(1);
            let line = document.line.saturating_add(line);
            // The item's own text gives the line of a fault. Where it cannot be cut out (flow style,
            // anchors) the value does without.
            let text = item_text(document.text, item.defined).unwrap_or_default();
            let cut = self.item(&Document { text: &text, line, syntax: Syntax::Yaml, kind, item: true });
            let sound = cut.diagnostics.is_empty() && !cut.manifests.is_empty();
            if sound {
                self.append(cut);
                continue;
            }
            let text = item.value.to_string();
            let value = self.item(&Document { text: &text, line, syntax: Syntax::Json, kind, item: true });
            self.append(if value.diagnostics.is_empty() || cut.diagnostics.is_empty() { value } else { cut });
        }
        Ok(())
    }

    fn item(&self, document: &Document<'_>) -> Self {
        let mut parser = Self { file: self.file.clone(), manifests: Vec::new(), diagnostics: Vec::new() };
        parser.document(document);
        parser
    }

    fn append(&mut self, mut other: Self) {
        self.manifests.append(&mut other.manifests);
        self.diagnostics.append(&mut other.diagnostics);
    }

    fn object(&mut self, document: &Document<'_>, header: &Header, object: Object) {
        if object.metadata().name.as_deref().unwrap_or_default().is_empty() {
            let help = match object.metadata().generate_name {
                Some(_) => "generateName needs an API server; write metadata.name",
                None => "write metadata.name",
            };
            return self.report(
                document,
                header,
                Fault::new("metadata.name", "the object has no name", help),
            );
        }
        let origin = Origin { file: self.file.clone(), line: document.first_line() };
        self.manifests.push(Manifest { object, origin });
    }

    fn report(&mut self, document: &Document<'_>, header: &Header, fault: Fault) {
        let metadata = header.metadata.clone().filter(|metadata| metadata.name.is_some());
        let metadata = metadata.or_else(|| document.parse::<Header>().ok()?.metadata).unwrap_or_default();
        let line = match fault.line {
            Some(line) => document.line.saturating_add(line).saturating_sub(1),
            None => document.first_line(),
        };
        let name = metadata.name.unwrap_or_default();
        let namespace = if name.is_empty() { None } else { metadata.namespace };
        let object = ObjectRef {
            kind: header.kind.as_deref().unwrap_or_default().into(),
            namespace: namespace
                .unwrap_or_else(|| if name.is_empty() { "" } else { "default" }.into())
                .into(),
            name: name.into(),
            created: None,
            file: Some((&*self.file).into()),
            line: Some(line),
        };
        // Where the text is no YAML or JSON at all, its lines say nothing about fields.
        let unreadable = fault.syntax && !document.is_well_formed();
        let field = match fault.line {
            Some(line) if !unreadable && fault.field.is_empty() && document.syntax == Syntax::Yaml => {
                field_at(document.text, line)
            }
            _ => fault.field.into_owned(),
        };
        let code = if unreadable { Code::UnreadableFile } else { Code::InvalidObject };
        let source = Source::new(object.into(), field);
        self.diagnostics.push(Diagnostic::new(code, source, fault.message, fault.help));
    }
}

// ===== impl Document =====

impl Document<'_> {
    fn object(&self, kind: Kind) -> Result<Object, Fault> {
        match kind {
            Kind::Ingress => self.parse().map(Object::Ingress),
            Kind::IngressClass => self.parse().map(Object::IngressClass),
            Kind::Service => self.parse().map(Object::Service),
            Kind::EndpointSlice => self.parse().map(Object::EndpointSlice),
        }
    }

    fn parse<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        match self.syntax {
            Syntax::Json => Ok(serde_json::from_str(self.text)?),
            Syntax::Yaml => Ok(serde_saphyr::from_str_with_options(self.text, options())?),
        }
    }

    /// Whether the text is a mapping in YAML or JSON, of whatever meaning.
    fn is_well_formed(&self) -> bool {
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
    fn header(&self) -> Result<Option<Header>, Fault> {
        if self.syntax == Syntax::Yaml {
            let header = guess_header(self.text);
            if header.api_version.is_some() && header.kind.is_some() {
                return Ok(Some(header));
            }
        }
        self.parse()
    }

    /// The line on which the first key stands.
    fn first_line(&self) -> u32 {
        let skipped = match self.syntax {
            Syntax::Json => 0,
            Syntax::Yaml => self.text.lines().take_while(|line| is_blank(line)).count(),
        };
        self.line.saturating_add(u32::try_from(skipped).unwrap_or(u32::MAX))
    }
}

// ===== helpers =====

/// A text where YAML reads a number or a boolean is refused, as the API server refuses it.
fn options() -> Options {
    serde_saphyr::options! { with_snippet: false, no_schema: true }
}

/// The documents of a YAML text that hold anything, each with its first line. They are cut apart before
/// they are parsed, so that a fault in one leaves the others alone. No valid document has `---` at the
/// beginning of a line.
fn documents(text: &str) -> impl Iterator<Item = (u32, &str)> {
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
    documents.filter(|(_, text)| !text.lines().all(is_blank))
}

/// Whether a line of YAML says nothing: blank, a comment, a directive, or a document's beginning or end.
fn is_blank(line: &str) -> bool {
    let line = line.strip_prefix("---").or_else(|| line.strip_prefix("...")).unwrap_or(line);
    let line = line.trim();
    line.is_empty() || line.starts_with(['#', '%'])
}

/// The text of an item of a block sequence that begins at `location`, as a document of its own: all lines
/// that are indented as deep as its first one, without that indentation.
fn item_text(text: &str, location: Location) -> Option<String> {
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

fn line_breaks(text: &str) -> u32 {
    u32::try_from(text.bytes().filter(|&byte| byte == b'\n').count()).unwrap_or(u32::MAX)
}
