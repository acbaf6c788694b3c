//! Findings as a SARIF 2.1.0 log, which code scanning services read.

use std::path::{Component, Path, PathBuf};

use ingress_core::{Code, Diagnostic, Severity, Source};
use ingress_kube::manifests::Loaded;
use serde_json::{Value, json};

use super::place::Texts;

/// The log with one run.
pub(super) fn log(loaded: &Loaded, findings: &[&Diagnostic]) -> Value {
    let here = std::env::current_dir().unwrap_or_default();
    let mut locator = Locator { texts: Texts::new(loaded), here };
    let results: Vec<_> = findings.iter().map(|finding| result(finding, &mut locator)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "gateway",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": Code::all().iter().map(|code| rule(*code)).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.as_str(),
        "name": format!("{code:?}"),
        "shortDescription": { "text": sentence(code.meaning()) },
        "defaultConfiguration": { "level": level(code.severity()) },
    })
}

fn result<'l>(finding: &'l Diagnostic, locator: &mut Locator<'l>) -> Value {
    let mut text = finding.message.to_string();
    if !finding.help.is_empty() {
        text = format!("{text}; {}", finding.help);
    }
    let mut result = json!({
        "ruleId": finding.code.as_str(),
        "ruleIndex": Code::all().iter().position(|code| *code == finding.code),
        "level": level(finding.severity),
        "message": { "text": text },
        "locations": finding.source.iter().map(|source| locator.location(source)).collect::<Vec<_>>(),
    });
    if let Some(winner) = &finding.related {
        let mut location = locator.location(winner);
        location["message"] = json!({ "text": format!("{winner} counts") });
        result["relatedLocations"] = json!([location]);
    }
    result
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).chain(['.']).collect()
}

/// Turns sources into locations.
struct Locator<'l> {
    texts: Texts<'l>,
    /// What relative addresses begin at.
    here: PathBuf,
}

// ===== impl Locator =====

impl<'l> Locator<'l> {
    fn location(&mut self, source: &'l Source) -> Value {
        let mut location = json!({});
        if let Some(file) = &source.object.file {
            location["physicalLocation"] = json!({ "artifactLocation": self.artifact(Path::new(&**file)) });
            if let Some(line) = source.object.line {
                location["physicalLocation"]["region"] = self.region(source, line);
            }
        }
        let object = source.object.to_string();
        if !object.is_empty() {
            let mut names = vec![json!({ "fullyQualifiedName": object, "kind": "object" })];
            if !source.field.is_empty() {
                let name = json!({
                    "name": source.field, "fullyQualifiedName": source.to_string(), "kind": "property",
                });
                names.push(name);
            }
            location["logicalLocations"] = names.into();
        }
        location
    }

    fn region(&mut self, source: &'l Source, line: u32) -> Value {
        let mut region = json!({ "startLine": line });
        if let Some(place) = self.texts.place(source)
            && let Some((first, end)) = place.columns()
        {
            region["startColumn"] = first.into();
            region["endColumn"] = end.into();
            region["snippet"] = json!({ "text": place.marked() });
        }
        region
    }

    /// An address relative to the present directory, which is where the check of a repository runs; a file
    /// somewhere else is named in full.
    fn artifact(&self, file: &Path) -> Value {
        let relative = self.relative(file);
        match relative {
            Some(relative) => json!({ "uri": uri(&relative), "uriBaseId": "%SRCROOT%" }),
            None => {
                let full = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
                json!({ "uri": format!("file://{}", uri(&full)) })
            }
        }
    }

    fn relative(&self, file: &Path) -> Option<PathBuf> {
        let file = file.strip_prefix(&self.here).unwrap_or(file);
        let mut relative = PathBuf::new();
        for component in file.components() {
            match component {
                Component::Normal(name) => relative.push(name),
                Component::CurDir => {}
                // Up and down again stays inside, unless a link is in between; such a link is followed.
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    let real = file.canonicalize().ok()?;
                    return real.strip_prefix(self.here.canonicalize().ok()?).map(Path::to_owned).ok();
                }
            }
        }
        Some(relative)
    }
}

/// A path as part of an address, RFC 3986 section 2.
fn uri(path: &Path) -> String {
    let mut uri = String::new();
    for byte in path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/").bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => uri += &format!("%{byte:02X}"),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_relative_where_they_can_be() {
        let here = std::env::current_dir().expect("there is a directory");
        let loaded = Loaded::default();
        let locator = Locator { texts: Texts::new(&loaded), here: here.clone() };
        let inside = here.join("a b/c.yaml").to_string_lossy().into_owned();
        for (file, want) in [
            ("a.yaml", "a.yaml"),
            ("./d/a.yaml", "d/a.yaml"),
            ("gateway/../shop/class.yaml", "shop/class.yaml"),
            (&inside, "a%20b/c.yaml"),
            ("<stdin>", "%3Cstdin%3E"),
            ("/nowhere/\u{e9}.yaml", "file:///nowhere/%C3%A9.yaml"),
        ] {
            assert_eq!(locator.artifact(Path::new(file))["uri"], want, "{file}");
        }
    }
}
