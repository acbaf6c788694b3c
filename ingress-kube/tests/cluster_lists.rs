//! Lists that do not come, come in parts, or are refused; and watches that end at once.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "client")]

mod cluster_support;

use std::time::Duration;

use cluster_support::*;
use ingress_core::Certificate;
use ingress_kube::Config;
use serde_json::{Value, json};
use test_apiserver::{ApiServer, Fault, FaultAction, Recorded};

fn requests(server: &ApiServer, verb: &str, resource: &str) -> Vec<Recorded> {
    let all = server.requests().into_iter();
    all.filter(|one| one.verb == verb && one.resource.as_deref() == Some(resource)).collect()
}

#[tokio::test]
async fn nothing_is_served_before_the_last_list() {
    let server = shop().await;
    server.fault(Fault::on("list", "services").action(FaultAction::HangBeforeHead).times(1));
    let running = Running::start(&server, Config::default(), |cluster| cluster);
    let listed = || running.health.now().watches.iter().filter(|watch| watch.listed).count();
    running.wait_until("other lists", || (listed() == 4).then_some(())).await;
    assert!(!running.health.now().ready);
    assert_eq!(running.serves("web.example", "/"), None);
    assert_eq!(running.generation(), 0, "no table yet");
    server.disconnect();
    assert!(within("the first table", running.health.wait_until_ready()).await);
    assert_eq!(running.serves("web.example", "/"), Some(vec!["10.0.0.1:8080".into()]));
    assert_eq!(running.generation(), 1);
    running.all_work().await;
    running.stop().await;
}

#[tokio::test]
async fn a_list_whose_second_page_fails_is_never_half_a_table() {
    const ALL: usize = 1200;
    let server = ApiServer::start().await;
    server.apply(class());
    let ingress = |number: usize| ingress("shop", &format!("i{number}"), &format!("i{number}.example"));
    server.apply_all((0..ALL).map(ingress));
    let running = Running::ready(&server).await;
    assert_eq!(running.reader.snapshot().route_count(), ALL);
    let looking = Looking::for_what(&running, |table| match table.route_count() {
        count if count >= ALL => Ok(()),
        count => Err(format!("{count} routes of {ALL}")),
    });

    // The first page comes, the second never; then the second is too old; then it fails.
    let pages = [FaultAction::HangBeforeHead, FaultAction::status(410), FaultAction::status(500)];
    for (round, action) in pages.into_iter().enumerate() {
        let hangs = action == FaultAction::HangBeforeHead;
        server.down().await;
        server.apply(ingress(ALL + round));
        server.compact();
        server.clear_requests();
        server.fault(Fault::on("list", "ingresses").action(FaultAction::DuplicateEvents).times(1));
        server.fault(Fault::on("list", "ingresses").action(action).times(1));
        server.up().await;
        let second = |requests: &[Recorded]| {
            let is_second = |one: &Recorded| {
                one.resource.as_deref() == Some("ingresses") && one.parameter("continue").is_some()
            };
            requests.iter().any(is_second)
        };
        server.wait_for_requests(PATIENCE, second).await.unwrap();
        if hangs {
            server.disconnect();
        }
        let count = || running.reader.snapshot().route_count();
        running.wait_until("all routes", || (count() == ALL + round + 1).then_some(())).await;
        // A pause after the next failure is a short one then.
        running.all_work().await;
    }
    looking.end();
    running.stop().await;
}

#[tokio::test]
async fn watches_that_end_at_once_are_asked_for_once_a_second() {
    let server = shop().await;
    server.fault(Fault::on("watch", "*").action(FaultAction::EndAtOnce));
    let running = Running::ready(&server).await;
    let enough = |requests: &[Recorded]| {
        let watches = requests.iter().filter(|one| one.verb == "watch");
        watches.filter(|one| one.resource.as_deref() == Some("ingresses")).count() == 4
    };
    server.wait_for_requests(PATIENCE, enough).await.unwrap();
    let times: Vec<_> = requests(&server, "watch", "ingresses").iter().map(|one| one.time).collect();
    let span = times[3] - times[0];
    let all = server.requests().iter().filter(|one| one.verb == "watch").count();
    println!("{all} watches of 5 resources, 4 of each within {span:?}");
    assert!(span >= Duration::from_millis(2700), "{span:?}");
    server.clear_faults();
    server.apply_all(served("shop", "new", "10.0.0.2"));
    running.wait_until("new host", || running.serves("new.example", "/").filter(|all| !all.is_empty())).await;
    running.stop().await;
}

#[tokio::test]
async fn where_streams_are_refused_lists_are_used() {
    let server = shop().await;
    server.fault(Fault::on("watch", "*").status(422).times(5));
    let running = Running::ready_with(&server, |cluster| cluster.streaming_lists(true)).await;
    assert_eq!(running.serves("web.example", "/"), Some(vec!["10.0.0.1:8080".into()]));
    running.all_work().await;
    let streams = server.requests().into_iter().filter(|one| one.parameter("sendInitialEvents").is_some());
    assert_eq!(streams.count(), 5);
    assert_eq!(server.requests().iter().filter(|one| one.verb == "list").count(), 5);
    server.apply_all(served("shop", "new", "10.0.0.2"));
    running.wait_until("new host", || running.serves("new.example", "/")).await;
    running.stop().await;
}

#[tokio::test]
async fn streams_are_listed_anew_after_a_restart() {
    let server = shop().await;
    let running = Running::ready_with(&server, |cluster| cluster.streaming_lists(true)).await;
    let looking = Looking::for_hosts(&running, &["web.example"]);
    server.down().await;
    server.apply_all(served("shop", "new", "10.0.0.2"));
    server.restart();
    server.up().await;
    running.wait_until("new host", || running.serves("new.example", "/").filter(|all| !all.is_empty())).await;
    running.all_work().await;
    assert!(server.requests().iter().all(|one| one.verb != "list"));
    looking.end();
    running.stop().await;
}

/// An Ingress that names a Secret, and the Secret, whose certificate is so many bytes.
fn with_secret(name: &str, bytes: usize) -> [Value; 2] {
    let mut ingress = ingress("shop", name, &format!("{name}.example"));
    ingress["spec"]["tls"] = json!([{ "hosts": [format!("{name}.example")], "secretName": name }]);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": { "name": name, "namespace": "shop" },
        "data": { "tls.crt": k8s_openapi::ByteString(vec![b'x'; bytes]), "tls.key": "eA==" },
    });
    [ingress, secret]
}

#[tokio::test]
async fn a_secret_that_is_deleted_while_it_is_read_is_not_there() {
    let server = ApiServer::start().await;
    server.apply(class());
    let config = Config::default().load_certificate(|data| {
        let name = format!("{}.example", data.chain.len());
        Ok(Certificate::new(data.chain, vec![name.parse()?], ()))
    });
    let running = Running::start(&server, config, |cluster| cluster);
    assert!(within("the first table", running.health.wait_until_ready()).await);
    server.fault(Fault::on("get", "secrets").action(FaultAction::SlowBytes));
    server.apply_all(with_secret("web", 10));
    let reads = |requests: &[Recorded], count| {
        requests.iter().filter(|one| one.verb == "get" && one.status == Some(200)).count() == count
    };
    server.wait_for_requests(PATIENCE, |requests| reads(requests, 1)).await.unwrap();
    assert!(server.delete("Secret", "shop", "web"));
    // Reading this one begins later and takes longer.
    server.apply_all(with_secret("later", 1000));
    server.wait_for_requests(PATIENCE, |requests| reads(requests, 2)).await.unwrap();
    let presented = || {
        let table = running.reader.snapshot();
        let all = table.certificates().flat_map(|(_, certificate)| certificate.names().to_vec());
        all.map(|name| name.to_string()).collect::<Vec<_>>()
    };
    let is_there = || presented().contains(&"1000.example".to_owned());
    running.wait_until("later", || is_there().then_some(())).await;
    assert_eq!(presented(), ["1000.example"]);
    running.stop().await;
}
