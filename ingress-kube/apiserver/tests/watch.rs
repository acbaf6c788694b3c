//! Watches: where they begin and end, selectors, bookmarks.

mod support;

use serde_json::json;
use support::{INGRESSES, SHOP, get, ingress, labelled, secret, send, watch, watch_as, with_host};
use test_apiserver::ApiServer;

#[tokio::test]
async fn a_watch_resumes_after_a_version() {
    let server = ApiServer::start().await;
    server.apply(ingress("a"));
    let seen = server.version();
    server.apply(with_host("a", "new.example"));
    server.apply(ingress("b"));
    let mut lines = watch(&server, &format!("{INGRESSES}?resourceVersion={seen}")).await;
    assert_eq!(lines.status, 200);
    let event = lines.event().await;
    assert_eq!(event["type"], "MODIFIED");
    assert_eq!(event["object"]["kind"], "Ingress");
    assert_eq!(event["object"]["apiVersion"], "networking.k8s.io/v1");
    assert_eq!(event["object"]["spec"]["rules"][0]["host"], "new.example");
    assert_eq!(event["object"]["metadata"]["generation"], 2);
    lines.expect("ADDED", "b").await;
    server.delete("Ingress", "shop", "a");
    let deleted = lines.event().await;
    assert_eq!(deleted["type"], "DELETED");
    assert_eq!(deleted["object"]["metadata"]["resourceVersion"], server.version().to_string());
    server.apply(secret("s", "Opaque"));
    lines.silent().await;
}

#[tokio::test]
async fn no_version_or_0_begins_with_everything() {
    let server = ApiServer::start().await;
    server.apply_all(["a", "b"].map(ingress));
    for query in ["", "?resourceVersion=0", "?resourceVersion="] {
        let mut lines = watch(&server, &format!("{INGRESSES}{query}")).await;
        lines.expect("ADDED", "a").await;
        lines.expect("ADDED", "b").await;
        lines.silent().await;
    }
    let mut lines = watch(&server, &format!("{INGRESSES}?resourceVersion=0&allowWatchBookmarks=true")).await;
    lines.expect("ADDED", "a").await;
    lines.expect("ADDED", "b").await;
    let bookmark = lines.event().await;
    assert_eq!(bookmark["object"]["metadata"]["annotations"], json!({"k8s.io/initial-events-end": "true"}));
    server.apply(ingress("c"));
    lines.expect("ADDED", "c").await;
}

#[tokio::test]
async fn a_version_before_the_floor_is_410_in_the_stream() {
    let server = ApiServer::start().await;
    let old = server.version();
    server.apply(ingress("a"));
    server.compact();
    let mut lines = watch(&server, &format!("{INGRESSES}?resourceVersion={old}")).await;
    assert_eq!(lines.status, 200);
    let event = lines.event().await;
    assert_eq!(event["type"], "ERROR");
    let status = &event["object"];
    assert_eq!((&status["kind"], &status["reason"]), (&json!("Status"), &json!("Expired")));
    assert_eq!(status["code"], 410);
    lines.ended().await;
    let mut current = watch(&server, &format!("{INGRESSES}?resourceVersion={}", server.version())).await;
    current.silent().await;
}

#[tokio::test]
async fn compaction_takes_nothing_from_open_watches() {
    let server = ApiServer::start().await;
    let mut lines = watch(&server, &format!("{INGRESSES}?resourceVersion={}", server.version())).await;
    server.apply(ingress("a"));
    server.compact();
    lines.expect("ADDED", "a").await;
    server.apply(ingress("b"));
    lines.expect("ADDED", "b").await;
}

#[tokio::test]
async fn a_version_in_the_future_is_silent_until_the_end() {
    let server = ApiServer::start().await;
    let query = "resourceVersion=999999&allowWatchBookmarks=true&timeoutSeconds=3";
    let mut lines = watch(&server, &format!("{INGRESSES}?{query}")).await;
    server.apply(ingress("a"));
    server.bookmark();
    lines.ended().await;
    assert_eq!((lines.rest(), lines.broken), (String::new(), false));
}

#[tokio::test]
async fn a_bookmark_comes_two_seconds_before_the_end() {
    let server = ApiServer::start().await;
    server.apply(ingress("a"));
    let version = server.version();
    let query = format!("resourceVersion={version}&allowWatchBookmarks=true&timeoutSeconds=3");
    let mut lines = watch(&server, &format!("{INGRESSES}?{query}")).await;
    server.apply(secret("s", "Opaque"));
    let bookmark = lines.event().await;
    assert_eq!(bookmark["object"]["metadata"], json!({"resourceVersion": (version + 1).to_string()}));
    lines.ended().await;
    assert!(!lines.broken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bookmarks_come_after_the_events_before_them() {
    let server = ApiServer::start().await;
    let version = server.version();
    let query = format!("resourceVersion={version}");
    let mut without = watch(&server, &format!("{INGRESSES}?{query}")).await;
    let mut lines = watch(&server, &format!("{INGRESSES}?{query}&allowWatchBookmarks=true")).await;
    server.apply(ingress("a"));
    server.bookmark();
    server.apply(ingress("b"));
    lines.expect("ADDED", "a").await;
    let bookmark = lines.event().await;
    let object = json!({
        "kind": "Ingress",
        "apiVersion": "networking.k8s.io/v1",
        "metadata": {"resourceVersion": (version + 1).to_string()},
        "spec": {},
        "status": {"loadBalancer": {}},
    });
    assert_eq!(bookmark, json!({"type": "BOOKMARK", "object": object}));
    lines.expect("ADDED", "b").await;
    without.expect("ADDED", "a").await;
    without.expect("ADDED", "b").await;
    without.silent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn initial_events_and_their_end() {
    let server = ApiServer::start().await;
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let path = format!("{INGRESSES}?{query}");
    let mut lines = watch(&server, &path).await;
    let first = lines.event().await;
    assert_eq!(first["type"], "BOOKMARK");
    let metadata = json!({
        "resourceVersion": server.version().to_string(),
        "annotations": {"k8s.io/initial-events-end": "true"},
    });
    assert_eq!(first["object"]["metadata"], metadata);

    server.apply(ingress("a"));
    lines.expect("ADDED", "a").await;
    server.compact();
    for version in ["", "0", "1"] {
        let mut lines = watch(&server, &format!("{path}&resourceVersion={version}")).await;
        lines.expect("ADDED", "a").await;
        assert_eq!(lines.event().await["type"], "BOOKMARK");
        lines.silent().await;
    }
    let from_now = path.replace("sendInitialEvents=true", "sendInitialEvents=false");
    let mut lines = watch(&server, &from_now).await;
    server.apply(ingress("b"));
    lines.expect("ADDED", "b").await;
}

#[tokio::test]
async fn options_that_contradict_each_other() {
    let server = ApiServer::start().await;
    for query in [
        "sendInitialEvents=true&allowWatchBookmarks=true",
        "sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=Exact&resourceVersion=1",
        "sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
        "resourceVersionMatch=NotOlderThan&resourceVersion=1",
    ] {
        get(&server, &format!("{INGRESSES}?watch=1&{query}")).await.is_failure(422, "Invalid");
    }
    let by_class = format!("{INGRESSES}?watch=1&fieldSelector=spec.ingressClassName=x");
    get(&server, &by_class).await.is_failure(400, "BadRequest");
}

#[tokio::test]
async fn what_begins_or_ceases_to_match_comes_or_goes() {
    let server = ApiServer::start().await;
    server.apply(labelled("a", &json!({"tier": "front"})));
    server.apply(labelled("b", &json!({"tier": "back"})));
    let query = format!("resourceVersion={}&labelSelector=tier%3Dfront", server.version());
    let mut lines = watch(&server, &format!("{INGRESSES}?{query}")).await;
    server.apply(labelled("b", &json!({"tier": "front"})));
    lines.expect("ADDED", "b").await;
    server.apply(labelled("b", &json!({"tier": "front", "more": "x"})));
    lines.expect("MODIFIED", "b").await;
    server.apply(labelled("a", &json!({"tier": "back"})));
    let deleted = lines.event().await;
    assert_eq!((&deleted["type"], &deleted["object"]["metadata"]["name"]), (&json!("DELETED"), &json!("a")));
    assert_eq!(deleted["object"]["metadata"]["resourceVersion"], server.version().to_string());
    assert_eq!(deleted["object"]["metadata"]["labels"]["tier"], "front");
    server.delete("Ingress", "shop", "a");
    lines.silent().await;
}

#[tokio::test]
async fn fields_and_namespaces_select() {
    let server = ApiServer::start().await;
    let mut secrets = watch(&server, "/api/v1/secrets?fieldSelector=type%3Dkubernetes.io/tls").await;
    let mut named = watch(&server, &format!("{SHOP}?fieldSelector=metadata.name%3Db")).await;
    let mut elsewhere = watch(&server, &SHOP.replace("shop", "other")).await;
    let mut one = watch(&server, &format!("{SHOP}/b")).await;
    server.apply(secret("token", "Opaque"));
    server.apply(secret("cert", "kubernetes.io/tls"));
    server.apply_all(["a", "b"].map(ingress));
    secrets.expect("ADDED", "cert").await;
    named.expect("ADDED", "b").await;
    one.expect("ADDED", "b").await;
    elsewhere.silent().await;
}

#[tokio::test]
async fn metadata_alone() {
    let server = ApiServer::start().await;
    let stored = server.apply(secret("cert", "kubernetes.io/tls"));
    let accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    let path = "/api/v1/secrets?allowWatchBookmarks=true&fieldSelector=type=kubernetes.io/tls";
    let mut lines = watch_as(&server, path, accept).await;
    let partial = |metadata| json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata});
    let added = lines.event().await;
    assert_eq!(added, json!({"type": "ADDED", "object": partial(stored["metadata"].clone())}));
    let bookmark = lines.event().await;
    let annotations = json!({"k8s.io/initial-events-end": "true"});
    let metadata = json!({"resourceVersion": server.version().to_string(), "annotations": annotations});
    assert_eq!(bookmark, json!({"type": "BOOKMARK", "object": partial(metadata)}));
    server.delete("Secret", "shop", "cert");
    assert_eq!(lines.event().await["object"].as_object().unwrap().len(), 3);
}

#[tokio::test]
async fn a_change_of_nothing_is_not_told() {
    let server = ApiServer::start().await;
    let stored = server.apply(ingress("a"));
    let mut lines = watch(&server, &format!("{INGRESSES}?resourceVersion={}", server.version())).await;
    assert_eq!(server.apply(ingress("a")), stored);
    let path = format!("{SHOP}/a");
    support::put(&server, &path, &stored).await.is(200);
    send(&server, "PATCH", &path, &[("content-type", support::MERGE)], "{}").await.is(200);
    assert_eq!(server.version().to_string(), stored["metadata"]["resourceVersion"].as_str().unwrap());
    lines.silent().await;
}
