//! Each way to go wrong.

mod support;

use std::time::Duration;

use http_body_util::BodyExt;
use support::{INGRESSES, SILENCE, get, ingress, open, requests, watch, with_host, within};
use test_apiserver::{Allowed, ApiServer, Fault, FaultAction};
use tokio::net::TcpStream;

/// A path of a watch from now on.
fn from_now(server: &ApiServer) -> String {
    format!("{INGRESSES}?allowWatchBookmarks=true&resourceVersion={}", server.version())
}

#[tokio::test]
async fn a_status_for_some_requests() {
    let server = ApiServer::start().await;
    server.fault(Fault::on("list", "ingresses").times(2).status(503));
    server.fault(Fault::on("list", "*").times(1).status(429).retry_after(7));
    for _ in 0..2 {
        get(&server, INGRESSES).await.is_failure(503, "ServiceUnavailable");
    }
    get(&server, &format!("{INGRESSES}/a")).await;
    let throttled = get(&server, INGRESSES).await;
    throttled.is_failure(429, "TooManyRequests");
    assert_eq!(throttled.headers["retry-after"], "7");
    get(&server, INGRESSES).await.is(200);
    let statuses: Vec<_> = server.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(503), Some(503), Some(405), Some(429), Some(200)]);

    let all = server.fault(Fault::on_all());
    get(&server, "/version").await.is_failure(500, "InternalError");
    server.clear_fault(all);
    get(&server, "/version").await.is(200);
    server.clear_requests();
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_hang_before_the_head() {
    let server = ApiServer::start().await;
    server.fault(Fault::on("list", "ingresses").times(1).action(FaultAction::HangBeforeHead));
    let address = server.address();
    let hanging = tokio::spawn(async move { open(address, "GET", INGRESSES, &[], "").await.is_ok() });
    let recorded = requests(&server, "the list", |all| !all.is_empty()).await;
    assert_eq!(recorded[0].status, None);
    server.clear_faults();
    get(&server, INGRESSES).await.is(200);
    assert!(!hanging.is_finished());
    server.disconnect();
    assert!(!within("the end of the connection", hanging).await.unwrap());
}

#[tokio::test]
async fn a_hang_after_the_head() {
    let server = ApiServer::start().await;
    server.fault(Fault::on("*", "ingresses").action(FaultAction::HangAfterHead));
    server.apply(ingress("a"));
    watch(&server, INGRESSES).await.silent().await;
    let list = within("a head", open(server.address(), "GET", INGRESSES, &[], "")).await.unwrap();
    assert_eq!(list.status(), 200);
    assert!(tokio::time::timeout(SILENCE, list.into_body().collect()).await.is_err());
}

#[tokio::test]
async fn a_cut_in_the_middle_of_a_line() {
    let server = ApiServer::start().await;
    server.fault(Fault::on("*", "ingresses").times(2).action(FaultAction::CutMidLine));
    let path = from_now(&server);
    let mut lines = watch(&server, &path).await;
    server.apply(ingress("a"));
    lines.ended().await;
    assert!(lines.broken && lines.rest().starts_with("{\"object\":{"), "{}", lines.rest());
    let list = within("a head", open(server.address(), "GET", INGRESSES, &[], "")).await.unwrap();
    assert!(within("the end", list.into_body().collect()).await.is_err());
    let mut again = watch(&server, &path).await;
    again.expect("ADDED", "a").await;
}

#[tokio::test]
async fn an_end_at_once_and_a_410_as_status() {
    let server = ApiServer::start().await;
    server.fault(Fault::on("watch", "ingresses").times(1).action(FaultAction::EndAtOnce));
    server.fault(Fault::on("watch", "ingresses").times(1).action(FaultAction::ExpiredAsStatus));
    server.apply(ingress("a"));
    let mut lines = watch(&server, INGRESSES).await;
    lines.ended().await;
    assert_eq!((lines.status, lines.broken), (200, false));
    get(&server, &format!("{INGRESSES}?watch=true&resourceVersion=1")).await.is_failure(410, "Expired");
    watch(&server, INGRESSES).await.expect("ADDED", "a").await;
}

#[tokio::test]
async fn slow_bytes() {
    let server = ApiServer::start().await;
    server.fault(Fault::on("*", "*").action(FaultAction::SlowBytes));
    assert_eq!(get(&server, "/api").await.is(200)["kind"], "APIVersions");
    let stored = server.apply(ingress("a"));
    let mut lines = watch(&server, INGRESSES).await;
    assert_eq!(lines.event().await["object"], stored);
}

#[tokio::test]
async fn a_line_of_garbage() {
    let server = ApiServer::start().await;
    server.fault(Fault::on("*", "ingresses").action(FaultAction::GarbageLine));
    server.apply(ingress("a"));
    let mut lines = watch(&server, INGRESSES).await;
    let garbage = lines.line().await.unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&garbage).is_err(), "{garbage}");
    lines.expect("ADDED", "a").await;
    let list = get(&server, INGRESSES).await;
    assert_eq!((list.status, list.body.is_null()), (200, true));
}

#[tokio::test]
async fn each_event_twice() {
    let server = ApiServer::start().await;
    server.fault(Fault::on("watch", "ingresses").action(FaultAction::DuplicateEvents));
    let mut lines = watch(&server, &from_now(&server)).await;
    server.apply(ingress("a"));
    lines.expect("ADDED", "a").await;
    server.delete("Ingress", "shop", "a");
    lines.expect("ADDED", "a").await;
    lines.expect("DELETED", "a").await;
    lines.expect("DELETED", "a").await;
}

#[tokio::test]
async fn bookmarks_only() {
    let server = ApiServer::start().await;
    let mut lines = watch(&server, &from_now(&server)).await;
    server.fault(Fault::on("watch", "ingresses").action(FaultAction::BookmarksOnly));
    server.bookmark();
    lines.expect("BOOKMARK", "").await;
    let version = server.version();
    server.apply(ingress("a"));
    server.bookmark();
    let bookmark = lines.event().await;
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(bookmark["object"]["metadata"]["resourceVersion"], version.to_string());
    server.clear_faults();
    lines.expect("ADDED", "a").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_are_held_back_until_they_are_gone() {
    let server = ApiServer::start().await;
    let mut lines = watch(&server, &from_now(&server)).await;
    let ignored = Fault::on("watch", "ingresses").action(FaultAction::IgnoreNewEvents);
    let id = server.fault(ignored.clone());
    server.apply(ingress("a"));
    server.bookmark();
    lines.silent().await;
    server.clear_fault(id);
    lines.expect("ADDED", "a").await;

    server.fault(ignored);
    server.apply(with_host("a", "new.example"));
    server.compact();
    server.clear_faults();
    let event = lines.event().await;
    assert_eq!((&event["type"], &event["object"]["code"]), (&"ERROR".into(), &410.into()));
    lines.ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_ends_everything_and_forgets_the_past() {
    let server = ApiServer::start().await;
    let path = from_now(&server);
    let mut lines = watch(&server, &path).await;
    server.apply(ingress("a"));
    lines.expect("ADDED", "a").await;
    server.restart();
    server.apply(ingress("b"));
    lines.ended().await;
    assert!(lines.broken);
    let mut lines = watch(&server, &path).await;
    assert_eq!(lines.event().await["object"]["code"], 410);
    assert_eq!(get(&server, INGRESSES).await.names(), ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_down_refuses() {
    let server = ApiServer::start().await;
    let path = from_now(&server);
    let mut lines = watch(&server, &path).await;
    server.down().await;
    server.down().await;
    lines.ended().await;
    let refused = within("a refusal", TcpStream::connect(server.address())).await;
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    server.apply(ingress("a"));
    let url = server.url();
    server.up().await;
    assert_eq!(server.url(), url);
    watch(&server, &path).await.expect("ADDED", "a").await;
    let address = server.address();
    drop(server);
    let gone = async { while TcpStream::connect(address).await.is_ok() {} };
    within("the end of the server", gone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_is_silent_until_it_goes_on() {
    let server = ApiServer::start().await;
    let mut lines = watch(&server, &from_now(&server)).await;
    server.freeze();
    server.apply(ingress("a"));
    lines.silent().await;
    let address = server.address();
    let mut asking = tokio::spawn(async move { open(address, "GET", INGRESSES, &[], "").await });
    tokio::time::timeout(SILENCE, &mut asking).await.expect_err("no answer");
    assert_eq!(server.requests().len(), 1);
    server.unfreeze();
    lines.expect("ADDED", "a").await;
    assert_eq!(within("an answer", asking).await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn what_is_not_allowed_is_forbidden() {
    let server = ApiServer::start().await;
    server.allow_only(vec![
        Allowed::new("list", "", "services"),
        Allowed::new("*", "networking.k8s.io", "ingresses/status"),
        Allowed::new("get", "coordination.k8s.io", "leases").in_namespace("shop"),
        Allowed::new("patch", "", "configmaps"),
    ]);
    get(&server, "/api/v1/services").await.is(200);
    let user = "User \"system:serviceaccount:ingress:gateway\" cannot";
    let refused = get(&server, INGRESSES).await;
    let resource = "resource \"ingresses\" in API group \"networking.k8s.io\"";
    let expected =
        format!("ingresses.networking.k8s.io is forbidden: {user} list {resource} at the cluster scope");
    assert_eq!(refused.is_failure(403, "Forbidden"), expected);
    let refused = get(&server, &format!("{}?watch=true", support::SHOP)).await;
    assert!(refused.is_failure(403, "Forbidden").ends_with("in the namespace \"shop\""));
    get(&server, &format!("{}/a/status", support::SHOP)).await.is_failure(404, "NotFound");
    get(&server, &format!("{}/a", support::LEASES)).await.is_failure(404, "NotFound");
    let elsewhere = support::LEASES.replace("shop", "x");
    get(&server, &format!("{elsewhere}/a")).await.is_failure(403, "Forbidden");
    let config = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap"});
    let path = "/api/v1/namespaces/shop/configmaps/a?fieldManager=m";
    let created = support::patch(&server, support::APPLY, path, &config).await;
    let expected = format!(
        "configmaps \"a\" is forbidden: {user} create resource \"configmaps\" in API group \"\" in the namespace \"shop\""
    );
    assert_eq!(created.is_failure(403, "Forbidden"), expected);
    get(&server, "/version").await.is(200);
    server.allow_all();
    get(&server, INGRESSES).await.is(200);
}

#[tokio::test]
async fn waiting_for_requests_has_an_end() {
    let server = ApiServer::start().await;
    get(&server, "/version").await;
    let seen = server.wait_for_requests(Duration::from_millis(10), |all| all.len() == 2).await.unwrap_err();
    assert_eq!((seen.len(), seen[0].path.as_str(), seen[0].resource.is_none()), (1, "/version", true));
}
