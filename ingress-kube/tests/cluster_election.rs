//! Several processes, of which one writes.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "client")]

mod cluster_support;

use std::time::{Duration, Instant};

use cluster_support::*;
use ingress_kube::Config;
use ingress_kube::client::{Cluster, Election, Publish};
use serde_json::{Value, json};
use test_apiserver::{ApiServer, Fault, FaultAction, Recorded};

const DURATION: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(200);
/// Where nobody is to lose the Lease, on a loaded machine either.
const LONG: Duration = Duration::from_secs(10);
/// What a loaded machine may add.
const MARGIN: Duration = Duration::from_millis(1500);

fn elected(identity: &str) -> impl FnOnce(Cluster) -> Cluster {
    elected_for(identity, DURATION)
}

fn elected_for(identity: &str, duration: Duration) -> impl FnOnce(Cluster) -> Cluster {
    let mut election = Election::new("gateway", "leader", identity);
    (election.duration, election.deadline, election.retry) = (duration, duration / 2, RETRY);
    |cluster| {
        cluster
            .publish(Publish::Addresses(vec![Publish::address("192.0.2.1")]))
            .events(true)
            .election(election)
    }
}

/// Starts one, which leads, and then another one.
async fn two(server: &ApiServer, duration: Duration) -> (Running, Running) {
    let one = Running::ready_with(server, elected_for("one", duration)).await;
    one.wait_until("leader", || one.leads().then_some(())).await;
    let two = Running::ready_with(server, elected_for("two", duration)).await;
    (one, two)
}

fn holder(server: &ApiServer) -> Option<String> {
    server.get("Lease", "gateway", "leader")?["spec"]["holderIdentity"].as_str().map(str::to_owned)
}

async fn written(running: &Running, server: &ApiServer, name: &str) {
    let status = || server.get("Ingress", "shop", name).unwrap()["status"]["loadBalancer"]["ingress"].clone();
    running.wait_until("status", || (status() == json!([{ "ip": "192.0.2.1" }])).then_some(())).await;
}

/// How often the status of an Ingress was written.
fn writes(server: &ApiServer, name: &str) -> usize {
    let is_write = |one: &Recorded| one.subresource.is_some() && one.name.as_deref() == Some(name);
    server.requests().iter().filter(|one| is_write(one)).count()
}

/// Waits until the Lease was looked at or renewed so many times more.
async fn looks(server: &ApiServer, count: usize) {
    let looked = |requests: &[Recorded]| {
        requests.iter().filter(|one| one.verb == "get" && one.resource.as_deref() == Some("leases")).count()
    };
    let before = looked(&server.requests());
    server.wait_for_requests(PATIENCE, |requests| looked(requests) >= before + count).await.unwrap();
}

/// From when to when a process led.
fn spans(running: &Running) -> Vec<(Instant, Instant)> {
    let led = running.led();
    let ends = led.iter().skip(1).map(|(at, _)| *at).chain([Instant::now()]);
    led.iter().zip(ends).filter(|((_, leads), _)| *leads).map(|((from, _), to)| (*from, to)).collect()
}

fn never_both(one: &Running, two: &Running) {
    for (from, to) in spans(one) {
        for (other_from, other_to) in spans(two) {
            assert!(to <= other_from || other_to <= from, "{:?} and {:?}", one.led(), two.led());
        }
    }
}

#[tokio::test]
async fn both_serve_the_same_and_one_writes() {
    let server = shop().await;
    server.apply(ingress("shop", "broken", "broken.example"));
    let (one, two) = two(&server, LONG).await;
    written(&one, &server, "web").await;
    for name in ["a", "b", "c"] {
        server.apply_all(served("shop", name, "10.0.0.2"));
        written(&one, &server, name).await;
        assert_eq!(writes(&server, name), 1);
    }
    for running in [&one, &two] {
        running.wait_until("c", || running.serves("c.example", "/").filter(|all| !all.is_empty())).await;
    }
    assert_eq!(one.dump(), two.dump());
    assert_eq!((one.leads(), two.leads()), (true, false));
    assert_eq!((one.health.now().leading, two.health.now().leading), (Some(true), Some(false)));
    assert!(two.led().is_empty(), "it never led, and says nothing of it");
    one.wait_until("Event", || (!server.list("Event").is_empty()).then_some(())).await;
    let instances: Vec<_> =
        server.list("Event").iter().map(|event| event["reportingInstance"].clone()).collect();
    assert!(instances.iter().all(|instance| instance == "one"), "{instances:?}");
    two.stop().await;
    one.stop().await;
}

#[tokio::test]
async fn another_takes_over_from_one_that_is_killed() {
    let server = shop().await;
    let (one, two) = two(&server, DURATION).await;
    looks(&server, 4).await;
    let killed = Instant::now();
    one.kill();
    server.apply_all(served("shop", "new", "10.0.0.2"));
    written(&two, &server, "new").await;
    let took = two.led()[0].0 - killed;
    println!("killed: {took:?} until the other leads, {:?} until its first write", killed.elapsed());
    assert!(took > DURATION - 3 * RETRY && took < DURATION + 2 * RETRY + MARGIN, "{took:?}");
    assert_eq!(holder(&server).as_deref(), Some("two"));
    assert_eq!(server.get("Lease", "gateway", "leader").unwrap()["spec"]["leaseTransitions"], 1);
    assert_eq!(writes(&server, "web"), 1, "what one wrote the other does not write again");
    two.stop().await;
}

#[tokio::test]
async fn another_takes_over_at_once_from_one_that_stops() {
    let server = shop().await;
    let (one, two) = two(&server, DURATION).await;
    looks(&server, 4).await;
    let stopped = Instant::now();
    one.stop().await;
    server.apply_all(served("shop", "new", "10.0.0.2"));
    written(&two, &server, "new").await;
    let took = two.led()[0].0 - stopped;
    println!("stopped: {took:?} until the other leads, {:?} until its first write", stopped.elapsed());
    assert!(took < DURATION / 2, "{took:?}");
    two.stop().await;
    assert_eq!(holder(&server).as_deref(), Some(""), "the last one gives it back, too");
}

#[tokio::test]
async fn one_that_cannot_renew_stops_before_another_begins() {
    let server = shop().await;
    let (one, two) = two(&server, DURATION).await;
    // The renewals of one hang; what two asks for comes later.
    let hangs = server.fault(Fault::on("update", "leases").action(FaultAction::HangBeforeHead));
    one.wait_until("end", || (!one.leads()).then_some(())).await;
    server.clear_fault(hangs);
    let leader = || [&one, &two].into_iter().position(Running::leads);
    one.wait_until("leader", leader).await;
    // And the whole server, for both.
    server.freeze();
    for running in [&one, &two] {
        running.wait_until("end", || (!running.leads()).then_some(())).await;
    }
    server.unfreeze();
    one.wait_until("leader", leader).await;
    never_both(&one, &two);
    assert!(one.lines_with("the Lease").len() <= 2, "{:#?}", one.log());
    two.stop().await;
    one.stop().await;
}

#[tokio::test]
async fn one_renewal_that_hangs_fails_or_is_overtaken_costs_nothing() {
    let server = shop().await;
    let (one, two) = two(&server, LONG).await;
    for action in [FaultAction::HangBeforeHead, FaultAction::status(500), FaultAction::status(409)] {
        server.clear_requests();
        server.fault(Fault::on("update", "leases").action(action).times(1));
        let updates = |requests: &[Recorded]| requests.iter().filter(|one| one.verb == "update").count() >= 3;
        server.wait_for_requests(PATIENCE, updates).await.unwrap();
    }
    assert_eq!(one.led().len(), 1, "{:?}", one.led());
    assert!(two.led().is_empty());
    two.stop().await;
    one.stop().await;
}

#[tokio::test]
async fn a_lease_that_is_deleted_stays_with_its_holder() {
    let server = shop().await;
    let (one, two) = two(&server, LONG).await;
    for _ in 0..3 {
        looks(&server, 3).await;
        assert!(server.delete("Lease", "gateway", "leader"));
        one.wait_until("new Lease", || holder(&server)).await;
        assert_eq!(holder(&server).as_deref(), Some("one"));
    }
    looks(&server, 4).await;
    assert_eq!((one.led().len(), one.leads()), (1, true), "{:?}", one.led());
    assert!(two.led().is_empty());
    two.stop().await;
    one.stop().await;
}

/// A Lease of a process that is not there, renewed at this time.
fn lease(renewed: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": { "name": "leader", "namespace": "gateway" },
        "spec": {
            "holderIdentity": "gone", "leaseDurationSeconds": 2, "leaseTransitions": 7,
            "acquireTime": renewed, "renewTime": renewed,
        },
    })
}

#[tokio::test]
async fn clocks_need_not_agree() {
    for renewed in ["1999-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"] {
        let server = shop().await;
        server.apply(lease(renewed));
        let started = Instant::now();
        let running = Running::start(&server, Config::default(), elected("one"));
        written(&running, &server, "web").await;
        let took = running.led()[0].0 - started;
        assert!(took >= DURATION && took < DURATION + 2 * RETRY + MARGIN, "{renewed}: {took:?}");
        assert_eq!(server.get("Lease", "gateway", "leader").unwrap()["spec"]["leaseTransitions"], 8);
        running.stop().await;
    }
}

#[tokio::test]
async fn of_many_that_begin_at_once_one_leads() {
    let server = shop().await;
    let all: Vec<_> = ["a", "b", "c", "d", "e"]
        .map(|identity| Running::start(&server, Config::default(), elected_for(identity, LONG)))
        .into();
    written(&all[0], &server, "web").await;
    looks(&server, 15).await;
    assert_eq!(all.iter().filter(|running| running.leads()).count(), 1);
    assert_eq!(writes(&server, "web"), 1);
    for running in all {
        running.stop().await;
    }
}

#[tokio::test]
async fn what_was_mended_before_one_led_is_not_said() {
    let server = shop().await;
    server.apply(ingress("shop", "mended", "mended.example"));
    let (one, two) = two(&server, LONG).await;
    let of = |name: &str| {
        let events = server.list("Event").into_iter();
        events
            .filter(|event| event["regarding"]["name"] == name && event["reportingInstance"] == "two")
            .count()
    };
    server.apply(service("shop", "mended"));
    server.apply(ingress("shop", "broken", "broken.example"));
    for running in [&one, &two] {
        running.wait_until("broken", || running.serves("broken.example", "/")).await;
    }
    one.stop().await;
    two.wait_until("Event", || (of("broken") > 0).then_some(())).await;
    let missing =
        |event: &Value| event["reason"] == "MissingService" && event["regarding"]["name"] == "mended";
    let by_two = |event: &Value| event["reportingInstance"] == "two";
    assert!(!server.list("Event").iter().any(|event| missing(event) && by_two(event)));
    two.stop().await;
}
