//! The status of Ingresses: what is written, when, and above all when not.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "client")]

mod cluster_support;

use cluster_support::*;
use ingress_kube::client::{Cluster, Publish, Watched};
use serde_json::{Value, json};
use test_apiserver::{ApiServer, Fault, FaultAction, Recorded};

fn at(cluster: Cluster, addresses: &[&str]) -> Cluster {
    cluster.publish(Publish::Addresses(addresses.iter().map(|text| Publish::address(text)).collect()))
}

fn is_write(one: &Recorded) -> bool {
    !["get", "list", "watch"].contains(&one.verb)
}

fn writes(server: &ApiServer) -> Vec<String> {
    let writes = server.requests().into_iter().filter(is_write);
    writes.map(|one| format!("{} {}", one.method, one.path.rsplit("/namespaces/").next().unwrap())).collect()
}

fn write_of(name: &str) -> String {
    format!("PATCH shop/ingresses/{name}/status")
}

/// What the status of an Ingress says.
fn status(server: &ApiServer, name: &str) -> Value {
    server.get("Ingress", "shop", name).unwrap()["status"]["loadBalancer"]["ingress"].clone()
}

async fn wait_for_status(running: &Running, server: &ApiServer, name: &str, wanted: &Value) {
    running.wait_until(name, || (status(server, name) == *wanted).then_some(())).await;
}

/// Waits until this Ingress, which comes last, has its status: what else was to be written is, for one task writes in
/// the order of the names.
async fn written_last(running: &Running, server: &ApiServer, name: &str) {
    server.apply(ingress("shop", name, &format!("{name}.example")));
    running.wait_until(name, || status(server, name).is_array().then_some(())).await;
}

async fn shop() -> ApiServer {
    let server = cluster_support::shop().await;
    let mut foreign = ingress("shop", "foreign", "foreign.example");
    foreign["spec"]["ingressClassName"] = "theirs".into();
    server.apply(foreign);
    server
}

#[tokio::test]
async fn the_status_of_each_ingress_of_ours_is_applied_once() {
    let server = shop().await;
    server.apply_all(served("shop", "api", "10.0.0.1"));
    let running = Running::ready_with(&server, |cluster| at(cluster, &["192.0.2.1", "lb.example"])).await;
    let wanted = json!([{ "ip": "192.0.2.1" }, { "hostname": "lb.example" }]);
    wait_for_status(&running, &server, "api", &wanted).await;
    wait_for_status(&running, &server, "web", &wanted).await;
    written_last(&running, &server, "z").await;
    assert_eq!(writes(&server), ["api", "web", "z"].map(write_of));
    assert_eq!(status(&server, "foreign"), Value::Null);
    for one in server.requests().iter().filter(|one| is_write(one)) {
        assert_eq!(one.field_manager.as_deref(), Some("ingress-gateway.io/gateway"));
        assert_eq!(one.parameter("force").as_deref(), Some("true"));
    }
    let web = server.get("Ingress", "shop", "web").unwrap();
    assert_eq!(web["metadata"]["generation"], 1);
    let managers = web["metadata"]["managedFields"].as_array().unwrap();
    let ours = managers.iter().find(|entry| entry["manager"] == "ingress-gateway.io/gateway").unwrap();
    assert_eq!((&ours["operation"], &ours["subresource"]), (&"Apply".into(), &"status".into()));
    running.stop().await;
}

#[tokio::test]
async fn what_is_written_is_not_written_again_but_over_somebody_else() {
    let server = shop().await;
    let set = |cluster| at(cluster, &["192.0.2.1"]);
    let wanted = json!([{ "ip": "192.0.2.1" }]);
    let running = Running::ready_with(&server, set).await;
    wait_for_status(&running, &server, "web", &wanted).await;
    running.stop().await;
    assert_eq!(status(&server, "web"), wanted, "nobody asked to remove it");

    // Another process, and changes that do not concern it.
    server.clear_requests();
    let running = Running::ready_with(&server, set).await;
    let mut web = ingress("shop", "web", "web.example");
    web["metadata"]["annotations"] = json!({ "note": "x" });
    server.apply(web);
    server.apply(slice("shop", "web", &["10.0.0.5"]));
    server.apply(service("shop", "other"));
    written_last(&running, &server, "z").await;
    assert_eq!(writes(&server), [write_of("z")]);

    server.clear_requests();
    let other = json!({ "loadBalancer": { "ingress": [{ "ip": "203.0.113.9" }] } });
    let web = json!({ "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": "web", "namespace": "shop" }, "status": other });
    server.apply_status(web).unwrap();
    wait_for_status(&running, &server, "web", &wanted).await;
    written_last(&running, &server, "zz").await;
    assert_eq!(writes(&server), ["web", "zz"].map(write_of));
    running.stop().await;
}

#[tokio::test]
async fn without_being_asked_nothing_is_written() {
    let server = shop().await;
    server.apply(ingress("shop", "broken", "broken.example"));
    let election =
        |cluster: Cluster| cluster.election(ingress_kube::client::Election::new("gateway", "leader", "one"));
    let running = Running::ready_with(&server, election).await;
    let last = server.apply(ingress("shop", "last", "last.example"));
    running.caught_up(Watched::Ingresses, &last).await;
    assert_eq!(running.health.now().leading, None);
    running.stop().await;
    assert_eq!(writes(&server), [""; 0]);
    assert!(server.requests().iter().all(|one| ["list", "watch"].contains(&one.verb)));
}

#[tokio::test]
async fn the_address_of_a_service_is_followed() {
    let server = shop().await;
    let gateway = |external: Value| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": "gateway", "namespace": "gateway" },
            "spec": { "type": "LoadBalancer", "clusterIP": "10.9.9.9", "externalIPs": external,
                "ports": [{ "port": 80 }] },
        })
    };
    let balancer = |ingress: Value| {
        let mut service = gateway(json!([]));
        service["status"] = json!({ "loadBalancer": { "ingress": ingress } });
        server.apply_status(service).unwrap();
    };
    server.apply(gateway(json!([])));
    let publish = Publish::Service { namespace: "gateway".into(), name: "gateway".into() };
    let running = Running::ready_with(&server, |cluster| cluster.publish(publish)).await;
    // Pending: another version of the Service without an address, which was seen once something is written after it.
    let watches = |requests: &[Recorded]| {
        requests.iter().any(|one| one.verb == "watch" && one.query.contains("metadata.name%3Dgateway"))
    };
    server.wait_for_requests(PATIENCE, watches).await.unwrap();
    balancer(json!([]));
    let last = server.apply(ingress("shop", "api", "api.example"));
    running.caught_up(Watched::Ingresses, &last).await;
    assert_eq!(writes(&server), [""; 0], "the address is pending");

    balancer(json!([{ "ip": "192.0.2.1" }]));
    wait_for_status(&running, &server, "web", &json!([{ "ip": "192.0.2.1" }])).await;
    balancer(json!([{ "hostname": "lb.example" }]));
    wait_for_status(&running, &server, "web", &json!([{ "hostname": "lb.example" }])).await;
    server.apply(gateway(json!(["192.0.2.7"])));
    let both = json!([{ "ip": "192.0.2.7" }, { "hostname": "lb.example" }]);
    wait_for_status(&running, &server, "web", &both).await;
    wait_for_status(&running, &server, "api", &both).await;

    // A Service that is gone for a moment takes nothing with it.
    server.clear_requests();
    assert!(server.delete("Service", "gateway", "gateway"));
    written_last(&running, &server, "z").await;
    assert_eq!(writes(&server), [write_of("z")]);
    assert_eq!(status(&server, "web"), both);
    running.stop().await;
}

#[tokio::test]
async fn the_status_is_taken_back_from_what_is_not_ours_any_more() {
    let server = shop().await;
    let running = Running::ready_with(&server, |cluster| at(cluster, &["192.0.2.1"])).await;
    wait_for_status(&running, &server, "web", &json!([{ "ip": "192.0.2.1" }])).await;
    let mut web = ingress("shop", "web", "web.example");
    web["spec"]["ingressClassName"] = "theirs".into();
    server.apply(web.clone());
    wait_for_status(&running, &server, "web", &Value::Null).await;

    // What the other controller writes then is its own.
    server.clear_requests();
    web["status"] = json!({ "loadBalancer": { "ingress": [{ "ip": "203.0.113.9" }] } });
    server.apply_status(web.clone()).unwrap();
    web["metadata"]["annotations"] = json!({ "note": "x" });
    server.apply(web);
    written_last(&running, &server, "z").await;
    assert_eq!(writes(&server), [write_of("z")]);
    assert_eq!(status(&server, "web"), json!([{ "ip": "203.0.113.9" }]));

    // A class that is handed over takes all of its Ingresses with it.
    let mut class = class();
    class["spec"]["controller"] = "example.com/other".into();
    assert!(server.delete("IngressClass", "", "ours"));
    server.apply(class);
    wait_for_status(&running, &server, "z", &Value::Null).await;
    running.stop().await;
}

#[tokio::test]
async fn the_status_is_taken_back_at_the_end_where_that_is_asked_for() {
    for (removes, after) in [(false, json!([{ "ip": "192.0.2.1" }])), (true, Value::Null)] {
        let server = shop().await;
        let set = |cluster| at(cluster, &["192.0.2.1"]).remove_status_at_shutdown(removes);
        let running = Running::ready_with(&server, set).await;
        wait_for_status(&running, &server, "web", &json!([{ "ip": "192.0.2.1" }])).await;
        running.stop().await;
        assert_eq!(status(&server, "web"), after);
    }
}

#[tokio::test]
async fn a_write_that_hangs_keeps_no_table_back_and_the_end_does_not_wait_long() {
    let server = shop().await;
    server.fault(Fault::on("patch", "ingresses/status").action(FaultAction::HangBeforeHead));
    let running = Running::ready_with(&server, |cluster| at(cluster, &["192.0.2.1"])).await;
    let hangs = |requests: &[Recorded]| requests.iter().any(|one| one.verb == "patch");
    server.wait_for_requests(PATIENCE, hangs).await.unwrap();
    for name in ["a", "b", "c", "d"] {
        server.apply_all(served("shop", name, "10.0.0.2"));
        let host = format!("{name}.example");
        running.wait_until(name, || running.serves(&host, "/").filter(|all| !all.is_empty())).await;
    }
    let open = server.requests().iter().filter(|one| one.verb == "patch").count();
    assert_eq!(open, 1, "tables came while the first write hung");
    running.stop().await;
}

#[tokio::test]
async fn a_write_that_is_refused_is_reported_once_and_done_later() {
    let server = shop().await;
    server.apply_all(["a", "b", "c", "d", "e", "f"].map(|name| ingress("shop", name, "x.example")));
    server.fault(Fault::on("patch", "ingresses/status").status(403));
    let running = Running::ready_with(&server, |cluster| at(cluster, &["192.0.2.1"])).await;
    let line = running.wait_for_line("the status of Ingress shop/a is not written").await;
    assert!(line.contains("the gateway may not patch ingresses.networking.k8s.io/status"), "{line}");
    server.clear_faults();
    wait_for_status(&running, &server, "web", &json!([{ "ip": "192.0.2.1" }])).await;
    assert_eq!(running.lines_with("is not written").len(), 1, "{:#?}", running.log());
    running.stop().await;
}
