//! Which endpoint a request goes to: by a part of it, by the cookie of an affinity, and where there is room.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response};
use ingress_core::{
    Affinity, AffinityCookie, Algorithm, BackendRef, Backends, Endpoint, EndpointState, HashKey, PathMatch,
    Policy, RouteTable, Rule, TableReader, TableWriter,
};
use ingress_tower::{Body, ConnectionInfo, Error, IngressLayer, IngressService};
use support::*;
use tower::ServiceExt;

fn backend(name: &str) -> BackendRef {
    format!("default/{name}:80").parse().unwrap()
}

/// A table with one route to `shop`, which has these endpoints.
fn shop(endpoints: impl IntoIterator<Item = Endpoint>, policy: &Policy) -> RouteTable {
    let mut rules = RouteTable::builder();
    let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend("shop"));
    rules.rule(rule.with_policy(policy.clone()));
    rules.endpoints(backend("shop"), endpoints);
    rules.build().0
}

fn to(addresses: &[SocketAddr]) -> Vec<Endpoint> {
    addresses.iter().map(|&address| Endpoint::new(address)).collect()
}

fn publish(table: RouteTable) -> (IngressService, TableReader, TableWriter) {
    let (reader, writer) = ingress_core::table(table);
    (IngressService::new(reader.clone()), reader, writer)
}

async fn ask(service: &IngressService, fields: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::get("/cart?user=7").header("host", HOST);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    within("answer", service.clone().oneshot(request.body(Body::empty()).unwrap())).await.unwrap()
}

fn who(answer: &Response<Body>) -> String {
    assert_eq!(answer.status(), 200, "{:?}", answer.extensions().get::<Error>());
    answer.headers()["x-upstream"].to_str().unwrap().to_owned()
}

/// The pair of a cookie that an answer sets.
fn cookie(answer: &Response<Body>) -> Option<String> {
    let text = answer.headers().get("set-cookie")?.to_str().unwrap();
    Some(text.split(';').next().unwrap().to_owned())
}

fn sticky(moves_on_failure: bool) -> Policy {
    let mut cookie = AffinityCookie::new("home");
    cookie.moves_on_failure = moves_on_failure;
    let mut policy = Policy::default();
    policy.affinity = Some(Affinity::Cookie(cookie));
    policy
}

fn name(at: usize) -> &'static str {
    ["a", "b", "c", "d"][at]
}

async fn servers(count: usize) -> Vec<Moody> {
    let mut servers = Vec::new();
    for at in 0..count {
        servers.push(Moody::start(name(at)).await);
    }
    servers
}

fn addresses(servers: &[Moody]) -> Vec<SocketAddr> {
    servers.iter().map(|server| server.addr).collect()
}

#[tokio::test]
async fn a_cookie_leads_home_until_home_is_gone() {
    let servers = servers(4).await;
    let all = addresses(&servers);
    let (service, _, mut writer) = publish(shop(to(&all[..2]), &sticky(false)));
    let first = ask(&service, &[]).await;
    let (home, pair) = (who(&first), cookie(&first).unwrap());
    let at = (0..4).find(|&at| name(at) == home).unwrap();
    let attributes = first.headers()["set-cookie"].to_str().unwrap();
    assert!(attributes.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{attributes}");
    assert!(!attributes.contains(&all[at].port().to_string()), "the address is not told: {attributes}");

    let stays = async |what: &str| {
        for _ in 0..8 {
            let answer = ask(&service, &[("cookie", &format!("x=1; {pair}"))]).await;
            assert_eq!((who(&answer), cookie(&answer)), (home.clone(), None), "{what}");
        }
    };
    stays("as it is").await;
    writer.publish(shop(to(&all), &sticky(false)));
    stays("with more endpoints").await;
    let terminating = |(other, &address): (usize, &SocketAddr)| {
        let endpoint = Endpoint::new(address);
        if other == at { endpoint.with_state(EndpointState::Terminating) } else { endpoint }
    };
    writer.publish(shop(all.iter().enumerate().map(terminating), &sticky(false)));
    stays("while it terminates").await;
    let others: Vec<_> = all.iter().copied().filter(|address| *address != all[at]).collect();
    writer.publish(shop(to(&others), &sticky(false)));
    let moved = ask(&service, &[("cookie", &pair)]).await;
    assert_ne!(who(&moved), home);
    assert_ne!(cookie(&moved), Some(pair), "another cookie for another home");
}

#[tokio::test]
async fn cookies_that_are_none_are_replaced() {
    let servers = servers(2).await;
    let (service, ..) = publish(shop(to(&addresses(&servers)), &sticky(false)));
    for value in ["", "home", "home=", "home=00", "home=0123456789abcdef", "home=zzzzzzzzzzzzzzzz", "other=1"]
    {
        let answer = ask(&service, &[("cookie", value)]).await;
        assert!(cookie(&answer).is_some_and(|pair| pair.len() == "home=".len() + 16), "{value:?}");
    }
    // Each distinct client gets its own, and both endpoints have clients.
    let mut homes = BTreeSet::new();
    for _ in 0..8 {
        homes.insert(cookie(&ask(&service, &[]).await).unwrap());
    }
    assert_eq!(homes.len(), 2);
}

#[tokio::test]
async fn who_has_another_secret_knows_no_cookie() {
    let servers = servers(3).await;
    let reader = ingress_core::table(shop(to(&addresses(&servers)), &sticky(false))).0;
    let of = |secret: &str| IngressLayer::new(reader.clone()).affinity_secret(secret).into_service();
    let (one, same, other) = (of("a"), of("a"), of("b"));
    let pair = cookie(&ask(&one, &[]).await).unwrap();
    assert_eq!(cookie(&ask(&same, &[("cookie", &pair)]).await), None);
    assert!(cookie(&ask(&other, &[("cookie", &pair)]).await).is_some());
    let secure = async |tls: bool| {
        let client = ([127, 0, 0, 1], 9).into();
        let mut info = ConnectionInfo::new(client);
        info.tls = tls;
        let request = Request::get("/").header("host", HOST).extension(info).body(Body::empty()).unwrap();
        let answer = one.clone().oneshot(request).await.unwrap();
        answer.headers()["set-cookie"].to_str().unwrap().ends_with("; Secure")
    };
    assert_eq!((secure(true).await, secure(false).await), (true, false));
}

#[tokio::test]
async fn a_home_that_is_down_is_kept_or_left() {
    for moves in [false, true] {
        let servers = servers(2).await;
        let (service, ..) = publish(shop(to(&addresses(&servers)), &sticky(moves)));
        let first = ask(&service, &[]).await;
        let (home, pair) = (who(&first), cookie(&first).unwrap());
        let at = (0..2).find(|&at| name(at) == home).unwrap();
        servers[at].kill();
        let answer = ask(&service, &[("cookie", &pair)]).await;
        assert_ne!(who(&answer), home, "somebody answers");
        assert_eq!(cookie(&answer).is_some(), moves);
        servers[at].revive();
        let pair = cookie(&answer).unwrap_or(pair);
        let again = who(&ask(&service, &[("cookie", &pair)]).await);
        assert_eq!(again == home, !moves);
    }
}

#[tokio::test]
async fn a_home_is_known_among_the_backends_of_a_split() {
    let servers = servers(4).await;
    let table = |canary: u32| {
        let mut rules = RouteTable::builder();
        let backends = Backends::split([(backend("old"), 1), (backend("new"), canary)]);
        let rule = Rule::with_backends(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backends);
        rules.rule(rule.with_policy(sticky(false)));
        rules.endpoints(backend("old"), to(&addresses(&servers[..2])));
        rules.endpoints(backend("new"), to(&addresses(&servers[2..])));
        rules.build().0
    };
    let (service, _, mut writer) = publish(table(1));
    let mut homes = BTreeMap::new();
    while homes.len() < 4 {
        let answer = ask(&service, &[]).await;
        homes.insert(cookie(&answer).unwrap(), who(&answer));
    }
    writer.publish(table(9));
    for _ in 0..4 {
        for (pair, home) in &homes {
            assert_eq!(who(&ask(&service, &[("cookie", pair)]).await), *home);
        }
    }
    writer.publish(table(0));
    for pair in homes.keys() {
        assert!(["a", "b"].contains(&&*who(&ask(&service, &[("cookie", pair)]).await)), "the canary is over");
    }
}

#[tokio::test]
async fn requests_with_the_same_key_meet_the_same_endpoint() {
    let servers = servers(4).await;
    for algorithm in [Algorithm::Maglev, Algorithm::Rendezvous] {
        for by in [HashKey::Header("x-user".into()), HashKey::Cookie("user".into())] {
            let mut policy = Policy::default();
            (policy.load_balance, policy.hash_key) = (Some(algorithm.clone()), Some(by.clone()));
            let (service, ..) = publish(shop(to(&addresses(&servers)), &policy));
            let mut met = BTreeSet::new();
            for user in 0..24 {
                let fields = [("x-user", format!("user-{user}")), ("cookie", format!("user={user}"))];
                let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, &**value)).collect();
                let first = who(&ask(&service, &fields).await);
                for _ in 0..3 {
                    assert_eq!(who(&ask(&service, &fields).await), first, "{algorithm} {by:?}");
                }
                met.insert(first);
            }
            assert_eq!(met.len(), 4, "{algorithm} {by:?}");
        }
    }
    let mut policy = Policy::default();
    policy.affinity = Some(Affinity::Key(HashKey::Query("user".into())));
    let (service, ..) = publish(shop(to(&addresses(&servers)), &policy));
    let first = who(&ask(&service, &[]).await);
    for _ in 0..8 {
        assert_eq!(who(&ask(&service, &[]).await), first);
    }
}

fn in_flight(reader: &TableReader) -> u32 {
    reader.with(|table| {
        let sets = table.backends().map(|backend| backend.endpoints().clone());
        sets.map(|set| (0..set.all().len()).map(|at| set.vitals(at).unwrap().in_flight_now()).sum::<u32>())
            .sum()
    })
}

async fn until(what: &str, mut met: impl FnMut() -> bool) {
    within(what, async {
        while !met() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn requests_are_counted_until_they_are_answered_or_given_up() {
    let upstream = Upstream::bind().await;
    let (service, reader, _writer) = publish(shop(to(&[upstream.addr]), &Policy::default()));
    let gateway = Gateway::start(Default::default(), service).await;
    let mut client = gateway.client().await;
    client.send(&format!("GET / HTTP/1.1\r\nhost: {HOST}\r\n\r\n")).await;
    let mut endpoint = upstream.accept().await;
    endpoint.message().await;
    assert_eq!(in_flight(&reader), 1);
    endpoint.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab").await;
    until("the head is passed on", || in_flight(&reader) == 1).await;
    endpoint.send("cd").await;
    client.response().await;
    until("the end of the answer", || in_flight(&reader) == 0).await;

    client.send(&format!("GET / HTTP/1.1\r\nhost: {HOST}\r\n\r\n")).await;
    endpoint.message().await;
    assert_eq!(in_flight(&reader), 1);
    drop(client);
    until("the client is gone", || in_flight(&reader) == 0).await;

    let mut client = gateway.client().await;
    client
        .send(&format!("GET / HTTP/1.1\r\nhost: {HOST}\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"))
        .await;
    let mut endpoint = upstream.accept().await;
    endpoint.message().await;
    endpoint.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n").await;
    client.head().await;
    assert_eq!(in_flight(&reader), 1, "a tunnel is a request that goes on");
    drop((client, endpoint));
    until("the tunnel has ended", || in_flight(&reader) == 0).await;
}

#[tokio::test]
async fn what_is_too_much_waits_or_is_refused() {
    let server = Moody::start("a").await;
    let limited = |max_connections, max_requests, max_pending| {
        let mut policy = Policy::default();
        policy.limits.max_connections = max_connections;
        policy.limits.max_requests = max_requests;
        policy.limits.max_pending = Some(max_pending);
        policy
    };
    for policy in [limited(Some(2), None, 1), limited(None, Some(2), 1)] {
        server.set(Mood::Frozen);
        let (service, reader, _writer) = publish(shop(to(&[server.addr]), &policy));
        let before = server.requests();
        let service = Arc::new(service);
        let send = || {
            let service = service.clone();
            tokio::spawn(async move { ask(&service, &[]).await.status() })
        };
        let held = [send(), send()];
        until("both are at the endpoint", || server.requests() == before + 2).await;
        let mut waiting = tokio_test::task::spawn(ask(&service, &[]));
        assert!(waiting.poll().is_pending());
        let refused = ask(&service, &[]).await;
        assert_eq!(refused.status(), 503);
        let error = refused.extensions().get::<Error>().unwrap();
        assert!(error.is_overloaded() && error.reason() == "overloaded", "{error}");
        assert_eq!((server.requests(), in_flight(&reader)), (before + 2, 2));
        server.set(Mood::Well);
        held.iter().for_each(|held| held.abort());
        assert_eq!(within("room", waiting).await.status(), 200);
    }
}

#[tokio::test]
async fn a_full_endpoint_is_passed_over_while_others_have_room() {
    let servers = servers(2).await;
    servers[0].set(Mood::Frozen);
    let mut policy = Policy::default();
    policy.limits.max_connections = Some(1);
    policy.limits.max_pending = Some(0);
    let (service, ..) = publish(shop(to(&addresses(&servers)), &policy));
    let held = {
        let service = service.clone();
        tokio::spawn(async move { while ask(&service, &[]).await.status() == 200 {} })
    };
    until("the frozen endpoint is full", || servers[0].requests() == 1).await;
    for _ in 0..10 {
        assert_eq!(who(&ask(&service, &[]).await), "b");
    }
    assert_eq!(servers[0].requests(), 1);
    held.abort();
}

/// A policy of one of the backends once made each request draw twice, so that one backend got all.
#[tokio::test]
async fn a_split_is_exact_whatever_its_backends_say() {
    let servers = servers(2).await;
    let mut slow = Policy::default();
    slow.slow_start.minimum = Some(20);
    for said in [[true, true], [true, false], [false, true], [false, false]] {
        let mut rules = RouteTable::builder();
        let backends = Backends::split([(backend("old"), 1), (backend("new"), 1)]);
        rules.rule(Rule::with_backends(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backends));
        for (at, name) in ["old", "new"].into_iter().enumerate() {
            rules.endpoints(backend(name), to(&[servers[at].addr]));
            if said[at] {
                rules.backend_policy(backend(name), slow.clone());
            }
        }
        let (service, ..) = publish(rules.build().0);
        let before = servers[0].requests();
        for _ in 0..20 {
            ask(&service, &[]).await;
        }
        assert_eq!(servers[0].requests() - before, 10, "{said:?}");
    }
}

#[tokio::test]
async fn a_client_has_a_home_at_each_backend_of_a_host() {
    let servers = servers(4).await;
    let mut policy = sticky(false);
    let Some(Affinity::Cookie(own)) = &mut policy.affinity else { panic!() };
    own.of_backend = true;
    let mut rules = RouteTable::builder();
    for (at, name) in ["cart", "pay"].into_iter().enumerate() {
        let path = PathMatch::prefix(&format!("/{name}")).unwrap();
        rules.rule(Rule::new(HOST.parse().unwrap(), path, backend(name)).with_policy(policy.clone()));
        rules.endpoints(backend(name), to(&addresses(&servers[2 * at..2 * at + 2])));
    }
    let (service, ..) = publish(rules.build().0);
    let mut jar = BTreeMap::new();
    let mut homes = BTreeMap::new();
    for turn in 0..10 {
        for path in ["/cart", "/pay"] {
            let pairs: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let request = Request::get(path).header("host", HOST).header("cookie", pairs.join("; "));
            let answer = service.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(answer.headers().contains_key("set-cookie"), turn == 0, "{path}");
            if let Some((name, value)) = cookie(&answer).and_then(|pair| {
                pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
            }) {
                jar.insert(name, value);
            }
            assert_eq!(*homes.entry(path).or_insert_with(|| who(&answer)), who(&answer));
        }
    }
    assert_eq!(jar.len(), 2);
}

/// Requests without a limit once made room that nobody was told of.
#[tokio::test]
async fn room_is_told_whoever_makes_it() {
    let server = Moody::start("a").await;
    let mut limited = Policy::default();
    limited.limits.max_connections = Some(1);
    let mut rules = RouteTable::builder();
    for (path, policy) in [("/free", Policy::default()), ("/limited", limited)] {
        let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix(path).unwrap(), backend("shop"));
        rules.rule(rule.with_policy(policy));
    }
    rules.endpoints(backend("shop"), to(&[server.addr]));
    let (service, ..) = publish(rules.build().0);
    let ask = |path: &str| {
        let request = Request::get(path).header("host", HOST).body(Body::empty()).unwrap();
        service.clone().oneshot(request)
    };
    server.set(Mood::Frozen);
    let held = tokio::spawn(ask("/free"));
    until("it is at the endpoint", || server.requests() == 1).await;
    let mut waiting = tokio_test::task::spawn(ask("/limited"));
    assert!(waiting.poll().is_pending());
    server.set(Mood::Well);
    held.abort();
    until("it is woken", || waiting.is_woken()).await;
    assert_eq!(within("answer", waiting).await.unwrap().status(), 200);
}
