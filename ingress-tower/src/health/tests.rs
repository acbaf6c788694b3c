//! Many endpoints, under a clock that stands still while there is something to do.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use ::http::uri::Authority;
use ingress_core::{Endpoint, HealthCheck, PathMatch, RouteTable, Rule, TableEditor, TableWriter};

use super::*;

/// What endpoints were asked, and when.
#[derive(Clone, Default)]
struct Asked {
    times: Arc<Mutex<HashMap<Authority, Vec<Instant>>>>,
    in_flight: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

/// A question that is being answered.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Asked {
    fn begin(&self, request: &Request<Body>) -> Open {
        let endpoint = request.uri().authority().unwrap().clone();
        self.times.lock().unwrap().entry(endpoint).or_default().push(Instant::now());
        self.most.fetch_max(self.in_flight.fetch_add(1, SeqCst) + 1, SeqCst);
        Open(self.in_flight.clone())
    }

    /// Checks endpoints that take so long to answer.
    fn run(&self, reader: &TableReader, time: Duration) -> task::JoinHandle<()> {
        let asked = self.clone();
        let client = tower::service_fn(move |request: Request<Body>| {
            let open = asked.begin(&request);
            async move {
                tokio::time::sleep(time).await;
                drop(open);
                Ok::<_, Infallible>(Response::new(Body::empty()))
            }
        });
        let checker = HealthChecker::with_client(reader.clone(), client);
        tokio::spawn(checker.run_with(fastrand::Rng::with_seed(7)))
    }

    fn count(&self) -> usize {
        self.times.lock().unwrap().values().map(Vec::len).sum()
    }
}

fn endpoints(count: u32) -> Vec<Endpoint> {
    let first = u32::from(Ipv4Addr::new(10, 0, 0, 1));
    let address = |number| SocketAddr::from((Ipv4Addr::from(first + number), 80));
    (0..count).map(|number| Endpoint::new(address(number))).collect()
}

/// One backend that is asked.
fn table(count: u32, check: impl FnOnce(&mut HealthCheck)) -> (TableEditor, TableReader, TableWriter) {
    let mut rules = RouteTable::builder();
    let backend = "default/shop:80".parse().unwrap();
    rules.rule(Rule::new("".parse().unwrap(), PathMatch::prefix("/").unwrap(), backend));
    let mut editor = rules.into_editor();
    set(&mut editor, count, check);
    let (reader, writer) = ingress_core::table(editor.build().0);
    (editor, reader, writer)
}

fn set(editor: &mut TableEditor, count: u32, check: impl FnOnce(&mut HealthCheck)) {
    let mut policy = Policy::default();
    policy.health_check.path = Some("/".into());
    check(&mut policy.health_check);
    let backend: ingress_core::BackendRef = "default/shop:80".parse().unwrap();
    editor.set_endpoints(backend.clone(), endpoints(count));
    editor.set_backend_policy(backend, Some(Arc::new(policy)));
}

fn unhealthy(reader: &TableReader) -> usize {
    let table = reader.snapshot();
    let set = table.backends().next().unwrap().endpoints();
    (0..set.all().len()).filter(|&place| set.vitals(place).unwrap().is_unhealthy()).count()
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_endpoints_are_asked_evenly() {
    let (_editor, reader, _writer) = table(10_000, |_| ());
    let (asked, start) = (Asked::default(), Instant::now());
    let checks = asked.run(&reader, Duration::from_millis(20));
    tokio::time::sleep(Duration::from_secs(40)).await;
    checks.abort();
    let times = asked.times.lock().unwrap();
    assert_eq!(times.len(), 10_000);
    let mut seconds = [0; 40];
    for times in times.values() {
        assert!(times[0] - start < Duration::from_secs(10));
        times.iter().for_each(|time| seconds[(*time - start).as_secs() as usize] += 1);
        for pair in times.windows(2) {
            // A timer is a millisecond late, or two.
            let interval = (pair[1] - pair[0]).as_millis();
            assert!((9000..=11_005).contains(&interval), "{interval}");
        }
    }
    assert!(seconds.iter().all(|count| (700..1300).contains(count)), "{seconds:?}");
    let most = asked.most.load(SeqCst);
    assert!(most < 100, "{most}");
}

#[tokio::test(start_paused = true)]
async fn only_so_many_are_asked_at_a_time_even_if_none_answers() {
    let check = |check: &mut HealthCheck| {
        check.interval = Some(Duration::from_millis(100));
        check.failures = Some(1);
    };
    let (_editor, reader, _writer) = table(1000, check);
    let asked = Asked::default();
    let checks = asked.run(&reader, Duration::MAX);
    // Each takes two seconds, and there are four rounds.
    tokio::time::sleep(Duration::from_millis(8500)).await;
    assert_eq!((asked.most.load(SeqCst), asked.count()), (MAX_IN_FLIGHT, 5 * MAX_IN_FLIGHT));
    assert_eq!(unhealthy(&reader), 1000);
    // Once nobody asks any more, all count as well, and nothing is left open.
    checks.abort();
    assert!(checks.await.unwrap_err().is_cancelled());
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!((unhealthy(&reader), asked.in_flight.load(SeqCst)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn questions_to_who_is_gone_are_given_up_and_others_go_on() {
    let often = |check: &mut HealthCheck| {
        check.interval = Some(Duration::from_millis(100));
        check.timeout = Some(Duration::from_secs(3600));
    };
    let (mut editor, reader, mut writer) = table(10, often);
    let asked = Asked::default();
    let _checks = asked.run(&reader, Duration::MAX);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!((asked.in_flight.load(SeqCst), asked.count()), (10, 10));

    set(&mut editor, 4, often);
    writer.publish(editor.build().0);
    tokio::time::sleep(LOOK).await;
    assert_eq!((asked.in_flight.load(SeqCst), asked.count()), (4, 10), "those that stay are not asked anew");

    // Whoever is asked something else is asked at once.
    set(&mut editor, 4, |check| check.path = Some("/healthz".into()));
    writer.publish(editor.build().0);
    tokio::time::sleep(LOOK).await;
    assert_eq!((asked.in_flight.load(SeqCst), asked.count()), (4, 14));
}

/// A client that panics costs an answer, and nothing else.
#[tokio::test(start_paused = true)]
async fn a_client_that_panics_has_no_answer() {
    let (_editor, reader, _writer) = table(2, |_| ());
    let client = tower::service_fn(|request: Request<Body>| async move {
        assert_ne!(request.uri().host(), Some("10.0.0.1"), "a mistake");
        Ok::<_, Infallible>(Response::new(Body::empty()))
    });
    tokio::spawn(HealthChecker::with_client(reader.clone(), client).run());
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(unhealthy(&reader), 1);
}
