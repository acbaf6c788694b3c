//! Create, update, status, delete, merge patch, admission, and the Leases of an election.

mod support;

use serde_json::{Value, json};
use support::{LEASES, MERGE, SHOP, ingress, lease, patch, post, put, send};
use test_apiserver::ApiServer;

#[tokio::test]
async fn creation() {
    let server = ApiServer::start().await;
    let created = post(&server, SHOP, &ingress("a")).await;
    assert_eq!(*created.is(201), server.get("Ingress", "shop", "a").unwrap());
    let again = post(&server, SHOP, &ingress("a")).await;
    let message = again.is_failure(409, "AlreadyExists");
    assert_eq!(message, "ingresses.networking.k8s.io \"a\" already exists");

    let mut with_status = ingress("b");
    with_status["status"] = json!({"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}});
    assert_eq!(post(&server, SHOP, &with_status).await.is(201)["status"], json!({"loadBalancer": {}}));

    let mut generated = ingress("x");
    generated["metadata"] = json!({"generateName": "web-"});
    let generated = post(&server, SHOP, &generated).await;
    let name = generated.is(201)["metadata"]["name"].as_str().unwrap();
    assert!(name.len() == 9 && name.starts_with("web-"), "{name}");

    let mut nameless = ingress("x");
    nameless["metadata"] = json!({});
    post(&server, SHOP, &nameless).await.is_failure(422, "Invalid");
    let mut elsewhere = ingress("x");
    elsewhere["metadata"]["namespace"] = "other".into();
    post(&server, SHOP, &elsewhere).await.is_failure(400, "BadRequest");
    post(&server, SHOP, &lease("x", "me")).await.is_failure(400, "BadRequest");
    send(&server, "POST", SHOP, &[], "no JSON").await.is_failure(400, "BadRequest");
    let mut versioned = ingress("x");
    versioned["metadata"]["resourceVersion"] = "1".into();
    post(&server, SHOP, &versioned).await.is_failure(500, "InternalError");
}

#[tokio::test]
async fn generation_counts_the_changes_of_the_spec() {
    let server = ApiServer::start().await;
    let generation = |object: &Value| object["metadata"]["generation"].as_u64().unwrap();
    let first = server.apply(ingress("a"));
    let labelled = server.apply(support::labelled("a", &json!({"x": "y"})));
    assert_eq!(generation(&labelled), 1);
    let changed = server.apply(support::with_host("a", "new.example"));
    assert_eq!(generation(&changed), 2);
    for field in ["uid", "creationTimestamp"] {
        assert_eq!(first["metadata"][field], changed["metadata"][field]);
    }
    let status = json!({"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}});
    let mut object = ingress("a");
    object["status"] = status.clone();
    object["spec"] = json!({});
    let with_status = server.apply_status(object).unwrap();
    assert_eq!((generation(&with_status), &with_status["status"]), (2, &status));
    assert_eq!(with_status["spec"], changed["spec"]);
    let changed = server.apply(ingress("a"));
    assert_eq!((generation(&changed), &changed["status"]), (3, &status));
    assert!(server.apply_status(ingress("b")).is_none());

    server.delete("Ingress", "shop", "a");
    let reborn = server.apply(ingress("a"));
    assert_ne!(reborn["metadata"]["uid"], first["metadata"]["uid"]);
}

#[tokio::test]
async fn a_test_may_say_how_old_an_object_is() {
    let server = ApiServer::start().await;
    let mut old = ingress("a");
    old["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z".into();
    assert_eq!(server.apply(old)["metadata"]["creationTimestamp"], "2020-01-01T00:00:00Z");
}

#[tokio::test]
async fn an_update_replaces_all_but_the_status() {
    let server = ApiServer::start().await;
    server.apply(ingress("a"));
    let mut stored = server.apply_status(json!({
        "kind": "Ingress",
        "metadata": {"name": "a", "namespace": "shop"},
        "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}},
    }));
    let path = format!("{SHOP}/a");
    let mut body = support::with_host("a", "new.example");
    body["status"] = json!({});
    let updated = put(&server, &path, &body).await;
    assert_eq!(updated.is(200)["spec"]["rules"][0]["host"], "new.example");
    assert_eq!(updated.body["status"]["loadBalancer"]["ingress"][0]["ip"], "10.0.0.1");

    let stale = put(&server, &path, stored.as_ref().unwrap()).await;
    assert!(stale.is_failure(409, "Conflict").contains("the object has been modified"));
    let stored = stored.as_mut().unwrap();
    stored["metadata"]["resourceVersion"] = server.version().to_string().into();
    put(&server, &path, stored).await.is(200);
    stored["metadata"]["uid"] = "another".into();
    put(&server, &path, stored).await.is_failure(409, "Conflict");
    put(&server, &format!("{SHOP}/b"), &ingress("b")).await.is_failure(404, "NotFound");
    put(&server, &path, &ingress("b")).await.is_failure(400, "BadRequest");
}

#[tokio::test]
async fn the_status_subresource_is_the_status_alone() {
    let server = ApiServer::start().await;
    let stored = server.apply(ingress("a"));
    let path = format!("{SHOP}/a/status");
    let mut body = support::with_host("a", "new.example");
    body["status"] = json!({"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}});
    let updated = put(&server, &path, &body).await;
    assert_eq!(updated.is(200)["spec"], stored["spec"]);
    assert_eq!(updated.body["status"], body["status"]);
    assert_eq!(updated.body["metadata"]["generation"], 1);
    assert_eq!(*support::get(&server, &path).await.is(200), updated.body);
    let merged = patch(&server, MERGE, &path, &json!({"spec": {"rules": null}, "status": null})).await;
    assert_eq!(merged.is(200)["status"], json!({"loadBalancer": {}}));
    assert_eq!(merged.body["spec"], stored["spec"]);
    put(&server, &format!("{SHOP}/b/status"), &ingress("b")).await.is_failure(404, "NotFound");
    let recorded = server.requests();
    assert_eq!(recorded[0].subresource.as_deref(), Some("status"));
    // A Lease has no such thing.
    assert_eq!(support::get(&server, &format!("{LEASES}/a/status")).await.status, 404);
}

#[tokio::test]
async fn merge_patches() {
    let server = ApiServer::start().await;
    let stored = server.apply(ingress("a"));
    let path = format!("{SHOP}/a");
    let change = json!({"metadata": {"annotations": {"k": "v"}, "labels": null}, "spec": {"rules": [{"host": "x.example"}]}});
    let merged = patch(&server, MERGE, &path, &change).await;
    assert_eq!(merged.is(200)["metadata"]["annotations"], json!({"k": "v"}));
    assert!(merged.body["metadata"].get("labels").is_none());
    assert_eq!(merged.body["spec"], json!({"ingressClassName": "ours", "rules": [{"host": "x.example"}]}));
    assert_eq!(merged.body["metadata"]["generation"], 2);
    let strategic = "application/strategic-merge-patch+json; charset=utf-8";
    let merged = patch(&server, strategic, &path, &json!({"metadata": {"annotations": {"k": null}}})).await;
    assert!(merged.is(200)["metadata"].get("annotations").is_none());

    let stale = json!({"metadata": {"resourceVersion": stored["metadata"]["resourceVersion"]}});
    patch(&server, MERGE, &path, &stale).await.is_failure(409, "Conflict");
    patch(&server, MERGE, &format!("{SHOP}/b"), &json!({})).await.is_failure(404, "NotFound");
    let operations = json!([]);
    let answer = patch(&server, "application/json-patch+json", &path, &operations).await;
    answer.is_failure(415, "UnsupportedMediaType");
    patch(&server, MERGE, &format!("{path}?force=true"), &json!({})).await.is_failure(422, "Invalid");
    patch(&server, MERGE, &format!("{path}?dryRun=All"), &json!({})).await.is_failure(400, "BadRequest");
}

#[tokio::test]
async fn deletion() {
    let server = ApiServer::start().await;
    let stored = server.apply(ingress("a"));
    let path = format!("{SHOP}/a");
    let wrong = json!({"preconditions": {"uid": "another"}}).to_string();
    send(&server, "DELETE", &path, &[], &wrong).await.is_failure(409, "Conflict");
    let right = json!({"preconditions": {"uid": stored["metadata"]["uid"]}}).to_string();
    let deleted = send(&server, "DELETE", &path, &[], &right).await;
    assert_eq!(deleted.is(200)["details"]["name"], "a");
    send(&server, "DELETE", &path, &[], "").await.is_failure(404, "NotFound");
    assert!(server.get("Ingress", "shop", "a").is_none());
}

#[tokio::test]
async fn the_default_class_is_written_at_creation() {
    let server = ApiServer::start().await;
    let class = |name: &str, created: &str| {
        let annotations = json!({"ingressclass.kubernetes.io/is-default-class": "true"});
        let metadata = json!({"name": name, "annotations": annotations, "creationTimestamp": created});
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": metadata})
    };
    let mut bare = ingress("a");
    bare["spec"].as_object_mut().unwrap().remove("ingressClassName");
    assert!(server.apply(bare.clone())["spec"].get("ingressClassName").is_none());
    server.apply(class("new", "2026-01-02T00:00:00Z"));
    server.apply(class("old", "2026-01-01T00:00:00Z"));
    bare["metadata"]["name"] = "b".into();
    assert_eq!(post(&server, SHOP, &bare).await.is(201)["spec"]["ingressClassName"], "new");
    bare["metadata"]["name"] = "c".into();
    bare["metadata"]["annotations"] = json!({"kubernetes.io/ingress.class": "x"});
    assert!(post(&server, SHOP, &bare).await.is(201)["spec"].get("ingressClassName").is_none());
    assert_eq!(server.apply(ingress("d"))["spec"]["ingressClassName"], "ours");
}

#[tokio::test]
async fn one_of_two_wins_a_lease() {
    let server = ApiServer::start().await;
    let created = post(&server, LEASES, &lease("leader", "one")).await;
    post(&server, LEASES, &lease("leader", "two")).await.is_failure(409, "AlreadyExists");
    let path = format!("{LEASES}/leader");
    let mut mine = created.is(201).clone();
    let mut theirs = mine.clone();
    theirs["spec"]["holderIdentity"] = "two".into();
    mine["spec"]["renewTime"] = "2026-01-02T03:04:06.000001Z".into();
    let renewed = put(&server, &path, &mine).await;
    assert_eq!(renewed.is(200)["spec"], mine["spec"]);
    let lost = put(&server, &path, &theirs).await;
    let message = "Operation cannot be fulfilled on leases.coordination.k8s.io \"leader\": the object has been \
                   modified; please apply your changes to the latest version and try again";
    assert_eq!(lost.is_failure(409, "Conflict"), message);

    let unversioned = put(&server, &path, &lease("leader", "two")).await;
    assert!(unversioned.is_failure(422, "Invalid").contains("must be specified for an update"));
    let mut seconds = renewed.body.clone();
    seconds["spec"]["renewTime"] = "2026-01-02T03:04:06Z".into();
    put(&server, &path, &seconds).await.is_failure(400, "BadRequest");
    assert_eq!(server.get("Lease", "shop", "leader").unwrap(), renewed.body);
    // A test may take the lease as kubectl would.
    assert_eq!(server.apply(lease("leader", "two"))["spec"]["holderIdentity"], "two");
}
