//! What is said of a watch that fails: once, why, what to do about it, and when it works again.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "client")]

mod cluster_support;

use std::time::Duration;

use cluster_support::followed::{Followed, KINDS};
use cluster_support::*;
use ingress_kube::Config;
use ingress_kube::client::WatchState;
use test_apiserver::{Allowed, Fault, FaultAction, Recorded};

#[tokio::test]
async fn an_outage_is_reported_once_and_its_end_too_although_nothing_changed() {
    let Followed { server, running, looking } = Followed::start().await;
    let generation = running.generation();
    server.fault(Fault::on_all().status(500));
    server.clear_requests();
    server.disconnect();
    let tried = |requests: &[Recorded]| {
        let tries = |kind| requests.iter().filter(|one| one.resource.as_deref() == Some(kind)).count();
        KINDS.iter().all(|kind| tries(kind) >= 3)
    };
    server.wait_for_requests(PATIENCE, tried).await.unwrap();
    assert_eq!(running.lines_with("cannot be watched").len(), KINDS.len(), "{:#?}", running.log());
    assert!(running.lines_with("can be watched again").is_empty());
    assert!(running.health.now().watches.iter().all(|watch| watch.failing.is_some() && watch.listed));

    server.clear_faults();
    running.all_work().await;
    assert_eq!(running.lines_with("cannot be watched").len(), KINDS.len(), "{:#?}", running.log());
    assert_eq!(running.lines_with("can be watched again").len(), KINDS.len());
    assert_eq!(running.generation(), generation, "the same table");
    looking.end();
    running.stop().await;
}

#[tokio::test]
async fn a_watch_that_is_always_too_old_is_neither_a_storm_of_lists_nor_of_reports() {
    let followed = Followed::start_with(|cluster| cluster.watch_timeout(Duration::from_secs(1))).await;
    let server = &followed.server;
    server.fault(Fault::on("watch", "ingresses").action(FaultAction::ExpiredAsStatus));
    server.clear_requests();
    let lists = |requests: &[Recorded]| {
        let of_lists = |one: &&Recorded| one.verb == "list" && one.resource.as_deref() == Some("ingresses");
        requests.iter().filter(of_lists).map(|one| one.time).collect::<Vec<_>>()
    };
    let requests = server.wait_for_requests(PATIENCE, |requests| lists(requests).len() == 3).await.unwrap();
    let times = lists(&requests);
    assert!(times[2] - times[0] > Duration::from_millis(2000), "pauses that grow: {times:?}");
    followed.change();
    let lines = followed.running.lines_with("ingresses.networking.k8s.io can");
    assert_eq!(lines.len(), 1, "{lines:#?}");
    server.clear_faults();
    followed.converges().await;
}

#[tokio::test]
async fn a_missing_right_is_named_and_waited_for() {
    let server = shop().await;
    let groups = [
        ("networking.k8s.io", "ingresses"),
        ("networking.k8s.io", "ingressclasses"),
        ("", "services"),
        ("discovery.k8s.io", "endpointslices"),
    ];
    let rules = groups.iter().flat_map(|(group, resource)| {
        ["get", "list", "watch"].map(|verb| Allowed::new(verb, *group, *resource))
    });
    server.allow_only(rules.collect());
    let running = Running::start(&server, Config::default(), |cluster| cluster);
    let line = running.wait_for_line("secrets cannot be watched").await;
    for part in ["get, list and watch", "secrets", "in all namespaces", "ClusterRole"] {
        assert!(line.contains(part), "{part} is not in: {line}");
    }
    let listed = || running.health.now().watches.iter().filter(|watch| watch.listed).count();
    running.wait_until("other lists", || (listed() == 4).then_some(())).await;
    let health = running.health.now();
    assert!(!health.ready);
    let failing: Vec<_> = health.watches.iter().filter(|watch| watch.failing.is_some()).collect();
    assert_eq!(failing.len(), 1, "{failing:?}");
    assert!(
        failing[0].failing.as_ref().unwrap().1.contains("the gateway may not get, list and watch secrets")
    );
    assert_eq!(running.generation(), 0);

    server.allow_all();
    assert!(within("the first table", running.health.wait_until_ready()).await);
    assert!(running.serves("web.example", "/").is_some());
    running.wait_for_line("secrets can be watched again").await;
    assert_eq!(running.lines_with("secrets cannot be watched").len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_right_that_is_taken_away_costs_nothing_that_is_served() {
    let server = shop().await;
    let running = Running::ready(&server).await;
    let looking = Looking::for_hosts(&running, &["web.example"]);
    server.allow_only(Vec::new());
    server.restart();
    let is_refused = |watch: &WatchState| {
        watch
            .failing
            .as_ref()
            .is_some_and(|(_, why)| why.starts_with("the gateway may not get, list and watch"))
    };
    let all_refused = || running.health.now().watches.iter().all(is_refused);
    running.wait_until("refusals", || all_refused().then_some(())).await;
    server.apply_all(served("shop", "new", "10.0.0.2"));
    server.allow_all();
    running.wait_until("new host", || running.serves("new.example", "/").filter(|all| !all.is_empty())).await;
    running.all_work().await;
    looking.end();
    running.stop().await;
}
