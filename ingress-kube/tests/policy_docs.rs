//! The page of policies: its tables are those of the annotations that are read.
//!
//! `BLESS=1 cargo test -p ingress-kube --test policy_docs` writes the tables into the page. The name of a test is written
//! by hand, in the last column.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use ingress_kube::{Annotation, Scope, Unreadable, ValueKind, annotations};

const HEAD: &str = "| annotation | says | type | where | where nobody says anything | unreadable | test |\n|---|---|---|---|---|---|---|\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn kind(value: ValueKind) -> &'static str {
    match value {
        ValueKind::Text => "text",
        ValueKind::Duration => "duration",
        ValueKind::Size => "size",
        ValueKind::Count => "number",
        ValueKind::Percent => "percentage",
        ValueKind::Decimal => "decimal number",
        ValueKind::Switch => "switch",
        _ => "?",
    }
}

fn becomes(unreadable: Unreadable) -> &'static str {
    match unreadable {
        Unreadable::Never => "cannot be",
        Unreadable::LeftOut => "left out",
        Unreadable::Strictest => "strictest",
        Unreadable::Closed => "**503**",
        Unreadable::NotServed => "**not served**",
        _ => "?",
    }
}

/// `I` is an Ingress, `C` a class, `S` a Service, `G` a gateway.
fn places(scope: Scope) -> String {
    let places = [
        (scope.has_ingresses(), 'I'),
        (scope.has_classes(), 'C'),
        (scope.has_services(), 'S'),
        (scope.has_gateways(), 'G'),
    ];
    places.into_iter().filter(|(may, _)| *may).map(|(_, place)| place).collect()
}

fn row(annotation: &Annotation, test: &str) -> String {
    let Annotation { name, meaning, default, value, scope, unreadable, .. } = annotation;
    let meaning = meaning.replace('|', "\\|");
    let (kind, places, becomes) = (kind(*value), places(*scope), becomes(*unreadable));
    format!("| `{name}` | {meaning} | {kind} | {places} | {default} | {becomes} | {test} |\n")
}

/// The name in a row, and the test in its last column.
fn name_and_test(row: &str) -> Option<(&str, &str)> {
    let name = row.strip_prefix("| `")?.split('`').next()?;
    Some((name, row.trim_end().strip_suffix('|')?.rsplit('|').next()?.trim()))
}

/// The page with the tables that it should have; a table stands at the end of the section of its policy.
fn with_tables(page: &str) -> String {
    let tests: BTreeMap<_, _> = page.lines().filter_map(name_and_test).collect();
    let mut out = String::new();
    for (number, section) in page.split("\n## ").enumerate() {
        if number > 0 {
            out.push_str("\n## ");
        }
        let policy = section.lines().next().unwrap().to_lowercase();
        let own: Vec<_> =
            annotations().iter().filter(|annotation| annotation.policy.to_lowercase() == policy).collect();
        let table = section.find("\n| annotation |").map(|at| at + 1).filter(|_| !own.is_empty());
        out.push_str(table.map_or(section, |at| &section[..at]));
        if !own.is_empty() {
            if table.is_none() {
                out.push('\n');
            }
            out.push_str(HEAD);
            own.iter().for_each(|one| out.push_str(&row(one, tests.get(one.name).unwrap_or(&"?"))));
        }
    }
    out
}

#[test]
fn the_page_has_each_annotation_in_the_table_of_its_policy() {
    let file = root().join("ingress-kube/POLICIES.md");
    let page = fs::read_to_string(&file).unwrap();
    let want = with_tables(&page);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, &want).unwrap();
    }
    let page = fs::read_to_string(&file).unwrap();
    assert!(page == want, "the tables are out of date; BLESS=1 writes them");
    for annotation in annotations() {
        let rows = page.lines().filter_map(name_and_test).filter(|(name, _)| *name == annotation.name);
        assert_eq!(rows.count(), 1, "{}: is there a section {:?}?", annotation.name, annotation.policy);
    }
}

#[test]
fn each_annotation_has_a_test_that_is_there() {
    let page = fs::read_to_string(root().join("ingress-kube/POLICIES.md")).unwrap();
    let mut faults = String::new();
    let mut names = BTreeSet::new();
    for (name, test) in page.lines().filter_map(name_and_test) {
        names.insert(name);
        let found = test.trim_matches('`').split_once("::").is_some_and(|(file, function)| {
            let text = fs::read_to_string(root().join(file)).unwrap_or_default();
            text.contains(&format!("fn {function}(")) && text.contains(name)
        });
        if !found {
            writeln!(faults, "{name}: {test:?} is no file::function that names it").unwrap();
        }
    }
    assert!(faults.is_empty(), "{faults}");
    assert!(annotations().iter().all(|annotation| names.contains(annotation.name)));
}
