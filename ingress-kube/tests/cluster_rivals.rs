//! Several installations that write into one cluster.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "client")]

mod cluster_support;

use cluster_support::*;
use ingress_kube::Config;
use ingress_kube::client::{Cluster, Election, Publish};
use serde_json::{Value, json};
use test_apiserver::{ApiServer, Fault};

fn at(cluster: Cluster, address: &str) -> Cluster {
    cluster.publish(Publish::Addresses(vec![Publish::address(address)]))
}

fn status(server: &ApiServer, name: &str) -> Value {
    server.get("Ingress", "shop", name).unwrap()["status"]["loadBalancer"]["ingress"].clone()
}

fn patches(server: &ApiServer) -> usize {
    server.requests().iter().filter(|one| one.subresource.as_deref() == Some("status")).count()
}

async fn ready(running: &Running) {
    assert!(within("the first table", running.health.wait_until_ready()).await);
}

/// The usual pair of a public and an internal gateway.
#[tokio::test]
async fn the_status_that_another_controller_wrote_is_left_alone() {
    let server = ApiServer::start().await;
    server.apply(class());
    let mut other = class();
    (other["metadata"]["name"], other["spec"]["controller"]) =
        ("internal".into(), "example.com/internal".into());
    server.apply(other);
    server.apply_all(served("shop", "web", "10.0.0.1"));
    let [mut api, service, slice] = served("shop", "api", "10.0.0.2");
    api["spec"]["ingressClassName"] = "internal".into();
    server.apply_all([api, service, slice]);
    let public = Running::start(&server, Config::default(), |cluster| at(cluster, "192.0.2.1"));
    let theirs = Config::default().controller_class("example.com/internal");
    let internal = Running::start(&server, theirs, |cluster| at(cluster, "192.0.2.2"));
    ready(&public).await;
    ready(&internal).await;
    let written = |name: &str, ip: &str| (status(&server, name) == json!([{ "ip": ip }])).then_some(());
    public.wait_until("both", || written("web", "192.0.2.1").and(written("api", "192.0.2.2"))).await;
    // Something else happens, and nothing is written again.
    let object = server.apply(moved_slice("web"));
    for running in [&public, &internal] {
        running.caught_up(ingress_kube::client::Watched::EndpointSlices, &object).await;
    }
    assert_eq!(patches(&server), 2);
    public.stop().await;
    internal.stop().await;
}

fn moved_slice(name: &str) -> Value {
    slice("shop", name, &["10.0.0.9"])
}

#[tokio::test]
async fn two_that_serve_the_same_do_not_answer_each_other_without_end() {
    let server = ApiServer::start().await;
    server.apply(class());
    server.apply_all(served("shop", "web", "10.0.0.1"));
    let running = ["192.0.2.1", "192.0.2.2"]
        .map(|address| Running::start(&server, Config::default(), |cluster| at(cluster, address)));
    for one in &running {
        ready(one).await;
    }
    running[0].wait_until("a few writes", || (patches(&server) >= 6).then_some(())).await;
    // What follows would be hundreds within the time of another change.
    let object = server.apply(moved_slice("web"));
    for one in &running {
        one.caught_up(ingress_kube::client::Watched::EndpointSlices, &object).await;
    }
    assert_eq!(patches(&server), 6);
    for one in running {
        one.stop().await;
    }
}

#[tokio::test]
async fn what_is_refused_in_one_namespace_is_written_in_another() {
    let server = ApiServer::start().await;
    server.apply(class());
    let names = ["a", "b", "c", "d", "e"];
    server.apply_all(names.iter().flat_map(|name| served("shop", name, "10.0.0.1")));
    server.apply_all(served("zoo", "web", "10.0.0.1"));
    // The first five are refused, in the order of their names.
    server.fault(Fault::on("patch", "ingresses/status").times(5).status(403));
    let running = Running::start(&server, Config::default(), |cluster| at(cluster, "192.0.2.1"));
    ready(&running).await;
    running
        .wait_until("status", || {
            let web = server.get("Ingress", "zoo", "web").unwrap();
            (web["status"]["loadBalancer"]["ingress"] == json!([{ "ip": "192.0.2.1" }])).then_some(())
        })
        .await;
    running.stop().await;
}

#[tokio::test]
async fn who_serves_nothing_does_not_take_the_lease() {
    let server = ApiServer::start().await;
    server.apply(class());
    server.apply_all(served("shop", "web", "10.0.0.1"));
    let id = server.fault(Fault::on("list", "services").status(403));
    let running = Running::start(&server, Config::default(), |cluster| {
        at(cluster, "192.0.2.1").election(Election::new("ingress", "leader", "one"))
    });
    running.wait_for_line("services cannot be watched").await;
    assert_eq!(server.get("Lease", "ingress", "leader"), None);
    server.clear_fault(id);
    ready(&running).await;
    running.wait_for_line("this process writes").await;
    running.stop().await;
}
