//! A cluster as the source of objects: what is listed, watched, read and served.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "client")]

mod cluster_support;

use cluster_support::*;
use ingress_core::{Certificate, HostMatch};
use ingress_kube::Config;
use ingress_kube::client::{Namespaces, Watched};
use serde_json::{Value, json};
use test_apiserver::ApiServer;

const ADDRESS: &str = "10.0.0.1:8080";

fn one(address: &str) -> Option<Vec<String>> {
    Some(vec![address.into()])
}

#[tokio::test]
async fn changes_are_served_and_all_at_once_at_the_start() {
    let server = ApiServer::start().await;
    server.apply(class());
    server.apply_all(served("shop", "web", "10.0.0.1"));
    let running = Running::ready(&server).await;
    assert_eq!(running.serves("web.example", "/"), one(ADDRESS));
    assert_eq!(running.reader.snapshot().generation(), 1, "the first table is complete");

    for object in served("shop", "api", "10.0.0.2") {
        server.apply(object);
    }
    let slice = server.apply(slice("shop", "api", &["10.0.0.2", "10.0.0.3"]));
    running.caught_up(Watched::EndpointSlices, &slice).await;
    running.wait_until("api", || running.serves("api.example", "/").filter(|all| all.len() == 2)).await;

    assert!(server.delete("Ingress", "shop", "web"));
    running.wait_until("end of web", || running.serves("web.example", "/").is_none().then_some(())).await;
    running.stop().await;
}

#[tokio::test]
async fn each_resource_is_listed_once_and_then_watched() {
    let server = ApiServer::start().await;
    server.apply(class());
    let running = Running::ready(&server).await;
    for object in served("shop", "web", "10.0.0.1") {
        server.apply(object);
    }
    running.wait_until("web", || running.serves("web.example", "/")).await;
    let mut lists: Vec<_> = server
        .requests()
        .into_iter()
        .filter(|one| one.verb == "list")
        .filter_map(|one| one.resource)
        .collect();
    lists.sort();
    assert_eq!(lists, ["endpointslices", "ingressclasses", "ingresses", "secrets", "services"]);
    let writes = server.requests().into_iter().filter(|one| !["list", "watch"].contains(&one.verb));
    assert_eq!(writes.count(), 0, "nobody asked for status or events");
    running.stop().await;
}

#[tokio::test]
async fn an_empty_cluster_is_a_complete_one() {
    let server = ApiServer::start().await;
    let running = Running::ready(&server).await;
    assert_eq!(running.reader.snapshot().route_count(), 0);
    running.stop().await;
}

/// A Secret whose certificate is for these hosts.
fn secret(namespace: &str, name: &str, hosts: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": { "name": name, "namespace": namespace },
        "data": { "tls.crt": base64(hosts), "tls.key": base64("key") },
    })
}

fn base64(text: &str) -> String {
    let bytes = k8s_openapi::ByteString(text.into());
    serde_json::to_value(bytes).unwrap().as_str().unwrap().into()
}

fn pretended() -> Config {
    Config::default().load_certificate(|data| {
        let names = std::str::from_utf8(data.chain)?.split(' ');
        let names: Vec<HostMatch> = names.map(str::parse).collect::<Result<_, _>>()?;
        Ok(Certificate::new(data.chain, names, ()))
    })
}

#[tokio::test]
async fn only_secrets_that_are_named_are_read() {
    let server = ApiServer::start().await;
    server.apply(class());
    let [mut ingress, service, slice] = served("shop", "web", "10.0.0.1");
    ingress["spec"]["tls"] = json!([{ "hosts": ["web.example"], "secretName": "web" }]);
    server.apply_all([ingress.clone(), service, slice]);
    server.apply_all([secret("shop", "web", "web.example"), secret("shop", "other", "other.example")]);
    server.apply(secret("elsewhere", "web", "web.example"));
    let running = Running::start(&server, pretended(), |cluster| cluster);
    assert!(within("the first table", running.health.wait_until_ready()).await);
    let presented = || {
        let table = running.reader.snapshot();
        let names: Vec<_> =
            table.certificates().flat_map(|(_, certificate)| certificate.names().to_vec()).collect();
        names.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(presented(), ["web.example"], "in the first table already");
    assert!(running.reader.snapshot().diagnostics().iter().next().is_none());

    // One that changes is read again, another one is not.
    server.apply(secret("shop", "other", "x.example"));
    server.apply(secret("shop", "web", "web.example www.example"));
    running.wait_until("www.example", || (presented().len() == 2).then_some(())).await;
    let read = || {
        let gets = server
            .requests()
            .into_iter()
            .filter(|one| one.verb == "get" && one.resource.as_deref() == Some("secrets"));
        gets.map(|one| one.name.unwrap_or_default()).collect::<Vec<_>>()
    };
    assert_eq!(read(), ["web", "web"]);

    ingress["spec"]["tls"][0]["secretName"] = "other".into();
    server.apply(ingress);
    running.wait_until("other", || (read().len() == 3).then_some(())).await;
    assert_eq!(read()[2], "other");
    assert!(server.delete("Secret", "shop", "other"));
    running
        .wait_until("finding", || {
            let table = running.reader.snapshot();
            let finding = table.diagnostics().iter().next().map(ToString::to_string)?;
            finding.contains("Secret shop/other does not exist").then_some(())
        })
        .await;
    running.stop().await;
}

#[tokio::test]
async fn parameters_of_a_class_are_read_by_name() {
    let server = ApiServer::start().await;
    let mut class = class();
    class["spec"]["parameters"] =
        json!({ "kind": "ConfigMap", "name": "settings", "namespace": "gateway", "scope": "Namespace" });
    server.apply(class);
    let config_map = |timeout: &str| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings", "namespace": "gateway" },
            "data": { "request-timeout": timeout },
        })
    };
    server.apply(config_map("1s"));
    server.apply_all(served("shop", "web", "10.0.0.1"));
    let running = Running::ready(&server).await;
    let timeout = || {
        let table = running.reader.snapshot();
        let policy = table.routes().next()?.route.policy()?.request_timeout?;
        Some(policy.to_string())
    };
    assert_eq!(timeout().as_deref(), Some("1s"));
    server.apply(config_map("2s"));
    running.wait_until("2s", || timeout().filter(|text| text == "2s")).await;
    let asked = server.requests().into_iter().filter(|one| one.resource.as_deref() == Some("configmaps"));
    let queries: Vec<_> = asked.map(|one| one.query).collect();
    assert!(queries.iter().all(|query| query.contains("metadata.name%3Dsettings")), "{queries:?}");
    running.stop().await;
}

#[tokio::test]
async fn named_namespaces_and_labelled_ingresses() {
    let server = ApiServer::start().await;
    server.apply(class());
    for namespace in ["shop", "team", "other"] {
        server.apply_all(served(namespace, namespace, "10.0.0.1"));
    }
    let mut public = ingress("shop", "public", "public.example");
    public["metadata"]["labels"] = json!({ "tier": "public" });
    server.apply(public);
    let named = Namespaces::Named(vec!["shop".into(), "team".into()]);
    let running = Running::start(&server, Config::default(), |cluster| cluster.namespaces(named));
    assert!(within("the first table", running.health.wait_until_ready()).await);
    let hosts = |running: &Running| {
        ["shop", "team", "other", "public"]
            .map(|name| running.serves(&format!("{name}.example"), "/").is_some())
    };
    assert_eq!(hosts(&running), [true, true, false, true]);
    running.stop().await;

    let running =
        Running::start(&server, Config::default(), |cluster| cluster.ingress_selector("tier=public"));
    assert!(within("the first table", running.health.wait_until_ready()).await);
    assert_eq!(hosts(&running), [false, false, false, true]);
    running.stop().await;
}

#[tokio::test]
async fn namespaces_come_and_go_by_their_labels() {
    let server = ApiServer::start().await;
    server.apply(class());
    server.apply(namespace("shop", json!({ "team": "a" })));
    server.apply(namespace("other", json!({})));
    for namespace in ["shop", "other"] {
        server.apply_all(served(namespace, namespace, "10.0.0.1"));
    }
    let selected = Namespaces::Selected("team=a".into());
    let running = Running::start(&server, Config::default(), |cluster| cluster.namespaces(selected));
    running.wait_until("shop", || running.serves("shop.example", "/")).await;
    assert_eq!(running.serves("other.example", "/"), None);

    server.apply(namespace("other", json!({ "team": "a" })));
    let found = running.wait_until("other", || running.serves("other.example", "/")).await;
    assert_eq!(found, [ADDRESS], "with its endpoints at once");
    server.apply(namespace("shop", json!({ "team": "b" })));
    running.wait_until("end of shop", || running.serves("shop.example", "/").is_none().then_some(())).await;
    assert_eq!(running.serves("other.example", "/"), one(ADDRESS));
    running.stop().await;
}

#[tokio::test]
async fn an_object_that_cannot_be_read_costs_itself() {
    let server = ApiServer::start().await;
    server.apply(class());
    server.apply_all(served("shop", "web", "10.0.0.1"));
    let mut broken = ingress("shop", "broken", "broken.example");
    broken["spec"]["rules"] = "many".into();
    server.apply(broken);
    let running = Running::ready(&server).await;
    assert_eq!(running.serves("web.example", "/"), one(ADDRESS));
    let findings = || {
        let table = running.reader.snapshot();
        table.diagnostics().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(findings().len(), 1);
    let found = findings();
    assert!(
        found[0].starts_with("error[ING002]: Ingress shop/broken: the object cannot be read"),
        "{found:?}"
    );
    server.apply(ingress("shop", "broken", "broken.example"));
    running
        .wait_until("mended object", || running.serves("broken.example", "/").is_some().then_some(()))
        .await;
    assert!(findings().iter().all(|finding| !finding.contains("cannot be read")));
    running.stop().await;
}

#[tokio::test]
async fn lists_by_streams_and_without_where_they_are_refused() {
    let server = ApiServer::start().await;
    server.apply(class());
    server.apply_all(served("shop", "web", "10.0.0.1"));
    let running = Running::start(&server, Config::default(), |cluster| cluster.streaming_lists(true));
    assert!(within("the first table", running.health.wait_until_ready()).await);
    assert_eq!(running.serves("web.example", "/"), one(ADDRESS));
    assert!(server.requests().iter().all(|one| one.verb != "list"), "streams only");
    running.stop().await;
}
