//! Annotations of the domain `ingress.gateway`, and the parameters of classes.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![cfg(feature = "manifests")]

mod common;

use std::fmt::Write as _;

use common::{findings, routes, table};
use ingress_core::{RequestHead, RequestHost, RequestPath, RouteTable};
use ingress_kube::manifests::parse_manifests;
use ingress_kube::{Config, DEFAULT_CONTROLLER, Store, annotations, translate};
use proptest::prelude::*;
use serde_json::json;

const NONE: [&str; 0] = [];

/// An Ingress for one path, of a class if one is given. Lines of a value are separated by `|`.
fn ingress(pairs: &[(&str, &str)], path: (&str, &str), class: Option<&str>) -> String {
    let mut text =
        String::from("---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\n");
    if !pairs.is_empty() {
        text += "  annotations:\n";
    }
    for (name, value) in pairs {
        writeln!(text, "    ingress.gateway/{name}: {}", json!(value.replace('|', "\n"))).unwrap();
    }
    let class = class.map_or(String::new(), |class| format!("ingressClassName: {class}, "));
    let (kind, path) = path;
    text + &format!(
        "spec: {{{class}rules: [{{host: a.example, http: {{paths: [{{path: {}, pathType: {kind}, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}}}]}}\n",
        json!(path)
    )
}

fn services() -> String {
    let service = |(number, name): (usize, &str)| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{clusterIP: 10.0.0.{number}, ports: [{{port: 80}}]}}\n"
        )
    };
    (1..).zip(["web", "next"]).map(service).collect()
}

fn class(parameters: &str) -> String {
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {{name: public}}\nspec: {{controller: {DEFAULT_CONTROLLER}, parameters: {parameters}}}\n"
    )
}

fn config_map(data: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings, namespace: gateway}}\n{data}\n"
    )
}

fn ours(text: &str) -> RouteTable {
    table(text, &Config::default())
}

/// Routes with their conditions.
fn shown(table: &RouteTable) -> Vec<String> {
    let conditions = table.routes().map(|found| found.route.conditions().to_string());
    let line = |(route, conditions): (String, String)| match conditions.is_empty() {
        true => route,
        false => format!("{route} if {conditions}"),
    };
    routes(table).into_iter().zip(conditions).map(line).collect()
}

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
        ("rewrite", "/", prefix, 1, "warning[ING024] there is no annotation \"ingress.gateway/rewrite\", so it has no effect; leave it out; there are path-syntax, match-method, match-header, match-query, split".into()),
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

/// Parameters of a class: what is wrong with them.
#[test]
fn references_to_parameters() {
    let cases = [
        ("{kind: ConfigMap, name: settings, scope: Namespace, namespace: gateway}", ""),
        ("{apiGroup: '', kind: ConfigMap, name: settings, scope: Namespace, namespace: gateway}", ""),
        (
            "{kind: ConfigMap, name: settings}",
            ".scope: a ConfigMap is in a namespace, which scope Cluster, the default, cannot name; write scope: Namespace and namespace: gateway",
        ),
        (
            "{kind: ConfigMap, name: x, scope: Cluster}",
            ".scope: a ConfigMap is in a namespace, which scope Cluster, the default, cannot name; write scope: Namespace and namespace: NAMESPACE",
        ),
        (
            "{kind: ConfigMap, name: settings, namespace: gateway}",
            ".scope: scope Cluster, which is the default, forbids a namespace; write scope: Namespace and namespace: gateway",
        ),
        (
            "{kind: ConfigMap, name: settings, scope: Namespace}",
            ".namespace: scope Namespace needs a namespace; write namespace: gateway",
        ),
        (
            "{kind: ConfigMap, name: settings, scope: Node}",
            ".scope: there is no scope \"Node\"; write scope: Namespace",
        ),
        (
            "{kind: ConfigMap, name: setings, scope: Namespace, namespace: gateway}",
            ".name: ConfigMap gateway/setings does not exist; write settings, or add the ConfigMap",
        ),
        (
            "{kind: ConfigMap, name: settings, scope: Namespace, namespace: shop}",
            ".namespace: ConfigMap shop/settings does not exist; write namespace: gateway, where there is one of that name",
        ),
        (
            "{kind: ConfigMap, name: x, scope: Namespace, namespace: shop}",
            ".name: ConfigMap shop/x does not exist; add the ConfigMap, or leave the parameters out",
        ),
        (
            "{kind: Secret, name: settings}",
            ".kind: parameters of kind \"Secret\" are not read; write kind: ConfigMap, without an apiGroup",
        ),
        (
            "{apiGroup: example.com, kind: ConfigMap, name: settings}",
            ".apiGroup: parameters of kind \"ConfigMap\" of group \"example.com\" are not read; write kind: ConfigMap, without an apiGroup",
        ),
    ];
    for (parameters, want) in cases {
        let text = services()
            + &class(parameters)
            + &config_map("data: {match-method: GET}")
            + &ingress(&[], ("Prefix", "/a"), Some("public"));
        let table = ours(&text);
        let conditional = table.routes().any(|found| !found.route.conditions().is_empty());
        assert_eq!((table.routes().len(), conditional), (1, want.is_empty()), "{parameters}");
        let want =
            (!want.is_empty()).then(|| format!("error[ING022]: IngressClass public spec.parameters{want}"));
        assert_eq!(findings(&table), Vec::from_iter(want), "{parameters}");
    }
}

#[test]
fn what_parameters_say() {
    let reference = "{kind: ConfigMap, name: settings, scope: Namespace, namespace: gateway}";
    let at = "ConfigMap gateway/settings";
    type Case<'t> = (&'t str, &'t [(&'t str, &'t str)], &'t str, &'t [String]);
    let cases: [Case<'_>; 8] = [
        ("data: {match-method: GET}", &[], "method GET", &[]),
        ("data: {match-method: GET}", &[("match-method", "PUT")], "method PUT", &[]),
        ("data: {match-method: GET}", &[("match-query", "a")], "method GET, query a", &[]),
        (
            "data: {match-method: get}",
            &[("match-method", "PUT")],
            "method PUT",
            &[format!(
                "error[ING023]: {at} data.match-method: no rule with this condition is served, because it cannot be read: methods are case-sensitive: \"get\"; write GET"
            )],
        ),
        (
            "data: {match-method: get}",
            &[],
            "-",
            &[format!(
                "error[ING023]: {at} data.match-method: no rule with this condition is served, because it cannot be read: methods are case-sensitive: \"get\"; write GET"
            )],
        ),
        (
            "data: {split: 'web: next=1'}",
            &[],
            "",
            &[format!(
                "error[ING023]: {at} data.split: split names Services of one Ingress, so a class cannot have it; write the annotation ingress.gateway/split on the Ingress"
            )],
        ),
        (
            "data: {match-methods: GET, a.b: c}",
            &[],
            "",
            &[
                format!(
                    "warning[ING024]: {at} data.match-methods: \"match-methods\" is no parameter of a class, and has no effect; write match-method"
                ),
                format!(
                    "warning[ING024]: {at} data[a.b]: \"a.b\" is no parameter of a class, and has no effect; leave it out; there are path-syntax, match-method, match-header, match-query"
                ),
            ],
        ),
        (
            "binaryData: {a: YQ==}",
            &[],
            "",
            &[format!(
                "warning[ING016]: {at} binaryData: the field has no effect; write the parameters into data"
            )],
        ),
    ];
    for (data, pairs, want, wrong) in cases {
        let text = services()
            + &class(reference)
            + &config_map(data)
            + &ingress(pairs, ("Prefix", "/a"), Some("public"));
        let table = ours(&text);
        let conditions =
            table.routes().next().map_or("-".into(), |found| found.route.conditions().to_string());
        assert_eq!((conditions.as_str(), findings(&table)), (want, wrong.to_vec()), "{data} {pairs:?}");
    }
}

/// A default class gives its parameters, too; an Ingress that is served without a class has none, and a ConfigMap
/// that no class of ours names may hold anything.
#[test]
fn whose_parameters() {
    let reference = "{kind: ConfigMap, name: settings, scope: Namespace, namespace: gateway}";
    let default = class(reference).replace(
        "{name: public}",
        "{name: public, annotations: {ingressclass.kubernetes.io/is-default-class: 'true'}}",
    );
    let foreign = class(reference).replace(DEFAULT_CONTROLLER, "example.com/other");
    let get = config_map("data: {match-method: GET}");
    let bad = config_map("data: {match-method: get, x: z}\nbinaryData: {a: YQ==}");
    let any = Config::default;
    let cases = [
        (default.clone() + &get, None, any(), "method GET"),
        (default + &get, None, any().watch_ingress_without_class(true), ""),
        (class(reference) + &get, None, any().watch_ingress_without_class(true), ""),
        (class(reference) + &get, Some("public"), any().ingress_class("public"), "method GET"),
        (foreign + &bad, None, any().watch_ingress_without_class(true), ""),
        (bad, None, any(), ""),
    ];
    for (text, class, config, want) in cases {
        let table = table(&(services() + &text + &ingress(&[], ("Prefix", "/a"), class)), &config);
        assert_eq!(findings(&table), NONE, "{text}");
        let conditions: Vec<_> = table.routes().map(|found| found.route.conditions().to_string()).collect();
        assert_eq!(conditions, [want], "{text}");
    }
}

#[test]
fn what_else_a_config_map_holds_is_no_change() {
    let read = |data: &str| parse_manifests(&config_map(data), "x.yaml").0.remove(0).object;
    let mut store = Store::default();
    store.apply(read("data: {a: b}\nbinaryData: {c: YQ==}\nimmutable: true"), None);
    assert_eq!(
        store.apply(read("data: {a: c}\nbinaryData: {c: Yg==}"), None),
        ingress_kube::Change::Unchanged
    );
    assert_eq!(store.apply(read("data: {a: c, split: x}"), None), ingress_kube::Change::Changed);
    assert_eq!((store.counts().config_maps, store.counts().total(), store.keys().count()), (1, 1, 1));
    let (_, diagnostics) = parse_manifests(&config_map("dat: {}"), "x.yaml");
    assert_eq!(
        diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "error[ING002]: x.yaml:5: ConfigMap gateway/settings dat: unknown field dat, which has no effect; write data"
        ]
    );
}

#[test]
fn names_of_external_services() {
    let at = "error[ING014]: Ingress default/web spec.rules[0].http.paths[0].backend.service.name: Service default/web is of type ExternalName";
    let port = "error[ING008]: Ingress default/web spec.rules[0].http.paths[0].backend.service.port.number: Service web has no port 80;";
    let own = "point at a Service with a selector, or with EndpointSlices of its own";
    let machine = format!("the name stands for the gateway's own machine; {own}");
    let cluster = "the name is one of this cluster; point at the Service that has the name";
    let refused = |name: &str, why: &str| Err(format!("{at} ({name}), which is not followed: {why}"));
    let to = |endpoint: &str| Ok(endpoint.to_owned());
    let cases = [
        ("externalName: api.example.com", to("api.example.com:80")),
        ("externalName: API.example.com., ports: [{port: 80, targetPort: 8080}]", to("api.example.com:80")),
        ("externalName: api.example.com, ports: [{port: 8443}]", Err(format!("{port} its ports are 8443"))),
        ("externalName: ''", refused("", "there is no name; write spec.externalName")),
        (
            "externalName: 10.0.0.1",
            refused(
                "10.0.0.1",
                "it is an address; write a Service without a selector, and an EndpointSlice with the address",
            ),
        ),
        (
            "externalName: '::1'",
            refused(
                "::1",
                "it is an address; write a Service without a selector, and an EndpointSlice with the address",
            ),
        ),
        ("externalName: 'a b'", refused("a b", "it is no DNS name; write a DNS name into spec.externalName")),
        (
            "externalName: '*.a.example'",
            refused("*.a.example", "it is no DNS name; write a DNS name into spec.externalName"),
        ),
        ("externalName: LocalHost", refused("LocalHost", &machine)),
        ("externalName: a.localhost.", refused("a.localhost.", &machine)),
        ("externalName: next.default.svc.cluster.local", refused("next.default.svc.cluster.local", cluster)),
        ("externalName: next.default.svc", refused("next.default.svc", cluster)),
        ("externalName: next.default", refused("next.default", cluster)),
        ("externalName: next", refused("next", cluster)),
        ("externalName: kubernetes.default", refused("kubernetes.default", cluster)),
        ("externalName: example.com", to("example.com:80")),
    ];
    for (spec, want) in cases {
        let external = format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{type: ExternalName, {spec}}}\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: next}}\nspec: {{clusterIP: 10.0.0.2, ports: [{{port: 80}}]}}\n"
        );
        let text = external + &ingress(&[], ("Prefix", "/a"), None);
        let table = table(&text, &Config::default().allow_external_name(true));
        let (endpoint, wrong) = match want {
            Ok(endpoint) => (endpoint, None),
            Err(wrong) => (String::new(), Some(wrong)),
        };
        assert_eq!(routes(&table), [format!("a.example Prefix /a -> default/web:80 [{endpoint}]")], "{spec}");
        assert_eq!(findings(&table), Vec::from_iter(wrong), "{spec}");
    }
}

/// Any text, or one that is nearly a value.
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
    prop_oneof![any::<String>(), prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// No value panics, in an Ingress or in parameters, and none costs another Ingress anything.
    #[test]
    fn no_value_panics(number in 0..6usize, name in "[a-z-]{0,9}", text in value(), path in value(), specific in any::<bool>()) {
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
