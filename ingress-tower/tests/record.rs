//! Choices of endpoints that responses tell of, and that a saved table repeats.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, Response};
use ingress_core::{
    Affinity, AffinityCookie, Algorithm, Balance, ChoiceRecord, Draw, Endpoint, EndpointSet, HashKey,
    Members, PathMatch, Policy, Retries, RouteTable, Rule, TableReader, TableWriter,
};
use ingress_tower::{Body, Chosen, ConnectionInfo, Error, IngressLayer, IngressService};
use support::*;
use tower::ServiceExt;

const BACKEND: &str = "default/shop:80";
const NAMES: [&str; 3] = ["a", "b", "c"];

/// One route to these endpoints, of which each has another weight.
fn table(endpoints: &[SocketAddr], policy: &Policy) -> RouteTable {
    let mut rules = RouteTable::builder();
    let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), BACKEND.parse().unwrap());
    rules.rule(rule.with_policy(policy.clone()));
    let weighted = |(address, weight)| Endpoint::new(address).with_weight(weight);
    rules.endpoints(BACKEND.parse().unwrap(), endpoints.iter().copied().zip(1..).map(weighted));
    rules.build().0
}

fn recording(table: RouteTable) -> (IngressService, TableReader, TableWriter) {
    let (reader, writer) = ingress_core::table(table);
    (IngressLayer::new(reader.clone()).record_choices(true).into_service(), reader, writer)
}

fn balanced(algorithm: &Algorithm) -> Policy {
    let mut policy = Policy::default();
    (policy.load_balance, policy.hash_key) = (Some(algorithm.clone()), Some(HashKey::Query("user".into())));
    policy
}

async fn servers() -> (Vec<Echo>, Vec<SocketAddr>) {
    let mut servers = Vec::new();
    for name in NAMES {
        servers.push(Echo::start(name).await);
    }
    let addresses = servers.iter().map(|server| server.addr).collect();
    (servers, addresses)
}

async fn ask(service: &IngressService, user: usize, cookie: Option<&str>) -> Response<Body> {
    let mut request = Request::get(format!("/?user={user}")).header("host", HOST);
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    let answer = service.clone().oneshot(request.body(Body::empty()).unwrap());
    within("an answer", answer).await.unwrap()
}

fn chosen(answer: &Response<Body>) -> Chosen {
    answer.extensions().get::<Chosen>().expect("the choice is recorded").clone()
}

/// The endpoint that a record falls on in a set that is made anew of the table's endpoints.
fn repeated(reader: &TableReader, algorithm: &Algorithm, chosen: &Chosen) -> String {
    let table = reader.snapshot();
    assert_eq!(table.generation(), chosen.generation());
    let backend = table.backends().find(|backend| backend.reference() == chosen.backend()).unwrap();
    let set = EndpointSet::new(backend.endpoints().all().cloned());
    let record: ChoiceRecord = chosen.choice().to_string().parse().unwrap();
    let place = set.repeat(algorithm, &record);
    set.get(place.expect("the record falls on an endpoint")).unwrap().authority().to_string()
}

#[tokio::test]
async fn every_choice_is_repeated_from_the_table() {
    let (_servers, addresses) = servers().await;
    for algorithm in Algorithm::ALL {
        let (service, reader, _writer) = recording(table(&addresses, &balanced(&algorithm)));
        let mut answers = Vec::new();
        for user in 0..30 {
            // Some are kept, so that endpoints differ in how many requests they work on.
            let answer = ask(&service, user, None).await;
            let (who, told) = (answer.headers()["x-upstream"].to_str().unwrap().to_owned(), chosen(&answer));
            let at = NAMES.iter().position(|name| *name == who).unwrap();
            assert_eq!(told.endpoint().as_str(), addresses[at].to_string(), "{algorithm}");
            assert_eq!((told.algorithm(), told.attempts()), (algorithm.name(), 1));
            assert_eq!(told.backend().to_string(), BACKEND);
            assert_eq!(told.request_id().unwrap().len(), 32);
            assert_eq!(repeated(&reader, &algorithm, &told), told.endpoint().as_str(), "{told:?}");
            answers.extend(Some(answer).filter(|_| user % 3 == 0));
        }
    }
}

#[tokio::test]
async fn the_choice_after_one_that_failed_is_repeated_too() {
    let (_servers, mut addresses) = servers().await;
    addresses.extend([refusing(), refusing()]);
    for algorithm in Algorithm::ALL {
        // No endpoint is left out for having failed, so that each request may meet those that refuse.
        let mut policy = balanced(&algorithm);
        policy.outlier.failures = Some(0);
        let (service, reader, _writer) = recording(table(&addresses, &policy));
        let mut attempts = 0;
        for user in 0..20 {
            let told = chosen(&ask(&service, user, None).await);
            assert!((1..=3).contains(&told.attempts()), "{told:?}");
            attempts += told.attempts();
            assert_eq!(repeated(&reader, &algorithm, &told), told.endpoint().as_str(), "{told:?}");
        }
        assert!(attempts > 20, "{algorithm}: nobody met an endpoint that refuses");
    }
}

#[tokio::test]
async fn an_answer_of_the_gateways_own_tells_which_endpoint_failed() {
    let refusing = [refusing()];
    let (service, reader, mut writer) = recording(table(&refusing, &Policy::default()));
    let answer = ask(&service, 0, None).await;
    assert_eq!((answer.status().as_u16(), chosen(&answer).attempts()), (502, 1));
    assert!(answer.extensions().get::<Error>().unwrap().is_connect());
    assert_eq!(repeated(&reader, &Algorithm::RoundRobin, &chosen(&answer)), refusing[0].to_string());

    let mut call = Request::post("/").header("host", HOST).header("content-type", "application/grpc");
    call = call.header("te", "trailers");
    let answer = service.clone().oneshot(call.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!((answer.headers()["grpc-status"].as_bytes(), chosen(&answer).attempts()), (&b"14"[..], 1));

    // Nobody was tried.
    writer.publish(table(&[], &Policy::default()));
    assert!(ask(&service, 0, None).await.extensions().get::<Chosen>().is_none());
}

#[tokio::test]
async fn retries_tell_of_the_last_endpoint() {
    let upstream = Upstream::bind().await;
    let echo = Echo::start("echo").await;
    let mut policy = Policy::default();
    policy.retries = Some(Retries::up_to(1));
    policy.retries.as_mut().unwrap().statuses = vec![(503, 503)];
    let (service, reader, _writer) = recording(table(&[upstream.addr, echo.addr], &policy));
    tokio::spawn(async move {
        loop {
            let mut endpoint = upstream.accept().await;
            endpoint.head().await;
            endpoint.send("HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        }
    });
    let mut most = 0;
    for user in 0..6 {
        let answer = ask(&service, user, None).await;
        let told = chosen(&answer);
        assert_eq!(answer.status(), 200);
        assert_eq!(told.endpoint().as_str(), echo.addr.to_string());
        assert_eq!(repeated(&reader, &Algorithm::RoundRobin, &told), echo.addr.to_string(), "{told:?}");
        most = most.max(told.attempts());
    }
    assert_eq!(most, 2);
}

#[tokio::test]
async fn who_comes_back_by_a_cookie_is_told_by_place() {
    let (_servers, addresses) = servers().await;
    let mut policy = Policy::default();
    policy.affinity = Some(Affinity::Cookie(AffinityCookie::new("home")));
    let (service, reader, _writer) = recording(table(&addresses, &policy));
    let first = ask(&service, 0, None).await;
    let cookie = first.headers()["set-cookie"].to_str().unwrap();
    let pair = cookie.split(';').next().unwrap();
    for user in 0..10 {
        let told = chosen(&ask(&service, user, Some(pair)).await);
        assert_eq!(told.endpoint(), chosen(&first).endpoint());
        assert!(told.choice().to_string().starts_with('p'), "{told:?}");
        assert_eq!(repeated(&reader, &Algorithm::RoundRobin, &told), told.endpoint().as_str());
    }
}

#[derive(Debug)]
struct First;

impl Balance for First {
    fn pick(&self, members: Members<'_>, _: &Draw) -> Option<usize> {
        Some(0).filter(|_| !members.is_empty())
    }
}

#[tokio::test]
async fn an_algorithm_of_the_programs_own_is_told_by_place() {
    let (_servers, addresses) = servers().await;
    let algorithm = Algorithm::custom(First);
    let (service, reader, _writer) = recording(table(&addresses, &balanced(&algorithm)));
    let told = chosen(&ask(&service, 0, None).await);
    assert_eq!((told.algorithm(), told.choice()), ("custom", ChoiceRecord::at(0)));
    assert_eq!(repeated(&reader, &algorithm, &told), told.endpoint().as_str());
}

/// A request belongs to the table that it was matched in, even where another is published before it is answered.
#[tokio::test]
async fn the_generation_is_that_of_the_match() {
    let upstream = Upstream::bind().await;
    let (service, reader, mut writer) = recording(table(&[upstream.addr], &Policy::default()));
    assert_eq!(writer.publish(table(&[upstream.addr], &Policy::default())), 1);
    let answer = tokio::spawn({
        let service = service.clone();
        async move { ask(&service, 0, None).await }
    });
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    assert_eq!(writer.publish(table(&[refusing()], &Policy::default())), 2);
    endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(chosen(&answer.await.unwrap()).generation(), 1);
    assert_eq!(reader.snapshot().generation(), 2);
    assert_eq!(chosen(&ask(&service, 0, None).await).generation(), 2);
}

#[tokio::test]
async fn nothing_is_told_unless_asked_for() {
    let (_servers, addresses) = servers().await;
    let (reader, _writer) = ingress_core::table(table(&addresses, &Policy::default()));
    let service = IngressService::new(reader);
    assert!(ask(&service, 0, None).await.extensions().get::<Chosen>().is_none());
}

/// What stands in a log is what endpoints are told.
#[test]
fn clients_are_those_that_trusted_proxies_tell() {
    let (reader, _writer) = ingress_core::table(RouteTable::default());
    let layer = IngressLayer::new(reader).trusted_proxies("10.0.0.0/8".parse().unwrap());
    let client = |peer: Option<[u8; 4]>| {
        let mut request =
            Request::get("/").header("x-forwarded-for", "192.0.2.7, 10.0.0.2").body(()).unwrap();
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectionInfo::new(SocketAddr::from((peer, 4711))));
        }
        layer.client_of(&request).map(|client| client.to_string())
    };
    assert_eq!(client(Some([10, 0, 0, 1])).as_deref(), Some("192.0.2.7"));
    assert_eq!(client(Some([198, 51, 100, 1])).as_deref(), Some("198.51.100.1"));
    assert_eq!(client(None), None);
}

/// A request that waited for room is in its table, too.
#[tokio::test]
async fn limits_change_nothing() {
    let (_servers, addresses) = servers().await;
    let mut policy = balanced(&Algorithm::LeastRequest);
    policy.limits.max_connections = Some(1);
    policy.connect_timeout = Some(ingress_core::Timeout::After(Duration::from_secs(5)));
    let (service, reader, _writer) = recording(table(&addresses, &policy));
    let mut all = tokio::task::JoinSet::new();
    for user in 0..30 {
        let service = service.clone();
        all.spawn(async move { chosen(&ask(&service, user, None).await) });
    }
    for told in all.join_all().await {
        assert_eq!(repeated(&reader, &Algorithm::LeastRequest, &told), told.endpoint().as_str(), "{told:?}");
    }
}
