//! The page of diagnostics: each of its examples is what it says it is.
//!
//! `BLESS=1 cargo test -p ingress-kube --test diagnostic_docs` writes the texts that are printed into the page.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![cfg(feature = "manifests")]

#[path = "common/pretended.rs"]
mod pretended;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ingress_core::{Code, Diagnostic, RouteTable, Severity, table};
use ingress_kube::manifests::Loaded;
use ingress_kube::{Config, HostOwnership, IngressController};

/// One section of the page.
struct Section {
    code: Code,
    /// What stands before the first block.
    prose: String,
    wrong: String,
    /// Every line that is printed for it.
    printed: String,
    fixed: String,
}

fn page_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ingress-core/DIAGNOSTICS.md")
}

/// The text of the only block with this beginning.
fn block(text: &str, start: &str) -> String {
    let blocks: Vec<_> = text.split(&format!("```{start}\n")).skip(1).collect();
    assert_eq!(blocks.len(), 1, "blocks with {start:?} in {text}");
    blocks[0].split_once("```").unwrap().0.into()
}

/// The file that each example is beside, and the sections.
fn page() -> (String, Vec<Section>) {
    let text = std::fs::read_to_string(page_file()).unwrap();
    let mut parts = text.split("\n## ");
    let beside = block(parts.next().unwrap(), "yaml beside");
    let section = |part: &str| {
        let (title, text) = part.split_once('\n').unwrap();
        let code = Code::all().iter().find(|code| code.as_str() == title);
        Section {
            code: *code.unwrap_or_else(|| panic!("there is no code {title}")),
            prose: text.split("```").next().unwrap().to_owned(),
            wrong: block(text, "yaml wrong"),
            printed: block(text, "text"),
            fixed: block(text, "yaml fixed"),
        }
    };
    (beside, parts.map(section).collect())
}

/// What the gateway does with the flags in the first line of an example: `# gateway run --flag value`.
fn config(manifest: &str) -> Config {
    let first = manifest.lines().next().unwrap_or_default();
    let mut words = first.strip_prefix("# gateway run ").unwrap_or_default().split(' ');
    let mut config = Config::default().load_certificate(pretended::load);
    while let Some(flag) = words.next().filter(|flag| !flag.is_empty()) {
        let value = words.next().unwrap();
        config = match flag {
            "--default-backend-service" => config.default_backend_service(value.parse().unwrap()),
            "--host-ownership" => {
                let page = std::fs::read_to_string(page_file()).unwrap();
                config.host_ownership(HostOwnership::from_yaml(&block(&page, "yaml owners")).unwrap())
            }
            "--ingress-class" => config.ingress_class(value),
            _ => panic!("no example has used {flag} before"),
        };
    }
    config
}

fn findings(beside: &str, manifest: &str) -> Vec<Diagnostic> {
    let mut loaded = Loaded::default();
    loaded.add_text("service.yaml", beside);
    loaded.add_text("web.yaml", manifest);
    let (_reader, writer) = table(RouteTable::default());
    let mut controller = IngressController::new(config(manifest), writer);
    loaded.publish(&mut controller).diagnostics.iter().cloned().collect()
}

#[test]
fn every_code_has_a_section_with_its_meaning() {
    let (_, sections) = page();
    let codes: Vec<_> = sections.iter().map(|section| section.code).collect();
    assert_eq!(codes, Code::all());
    for section in &sections {
        let severity = match section.code.severity() {
            Severity::Error => "Error",
            Severity::Warning => "Warning",
        };
        let first = format!("\n{severity}: {}.\n", section.code.meaning());
        assert!(section.prose.starts_with(&first), "{}: {first:?} is expected first", section.code);
    }
}

#[test]
fn every_example_has_its_finding_and_is_without_it_when_mended() {
    let (beside, sections) = page();
    let bless = std::env::var_os("BLESS").is_some();
    let mut text = std::fs::read_to_string(page_file()).unwrap();
    let mut faults = String::new();
    for section in &sections {
        let code = section.code;
        let found = findings(&beside, &section.wrong);
        let codes: BTreeSet<_> = found.iter().map(|finding| finding.code).collect();
        if codes != BTreeSet::from([code]) {
            writeln!(faults, "{code}: the faulty example has the findings {found:#?}").unwrap();
        }
        let printed: String = found.iter().map(|finding| format!("{finding}\n")).collect();
        if bless {
            let (before, after) = text.split_at(text.find(&format!("\n## {code}\n")).unwrap());
            let old = format!("```text\n{}```", section.printed);
            text = format!("{before}{}", after.replacen(&old, &format!("```text\n{printed}```"), 1));
        } else if printed != section.printed {
            writeln!(faults, "{code}: printed is\n{printed}and not\n{:?}", section.printed).unwrap();
        }
        let left = findings(&beside, &section.fixed);
        if !left.is_empty() {
            writeln!(faults, "{code}: the mended example has the findings {left:#?}").unwrap();
        }
    }
    if bless {
        std::fs::write(page_file(), text).unwrap();
    }
    assert!(faults.is_empty(), "{faults}");
}
