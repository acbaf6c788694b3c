//! What requests meet while one of three endpoints dies, freezes, slows down or fails. With `--nocapture` each case
//! prints its figures.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use http::Request;
use ingress_core::{
    Algorithm, Endpoint, PathMatch, Policy, Retries, RouteTable, Rule, TableReader, TableWriter, Timeout,
};
use ingress_tower::{Body, IngressService};
use support::*;
use tokio::task::JoinSet;
use tower::ServiceExt;

const MS: Duration = Duration::from_millis(1);
/// How many clients ask, each one after another.
const CLIENTS: usize = 12;

/// Endpoints under load.
struct Scene {
    servers: Vec<Moody>,
    reader: TableReader,
    _writer: TableWriter,
    stop: Arc<AtomicBool>,
    clients: JoinSet<Vec<Exchange>>,
}

/// One request: when it was sent, how long it took, and how it was answered.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    at: Duration,
    took: Duration,
    status: u16,
}

/// Endpoints that fail are soon left out, and soon tried again.
fn policy(algorithm: Algorithm) -> Policy {
    let mut policy = Policy::default();
    policy.load_balance = Some(algorithm);
    policy.response_timeout = Some(Timeout::After(200 * MS));
    policy.outlier.time = Some(150 * MS);
    policy.outlier.max_time = Some(300 * MS);
    policy
}

impl Scene {
    async fn start(policy: Policy) -> Self {
        let servers = vec![Moody::start("a").await, Moody::start("b").await, Moody::start("c").await];
        let mut rules = RouteTable::builder();
        let backend: ingress_core::BackendRef = "default/shop:80".parse().unwrap();
        let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend.clone());
        rules.rule(rule.with_policy(policy));
        rules.endpoints(backend, servers.iter().map(|server| Endpoint::new(server.addr)));
        let (reader, writer) = ingress_core::table(rules.build().0);
        let service = IngressService::new(reader.clone());
        let (stop, begun) = (Arc::new(AtomicBool::new(false)), Instant::now());
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (service, stop) = (service.clone(), stop.clone());
            clients.spawn(async move {
                let mut exchanges = Vec::new();
                while !stop.load(Relaxed) {
                    let request = Request::get("/").header("host", HOST).body(Body::empty()).unwrap();
                    let sent = Instant::now();
                    let answer = within("answer", service.clone().oneshot(request)).await.unwrap();
                    let status = answer.status().as_u16();
                    drop(http_body_util::BodyExt::collect(answer.into_body()).await);
                    exchanges.push(Exchange { at: sent - begun, took: sent.elapsed(), status });
                    // Some thousand requests a second are enough.
                    tokio::time::sleep(MS).await;
                }
                exchanges
            });
        }
        let scene = Self { servers, reader, _writer: writer, stop, clients };
        scene.served_by_all().await;
        scene
    }

    /// Every endpoint gets its share.
    async fn served_by_all(&self) {
        let before: Vec<_> = self.servers.iter().map(Moody::requests).collect();
        let enough = |(server, before): (&Moody, &usize)| server.requests() >= before + 50;
        self.until("all endpoints are asked", || self.servers.iter().zip(&before).all(enough)).await;
    }

    async fn until(&self, what: &str, mut met: impl FnMut() -> bool) -> Duration {
        within(what, async {
            let from = Instant::now();
            while !met() {
                tokio::time::sleep(MS).await;
            }
            from.elapsed()
        })
        .await
    }

    /// Whether the first endpoint is ejected.
    fn is_out(&self) -> bool {
        self.reader.with(|table| {
            let set = table.backends().next().unwrap().endpoints();
            let place = set
                .all()
                .position(|endpoint| endpoint.authority().port_u16() == Some(self.servers[0].addr.port()));
            set.vitals(place.unwrap()).unwrap().is_ejected()
        })
    }

    /// Waits while the first endpoint gets what an ejected one gets: returns how many requests that was.
    async fn leave_out(&self, time: Duration) -> usize {
        let before = self.servers[0].requests();
        tokio::time::sleep(time).await;
        self.servers[0].requests() - before
    }

    async fn end(mut self, what: &str, times: &[(&str, Duration)]) -> Vec<Exchange> {
        self.stop.store(true, Relaxed);
        let mut all = Vec::new();
        while let Some(exchanges) = self.clients.join_next().await {
            all.extend(exchanges.unwrap());
        }
        all.sort_by_key(|exchange| exchange.at);
        let failed = all.iter().filter(|exchange| exchange.status != 200).count();
        let slowest = all.iter().map(|exchange| exchange.took).max().unwrap_or_default();
        let times: Vec<_> = times.iter().map(|(name, time)| format!("{name} after {time:.0?}")).collect();
        println!("{what}: {failed} of {} failed, slowest {slowest:.0?}, {}", all.len(), times.join(", "));
        all
    }
}

fn failed(exchanges: &[Exchange]) -> usize {
    exchanges.iter().filter(|exchange| exchange.status != 200).count()
}

/// Connections are refused and break: every request that may be repeated is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_is_killed() {
    for retries in [None, Some(Retries::up_to(1))] {
        let mut policy = policy(Algorithm::RoundRobin);
        policy.retries = retries.clone();
        let scene = Scene::start(policy).await;
        scene.servers[0].kill();
        let ejected = scene.until("it is ejected", || scene.is_out()).await;
        scene.leave_out(300 * MS).await;
        scene.servers[0].revive();
        let back = scene.until("it is back", || !scene.is_out()).await;
        scene.served_by_all().await;
        let what = format!("killed, {} retries", retries.map_or(0, |retries| retries.attempts));
        let exchanges = scene.end(&what, &[("ejected", ejected), ("back", back)]).await;
        assert_eq!(failed(&exchanges), 0);
        assert!(back < Duration::from_secs(1), "{back:?}");
    }
}

/// Nothing is heard from it: after the first timeouts it gets no more than a request now and then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_is_frozen() {
    for algorithm in [Algorithm::RoundRobin, Algorithm::LeastRequest] {
        for retries in [None, Some(Retries::up_to(1))] {
            let mut policy = policy(algorithm.clone());
            policy.retries = retries.clone();
            let scene = Scene::start(policy).await;
            let before = scene.servers[0].requests();
            scene.servers[0].set(Mood::Frozen);
            let ejected = scene.until("it is ejected", || scene.is_out()).await;
            let met = scene.servers[0].requests() - before;
            let probes = scene.leave_out(600 * MS).await;
            assert!(probes <= 6, "{probes} probes in 600 ms that last 120 to 360 ms each");
            scene.servers[0].set(Mood::Well);
            let back = scene.until("it is back", || !scene.is_out()).await;
            scene.served_by_all().await;
            let attempts = retries.map_or(0, |retries| retries.attempts);
            let what =
                format!("frozen, {algorithm}, {attempts} retries, {met} requests met it, {probes} probed it");
            let exchanges = scene.end(&what, &[("ejected", ejected), ("back", back)]).await;
            match attempts {
                0 => assert!(failed(&exchanges) <= met + probes + CLIENTS, "{} of {met}", failed(&exchanges)),
                _ => assert_eq!(failed(&exchanges), 0),
            }
        }
    }
}

/// The time for the whole exchange counts as the endpoint's, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_is_frozen_and_the_request_has_a_time() {
    let mut policy = policy(Algorithm::RoundRobin);
    (policy.response_timeout, policy.request_timeout) = (None, Some(Timeout::After(200 * MS)));
    let scene = Scene::start(policy).await;
    scene.servers[0].set(Mood::Frozen);
    let ejected = scene.until("it is ejected", || scene.is_out()).await;
    let probes = scene.leave_out(600 * MS).await;
    assert!(probes <= 6, "{probes}");
    scene.end(&format!("frozen, request timeout, {probes} probed it"), &[("ejected", ejected)]).await;
}

/// Who looks at latencies leaves it alone before it has failed often enough.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_is_frozen_and_latencies_tell() {
    let scene = Scene::start(policy(Algorithm::PeakEwma)).await;
    let before = scene.servers[0].requests();
    scene.servers[0].set(Mood::Frozen);
    scene.until("somebody meets it", || scene.servers[0].requests() > before).await;
    tokio::time::sleep(250 * MS).await;
    let met = scene.servers[0].requests() - before;
    let probes = scene.leave_out(600 * MS).await;
    assert!(met <= CLIENTS && probes <= 6, "{met}, then {probes}");
    let what = format!("frozen, peak-ewma, {met} requests met it, {probes} probed it");
    let exchanges = scene.end(&what, &[]).await;
    assert!(failed(&exchanges) <= met + probes, "{}", failed(&exchanges));
}

/// It answers fast, and with errors: they are few, whatever the algorithm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_fails() {
    for (algorithm, mood) in [
        (Algorithm::RoundRobin, Mood::Failing(503)),
        (Algorithm::PeakEwma, Mood::Failing(503)),
        (Algorithm::LeastRequest, Mood::Resetting),
    ] {
        let scene = Scene::start(policy(algorithm.clone())).await;
        let before = scene.servers[0].requests();
        scene.servers[0].set(mood);
        let ejected = scene.until("it is ejected", || scene.is_out()).await;
        let met = scene.servers[0].requests() - before;
        let probes = scene.leave_out(600 * MS).await;
        assert!(probes <= 12, "{probes} requests in 600 ms");
        scene.servers[0].set(Mood::Well);
        let back = scene.until("it is back", || !scene.is_out()).await;
        scene.served_by_all().await;
        let what = format!("{mood:?}, {algorithm}, {met} requests met it, {probes} probed it");
        let exchanges = scene.end(&what, &[("ejected", ejected), ("back", back)]).await;
        assert!(failed(&exchanges) <= met + probes + CLIENTS, "{}", failed(&exchanges));
    }
}

/// It answers late: who looks at latencies avoids it, and nobody fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_is_slow() {
    let mut shares = Vec::new();
    for algorithm in [Algorithm::RoundRobin, Algorithm::LeastRequest, Algorithm::PeakEwma] {
        let scene = Scene::start(policy(algorithm.clone())).await;
        scene.servers[0].set(Mood::Slow(60 * MS));
        tokio::time::sleep(200 * MS).await;
        let before: Vec<_> = scene.servers.iter().map(Moody::requests).collect();
        tokio::time::sleep(600 * MS).await;
        let got: Vec<_> =
            scene.servers.iter().zip(before).map(|(server, before)| server.requests() - before).collect();
        let share = got[0] as f64 / got.iter().sum::<usize>() as f64;
        let exchanges =
            scene.end(&format!("slow, {algorithm}: {:.1} % of requests", share * 100.0), &[]).await;
        assert_eq!(failed(&exchanges), 0);
        shares.push(share);
    }
    let [turns, fewest, fastest] = shares[..] else { panic!("{shares:?}") };
    assert!((0.28..0.38).contains(&turns), "{turns}");
    assert!(fewest < 0.2 && fastest < 0.1, "{fewest} {fastest}");
}
