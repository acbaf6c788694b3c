//! What holds for any objects, in any order.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "manifests")]

mod common;

use ingress_core::RouteTable;
use ingress_kube::manifests::parse_manifests;
use ingress_kube::{Config, IngressController, Object, Store, translate};
use proptest::prelude::*;
use serde_json::{Value, json};

/// One of a few objects that refer to each other, in one of a few versions.
fn object() -> impl Strategy<Value = Object> {
    (0..5u8, 0..3u8, 0..4u8).prop_map(|(kind, name, version)| {
        let (manifests, _) = parse_manifests(&text(kind, name, version).to_string(), "x.json");
        manifests.into_iter().next().unwrap().object
    })
}

fn text(kind: u8, name: u8, version: u8) -> Value {
    let backend =
        json!({"service": {"name": format!("s{version}"), "port": {"number": 80 + u32::from(name % 2)}}});
    let name = format!("s{name}");
    match kind {
        0 => json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": name, "creationTimestamp": (version == 1).then_some("2024-01-01T00:00:00Z"),
                "annotations": {"nginx.ingress.kubernetes.io/x": "y",
                    "ingress.gateway/match-header": if version == 3 { "x = 1\ny ~ [0-9]" } else { "x" },
                    "ingress.gateway/split": format!("s{version}: s0={version}, s1=1")}},
            "spec": {
                "ingressClassName": (version == 2).then_some("s1"),
                "defaultBackend": (version > 1).then_some(backend.clone()),
                "rules": (version != 3).then(|| json!([
                    {"host": "shop.example", "http": {"paths": [
                        {"path": "/a", "pathType": "Prefix", "backend": backend},
                        {"path": "/a/", "pathType": "Prefix", "backend": backend}]}},
                    {"host": "bad host"}, {"http": {"paths": []}}])),
            },
        }),
        1 => json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 80 + u32::from(version % 2), "name": "http"}]},
        }),
        2 => json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": format!("s{}", version % 3)}},
            "addressType": "IPv4", "ports": [{"name": "http", "port": 8080}],
            "endpoints": [{"addresses": [format!("10.1.0.{version}")], "conditions": {"ready": version != 2}},
                {"addresses": ["x"]}],
        }),
        3 => json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
            "data": {"match-method": if version == 1 { "get" } else { "GET" }, "x": "y"},
        }),
        _ => json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
            "metadata": {"name": name, "annotations": {
                "ingressclass.kubernetes.io/is-default-class": if version == 0 { "true" } else { "false" }}},
            "spec": {
                "controller": if version == 1 { "example.com/other" } else { ingress_kube::DEFAULT_CONTROLLER },
                "parameters": {"kind": "ConfigMap", "name": "s1",
                    "scope": if version == 2 { "Cluster" } else { "Namespace" }, "namespace": "default"},
            },
        }),
    }
}

fn dump(store: &Store) -> String {
    let (table, _) = translate(store, &Config::default()).build();
    serde_json::to_string(&table.dump()).unwrap()
}

/// Any part of a JSON value replaced by any other value.
fn mutate(value: &mut Value, path: &[u8], with: &Value) {
    let Some((&step, rest)) = path.split_first() else {
        *value = with.clone();
        return;
    };
    match value {
        Value::Array(items) if !items.is_empty() => {
            let index = usize::from(step) % items.len();
            mutate(&mut items[index], rest, with);
        }
        Value::Object(fields) if !fields.is_empty() => {
            let index = usize::from(step) % fields.len();
            if let Some(field) = fields.values_mut().nth(index) {
                mutate(field, rest, with);
            }
        }
        _ => *value = with.clone(),
    }
}

fn replacement() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "*",
            "/",
            "//",
            "None",
            "::1",
            "10.0.0.1:80",
            "UDP",
            "FQDN",
            "%",
            "/%zz",
            "a:b"
        ])
        .prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([null, {}])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any order and any history of the same objects gives an equal table.
    #[test]
    fn history_makes_no_difference(objects in prop::collection::vec(object(), 0..12), deleted in prop::collection::vec(object(), 0..6), seed in any::<u64>()) {
        let mut plain = Store::default();
        let mut last = std::collections::BTreeMap::new();
        for object in &objects {
            last.insert(object.key(), object.clone());
        }
        for object in last.values() {
            plain.apply(object.clone(), None);
        }
        // The same set by detours: other objects first, some deleted, everything twice, in another order.
        let mut winding = Store::default();
        for object in deleted.iter().chain(&objects) {
            winding.apply(object.clone(), None);
        }
        for object in &deleted {
            winding.delete(&object.key());
        }
        let mut shuffled: Vec<_> = last.values().collect();
        let mut state = seed;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(i, (state >> 33) as usize % (i + 1));
        }
        for object in shuffled {
            winding.apply(object.clone(), None);
        }
        prop_assert_eq!(dump(&plain), dump(&winding));

        let mut replaced = Store::default();
        for object in &deleted {
            replaced.apply(object.clone(), None);
        }
        replaced.replace(last.values().map(|object| (object.clone(), None)));
        prop_assert_eq!(dump(&plain), dump(&replaced));
        prop_assert!(replaced.replace(last.values().map(|object| (object.clone(), None))).is_empty());
    }

    /// No object panics, and what is served never counts more than what was asked for.
    #[test]
    fn no_object_panics(kinds in prop::collection::vec((0..5u8, 0..3u8, 0..4u8, prop::collection::vec(any::<u8>(), 1..8), replacement()), 1..8)) {
        let (reader, writer) = ingress_core::table(RouteTable::default());
        let mut controller = IngressController::new(Config::default(), writer);
        for (kind, name, version, path, with) in kinds {
            let mut value = text(kind, name, version);
            mutate(&mut value, &path, &with);
            let (manifests, diagnostics) = parse_manifests(&value.to_string(), "x.json");
            let (yaml, _) = parse_manifests(&value.to_string(), "x.yaml");
            prop_assert!(manifests.len() <= 1 && yaml.len() <= 1);
            prop_assert!(diagnostics.iter().all(|finding| !finding.to_string().contains('\n')));
            for manifest in manifests {
                controller.apply(manifest.object, Some(manifest.origin));
            }
        }
        let report = controller.publish();
        prop_assert!(report.routes <= report.rules);
        prop_assert_eq!(report.generation, reader.with(RouteTable::generation));
    }

    /// No text panics, whatever it is cut from.
    #[test]
    fn no_text_panics(kind in 0..5u8, from in 0..400usize, to in 0..400usize, insert in "[ -~\n\t:{}\\[\\]&*#|>'\"]{0,12}", json in any::<bool>()) {
        let yaml = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: a\nspec:\n  rules:\n  - host: b\n    http:\n      paths:\n      - path: /\n        pathType: Prefix\n---\nkind: List\napiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata: {name: c}\n";
        let text = if json { text(kind, 1, 1).to_string() } else { yaml.to_owned() };
        let (from, to) = (from.min(text.len()), to.min(text.len()));
        let text = format!("{}{insert}{}", &text[..from], &text[to.max(from)..]);
        for file in ["x.yaml", "x.json"] {
            let (manifests, diagnostics) = parse_manifests(&text, file);
            let lines = u32::try_from(text.lines().count().max(1)).unwrap();
            for line in manifests.iter().map(|m| m.origin.line).chain(diagnostics.iter().filter_map(|d| d.source.as_ref()?.object.line)) {
                prop_assert!(line >= 1 && line <= lines + 1, "line {} of {}", line, lines);
            }
        }
    }
}

#[test]
fn what_is_not_read_is_no_change() {
    let mut store = Store::default();
    let mut object: Value = text(0, 0, 0);
    let read = |value: &Value| parse_manifests(&value.to_string(), "x.json").0.remove(0).object;
    store.apply(read(&object), None);
    object["metadata"]["resourceVersion"] = json!("2");
    object["metadata"]["managedFields"] = json!([{"manager": "kubectl"}]);
    object["status"] = json!({"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}});
    assert_eq!(store.apply(read(&object), None), ingress_kube::Change::Unchanged);
    assert_eq!(common::routes(&translate(&store, &Config::default()).build().0).len(), 2);
}
