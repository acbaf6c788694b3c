//! Endpoints that are asked whether they are well.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "support/checked.rs"]
mod checked;
mod support;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use checked::{Checked, policy, until};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use ingress_core::{Endpoint, EndpointState, HealthCheck, HealthProtocol, HostName, Policy, Protocol};
use ingress_tower::server::Server;
use ingress_tower::{HealthChecker, IngressLayer, IngressService};
use support::*;
use tokio::net::TcpListener;

/// A server that answers `/healthz` with a status that can be set, and all else with 200 and its name.
struct Shop {
    addr: SocketAddr,
    health: Arc<AtomicU16>,
    checks: Arc<AtomicUsize>,
}

impl Shop {
    async fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shop = Self {
            addr: listener.local_addr().unwrap(),
            health: Arc::new(AtomicU16::new(200)),
            checks: Arc::default(),
        };
        let (health, checks) = (shop.health.clone(), shop.checks.clone());
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let mut status = 200;
            if request.uri().path() == "/healthz" {
                checks.fetch_add(1, SeqCst);
                status = health.load(SeqCst);
            }
            let response = Response::builder().status(status).header("x-upstream", name);
            let response = response.body(full("some text")).unwrap();
            async { Ok::<_, Infallible>(response) }
        });
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service.clone()));
            }
        });
        shop
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::new(self.addr)
    }

    fn name(&self) -> String {
        format!("shop {}", self.addr)
    }

    /// Waits until it was asked more often, and all answers but the last have been taken in.
    async fn asked(&self, times: usize) {
        let before = self.checks.load(SeqCst);
        until("checks", || self.checks.load(SeqCst) > before + times).await;
    }
}

fn healthz(check: &mut HealthCheck) {
    check.path = Some("/healthz".into());
}

/// Who answers so many requests, each of which is answered.
async fn served_by(gateway: &Gateway, requests: usize) -> BTreeSet<String> {
    let mut client = gateway.client().await;
    let mut names = BTreeSet::new();
    for _ in 0..requests {
        client.send("GET /shop HTTP/1.1\r\nHost: shop.example\r\n\r\n").await;
        let answer = client.response().await;
        assert_eq!(answer.status(), 200);
        names.insert(answer.field("x-upstream").unwrap());
    }
    names
}

#[tokio::test]
async fn an_endpoint_that_is_not_well_gets_no_requests_until_it_is() {
    let (a, b) = (Shop::start("a").await, Shop::start("b").await);
    let mut table = Checked::new(&["shop"]);
    let check = |check: &mut HealthCheck| {
        healthz(check);
        (check.failures, check.successes) = (Some(3), Some(2));
    };
    table.set("shop", [a.endpoint(), b.endpoint()], policy(check));
    let gateway = Gateway::start(Server::new(), IngressService::new(table.reader.clone())).await;
    let _checks = table.check();
    a.asked(4).await;
    assert!(table.unhealthy().is_empty());
    assert_eq!(served_by(&gateway, 20).await.len(), 2);

    a.health.store(500, SeqCst);
    table.until_unhealthy(&[a.name()]).await;
    assert_eq!(served_by(&gateway, 50).await, BTreeSet::from(["b".to_owned()]));
    a.asked(4).await;
    assert_eq!(table.unhealthy(), [a.name()]);

    a.health.store(204, SeqCst);
    table.until_unhealthy(&[]).await;
    assert_eq!(served_by(&gateway, 20).await.len(), 2);
}

#[tokio::test]
async fn where_nobody_is_well_all_are_used() {
    let (a, b) = (Shop::start("a").await, Shop::start("b").await);
    let mut table = Checked::new(&["shop"]);
    table.set("shop", [a.endpoint(), b.endpoint()], policy(healthz));
    let gateway = Gateway::start(Server::new(), IngressService::new(table.reader.clone())).await;
    let _checks = table.check();
    a.health.store(503, SeqCst);
    b.health.store(503, SeqCst);
    until("both", || table.unhealthy().len() == 2).await;
    assert_eq!(served_by(&gateway, 50).await.len(), 2);
}

#[tokio::test]
async fn what_is_asked_over_http_and_what_is_an_answer() {
    let upstream = Upstream::bind().await;
    let mut table = Checked::new(&["shop"]);
    let check = |check: &mut HealthCheck| {
        check.path = Some("/healthz?full=1".into());
        check.statuses = vec![(200, 200), (300, 399)];
    };
    table.set("shop", [Endpoint::new(upstream.addr)], policy(check));
    let _checks = table.check();
    let mut is_well = true;
    for (status, well) in [(200, true), (204, false), (302, true), (399, true), (400, false), (200, true)] {
        let mut peer = upstream.accept().await;
        // What was answered before has been taken in by now.
        assert_eq!(table.unhealthy().is_empty(), is_well, "before {status}");
        let asked = peer.message().await;
        assert_eq!(
            asked.lines(),
            [
                "GET /healthz?full=1 HTTP/1.1",
                "connection: close",
                "host: shop.default",
                "user-agent: ingress-gateway (health check)",
            ]
        );
        // Nobody waits for the body.
        peer.send(format!("HTTP/1.1 {status} -\r\nContent-Length: 1000000\r\n\r\nxyz")).await;
        peer.closed().await;
        is_well = well;
    }
}

/// A single answer is no reason to leave an endpoint out, or to take it back.
#[tokio::test]
async fn only_answers_in_a_row_count() {
    let upstream = Upstream::bind().await;
    let mut table = Checked::new(&["shop"]);
    let check = |check: &mut HealthCheck| {
        healthz(check);
        (check.failures, check.successes) = (Some(3), Some(2));
    };
    table.set("shop", [Endpoint::new(upstream.addr)], policy(check));
    let _checks = table.check();
    let (answers, before) = ("xx.xxx.x..xx", "______xxxx__");
    for (number, (answer, before)) in answers.chars().zip(before.chars()).enumerate() {
        let mut peer = upstream.accept().await;
        assert_eq!(table.unhealthy().is_empty(), before == '_', "before {number}");
        peer.head().await;
        match answer {
            '.' => peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await,
            _ => peer.reset(),
        }
    }
}

#[tokio::test]
async fn an_endpoint_that_says_nothing_is_not_well() {
    let frozen = Upstream::bind().await;
    let mut table = Checked::new(&["shop"]);
    let check = |check: &mut HealthCheck| {
        healthz(check);
        (check.timeout, check.failures) = (Some(Duration::from_millis(50)), Some(2));
    };
    table.set("shop", [Endpoint::new(frozen.addr)], policy(check));
    let _checks = table.check();
    for unhealthy in [false, false, true] {
        let mut peer = frozen.accept().await;
        assert_eq!(!table.unhealthy().is_empty(), unhealthy);
        let began = std::time::Instant::now();
        peer.head().await;
        // A part of a head is no answer.
        peer.send("HTTP/1.1 200 OK\r\nContent-").await;
        peer.closed().await;
        assert!(began.elapsed() < Duration::from_secs(5), "that is how long a policy says here otherwise");
    }
}

#[tokio::test]
async fn a_connection_is_enough_over_tcp() {
    let (upstream, dead) = (Upstream::bind().await, refusing());
    let mut table = Checked::new(&["shop", "named"]);
    let tcp = || policy(|check| check.protocol = Some(HealthProtocol::Tcp));
    table.set("shop", [Endpoint::new(upstream.addr), Endpoint::new(dead)], tcp());
    // A name may not lead to this machine.
    let name: HostName = "localhost".parse().unwrap();
    table.set("named", [Endpoint::named(name, upstream.addr.port())], tcp());
    let checks = table.check();
    let closed_without_a_word = async || {
        for _ in 0..3 {
            upstream.accept().await.closed().await;
        }
    };
    closed_without_a_word().await;
    let dead = format!("shop {dead}");
    table.until_unhealthy(&[format!("named localhost:{}", upstream.addr.port()), dead.clone()]).await;
    checks.abort();
    table.until_unhealthy(&[]).await;

    tokio::spawn(HealthChecker::new(table.reader.clone()).local_names(true).run());
    table.until_unhealthy(std::slice::from_ref(&dead)).await;
    closed_without_a_word().await;
    assert_eq!(table.unhealthy(), [dead]);
}

#[tokio::test]
async fn a_check_that_is_taken_away_is_forgotten() {
    let (a, b) = (Shop::start("a").await, Shop::start("b").await);
    a.health.store(500, SeqCst);
    let mut table = Checked::new(&["shop", "other"]);
    table.set("shop", [a.endpoint()], policy(healthz));
    table.set("other", [b.endpoint()], policy(healthz));
    let _checks = table.check();
    table.until_unhealthy(&[a.name()]).await;
    for without in [None, Some(policy(|check| check.protocol = Some(HealthProtocol::Off)))] {
        table.set("shop", [a.endpoint()], without);
        table.until_unhealthy(&[]).await;
        b.asked(1).await;
        let before = a.checks.load(SeqCst);
        b.asked(4).await;
        assert_eq!(a.checks.load(SeqCst), before);
        table.set("shop", [a.endpoint()], policy(healthz));
        table.until_unhealthy(&[a.name()]).await;
    }
}

#[tokio::test]
async fn what_is_known_outlives_changes_of_the_table() {
    let (a, b, c) = (Shop::start("a").await, Shop::start("b").await, Shop::start("c").await);
    a.health.store(500, SeqCst);
    c.health.store(500, SeqCst);
    let mut table = Checked::new(&["shop", "other"]);
    table.set("shop", [a.endpoint(), b.endpoint()], policy(healthz));
    let _checks = table.check();
    table.until_unhealthy(&[a.name()]).await;

    // Another endpoint is asked, and who stays is not forgiven meanwhile.
    table.set("other", [b.endpoint()], None);
    table.set("shop", [a.endpoint(), b.endpoint(), c.endpoint()], policy(healthz));
    assert_eq!(table.unhealthy(), [a.name()]);
    until("the new one", || table.unhealthy().len() == 2).await;
    let mut both = [a.name(), c.name()];
    both.sort_by_key(|name| name.rsplit_once(' ').map(|(_, addr)| addr.parse::<SocketAddr>().unwrap()));
    assert_eq!(table.unhealthy(), both);

    // One that has gone is asked no more; one that comes back is new.
    table.set("shop", [b.endpoint(), c.endpoint()], policy(healthz));
    table.set("other", [c.endpoint()], policy(healthz));
    let without = [format!("other {}", c.addr), c.name()];
    table.until_unhealthy(&without).await;
    b.asked(1).await;
    let before = a.checks.load(SeqCst);
    b.asked(4).await;
    assert_eq!(a.checks.load(SeqCst), before);
    table.set("shop", [a.endpoint(), b.endpoint(), c.endpoint()], policy(healthz));
    assert_eq!(table.unhealthy(), without);
    until("the one that is back", || table.unhealthy().contains(&a.name())).await;
    assert_eq!(table.unhealthy()[1..], both);
}

#[tokio::test]
async fn only_endpoints_that_requests_go_to_are_asked() {
    let (ready, ending, gone) = (Shop::start("a").await, Upstream::bind().await, Upstream::bind().await);
    let at = |upstream: &Upstream, state| Endpoint::new(upstream.addr).with_state(state);
    let mut table = Checked::new(&["shop"]);
    let leaving = [at(&ending, EndpointState::Terminating), at(&gone, EndpointState::NotServing)];
    let all = leaving.iter().cloned().chain([ready.endpoint()]);
    table.set("shop", all, policy(healthz));
    let _checks = table.check();
    ready.asked(4).await;
    assert!(ending.nobody().await && gone.nobody().await);
    // Nobody is ready, so that requests go to those that end.
    table.set("shop", leaving, policy(healthz));
    assert!(ending.accept().await.head().await.starts_with("GET /healthz"));
    assert!(gone.nobody().await);
}

#[tokio::test]
async fn a_backend_comes_before_the_policy_of_the_checker() {
    let (a, b, c) = (Shop::start("a").await, Shop::start("b").await, Shop::start("c").await);
    let mut table = Checked::new(&["plain", "path", "off"]);
    table.set("plain", [a.endpoint()], None);
    table.set("path", [b.endpoint()], policy(|check| check.path = Some("/other".into())));
    table.set("off", [c.endpoint()], policy(|check| check.protocol = Some(HealthProtocol::Off)));
    for shop in [&a, &b, &c] {
        shop.health.store(500, SeqCst);
    }
    let general: Policy = policy(healthz);
    let layer = IngressLayer::new(table.reader.clone()).policy(general.clone());
    let _gateway = Gateway::start(Server::new(), layer.into_service()).await;
    tokio::spawn(HealthChecker::new(table.reader.clone()).policy(general).run());
    table.until_unhealthy(&[format!("plain {}", a.addr)]).await;
    a.asked(4).await;
    assert_eq!((b.checks.load(SeqCst), c.checks.load(SeqCst)), (0, 0));
    assert_eq!(table.unhealthy(), [format!("plain {}", a.addr)]);
}

/// Defends against a gateway that holds a connection to each of ten thousand endpoints, only to ask how they are.
#[tokio::test]
async fn no_connections_are_kept_from_one_question_to_the_next() {
    // All of 127.0.0.0/8 leads here.
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (server, asked) = (Server::new(), Arc::<AtomicUsize>::default());
    let (own, count) = (server.clone(), asked.clone());
    tokio::spawn(async move {
        let service = tower::service_fn(move |_: Request<Incoming>| {
            count.fetch_add(1, SeqCst);
            async { Ok::<_, Infallible>(Response::new(empty())) }
        });
        own.serve(listener, service, std::future::pending()).await
    });
    for protocol in [Protocol::Http1, Protocol::H2c] {
        let endpoint = |number| Endpoint::new(SocketAddr::from(([127, 0, 1, number], port)));
        let mut table = Checked::new(&["shop"]);
        let check = |check: &mut HealthCheck| {
            healthz(check);
            check.interval = Some(Duration::from_millis(500));
        };
        table.set("shop", (0..100).map(|number| endpoint(number).with_protocol(protocol)), policy(check));
        let checks = table.check();
        let before = asked.load(SeqCst);
        until("two rounds", || asked.load(SeqCst) - before > 200).await;
        assert!(table.unhealthy().is_empty());
        until("closed connections", || server.stats().open < 20).await;
        checks.abort();
    }
}
