//! Server-side apply.

mod support;

use serde_json::{Value, json};
use support::{APPLY, INGRESSES, SHOP, ingress, patch, put, watch};
use test_apiserver::ApiServer;

/// What identifies the Ingress, with other fields.
fn config(rest: Value) -> Value {
    let mut config = rest;
    config["apiVersion"] = "networking.k8s.io/v1".into();
    config["kind"] = "Ingress".into();
    if config["metadata"]["name"].is_null() {
        config["metadata"]["name"] = "a".into();
    }
    config
}

fn status(ip: &str) -> Value {
    config(json!({"status": {"loadBalancer": {"ingress": [{"ip": ip}]}}}))
}

fn path(rest: &str) -> String {
    format!("{SHOP}/a{rest}")
}

#[tokio::test]
async fn a_status_is_applied_once() {
    let server = ApiServer::start().await;
    let by_gateway = path("/status?fieldManager=gateway&force=true");
    patch(&server, APPLY, &by_gateway, &status("10.0.0.1")).await.is_failure(404, "NotFound");
    let stored = server.apply(ingress("a"));
    let mut lines = watch(&server, &format!("{INGRESSES}?resourceVersion={}", server.version())).await;

    let mut body = status("10.0.0.1");
    body["spec"] = json!({"ingressClassName": "not ours"});
    body["metadata"]["labels"] = json!({"x": "y"});
    let applied = patch(&server, APPLY, &by_gateway, &body).await;
    assert_eq!(applied.is(200)["status"], body["status"]);
    for field in ["/spec", "/metadata/generation", "/metadata/labels"] {
        assert_eq!(applied.body.pointer(field), stored.pointer(field), "{field}");
    }
    let entries = applied.body["metadata"]["managedFields"].as_array().unwrap();
    let mine = entries.iter().find(|entry| entry["manager"] == "gateway").unwrap();
    assert_eq!((&mine["operation"], &mine["subresource"]), (&json!("Apply"), &json!("status")));
    assert_eq!(mine["fieldsType"], "FieldsV1");
    assert_eq!(mine["apiVersion"], "networking.k8s.io/v1");
    assert_eq!(mine["fieldsV1"], json!({"f:status": {"f:loadBalancer": {"f:ingress": {}}}}));
    lines.expect("MODIFIED", "a").await;

    let again = patch(&server, APPLY, &by_gateway, &body).await;
    assert_eq!(again.body, applied.body);
    lines.silent().await;

    let cleared = patch(&server, APPLY, &by_gateway, &config(json!({"status": {"loadBalancer": {}}}))).await;
    assert_eq!(cleared.is(200)["status"], json!({"loadBalancer": {}}));
    lines.expect("MODIFIED", "a").await;
    let requests = server.requests();
    let last = requests.last().unwrap();
    assert_eq!((last.verb, last.status), ("patch", Some(200)));
    assert_eq!(last.field_manager.as_deref(), Some("gateway"));
    assert_eq!(last.parameter("force").as_deref(), Some("true"));
}

#[tokio::test]
async fn what_is_missing_is_created() {
    let server = ApiServer::start().await;
    let spec = json!({"ingressClassName": "ours", "rules": [{"host": "a.example"}]});
    let body = config(json!({"spec": spec, "status": {"loadBalancer": {"ingress": []}}}));
    let created = patch(&server, APPLY, &path("?fieldManager=m"), &body).await;
    assert_eq!(created.is(201)["spec"], spec);
    assert_eq!(created.body["metadata"]["generation"], 1);
    let entry = &created.body["metadata"]["managedFields"][0];
    assert_eq!(entry["fieldsV1"], json!({"f:spec": {"f:ingressClassName": {}, "f:rules": {}}}));
    let again = patch(&server, APPLY, &path("?fieldManager=m"), &body).await;
    assert_eq!(*again.is(200), created.body);
}

#[tokio::test]
async fn what_is_left_out_is_removed() {
    let server = ApiServer::start().await;
    let labels = |labels: Value| config(json!({"metadata": {"labels": labels}}));
    let mine = path("?fieldManager=mine");
    patch(&server, APPLY, &mine, &labels(json!({"a": "1", "b": "1", "c.d/e": "1"}))).await.is(201);
    patch(&server, APPLY, &path("?fieldManager=other"), &labels(json!({"b": "1"}))).await.is(200);
    let left = patch(&server, APPLY, &mine, &labels(json!({"c.d/e": "2"}))).await;
    // The other manager owns b, too.
    assert_eq!(left.is(200)["metadata"]["labels"], json!({"b": "1", "c.d/e": "2"}));
    let left = patch(&server, APPLY, &mine, &config(json!({}))).await;
    assert_eq!(left.is(200)["metadata"]["labels"], json!({"b": "1"}));
    let left = patch(&server, APPLY, &path("?fieldManager=other"), &config(json!({}))).await;
    assert!(left.is(200)["metadata"].get("labels").is_none(), "{}", left.text);
    assert!(left.body["metadata"].get("managedFields").is_none(), "{}", left.text);
}

#[tokio::test]
async fn a_field_of_another_manager_is_a_conflict() {
    let server = ApiServer::start().await;
    server.apply(ingress("a"));
    let version = server.version();
    let body = config(json!({"spec": {"ingressClassName": "theirs"}}));
    let refused = patch(&server, APPLY, &path("?fieldManager=mine"), &body).await;
    let message = refused.is_failure(409, "Conflict");
    let who = "conflict with \"kubectl-client-side-apply\" using networking.k8s.io/v1";
    assert_eq!(message, format!("Apply failed with 1 conflict: {who}: .spec.ingressClassName"));
    let cause = json!({"reason": "FieldManagerConflict", "message": who, "field": ".spec.ingressClassName"});
    assert_eq!(refused.body["details"]["causes"], json!([cause]));
    assert_eq!(server.version(), version);

    // The same value is shared, not taken.
    let same = config(json!({"spec": {"ingressClassName": "ours"}}));
    patch(&server, APPLY, &path("?fieldManager=mine"), &same).await.is(200);
    let forced = patch(&server, APPLY, &path("?fieldManager=mine&force=true"), &body).await;
    assert_eq!(forced.is(200)["spec"]["ingressClassName"], "theirs");
    assert_eq!(forced.body["spec"]["rules"][0]["host"], "a.example");
    assert_eq!(forced.body["metadata"]["generation"], 2);
    let entries = forced.body["metadata"]["managedFields"].as_array().unwrap();
    let owners =
        entries.iter().filter(|entry| entry.pointer("/fieldsV1/f:spec/f:ingressClassName").is_some());
    assert_eq!(owners.map(|entry| entry["manager"].as_str().unwrap()).collect::<Vec<_>>(), ["mine"]);
}

#[tokio::test]
async fn an_update_takes_fields() {
    let server = ApiServer::start().await;
    server.apply(ingress("a"));
    patch(&server, APPLY, &path("/status?fieldManager=gateway"), &status("10.0.0.1")).await.is(200);
    let mut other = status("10.0.0.2");
    put(&server, &path("/status?fieldManager=other"), &other).await.is(200);
    let refused = patch(&server, APPLY, &path("/status?fieldManager=gateway"), &status("10.0.0.1")).await;
    assert!(refused.is_failure(409, "Conflict").contains("\"other\" with subresource \"status\""));
    let forced = path("/status?fieldManager=gateway&force=true");
    let applied = patch(&server, APPLY, &forced, &status("10.0.0.1")).await;
    assert_eq!(applied.is(200)["status"], status("10.0.0.1")["status"]);
    let managers = |object: &Value| {
        let entries = object["metadata"]["managedFields"].as_array().unwrap().clone();
        entries.iter().map(|entry| entry["manager"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(managers(&applied.body), ["kubectl-client-side-apply", "gateway"]);
    other["status"] = json!({});
    let cleared = put(&server, &path("/status"), &other).await;
    assert_eq!(managers(cleared.is(200)), ["kubectl-client-side-apply", "unknown"]);
}

#[tokio::test]
async fn patches_that_are_refused() {
    let server = ApiServer::start().await;
    let named = path("?fieldManager=m");
    patch(&server, APPLY, &path(""), &config(json!({}))).await.is_failure(422, "Invalid");
    let mut untyped = config(json!({}));
    untyped.as_object_mut().unwrap().remove("kind");
    patch(&server, APPLY, &named, &untyped).await.is_failure(400, "BadRequest");
    let managed = config(json!({"metadata": {"managedFields": [{"manager": "m"}]}}));
    patch(&server, APPLY, &named, &managed).await.is_failure(400, "BadRequest");
    let versioned = config(json!({"metadata": {"resourceVersion": "1"}}));
    patch(&server, APPLY, &named, &versioned).await.is_failure(409, "Conflict");
    let renamed = config(json!({"metadata": {"name": "b"}}));
    patch(&server, APPLY, &named, &renamed).await.is_failure(400, "BadRequest");
    assert!(server.list("Ingress").is_empty());
}
