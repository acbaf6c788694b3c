//! What the compiler finds in rules, and that a finding costs no more than it says.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::sync::Arc;

use ingress_core::{
    Code, Diagnostic, ObjectRef, PathMatch, RequestHead, RequestHost, RequestPath, RouteTable, Rule,
    Severity, Source,
};

fn rule(name: &str, created: i64, host: &str, path: PathMatch) -> Rule {
    let object = ObjectRef {
        kind: "Ingress".into(),
        namespace: "shop".into(),
        name: name.into(),
        created: Some(created),
        ..ObjectRef::default()
    };
    let source = Source::new(Arc::new(object), "spec.rules[0].http.paths[0]");
    Rule::new(host.parse().unwrap(), path, format!("shop/{name}:80").parse().unwrap()).with_source(source)
}

fn build(rules: impl IntoIterator<Item = Rule>) -> (RouteTable, Vec<String>) {
    let mut builder = RouteTable::builder();
    for rule in rules {
        builder.rule(rule);
    }
    let (table, findings) = builder.build();
    assert_eq!(table.diagnostics(), &findings);
    (table, findings.iter().map(ToString::to_string).collect())
}

#[test]
fn a_shadowed_rule_names_the_winner() {
    let path = || PathMatch::prefix("/a").unwrap();
    let (table, findings) =
        build([rule("young", 2, "x.example", path()), rule("old", 1, "x.example", path())]);
    assert_eq!(table.routes().len(), 1);
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].starts_with("warning[ING009]: Ingress shop/young spec.rules[0].http.paths[0]: "),
        "{findings:?}"
    );
    assert!(findings[0].contains("Ingress shop/old"), "{findings:?}");
}

/// Read from two files, or twice from one, an object is still one object.
#[test]
fn the_same_rule_twice_is_no_finding() {
    let one = rule("web", 1, "x.example", PathMatch::prefix("/a").unwrap());
    let (table, findings) = build([one.clone(), one]);
    assert_eq!((table.routes().len(), findings), (1, vec![]));
}

#[test]
fn a_prefix_hidden_by_its_slash_is_reported() {
    let prefix = |path| PathMatch::prefix(path).unwrap();
    let (table, findings) =
        build([rule("plain", 1, "x.example", prefix("/a")), rule("slash", 1, "x.example", prefix("/a/"))]);
    assert_eq!(table.routes().len(), 2);
    assert_eq!(findings.len(), 1);
    assert!(findings[0].starts_with("warning[ING010]: Ingress shop/plain "), "{findings:?}");
    // Other hosts and the other kind hide nothing.
    let exact = PathMatch::exact("/a/").unwrap();
    let other = rule("other", 1, "y.example", prefix("/a/"));
    assert_eq!(
        build([rule("plain", 1, "x.example", prefix("/a")), rule("exact", 1, "x.example", exact), other]).1,
        [""; 0]
    );
}

#[test]
fn a_rule_that_no_request_reaches_is_reported() {
    let cases = [
        (PathMatch::prefix("/a;b"), "/a;b/c"),
        (PathMatch::exact("/a;b"), "/a;b"),
        (PathMatch::exact("/a%5Cb"), "/a%5Cb"),
        (PathMatch::implementation_specific("/a//b"), "/a//b"),
        (PathMatch::implementation_specific("/a%2fb/"), "/a%2Fb/"),
    ];
    for (path, request) in cases {
        let (table, findings) = build([rule("web", 1, "x.example", path.unwrap())]);
        assert!(findings.len() == 1 && findings[0].starts_with("warning[ING020]"), "{request}: {findings:?}");
        let (host, path) = (RequestHost::parse("x.example").unwrap(), RequestPath::parse(request).unwrap());
        assert!(table.lookup(&RequestHead::new(&host, &path)).is_err(), "{request}");
    }
    for path in
        [PathMatch::prefix("/a/"), PathMatch::exact("/a%20b"), PathMatch::implementation_specific("/a//")]
    {
        assert_eq!(build([rule("web", 1, "x.example", path.unwrap())]).1, [""; 0]);
    }
}

#[test]
fn findings_of_the_caller_are_published_with_the_table() {
    let finding = Diagnostic::new(Code::InvalidHost, None, "the host names a port", "write just the name");
    let mut builder = RouteTable::builder();
    builder.diagnostic(finding.clone()).diagnostic(finding.clone());
    let (table, _) = builder.build();
    assert_eq!(finding.severity, Severity::Error);
    assert!(table.diagnostics().iter().eq([&finding]));
}
