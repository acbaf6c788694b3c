//! Events on Ingresses: one for each finding, and no storm of them.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "client")]

mod cluster_support;

use cluster_support::*;
use ingress_kube::client::Cluster;
use serde_json::{Value, json};
use test_apiserver::{ApiServer, Fault, Recorded};

fn events(server: &ApiServer) -> Vec<Value> {
    server.list("Event")
}

fn of(server: &ApiServer, name: &str) -> Vec<Value> {
    events(server).into_iter().filter(|event| event["regarding"]["name"] == name).collect()
}

fn with_events(cluster: Cluster) -> Cluster {
    cluster.events(true)
}

/// Waits until there is an Event on this Ingress: whatever was found before it is said.
async fn said_last(running: &Running, server: &ApiServer, name: &str) {
    server.apply(ingress("shop", name, &format!("{name}.example")));
    running.wait_until(name, || (!of(server, name).is_empty()).then_some(())).await;
}

#[tokio::test]
async fn each_finding_is_one_event_and_none_is_repeated() {
    let server = ApiServer::start().await;
    server.apply(class());
    let mut web = ingress("shop", "web", "web.example");
    let path = |name: &str| {
        json!({ "path": format!("/{name}"), "pathType": "Prefix",
            "backend": { "service": { "name": name, "port": { "number": 80 } } } })
    };
    web["spec"]["rules"][0]["http"]["paths"] = json!([path("one"), path("two")]);
    let web = server.apply(web);
    let running = Running::ready_with(&server, with_events).await;
    running.wait_until("both Events", || (of(&server, "web").len() == 2).then_some(())).await;

    let mut notes = Vec::new();
    for event in of(&server, "web") {
        assert_eq!(event["reason"], "MissingService");
        assert_eq!(
            (&event["type"], &event["reportingController"]),
            (&"Warning".into(), &"ingress-gateway".into())
        );
        assert_eq!(event["metadata"]["namespace"], "shop");
        let regarding = &event["regarding"];
        assert_eq!((&regarding["kind"], &regarding["namespace"]), (&"Ingress".into(), &"shop".into()));
        assert_eq!(regarding["uid"], web["metadata"]["uid"]);
        assert!(regarding["fieldPath"].as_str().unwrap().starts_with("spec.rules[0]"), "{regarding}");
        notes.push(event["note"].as_str().unwrap().to_owned());
    }
    notes.sort();
    assert!(notes[0].contains("shop/one") && notes[1].contains("shop/two"), "{notes:?}");

    // The finding stays while other things change, also its help, which names the Services that there are.
    server.apply(service("shop", "other"));
    said_last(&running, &server, "last").await;
    assert_eq!(of(&server, "web").len(), 2);
    let writes = |requests: &[Recorded]| {
        requests.iter().filter(|one| one.resource.as_deref() == Some("events")).count()
    };
    assert_eq!(writes(&server.requests()), 3, "two on web and one on last");

    // One that comes again is one that was said before.
    server.apply(service("shop", "one"));
    let findings =
        || running.reader.snapshot().diagnostics().iter().map(ToString::to_string).collect::<Vec<_>>();
    let is_missing = || findings().iter().any(|finding| finding.contains("Service shop/one does not exist"));
    running.wait_until("end of a finding", || (!is_missing()).then_some(())).await;
    assert!(server.delete("Service", "shop", "one"));
    let again = || of(&server, "web").into_iter().find(|event| event["series"]["count"] == 2);
    let event = running.wait_until("finding once more", again).await;
    assert!(event["note"].as_str().unwrap().contains("shop/one"));
    assert_eq!(of(&server, "web").len(), 2);
    running.stop().await;
}

#[tokio::test]
async fn findings_about_other_objects_and_without_being_asked_are_no_events() {
    let server = ApiServer::start().await;
    server.apply(class());
    server.apply(ingress("shop", "web", "web.example"));
    let running = Running::ready(&server).await;
    let found = running.reader.snapshot().diagnostics().iter().count();
    assert_eq!(found, 1);
    running.stop().await;
    assert!(events(&server).is_empty());
}

#[tokio::test]
async fn a_storm_of_findings_is_no_storm_of_events() {
    let server = ApiServer::start().await;
    server.apply(class());
    let running = Running::ready_with(&server, with_events).await;
    let bad = |number| ingress("shop", &format!("i{number}"), &format!("i{number}.example"));
    let begun = std::time::Instant::now();
    server.apply_all((0..500).map(bad));
    let line = running.wait_until("report", || running.lines_with("Events are left out").pop()).await;
    let written = events(&server).len();
    println!("{written} Events; {line}");
    // 50 at once, and 2 more for each second that a slow machine takes to find them all.
    let most = 51 + 2 * begun.elapsed().as_secs() as usize;
    assert!((50..=most).contains(&written), "{written}");
    let left_out: usize = line.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(left_out + written, 500);
    assert_eq!(running.lines_with("Events are left out").len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn events_that_cannot_be_written_are_reported_once_and_said_later() {
    let server = ApiServer::start().await;
    server.apply(class());
    server.apply_all(["a", "b", "c"].map(|name| ingress("shop", name, &format!("{name}.example"))));
    server.fault(Fault::on("create", "events").status(500).times(2));
    let running = Running::ready_with(&server, with_events).await;
    running.wait_until("Events", || (events(&server).len() == 3).then_some(())).await;
    assert_eq!(running.lines_with("an Event on Ingress").len(), 1, "{:#?}", running.log());
    running.stop().await;
}
