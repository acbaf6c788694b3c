//! Ruling R5 against little models of application servers, each written apart from the crate's code.
//!
//! What is defended: whatever path is forwarded, no server reads it into another route than the one that was
//! chosen, so nobody walks around a rule by spelling.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod oracle;

use std::net::SocketAddr;

use ingress_core::{Endpoint, PathMatch, RequestHead, RequestHost, RequestPath, RouteTable, Rule};
use oracle::{OracleRule, Type};
use proptest::prelude::*;

/// How a server gets from the path on the wire to the one it acts on, step by step. `None` is a refusal.
type Server = &'static [fn(String) -> Option<String>];

const SERVERS: &[(&str, Server)] = &[
    ("nginx: merges and resolves in one go", &[clean]),
    ("decodes the slash, then cleans, as Go's ServeMux", &[slash, clean]),
    ("decodes the slash, resolves dots, no merging", &[slash, dots]),
    ("Envoy with both options: unescape, resolve dots, then merge", &[slash, dots, merge]),
    ("merges without resolving", &[merge]),
    ("merges, then resolves", &[merge, dots]),
    ("resolves, then merges", &[dots, merge]),
    ("servlet: cuts parameters, resolves", &[parameters, dots]),
    ("servlet that merges, too", &[parameters, merge, dots]),
    ("servlet that merges in the end", &[parameters, dots, merge]),
    ("servlet that decodes after cutting", &[parameters, slash, dots]),
    ("servlet that decodes before cutting", &[slash, parameters, dots]),
    ("the same, merging", &[slash, parameters, clean]),
    ("URL parser of browsers: the backslash is a slash", &[backslash, dots]),
    ("the same, merging", &[backslash, clean]),
    ("decodes all, and the backslash is a slash", &[slash, escaped_backslash, backslash, clean]),
    ("decodes the backslash only", &[escaped_backslash, backslash, dots]),
    ("the same, leaving raw backslashes", &[escaped_backslash_to_slash, dots]),
    ("decodes all, cuts, cleans", &[slash, escaped_backslash, backslash, parameters, clean]),
    ("cuts, decodes all, cleans", &[parameters, slash, escaped_backslash, backslash, clean]),
];

fn slash(path: String) -> Option<String> {
    Some(path.replace("%2F", "/"))
}

fn backslash(path: String) -> Option<String> {
    Some(path.replace('\\', "/"))
}

fn escaped_backslash(path: String) -> Option<String> {
    Some(path.replace("%5C", "\\"))
}

fn escaped_backslash_to_slash(path: String) -> Option<String> {
    Some(path.replace("%5C", "/"))
}

fn merge(mut path: String) -> Option<String> {
    while path.contains("//") {
        path = path.replace("//", "/");
    }
    Some(path)
}

fn parameters(path: String) -> Option<String> {
    let cut = |element: &str| element.split(';').next().unwrap_or_default().to_owned();
    Some(path.split('/').map(cut).collect::<Vec<_>>().join("/"))
}

fn dots(path: String) -> Option<String> {
    let mut elements: Vec<&str> = Vec::new();
    let mut folder = false;
    for element in path.split('/').skip(1) {
        folder = matches!(element, "." | "..");
        match element {
            "." => {}
            ".." => {
                elements.pop()?;
            }
            _ => elements.push(element),
        }
    }
    if folder {
        elements.push("");
    }
    Some(format!("/{}", elements.join("/")))
}

fn clean(path: String) -> Option<String> {
    dots(merge(path)?)
}

fn table(rules: &[OracleRule]) -> RouteTable {
    let mut builder = RouteTable::builder();
    for (i, rule) in rules.iter().enumerate() {
        let path = match rule.kind {
            Type::Exact => PathMatch::exact(&rule.path),
            _ => PathMatch::prefix(&rule.path),
        };
        let backend: ingress_core::BackendRef = format!("default/b{i}:80").parse().unwrap();
        builder.rule(Rule::new(ingress_core::HostMatch::Any, path.unwrap(), backend.clone()));
        builder.endpoints(backend, [Endpoint::new(SocketAddr::from(([127, 0, 0, 1], 80)))]);
    }
    builder.build().0
}

/// The number of the rule that serves the path; `Err` for 400.
fn route(table: &RouteTable, path: &str) -> Result<Option<usize>, ()> {
    let path = RequestPath::parse(path).map_err(drop)?;
    let found = table.lookup(&RequestHead::new(&RequestHost::ABSENT, &path)).map_err(drop)?;
    Ok(found.map(|found| {
        found.backend(|_| ingress_core::Turn::Ticket(0)).unwrap().reference().to_string()[9..]
            .trim_end_matches(":80")
            .parse()
            .unwrap()
    }))
}

fn check(rules: &[OracleRule], path: &str) {
    let Ok(chosen) = route(&table(rules), path) else { return };
    let forwarded = RequestPath::parse(path).unwrap().as_str().to_owned();
    for (name, steps) in SERVERS {
        let read = steps.iter().try_fold(forwarded.clone(), |path, step| step(path));
        let Some(read) = read else { continue };
        let reached = oracle::find(rules, "", &read);
        assert_eq!(
            reached, chosen,
            "{path:?} goes on as {forwarded:?}; server {name:?} reads {read:?}; rules {rules:?}"
        );
    }
}

fn prefixes(paths: &[&str]) -> Vec<OracleRule> {
    paths
        .iter()
        .map(|path| OracleRule {
            host: String::new(),
            path: (*path).into(),
            kind: Type::Prefix,
            ..OracleRule::default()
        })
        .collect()
}

/// The gateway resolves dots before it forwards, and the server merges what is left.
#[test]
fn the_forwarded_path_is_read_as_well_as_the_received_one() {
    check(&prefixes(&["/", "/a/b"]), "/a//..//b");
}

/// Envoy resolves dots after unescaping and merges in the end.
#[test]
fn slashes_merge_before_or_after_dots() {
    check(&prefixes(&["/", "/a/b"]), "/a/%2F../%2Fb");
}

/// A server may take one spelling for a slash and not the other.
#[test]
fn spellings_of_a_slash_are_taken_one_by_one() {
    check(&prefixes(&["/", "/admin"]), "/admin\\x%2F..%2F..%2F");
    check(&prefixes(&["/", "/admin"]), "/admin%2Fx\\..\\..\\");
    check(&prefixes(&["/", "/admin"]), "/admin%5Cx%2F..%2F..%2F");
}

/// Work for one request is bounded, however long and odd its path is.
#[test]
fn a_long_path_of_odd_spellings_is_refused() {
    let table = table(&prefixes(&["/"]));
    let path = |times| "/a%2F;\\%5C/".repeat(times);
    assert_eq!(route(&table, &path(10)), Ok(Some(0)));
    assert_eq!(route(&table, &path(1000)), Err(()));
    assert_eq!(route(&table, &"/a".repeat(30_000)), Ok(Some(0)));
    assert_eq!(route(&table, &format!("/{}", "group%2F".repeat(200))), Ok(Some(0)));
}

fn request_path() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/", "/", "a", "b", "..", ".", "//", "%2F", "%2f", "%5C", "\\", ";", ";x", "/..", "/a", "/b", "%2e",
    ]);
    prop::collection::vec(piece, 0..10).prop_map(|pieces| format!("/{}", pieces.concat()))
}

fn rule_set() -> impl Strategy<Value = Vec<OracleRule>> {
    let path =
        prop::sample::select(vec!["/", "/a", "/b", "/a/b", "/a/", "/b/a", "/a/b/", "/a/a", "/b/b", "/a/a/b"]);
    let rule = (path, any::<bool>()).prop_map(|(path, exact)| OracleRule {
        host: String::new(),
        path: path.into(),
        kind: if exact { Type::Exact } else { Type::Prefix },
        ..OracleRule::default()
    });
    prop::collection::vec(rule, 1..6).prop_map(oracle::without_conflicts)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_server_reads_a_forwarded_path_into_another_route(rules in rule_set(), path in request_path()) {
        check(&rules, &path);
    }

    #[test]
    fn normalising_twice_changes_nothing(path in request_path()) {
        if let Ok(once) = RequestPath::parse(&path) {
            let again = RequestPath::parse(once.as_str()).unwrap();
            prop_assert_eq!(once.as_str(), again.as_str());
            prop_assert!(!again.is_rewritten());
            prop_assert!(!once.as_str().split('/').any(|element| matches!(element, "." | "..")));
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>(), host in any::<String>()) {
        for path in [text.clone(), format!("/{text}")] {
            let _ = (PathMatch::exact(&path), PathMatch::prefix(&path), PathMatch::implementation_specific(&path));
            if let Ok(path) = RequestPath::parse(&path) {
                prop_assert!(path.as_str().starts_with('/'));
                prop_assert!(path.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
        if let Ok(host) = RequestHost::parse(&host) {
            prop_assert!(host.as_str().bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()));
        }
        let _ = host.parse::<ingress_core::HostMatch>();
    }
}
