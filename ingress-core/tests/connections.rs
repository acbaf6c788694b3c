//! What a table says of connections before there is a request: who is asked for a certificate, and what is not decrypted.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use ingress_core::{
    BackendRef, ClientCertificate, Endpoint, HostFallthrough, HostMatch, ObjectRef, PathMatch, Policy,
    RequestHead, RequestHost, RequestPath, RouteTable, Rule, Source, TableEditor, Trust,
};

fn backend(name: &str) -> BackendRef {
    format!("default/{name}:80").parse().unwrap()
}

fn wanting() -> Policy {
    let mut policy = Policy::default();
    policy.authentication.certificate = Some(ClientCertificate::new(Trust::none()));
    policy
}

fn rule(host: &str, policy: Policy) -> Rule {
    let path = PathMatch::prefix("/").unwrap();
    Rule::new(host.parse().unwrap(), path, backend("web")).with_policy(policy)
}

#[test]
fn names_are_asked_that_may_lead_to_a_rule_that_wants_a_certificate() {
    for (fallthrough, open) in [(HostFallthrough::default(), false), (HostFallthrough::Always, true)] {
        let mut rules = RouteTable::builder();
        rules.rule(rule("*.a.example", wanting())).rule(rule("open.a.example", Policy::default()));
        rules.rule(rule("b.example", Policy::default())).rule(rule("b.example", wanting()));
        rules.rule(
            Rule::new("b.example".parse().unwrap(), PathMatch::prefix("/x").unwrap(), backend("web"))
                .with_policy(wanting()),
        );
        rules.host_fallthrough(fallthrough);
        let (table, _) = rules.build();
        for (name, want) in [
            (Some("x.a.example"), true),
            (Some("X.A.Example"), true),
            (Some("x.y.a.example"), false),
            (Some("a.example"), false),
            (Some("open.a.example"), open),
            (Some("b.example"), true),
            (Some("c.example"), false),
            (None, true),
        ] {
            assert_eq!(table.wants_certificate(name), want, "{name:?}");
        }
    }
    assert!(!RouteTable::default().wants_certificate(None));
}

#[test]
fn rules_without_a_host_and_backends_may_want_a_certificate_of_everybody() {
    let mut editor = TableEditor::new();
    let wants = |editor: &mut TableEditor| editor.build().0.wants_certificate(Some("c.example"));
    editor.set_host(HostMatch::Any, vec![rule("", wanting())]);
    assert!(wants(&mut editor));
    editor.set_host(HostMatch::Any, vec![rule("", Policy::default())]);
    assert!(!wants(&mut editor));
    for (policy, want) in
        [(Some(wanting()), true), (Some(wanting()), true), (Some(Policy::default()), false), (None, false)]
    {
        editor.set_backend_policy(backend("web"), policy.map(Into::into));
        assert_eq!(wants(&mut editor), want);
    }
}

// ===== passthrough =====

/// A rule of an Ingress that is so old.
fn aged(rule: Rule, age: i64, name: &str) -> Rule {
    let object = ObjectRef {
        kind: "Ingress".into(),
        namespace: "default".into(),
        name: name.into(),
        created: Some(age),
        file: None,
        line: None,
    };
    rule.with_source(Source::new(std::sync::Arc::new(object), "spec.rules[0]"))
}

fn passed(host: &str, to: &str) -> Rule {
    Rule::passthrough(host.parse().unwrap(), backend(to))
}

fn served(table: &RouteTable, host: &str) -> Option<String> {
    let (host, path) = (RequestHost::parse(host).unwrap(), RequestPath::parse("/").unwrap());
    let found = table.lookup(&RequestHead::new(&host, &path)).unwrap()?;
    Some(found.backend(|_| ingress_core::Turn::Ticket(0))?.reference().to_string())
}

fn carried(table: &RouteTable, name: &str) -> Option<String> {
    table.passthrough(name).map(|passed| passed.backend.reference().to_string())
}

#[test]
fn connections_go_by_exact_name_then_wildcard_unless_the_host_has_rules() {
    let mut rules = RouteTable::builder();
    rules.rule(passed("a.example", "a")).rule(passed("*.b.example", "b")).rule(passed("x.b.example", "x"));
    rules.rule(rule("y.b.example", Policy::default())).rule(rule("*.example", Policy::default()));
    rules.endpoints(backend("a"), [Endpoint::new(([10, 0, 0, 1], 443).into())]);
    let (table, diagnostics) = rules.build();
    assert!(table.has_passthroughs() && diagnostics.is_empty());
    for (name, want) in [
        ("a.example", Some("default/a:80")),
        ("A.EXAMPLE", Some("default/a:80")),
        ("x.b.example", Some("default/x:80")),
        ("z.b.example", Some("default/b:80")),
        ("y.b.example", None),
        ("z.z.b.example", None),
        ("c.example", None),
        ("192.0.2.1", None),
        ("", None),
    ] {
        assert_eq!(carried(&table, name).as_deref(), want, "{name}");
    }
    // Their requests are nobody's, not those of the wildcard.
    for (host, want) in [("a.example", None), ("z.b.example", None), ("c.example", Some("default/web:80"))] {
        assert_eq!(served(&table, host).as_deref(), want, "{host}");
    }
    assert_eq!(table.passthrough("a.example").unwrap().backend.endpoints().as_slice().len(), 1);
    assert_eq!(table.passthroughs().count(), 3);
    assert_eq!((table.route_count(), table.host_count()), (2, 2));
}

#[test]
fn the_older_object_says_whether_a_host_is_decrypted() {
    let web = |age| aged(rule("a.example", Policy::default()), age, "web");
    let tcp = |age| aged(passed("a.example", "tcp"), age, "tcp");
    for (rules, is_passed, said) in [
        (vec![web(1), tcp(2)], false, "not passed through, because Ingress default/web"),
        (vec![tcp(1), web(2)], true, "passed through without being decrypted, as Ingress default/tcp"),
        (vec![web(2), tcp(1)], true, "passed through without being decrypted, as Ingress default/tcp"),
    ] {
        let mut editor = TableEditor::new();
        editor.set_host("a.example".parse().unwrap(), rules);
        let (table, diagnostics) = editor.build();
        assert_eq!(carried(&table, "a.example").is_some(), is_passed);
        assert_eq!(served(&table, "a.example").is_some(), !is_passed);
        let found: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
        assert!(found.len() == 1 && found[0].contains(said), "{found:?}");
        assert_eq!(table.unserved_rules().count(), 1);
    }
}

#[test]
fn hosts_come_and_go_and_backends_with_them() {
    let mut editor = TableEditor::new();
    let host: HostMatch = "a.example".parse().unwrap();
    let empty = editor.build().0;
    for _ in 0..3 {
        editor.set_host(host.clone(), vec![passed("a.example", "a")]);
        let first = editor.build().0;
        editor.set_host(host.clone(), vec![passed("a.example", "b")]);
        let second = editor.build().0;
        assert!(first != second && first.backend_count() == 1 && second.backend_count() == 1);
        assert_eq!(carried(&first, "a.example").as_deref(), Some("default/a:80"));
        assert_eq!(carried(&second, "a.example").as_deref(), Some("default/b:80"));
        editor.set_host(host.clone(), vec![rule("a.example", Policy::default())]);
        assert!(!editor.build().0.has_passthroughs());
        editor.set_host(host.clone(), vec![]);
        let none = editor.build().0;
        assert!(none == empty && none.backend_count() == 0);
    }
}

#[test]
fn all_hosts_are_never_passed_through() {
    let mut rules = RouteTable::builder();
    rules.rule(passed("", "a"));
    let (table, diagnostics) = rules.build();
    assert!(!table.has_passthroughs() && served(&table, "a.example").is_none());
    assert!(diagnostics.iter().next().unwrap().to_string().contains("name the host"));
}

#[test]
fn dumps_and_differences_show_what_is_passed() {
    let table = |to: Option<&str>| {
        let mut rules = RouteTable::builder();
        if let Some(to) = to {
            rules.rule(passed("a.example", to));
        }
        rules.build().0
    };
    let shown = |before: Option<&str>, after: Option<&str>| table(before).diff(&table(after)).to_string();
    assert_eq!(shown(Some("a"), Some("a")), "Nothing changes for requests.\n");
    for (before, after, want) in [
        (None, Some("a"), "nobody (404) -> default/a:80"),
        (Some("a"), None, "default/a:80 -> nobody (404)"),
        (Some("a"), Some("b"), "default/a:80 -> default/b:80"),
    ] {
        assert_eq!(shown(before, after), format!("a.example\n  TLS passed through: {want}\n"));
    }
    #[cfg(feature = "serde")]
    {
        let dump = |to| serde_json::to_value(table(to).dump()).unwrap();
        let want = serde_json::json!([{"host": "a.example", "backend": "default/a:80"}]);
        assert_eq!(dump(Some("a"))["passthrough"], want);
        assert!(dump(None).get("passthrough").is_none());
    }
}
