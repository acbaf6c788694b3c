//! Parameters of IngressClasses.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![cfg(feature = "manifests")]

mod common;

use common::annotated::{NONE, class, config_map, ingress, ours, services};
use common::{findings, table};
use ingress_kube::manifests::parse_manifests;
use ingress_kube::{Config, DEFAULT_CONTROLLER, Store};

/// What is wrong with them.
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
                "error[ING023]: {at} data.split: split names objects beside one Ingress, so a class cannot have it; write the annotation ingress.gateway/split on the Ingress"
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
                    "warning[ING024]: {at} data[a.b]: \"a.b\" is no parameter of a class, and has no effect; leave it out; there are path-syntax, match-method, match-header, match-query, connect-timeout and others"
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
