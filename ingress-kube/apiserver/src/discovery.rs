//! What a server says about itself.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::kind::{KINDS, Kind};

/// The answer at a path that isn't one of objects.
pub(crate) fn answer(path: &str) -> Answer {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let body = match parts[..] {
        ["healthz" | "livez" | "readyz"] => return Answer::text(200, "ok"),
        ["version"] => {
            Some(json!({"major": "1", "minor": "36", "gitVersion": "v1.36.0", "platform": "linux/amd64"}))
        }
        ["api"] => Some(json!({"kind": "APIVersions", "versions": ["v1"]})),
        ["apis"] => Some(groups()),
        ["api", "v1"] => resources("", "v1"),
        ["apis", group] => groups()["groups"]
            .as_array()
            .and_then(|groups| groups.iter().find(|one| one["name"] == group).cloned())
            .map(|mut found| {
                found["kind"] = "APIGroup".into();
                found["apiVersion"] = "v1".into();
                found
            }),
        ["apis", group, "v1"] => resources(group, &format!("{group}/v1")),
        _ => None,
    };
    body.map_or_else(|| Answer::text(404, "404 page not found\n"), |body| Answer::json(200, &body))
}

fn groups() -> Value {
    let mut names: Vec<&str> =
        KINDS.iter().map(|kind| kind.group).filter(|group| !group.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    let group = |name: &str| {
        let version = json!({"groupVersion": format!("{name}/v1"), "version": "v1"});
        json!({"name": name, "versions": [version], "preferredVersion": version})
    };
    let groups: Vec<Value> = names.into_iter().map(group).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

fn resources(group: &str, version: &str) -> Option<Value> {
    let kinds: Vec<&Kind> = KINDS.iter().filter(|kind| kind.group == group).collect();
    if kinds.is_empty() {
        return None;
    }
    let mut resources = Vec::new();
    for kind in kinds {
        let resource = |name: String, verbs: &[&str]| {
            json!({
                "name": name,
                "singularName": "",
                "namespaced": kind.namespaced,
                "kind": kind.name,
                "verbs": verbs,
            })
        };
        let verbs = ["create", "delete", "get", "list", "patch", "update", "watch"];
        resources.push(resource(kind.plural.to_owned(), &verbs));
        if kind.status {
            resources.push(resource(format!("{}/status", kind.plural), &["get", "patch", "update"]));
        }
    }
    Some(
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}),
    )
}
