//! Lists: versions, pages, selectors, and objects as they are written.

mod support;

use serde_json::json;
use support::{INGRESSES, SHOP, get, ingress, labelled, post, secret, send};
use test_apiserver::ApiServer;

#[tokio::test]
async fn a_list_has_the_version_and_items_without_kind() {
    let server = ApiServer::start().await;
    let empty = get(&server, INGRESSES).await;
    assert_eq!(empty.is(200)["kind"], "IngressList");
    assert_eq!(empty.body["items"], json!([]));

    server.apply(ingress("a"));
    server.apply(secret("s", "Opaque"));
    let list = get(&server, INGRESSES).await;
    assert_eq!(list.is(200)["apiVersion"], "networking.k8s.io/v1");
    assert_eq!(list.body["metadata"], json!({"resourceVersion": server.version().to_string()}));
    assert_eq!(list.names(), ["a"]);
    let item = &list.body["items"][0];
    assert!(item.get("kind").is_none() && item.get("apiVersion").is_none(), "{item}");
    assert_eq!(item["status"], json!({"loadBalancer": {}}));
    assert_eq!(list.headers["content-type"], "application/json");
}

#[tokio::test]
async fn an_object_has_what_a_server_writes() {
    let server = ApiServer::start().await;
    let stored = server.apply(ingress("a"));
    let got = get(&server, &format!("{SHOP}/a")).await;
    assert_eq!(*got.is(200), stored);
    let metadata = &stored["metadata"];
    assert_eq!(metadata["generation"], 1);
    assert_eq!(metadata["resourceVersion"], server.version().to_string());
    assert_eq!(metadata["uid"].as_str().unwrap().len(), 36);
    let created = metadata["creationTimestamp"].as_str().unwrap();
    assert!(created.len() == 20 && created.ends_with('Z'), "{created}");
    assert_eq!(metadata["managedFields"][0]["fieldsV1"]["f:spec"]["f:rules"], json!({}));

    let missing = get(&server, &format!("{SHOP}/b")).await;
    assert_eq!(missing.is_failure(404, "NotFound"), "ingresses.networking.k8s.io \"b\" not found");
    assert_eq!(
        missing.body["details"],
        json!({"name": "b", "group": "networking.k8s.io", "kind": "ingresses"})
    );
}

#[tokio::test]
async fn every_kind_has_the_paths_of_a_server() {
    let server = ApiServer::start().await;
    let kinds = [
        ("v1", "Service", "/api/v1/namespaces/x/services"),
        ("v1", "Secret", "/api/v1/namespaces/x/secrets"),
        ("v1", "ConfigMap", "/api/v1/namespaces/x/configmaps"),
        ("v1", "Namespace", "/api/v1/namespaces"),
        ("networking.k8s.io/v1", "Ingress", "/apis/networking.k8s.io/v1/namespaces/x/ingresses"),
        ("networking.k8s.io/v1", "IngressClass", "/apis/networking.k8s.io/v1/ingressclasses"),
        ("discovery.k8s.io/v1", "EndpointSlice", "/apis/discovery.k8s.io/v1/namespaces/x/endpointslices"),
        ("coordination.k8s.io/v1", "Lease", "/apis/coordination.k8s.io/v1/namespaces/x/leases"),
        ("events.k8s.io/v1", "Event", "/apis/events.k8s.io/v1/namespaces/x/events"),
    ];
    for (version, kind, path) in kinds {
        let body = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "one"}});
        post(&server, path, &body).await.is(201);
        let list = get(&server, path).await;
        assert_eq!(
            (list.is(200)["kind"].as_str(), list.names()),
            (Some(&*format!("{kind}List")), vec!["one"])
        );
        let everywhere = get(&server, &path.replace("/namespaces/x", "")).await;
        assert_eq!(everywhere.names(), ["one"], "{kind}");
        get(&server, &format!("{path}/one")).await.is(200);
        let namespace = if path.contains("/x/") { "x" } else { "" };
        assert!(server.get(kind, namespace, "one").is_some(), "{kind}");
        assert_eq!(server.list(kind).len(), 1);
        let deleted = send(&server, "DELETE", &format!("{path}/one"), &[], "").await;
        assert_eq!(deleted.is(200)["status"], "Success");
        assert!(!server.delete(kind, namespace, "one"));
    }
}

#[tokio::test]
async fn what_is_not_served() {
    let server = ApiServer::start().await;
    for path in
        ["/nothing", "/apis/networking.k8s.io/v1/nothing", "/apis/networking.k8s.io/v1beta1/ingresses"]
    {
        let answer = get(&server, path).await;
        assert_eq!((answer.status, answer.text.as_str()), (404, "404 page not found\n"), "{path}");
    }
    send(&server, "DELETE", SHOP, &[], "").await.is_failure(405, "MethodNotAllowed");
    send(&server, "POST", INGRESSES, &[], "{}").await.is_failure(405, "MethodNotAllowed");
    assert_eq!(get(&server, "/version").await.is(200)["minor"], "36");
    assert_eq!(get(&server, "/api").await.is(200)["versions"], json!(["v1"]));
    assert_eq!(get(&server, "/apis").await.is(200)["groups"].as_array().unwrap().len(), 4);
    let resources = get(&server, "/apis/networking.k8s.io/v1").await;
    assert_eq!(resources.is(200)["resources"][1]["name"], "ingresses/status");
}

#[tokio::test]
async fn pages_are_of_one_version() {
    let server = ApiServer::start().await;
    server.apply_all(["a", "b", "c", "d", "e"].map(ingress));
    let version = server.version().to_string();
    let first = get(&server, &format!("{INGRESSES}?limit=2")).await;
    assert_eq!(first.names(), ["a", "b"]);
    assert_eq!(first.body["metadata"]["remainingItemCount"], 3);
    assert_eq!(first.body["metadata"]["resourceVersion"], version);

    server.apply(ingress("bb"));
    server.delete("Ingress", "shop", "c");
    server.apply(support::with_host("d", "new.example"));
    let token = first.body["metadata"]["continue"].as_str().unwrap();
    let second = get(&server, &format!("{INGRESSES}?limit=2&continue={token}")).await;
    assert_eq!(second.names(), ["c", "d"]);
    assert_eq!(second.body["metadata"]["resourceVersion"], version);
    assert_eq!(second.body["items"][1]["spec"]["rules"][0]["host"], "d.example");
    assert_eq!(second.body["metadata"]["remainingItemCount"], 1);
    let token = second.body["metadata"]["continue"].as_str().unwrap();
    let third = get(&server, &format!("{INGRESSES}?limit=2&continue={token}")).await;
    assert_eq!(third.names(), ["e"]);
    assert_eq!(third.body["metadata"], json!({"resourceVersion": version}));

    let with_version = format!("{INGRESSES}?limit=2&continue={token}&resourceVersion=5");
    get(&server, &with_version).await.is_failure(400, "BadRequest");
    get(&server, &format!("{INGRESSES}?limit=2&continue=garbled")).await.is_failure(400, "BadRequest");
    server.compact();
    get(&server, &format!("{INGRESSES}?limit=2&continue={token}")).await.is_failure(410, "Expired");
}

#[tokio::test]
async fn a_selected_page_does_not_count_the_rest() {
    let server = ApiServer::start().await;
    server.apply_all(["a", "b", "c"].map(ingress));
    let page = get(&server, &format!("{INGRESSES}?limit=1&labelSelector=app")).await;
    assert_eq!(page.names(), ["a"]);
    assert!(page.body["metadata"]["continue"].is_string());
    assert!(page.body["metadata"].get("remainingItemCount").is_none());
}

#[tokio::test]
async fn a_list_of_a_version() {
    let server = ApiServer::start().await;
    server.apply(ingress("a"));
    let old = server.version();
    server.apply(ingress("b"));
    let list = async |query: String| get(&server, &format!("{INGRESSES}?{query}")).await;
    assert_eq!(list("resourceVersion=0".into()).await.names(), ["a", "b"]);
    assert_eq!(list(format!("resourceVersion={old}")).await.names(), ["a", "b"]);
    let not_older = list(format!("resourceVersion={old}&resourceVersionMatch=NotOlderThan")).await;
    assert_eq!(not_older.names(), ["a", "b"]);
    let exact = list(format!("resourceVersion={old}&resourceVersionMatch=Exact")).await;
    assert_eq!(exact.names(), ["a"]);
    assert_eq!(exact.body["metadata"]["resourceVersion"], old.to_string());
    server.compact();
    let expired = list(format!("resourceVersion={old}&resourceVersionMatch=Exact")).await;
    expired.is_failure(410, "Expired");
    list("resourceVersion=x".into()).await.is_failure(400, "BadRequest");
    list("resourceVersionMatch=Exact".into()).await.is_failure(422, "Invalid");
    list("resourceVersion=1&resourceVersionMatch=Sometimes".into()).await.is_failure(422, "Invalid");
    list("sendInitialEvents=true".into()).await.is_failure(422, "Invalid");
}

#[tokio::test]
async fn a_version_in_the_future_is_waited_for() {
    let server = ApiServer::start().await;
    let path = format!("{INGRESSES}?resourceVersion=999999&resourceVersionMatch=NotOlderThan");
    let answer = get(&server, &path).await;
    assert!(answer.is_failure(504, "Timeout").contains("Too large resource version"), "{}", answer.text);
    assert_eq!(answer.headers["retry-after"], "1");

    let next = server.version() + 1;
    let path = format!("{INGRESSES}?resourceVersion={next}&resourceVersionMatch=NotOlderThan");
    let waiting = get(&server, &path);
    let applying = async {
        support::requests(&server, "the list", |all| all.len() == 2).await;
        server.apply(ingress("a"));
    };
    let (list, ()) = tokio::join!(waiting, applying);
    assert_eq!(list.names(), ["a"]);
}

#[tokio::test]
async fn labels_select() {
    let server = ApiServer::start().await;
    server.apply(labelled("a", &json!({"app": "a", "tier": "front"})));
    server.apply(labelled("b", &json!({"app": "b"})));
    server.apply(labelled("c", &json!({"tier": "back"})));
    let cases: &[(&str, &[&str])] = &[
        ("app=a", &["a"]),
        ("app==b", &["b"]),
        ("app!=a", &["b", "c"]),
        ("app", &["a", "b"]),
        ("!app", &["c"]),
        ("app in (a, b)", &["a", "b"]),
        ("app notin (a)", &["b", "c"]),
        ("app in (a,b),tier", &["a"]),
        ("tier=front,app=b", &[]),
    ];
    for (selector, names) in cases {
        let query: String = form_urlencoded::byte_serialize(selector.as_bytes()).collect();
        let list = get(&server, &format!("{INGRESSES}?labelSelector={query}")).await;
        assert_eq!(list.names(), *names, "{selector}");
    }
    get(&server, &format!("{INGRESSES}?labelSelector=a%20b")).await.is_failure(400, "BadRequest");
}

#[tokio::test]
async fn fields_select() {
    let server = ApiServer::start().await;
    server.apply(secret("cert", "kubernetes.io/tls"));
    server.apply(secret("token", "Opaque"));
    server.apply(ingress("a"));
    let secrets =
        async |selector: &str| get(&server, &format!("/api/v1/secrets?fieldSelector={selector}")).await;
    assert_eq!(secrets("type=kubernetes.io/tls").await.names(), ["cert"]);
    assert_eq!(secrets("type!=kubernetes.io/tls").await.names(), ["token"]);
    assert_eq!(secrets("metadata.name=token").await.names(), ["token"]);
    assert_eq!(secrets("metadata.name=token,type=kubernetes.io/tls").await.names(), [""; 0]);
    assert_eq!(secrets("metadata.namespace==shop").await.names(), ["cert", "token"]);
    let by_class = get(&server, &format!("{INGRESSES}?fieldSelector=spec.ingressClassName=ours")).await;
    by_class.is_failure(400, "BadRequest");
    get(&server, &format!("{INGRESSES}?fieldSelector=type=x")).await.is_failure(400, "BadRequest");
}

#[tokio::test]
async fn metadata_alone() {
    let server = ApiServer::start().await;
    let stored = server.apply(secret("cert", "kubernetes.io/tls"));
    let as_kind = |kind: &str| format!("application/json;as={kind};g=meta.k8s.io;v=v1");
    let list = as_kind("PartialObjectMetadataList");
    let answer = send(&server, "GET", "/api/v1/secrets", &[("accept", &list)], "").await;
    assert_eq!(answer.is(200)["kind"], "PartialObjectMetadataList");
    assert_eq!(answer.body["apiVersion"], "meta.k8s.io/v1");
    let one = json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": stored["metadata"],
    });
    assert_eq!(answer.body["items"], json!([one]));

    let single = as_kind("PartialObjectMetadata");
    let path = "/api/v1/namespaces/shop/secrets/cert";
    let answer = send(&server, "GET", path, &[("accept", &single)], "").await;
    assert_eq!(*answer.is(200), one);
    let either = format!("{single}, application/json");
    assert_eq!(*send(&server, "GET", path, &[("accept", &either)], "").await.is(200), one);
    let table = "application/json;as=Table;g=meta.k8s.io;v=v1, application/json";
    assert_eq!(*send(&server, "GET", path, &[("accept", table)], "").await.is(200), stored);
    send(&server, "GET", "/api/v1/secrets", &[("accept", &single)], "")
        .await
        .is_failure(406, "NotAcceptable");
    send(&server, "GET", path, &[("accept", &list)], "").await.is_failure(406, "NotAcceptable");
}

#[tokio::test]
async fn ten_thousand_at_once() {
    let server = ApiServer::start().await;
    server.apply_all((0..10_000).map(|n| ingress(&format!("i{n:05}"))));
    let mut names = 0;
    let mut path = format!("{INGRESSES}?limit=2500");
    loop {
        let page = get(&server, &path).await;
        names += page.names().len();
        match page.body["metadata"]["continue"].as_str() {
            Some(token) => path = format!("{INGRESSES}?limit=2500&continue={token}"),
            None => break,
        }
    }
    assert_eq!(names, 10_000);
}
