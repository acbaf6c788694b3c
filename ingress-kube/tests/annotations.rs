//! Annotations of the domain `ingress.gateway`.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![cfg(feature = "manifests")]

mod common;

use common::annotated::{NONE, ingress, ours, services, shown};
use common::findings;
use common::samples::{SAMPLES, Sample};
use ingress_core::{RequestHead, RequestHost, RequestPath};
use ingress_kube::manifests::parse_manifests;
use ingress_kube::{Config, DEFAULT_CONTROLLER, Store, annotations, translate};
use proptest::prelude::*;
use serde_json::json;

#[test]
fn what_annotations_say() {
    let web = "default/web:80 [10.0.0.1:80]";
    let prefix = ("Prefix", "/a");
    let specific = "ImplementationSpecific";
    type Case<'t> = (&'t [(&'t str, &'t str)], (&'t str, &'t str), String);
    let cases: [Case<'_>; 10] = [
        (&[("path-syntax", "prefix")], (specific, "/a/(.*)"), format!("a.example Prefix /a/(.*) -> {web}")),
        (
            &[("path-syntax", "template")],
            (specific, "/a/{id}"),
            format!("a.example Template /a/{{id}} -> {web}"),
        ),
        (&[("path-syntax", "regex")], (specific, "/a/[0-9]+"), format!("a.example Regex /a/[0-9]+ -> {web}")),
        (
            &[("match-method", "HEAD, GET")],
            prefix,
            format!("a.example Prefix /a -> {web} if method GET|HEAD"),
        ),
        (
            &[("match-header", "X-Env = canary|x-v ~ v[0-9]+|x-debug")],
            prefix,
            format!(
                "a.example Prefix /a -> {web} if header x-debug, header x-env = canary, header x-v ~ v[0-9]+"
            ),
        ),
        (
            &[("match-query", "V = 1"), ("match-method", "PUT")],
            prefix,
            format!("a.example Prefix /a -> {web} if method PUT, query V = 1"),
        ),
        (
            &[("split", "web: web=90, next=10")],
            prefix,
            "a.example Prefix /a -> default/next:80=10 [10.0.0.2:80], default/web:80=90 [10.0.0.1:80]".into(),
        ),
        (&[("split", "web: next=1")], prefix, "a.example Prefix /a -> default/next:80 [10.0.0.2:80]".into()),
        (
            &[("split", "web: next=1"), ("match-query", "a")],
            prefix,
            "a.example Prefix /a -> default/next:80 [10.0.0.2:80] if query a".into(),
        ),
        (&[], prefix, format!("a.example Prefix /a -> {web}")),
    ];
    for (pairs, path, want) in cases {
        let table = ours(&(services() + &ingress(pairs, path, None)));
        assert_eq!(findings(&table), NONE, "{pairs:?}");
        assert_eq!(shown(&table), [want], "{pairs:?}");
    }
}

/// What is wrong with an annotation, and how many routes are left.
#[test]
fn what_cannot_be_used() {
    let prefix = ("Prefix", "/a");
    let specific = ("ImplementationSpecific", "/a");
    let unread = "no rule with this condition is served, because it cannot be read: ";
    let cases = [
        ("path-syntax", "regexp", specific, 0, "error[ING023] \"regexp\" is no path syntax, so no ImplementationSpecific path is served; write prefix, template or regex".to_owned()),
        ("path-syntax", "regex", prefix, 1, "warning[ING016] the annotation has no effect: no path is of type ImplementationSpecific; write pathType: ImplementationSpecific where it is to be read this way".into()),
        ("match-method", "get", prefix, 0, format!("error[ING023] {unread}methods are case-sensitive: \"get\"; write GET")),
        ("match-header", "a = (|b ~ (", prefix, 0, format!("error[ING023] {unread}line 2: unclosed group: \"b ~ (\"; correct the regular expression")),
        ("match-query", "", prefix, 0, format!("error[ING023] {unread}there is no condition; write NAME = VALUE, NAME ~ REGEX, or NAME alone for any value")),
        ("split", "web: web", prefix, 1, "error[ING023] nothing is split, because this cannot be read: line 1: a weight is missing: \"web\"; write SERVICE: SERVICE=WEIGHT, SERVICE=WEIGHT, such as web: web=90, web-next=10".into()),
        ("split", "webs: web=1", prefix, 1, "error[ING023] no path of a rule has the backend \"webs\", so it is not split; write web".into()),
        ("split", "web: web=9, nxt=1", prefix, 1, "error[ING007] Service default/nxt does not exist; write next, or add the Service".into()),
        ("Split", "web: web=1", prefix, 1, "warning[ING024] there is no annotation \"ingress.gateway/Split\", so it has no effect; write ingress.gateway/split".into()),
        ("rewrite", "/", prefix, 1, "warning[ING024] there is no annotation \"ingress.gateway/rewrite\", so it has no effect; leave it out; there are rewrite-prefix, rewrite-path, rewrite-host".into()),
    ];
    for (name, value, path, left, want) in cases {
        let table = ours(&(services() + &ingress(&[(name, value)], path, None)));
        let at = format!(": Ingress default/web metadata.annotations[ingress.gateway/{name}]:");
        assert_eq!(findings(&table), [want.replacen(']', &format!("]{at}"), 1)], "{name}: {value}");
        assert_eq!(table.routes().len(), left, "{name}: {value}");
    }
}

#[test]
fn paths_that_cannot_be_read_in_their_syntax() {
    let at = "error[ING004]: Ingress default/web spec.rules[0].http.paths[0].path:";
    let cases = [
        (
            "template",
            "/a/{b",
            "a name in braces is not a whole element, not of letters, digits and '_', or used twice: \"/a/{b\"; write a whole element in braces, such as /users/{id}, or {*rest} at the end",
        ),
        ("template", "", "the path is missing; write /, or another path that starts with it"),
        (
            "regex",
            "/(",
            "unclosed group: \"/(\"; write a regular expression for the whole path, such as /items/[0-9]+",
        ),
        (
            "regex",
            "",
            "the path is missing; write a regular expression for the whole path, such as /items/[0-9]+",
        ),
    ];
    for (syntax, path, want) in cases {
        let text = ingress(&[("path-syntax", syntax)], ("ImplementationSpecific", path), None);
        let table = ours(&(services() + &text));
        assert_eq!(findings(&table), [format!("{at} {want}")], "{syntax} {path}");
    }
}

/// Conditions are for rules; the default backend takes what these leave, also where they cannot be read. An
/// explanation names the rule and the annotation.
#[test]
fn the_default_backend_has_no_conditions() {
    for (value, code) in [("GET", None), ("get", Some("ING023"))] {
        let text = ingress(&[("match-method", value)], ("Prefix", "/a"), None)
            .replace("spec: {", "spec: {defaultBackend: {service: {name: next, port: {number: 80}}}, ");
        let table = ours(&(services() + &text));
        let host = RequestHost::parse("a.example").unwrap();
        let path = RequestPath::parse("/a").unwrap();
        let head = RequestHead::new(&host, &path).method(&http::Method::PUT);
        let explanation = table.explain(&head).to_string();
        assert!(explanation.contains("default/next:80"), "{explanation}");
        assert!(code.is_none_or(|code| explanation.contains(code)), "{explanation}");
    }
    let alone = "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web, annotations: {ingress.gateway/match-method: GET}}\nspec: {defaultBackend: {service: {name: web, port: {number: 80}}}}\n";
    let table = ours(&(services() + alone));
    assert_eq!(
        findings(&table),
        [
            "warning[ING016]: Ingress default/web metadata.annotations[ingress.gateway/match-method]: the annotation has no effect: conditions are for the paths of rules, and the default backend takes all that is left; write http.paths, for example a Prefix / with a backend"
        ]
    );
    assert_eq!(table.routes().len(), 1);
}

/// Any text, or one that is a value of some annotation, or nearly one.
fn value() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "prefix",
        "regex",
        "template",
        "GET",
        ", ",
        "\n",
        " = ",
        " ~ ",
        "x-a",
        "web",
        ": ",
        "=",
        "90",
        "(",
        "[a-z]{9}",
        "ä",
        "\u{0}",
        "4294967296",
        "*",
    ]);
    let sample = || {
        let values: Vec<_> = SAMPLES.iter().flat_map(Sample::values).collect();
        prop::sample::select(values)
    };
    prop_oneof![
        any::<String>(),
        prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat()),
        sample().prop_map(str::to_owned),
        (sample(), sample()).prop_map(|(one, other)| format!("{one}{other}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    /// No value panics, in an Ingress or in parameters, and none costs another Ingress anything.
    #[test]
    fn no_value_panics(number in 0..annotations().len() + 8, name in "[a-z-]{0,9}", text in value(), path in value(), specific in any::<bool>()) {
        let name = annotations().get(number).map_or(&*name, |known| known.name);
        let kind = if specific { "ImplementationSpecific" } else { "Prefix" };
        let ingress = |host: &str, annotations: serde_json::Value, path: &str, kind: &str| json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": host.replace('.', "-"), "annotations": annotations},
            "spec": {"rules": [{"host": host, "http": {"paths": [{"path": path, "pathType": kind,
                "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]},
        });
        let class = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "c", "annotations": {
                "ingressclass.kubernetes.io/is-default-class": "true"}},
            "spec": {"controller": DEFAULT_CONTROLLER, "parameters": {
                "kind": "ConfigMap", "name": "settings", "scope": "Namespace", "namespace": "default"}},
        });
        let parameters = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {name: text}});
        let annotation = format!("ingress.gateway/{name}");
        let own = ingress("own.example", json!({annotation: text}), &path, kind);
        let other = ingress("other.example", json!({}), "/", "Prefix");
        for (objects, routes) in [(vec![&own, &other], 1..=2), (vec![&own, &other, &class, &parameters], 0..=2)] {
            let mut store = Store::default();
            for object in objects {
                let (manifests, diagnostics) = parse_manifests(&object.to_string(), "x.json");
                prop_assert_eq!(diagnostics, []);
                for manifest in manifests {
                    store.apply(manifest.object, None);
                }
            }
            let (table, diagnostics) = translate(&store, &Config::default()).build();
            prop_assert!(routes.contains(&table.routes().len()), "{:?}", diagnostics);
            prop_assert!(diagnostics.iter().all(|finding| !finding.to_string().contains('\n')));
        }
    }
}

/// What annotations and parameters of the class make of the policy of a route.
#[test]
fn how_requests_are_treated() {
    let policy = |pairs: &[(&str, &str)]| {
        let table = ours(&(services() + &ingress(pairs, ("Prefix", "/a"), None)));
        assert_eq!(findings(&table), NONE, "{pairs:?}");
        let route = table.routes().next().unwrap().route;
        route.policy().map(|policy| serde_json::to_value(&**policy).unwrap())
    };
    let cases = [
        (&[][..], None),
        (&[("match-method", "GET")], None),
        (
            &[("connect-timeout", "2s"), ("response-timeout", "500ms"), ("idle-timeout", "0")],
            Some(json!({"connect_timeout": "2s", "response_timeout": "500ms", "idle_timeout": "never"})),
        ),
        (
            &[("request-timeout", "1m"), ("max-body-size", "1MiB")],
            Some(json!({"request_timeout": "60s", "max_body_size": 1 << 20})),
        ),
        (
            &[("retries", "2")],
            Some(
                json!({"retries": {"attempts": 2, "reset": true, "timeout": true, "statuses": [], "non_idempotent": false}}),
            ),
        ),
        (
            &[("retries", "1"), ("retry-on", "503, reset")],
            Some(
                json!({"retries": {"attempts": 1, "reset": true, "timeout": false, "statuses": [[503, 503]], "non_idempotent": false}}),
            ),
        ),
    ];
    for (pairs, want) in cases {
        assert_eq!(policy(pairs), want, "{pairs:?}");
    }
}

#[test]
fn what_cannot_be_used_of_a_policy_is_left_to_the_gateway() {
    for (name, value, want) in [
        (
            "response-timeout",
            "30",
            "error[ING023] the duration has no unit: \"30\"; write 30s for seconds, or 30ms for milliseconds",
        ),
        (
            "max-body-size",
            "8 lots",
            "error[ING023] the size cannot be read: \"8 lots\"; write bytes, or a number with a unit, such as 512KiB or 10MiB, or 0 for any size",
        ),
        (
            "retries",
            "100",
            "error[ING023] the number of retries cannot be used: \"100\"; write a number from 0 to 10",
        ),
        (
            "retry-on",
            "reset",
            "warning[ING016] the annotation has no effect: there are no retries; write ingress.gateway/retries, too",
        ),
        (
            "retrys",
            "1",
            "warning[ING024] there is no annotation \"ingress.gateway/retrys\", so it has no effect; write ingress.gateway/retries",
        ),
    ] {
        let table = ours(&(services() + &ingress(&[(name, value)], ("Prefix", "/a"), None)));
        let at = format!(": Ingress default/web metadata.annotations[ingress.gateway/{name}]:");
        assert_eq!(findings(&table), [want.replacen(']', &format!("]{at}"), 1)], "{name}: {value}");
        let policy = table.routes().next().unwrap().route.policy().cloned();
        assert!(policy.is_none_or(|policy| policy.is_empty()), "{name}: {value}");
    }
}

/// A Secret that says whom to trust, and what the route's policy and the findings are then.
#[test]
fn who_is_trusted() {
    let config = Config::default().load_trust(|pem| match pem {
        b"good" => Ok(ingress_core::Trust::new(pem, ())),
        _ => Err("it is no PEM".into()),
    });
    let secret = |data: &str| {
        format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: ca}}\nstringData: {{{data}}}\n")
    };
    let none = "error[ING023]: Ingress default/web metadata.annotations[ingress.gateway/backend-ca-secret]: ";
    let trusted = |pem: &'static [u8]| Some(ingress_core::Trust::new(pem, ()));
    for (objects, want, finding) in [
        (secret("ca.crt: good"), trusted(b"good"), None),
        (
            secret("ca.crt: bad"),
            trusted(b""),
            Some(
                "Secret default/ca: it is no PEM, so no endpoint is trusted; write the certificates of the authorities into ca.crt, as PEM",
            ),
        ),
        (
            secret("ca: good"),
            trusted(b""),
            Some(
                "Secret default/ca: there is no ca.crt in it, so no endpoint is trusted; write the certificates of the authorities into ca.crt, as PEM",
            ),
        ),
        (
            String::new(),
            trusted(b""),
            Some(
                "Secret default/ca does not exist, so no endpoint is trusted; add the Secret to this namespace, with ca.crt in it",
            ),
        ),
    ] {
        let pairs = [("backend-ca-secret", "ca"), ("backend-protocol", "https"), ("backend-verify", "true")];
        let text = services() + &ingress(&pairs, ("Prefix", "/a"), None) + &objects;
        let table = common::table(&text, &config);
        let policy = table.routes().next().unwrap().route.policy().cloned().unwrap();
        assert_eq!((&policy.tls.trust, policy.tls.verify), (&want, Some(true)), "{objects}");
        assert_eq!(policy.protocol, Some(ingress_core::Protocol::Https));
        let want: Vec<_> = finding.map(|finding| format!("{none}{finding}")).into_iter().collect();
        assert_eq!(findings(&table), want, "{objects}");
    }
}
