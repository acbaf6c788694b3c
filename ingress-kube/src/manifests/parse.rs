//! Text to objects.

use std::sync::Arc;

use ingress_core::{Code, Diagnostic, ObjectRef, Source};
use k8s_openapi::serde_json;
use serde_json::value::RawValue;
use serde_saphyr::Spanned;

use super::document::{Document, Syntax, before, documents, item_text, json_values, line_breaks, options};
use super::fault::Fault;
use super::header::{Header, guess_header};
use super::strict::Unknown;
use super::unknown::Cost;
use crate::object::DEFAULT_NAMESPACE;
use crate::{Kind, Object, ObjectKey, Origin};

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
/// A fault costs its document (or item of a List) only. A field that objects of the kind do not have is a
/// fault, too: below `spec.rules` it costs that rule of an Ingress, and directly in `spec` the Ingress if it
/// may have been meant to say who serves it; otherwise the object counts without the field.
pub fn parse_manifests(text: &str, file: &str) -> (Vec<Manifest>, Vec<Diagnostic>) {
    let parsed = parse(text, file, Syntax::of_file(file));
    (parsed.manifests, parsed.diagnostics)
}

/// What a text holds.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) manifests: Vec<Manifest>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// There is a document that cannot be read as an object, so that it is not known what it was meant to
    /// hold.
    pub(super) faulty: bool,
    /// The objects that were read but are not to be served.
    pub(super) withheld: Vec<ObjectKey>,
}

pub(super) fn parse(text: &str, file: &str, syntax: Syntax) -> Parsed {
    let mut parser = Parser { file: file.into(), parsed: Parsed::default() };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let documents = match syntax {
        Syntax::Json => json_values(text),
        Syntax::Yaml => documents(text),
    };
    for (line, text) in documents {
        parser.document(&Document { text, line, syntax, kind: None, item: false });
    }
    parser.parsed
}

struct Parser {
    file: Arc<str>,
    parsed: Parsed,
}

#[derive(serde::Deserialize)]
struct YamlList {
    #[serde(default)]
    items: Option<Vec<Spanned<serde_json::Value>>>,
}

#[derive(serde::Deserialize)]
pub(super) struct JsonList<'t> {
    #[serde(borrow, default)]
    pub(super) items: Option<Vec<&'t RawValue>>,
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
            Ok(None) => return self.report_unread(document, &header),
            Err(fault) => Err(fault),
        };
        match object {
            Ok((object, unknown)) => self.object(document, &header, object, &unknown),
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
            let line = document.line + line_breaks(before(document.text, item.get()));
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
            let Parsed { manifests, withheld, faulty, .. } = &cut.parsed;
            let is_empty = manifests.is_empty() && withheld.is_empty();
            if !faulty && !is_empty {
                self.append(cut);
                continue;
            }
            let text = item.value.to_string();
            let value = self.item(&Document { text: &text, line, syntax: Syntax::Json, kind, item: true });
            self.append(if cut.parsed.faulty && value.parsed.faulty { cut } else { value });
        }
        Ok(())
    }

    fn item(&self, document: &Document<'_>) -> Self {
        let mut parser = Self { file: self.file.clone(), parsed: Parsed::default() };
        parser.document(document);
        parser
    }

    fn append(&mut self, other: Self) {
        let (parsed, other) = (&mut self.parsed, other.parsed);
        parsed.manifests.extend(other.manifests);
        parsed.diagnostics.extend(other.diagnostics);
        parsed.faulty |= other.faulty;
        parsed.withheld.extend(other.withheld);
    }

    fn object(&mut self, document: &Document<'_>, header: &Header, mut object: Object, unknown: &[Unknown]) {
        if object.metadata().name.as_deref().unwrap_or_default().is_empty() {
            // Nothing can refer to it, so it is none of ours.
            if matches!(object.kind(), Kind::ConfigMap | Kind::Secret) {
                return;
            }
            let help = match object.metadata().generate_name {
                Some(_) => "generateName needs an API server; write metadata.name",
                None => "write metadata.name",
            };
            let fault = Fault::new("metadata.name", "the object has no name", help);
            return self.report(document, header, fault);
        }
        let costs: Vec<_> = unknown.iter().map(|unknown| unknown.cost(object.kind())).collect();
        if !unknown.is_empty() {
            self.report_unknown(document, &object.key(), unknown.iter().zip(&costs));
        }
        if costs.contains(&Cost::Object) {
            return self.parsed.withheld.push(object.key());
        }
        let mut origin = Origin::new(self.file.clone(), document.first_line());
        origin.withheld_rules = costs.into_iter().filter_map(Cost::rule).collect();
        object.withhold_rules(&origin.withheld_rules);
        self.parsed.manifests.push(Manifest { object, origin });
    }

    fn report_unknown<'u>(
        &mut self,
        document: &Document<'_>,
        key: &ObjectKey,
        unknown: impl Iterator<Item = (&'u Unknown, &'u Cost)>,
    ) {
        let lines = document.field_lines();
        for (unknown, cost) in unknown {
            let field = unknown.path();
            let line = lines.line_of(&field).map(|line| document.line.saturating_add(line).saturating_sub(1));
            let object = ObjectRef {
                kind: key.kind.as_str().into(),
                namespace: (&*key.namespace).into(),
                name: (&*key.name).into(),
                created: None,
                file: Some((&*self.file).into()),
                line: line.or_else(|| Some(document.first_line())),
            };
            let source = Source::new(object.into(), field);
            let finding =
                Diagnostic::new(Code::InvalidObject, source, unknown.message(*cost), unknown.help());
            self.parsed.diagnostics.push(finding);
        }
    }

    /// Most kinds have nothing to do with routing. One of them has, and is not read.
    fn report_unread(&mut self, document: &Document<'_>, header: &Header) {
        if header.kind.as_deref() != Some("Endpoints") || header.api_version.as_deref() != Some("v1") {
            return;
        }
        let object = self.object_ref(document, header, document.first_line());
        let help = format!(
            "write an EndpointSlice with the label kubernetes.io/service-name: {}; a cluster makes one by itself",
            object.name
        );
        let source = Source::new(object.into(), "");
        let message = "Endpoints objects have no effect";
        self.parsed.diagnostics.push(Diagnostic::new(Code::IgnoredField, source, message, help));
    }

    fn object_ref(&self, document: &Document<'_>, header: &Header, line: u32) -> ObjectRef {
        let metadata = header.metadata.clone().filter(|metadata| metadata.name.is_some());
        let metadata = metadata.or_else(|| document.parse::<Header>().ok()?.metadata).unwrap_or_default();
        let name = metadata.name.unwrap_or_default();
        let cluster_wide = header.kind.as_deref() == Some(Kind::IngressClass.as_str());
        let namespace = match metadata.namespace {
            _ if name.is_empty() || cluster_wide => String::new(),
            namespace => namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.into()),
        };
        ObjectRef {
            kind: header.kind.as_deref().unwrap_or_default().into(),
            namespace: namespace.into(),
            name: name.into(),
            created: None,
            file: Some((&*self.file).into()),
            line: Some(line),
        }
    }

    fn report(&mut self, document: &Document<'_>, header: &Header, fault: Fault) {
        let line = fault.line.or_else(|| document.field_lines().line_of(&fault.field));
        let line = match line {
            Some(line) => document.line.saturating_add(line).saturating_sub(1),
            None => document.first_line(),
        };
        let object = self.object_ref(document, header, line);
        // Where the text is no YAML or JSON at all, its lines say nothing about fields.
        let unreadable = fault.syntax && !document.is_well_formed();
        let field = match fault.line {
            Some(line) if !unreadable && fault.field.is_empty() => document.field_at(line),
            _ => fault.field.into_owned(),
        };
        let code = if unreadable { Code::UnreadableFile } else { Code::InvalidObject };
        let source = Source::new(object.into(), field);
        self.parsed.diagnostics.push(Diagnostic::new(code, source, fault.message, fault.help));
        self.parsed.faulty = true;
    }
}
