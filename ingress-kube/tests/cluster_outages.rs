//! What is served while the API server is away, slow or wrong, and that what changed meanwhile is served afterwards.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "client")]

mod cluster_support;

use std::time::Duration;

use cluster_support::followed::{Followed, KINDS};
use cluster_support::*;
use futures_util::future::join_all;
use ingress_kube::client::Watched;
use test_apiserver::{Fault, FaultAction};

fn fault(verb: &str, resource: &str, action: FaultAction) -> Fault {
    Fault::on(verb, resource).action(action)
}

#[tokio::test]
async fn a_watch_whose_version_is_too_old_lists_anew() {
    let in_stream = async {
        let followed = Followed::start().await;
        followed.server.fault(fault("watch", "*", FaultAction::IgnoreNewEvents));
        followed.change();
        followed.server.compact();
        followed.server.clear_faults();
        followed.converges().await;
    };
    let at_resumption = async {
        let followed = Followed::start().await;
        followed.server.fault(fault("watch", "*", FaultAction::IgnoreNewEvents));
        followed.change();
        followed.server.compact();
        followed.server.disconnect();
        followed.server.clear_faults();
        followed.converges().await;
    };
    let as_status = async {
        let followed = Followed::start().await;
        followed.server.fault(fault("watch", "*", FaultAction::ExpiredAsStatus).times(10));
        followed.server.disconnect();
        followed.change();
        followed.converges().await;
    };
    tokio::join!(in_stream, at_resumption, as_status);
}

#[tokio::test]
async fn what_changed_while_the_server_was_down_or_failed_is_served() {
    let down = [false, true].map(|forgets| async move {
        let followed = Followed::start().await;
        followed.server.down().await;
        followed.running.wait_for_line("ingresses.networking.k8s.io cannot be watched").await;
        followed.change();
        if forgets {
            followed.server.restart();
        }
        followed.server.up().await;
        followed.converges().await;
    });
    let codes = [(429, Some(1)), (500, None), (503, None), (504, Some(1))];
    let cases = codes.iter().flat_map(|code| ["list", "watch"].map(|verb| (verb, *code)));
    let cases = cases.map(|(verb, (code, retry_after))| async move {
        let followed = Followed::start().await;
        let mut fault = Fault::on(verb, "*").times(KINDS.len()).status(code);
        if let Some(seconds) = retry_after {
            fault = fault.retry_after(seconds);
        }
        followed.server.fault(fault);
        followed.server.down().await;
        followed.change();
        followed.server.compact();
        followed.server.up().await;
        followed.converges().await;
    });
    tokio::join!(join_all(down), join_all(cases));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let start = || Followed::start_with(|cluster| cluster.watch_timeout(Duration::from_secs(1)));
    let frozen = async {
        let followed = start().await;
        followed.server.freeze();
        followed.change();
        // The watch is given up after 6 s, and the next one is not answered within 6 s.
        let line = followed.running.wait_for_line("ingresses.networking.k8s.io cannot be watched").await;
        assert!(line.ends_with("no answer within 6 s"), "{line}");
        followed.server.unfreeze();
        followed.converges().await;
    };
    let dead = [FaultAction::HangAfterHead, FaultAction::HangBeforeHead].map(|action| async move {
        let followed = start().await;
        followed.server.fault(fault("watch", "*", action).times(KINDS.len()));
        followed.server.disconnect();
        followed.change();
        followed.converges().await;
    });
    tokio::join!(frozen, join_all(dead));
}

#[tokio::test]
async fn damaged_streams_cost_no_change() {
    let actions = [FaultAction::CutMidLine, FaultAction::GarbageLine, FaultAction::SlowBytes];
    let cases = actions.map(|action| async move {
        let followed = Followed::start().await;
        followed.server.fault(fault("watch", "*", action).times(KINDS.len()));
        followed.server.disconnect();
        followed.change();
        followed.converges().await;
    });
    join_all(cases).await;
}

#[tokio::test]
async fn events_that_come_twice_and_objects_that_are_listed_again_make_no_table() {
    let Followed { server, running, looking } = Followed::start().await;
    server.fault(fault("watch", "*", FaultAction::DuplicateEvents));
    server.clear_requests();
    server.disconnect();
    let generation = running.generation();
    for (round, address) in (1..).zip(["10.0.0.2", "10.0.0.3", "10.0.0.4"]) {
        let slice = server.apply(slice("shop", "web", &[address]));
        running.caught_up(Watched::EndpointSlices, &slice).await;
        assert_eq!(running.generation(), generation + round);
    }
    // A version that no object of theirs has, so that all are listed again.
    server.apply(namespace("other", serde_json::json!({})));
    server.clear_requests();
    server.down().await;
    server.apply(namespace("another", serde_json::json!({})));
    server.compact();
    server.up().await;
    let listed = |requests: &[test_apiserver::Recorded]| {
        requests.iter().filter(|one| one.verb == "list" && one.status == Some(200)).count() == KINDS.len()
    };
    server.wait_for_requests(PATIENCE, listed).await.unwrap();
    running.all_work().await;
    assert_eq!(running.generation(), generation + 3);
    looking.end();
    running.stop().await;
}

#[tokio::test]
async fn a_damaged_line_is_made_up_for_by_a_list() {
    let Followed { server, running, looking } = Followed::start().await;
    server.fault(fault("watch", "ingresses", FaultAction::GarbageLine).times(1));
    server.clear_requests();
    server.disconnect();
    let is_listed = |requests: &[test_apiserver::Recorded]| {
        requests.iter().any(|one| one.verb == "list" && one.resource.as_deref() == Some("ingresses"))
    };
    server.wait_for_requests(PATIENCE, is_listed).await.unwrap();
    running.all_work().await;
    looking.end();
    running.stop().await;
}
