//! Connections that are carried to an endpoint without being decrypted, beside others on the same port.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "support/passed.rs"]
mod passed;
#[path = "support/pki.rs"]
mod pki;
mod support;

use std::num::NonZeroU64;
use std::time::Duration;

use ingress_core::{Algorithm, ClientCertificate, FixedAnswer, MediaType, Policy, RateLimit, Timeout};
use ingress_tower::server::Server;
use ingress_tower::tls::{Tls, trust};
use passed::{ENDED, PASSED, Served, get, say, tls_endpoint};
use pki::{Authority, connect, hello, in_records};
use rustls::ALL_VERSIONS;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn hosts_that_are_passed_and_hosts_that_are_ended_share_a_port() {
    let (own, theirs) = (Authority::new(), Authority::new());
    let endpoint = tls_endpoint(&theirs, "a", None).await;
    let served = Served::to(&own, &[endpoint]).await;
    for version in ALL_VERSIONS {
        let (ours, their) = (own.client(None, &[], &[version]), theirs.client(None, &[], &[version]));
        // The certificate is the endpoint's own, which says that nobody stands in between.
        let mut passed = connect(served.addr, &their, PASSED).await.unwrap();
        assert_eq!(say(&mut passed, "hello").await, "a hello");
        assert_eq!(served.in_flight(), [1]);
        assert!(connect(served.addr, &ours, PASSED).await.is_err());
        assert!(connect(served.addr, &their, ENDED).await.is_err());
        assert_eq!(get(connect(served.addr, &ours, ENDED).await.unwrap(), ENDED).await, 200);
        // Half-closed, it still gets the answer.
        passed.shutdown().await.unwrap();
        let mut rest = String::new();
        within("the end", passed.read_to_string(&mut rest)).await.unwrap();
        assert_eq!(rest, "bye");
    }
    // Requests for the host that come decrypted are not its endpoints', nor the wildcard's or another host's.
    let stream = connect(served.addr, &own.client(None, &[], ALL_VERSIONS), ENDED).await.unwrap();
    assert_eq!(get(stream, PASSED).await, 404);
}

#[tokio::test]
async fn hellos_arrive_whole_however_they_are_cut() {
    let authority = Authority::new();
    let upstream = Upstream::bind().await;
    let served = Served::to(&authority, &[upstream.addr]).await;
    let long = hello(PASSED, 50);
    assert!(long.len() > 10_000);
    for bytes in [hello(PASSED, 0), long.clone(), in_records(&long, 700), in_records(&hello(PASSED, 0), 1)] {
        for size in [1, 97, bytes.len()] {
            let mut client = Peer::connect(served.addr).await;
            client.stream.set_nodelay(true).unwrap();
            for part in bytes.chunks(size) {
                client.send(part).await;
                tokio::task::yield_now().await;
            }
            let mut endpoint = upstream.accept().await;
            assert_eq!(endpoint.bytes(bytes.len()).await, bytes);
            endpoint.send("answer").await;
            client.send("more").await;
            assert_eq!(client.bytes(6).await, b"answer");
            assert_eq!(endpoint.bytes(4).await, b"more");
        }
    }
}

#[tokio::test]
async fn what_is_no_hello_reaches_no_endpoint() {
    let authority = Authority::new();
    let upstream = Upstream::bind().await;
    let served = Served::start(&authority, &[upstream.addr], Policy::default(), Server::new(), |tls| {
        tls.handshake_timeout(Duration::from_millis(200))
    })
    .await;
    let whole = hello(PASSED, 0);
    let mut endless = hello(PASSED, 90);
    assert!(endless.len() > 16 * 1024);
    endless.truncate(16 * 1024 + 500);
    for bytes in [
        b"GET / HTTP/1.1\r\nHost: tcp.example\r\n\r\n".to_vec(),
        vec![0; 100],
        vec![0x16, 3, 1, 0xff, 0xff, 1, 0, 0xff],
        whole[..whole.len() - 1].to_vec(),
        endless,
        Vec::new(),
    ] {
        let mut client = Peer::connect(served.addr).await;
        client.send(&bytes).await;
        let _ = client.rest().await;
    }
    // The next that comes there is the first of all.
    let mut client = Peer::connect(served.addr).await;
    client.send(&whole).await;
    assert_eq!(upstream.accept().await.bytes(whole.len()).await, whole);
}

#[tokio::test]
async fn certificates_of_clients_reach_the_endpoint_untouched() {
    let (own, theirs, staff) = (Authority::new(), Authority::new(), Authority::new());
    let endpoint = tls_endpoint(&theirs, "a", Some(&staff)).await;
    let served = Served::to(&own, &[endpoint]).await;
    let (ann, eve) = (staff.issue(&["ann.example"]), own.issue(&["eve.example"]));
    let config = theirs.client(Some(&ann), &[], ALL_VERSIONS);
    let mut stream = connect(served.addr, &config, PASSED).await.unwrap();
    assert_eq!(say(&mut stream, "hello").await, "a hello");
    for other in [Some(&eve), None] {
        let config = theirs.client(other, &[], &[&rustls::version::TLS12]);
        assert!(connect(served.addr, &config, PASSED).await.is_err());
    }
}

#[tokio::test]
async fn another_endpoint_takes_over_where_one_is_down() {
    let (own, theirs) = (Authority::new(), Authority::new());
    let down = refusing();
    let endpoint = tls_endpoint(&theirs, "a", None).await;
    let served = Served::to(&own, &[down, endpoint]).await;
    let config = theirs.client(None, &[], ALL_VERSIONS);
    let mut open = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(served.addr, &config, PASSED).await.unwrap();
        assert_eq!(say(&mut stream, "hello").await, "a hello");
        open.push(stream);
    }
    assert_eq!(served.in_flight().iter().sum::<u64>(), 4);
    let nobody = Served::to(&own, &[down]).await;
    assert!(connect(nobody.addr, &config, PASSED).await.is_err());
    let none = Served::to(&own, &[]).await;
    assert!(connect(none.addr, &config, PASSED).await.is_err());
}

#[tokio::test]
async fn connections_are_shared_as_the_policy_says() {
    let (own, theirs) = (Authority::new(), Authority::new());
    let endpoints = [tls_endpoint(&theirs, "a", None).await, tls_endpoint(&theirs, "b", None).await];
    let config = theirs.client(None, &[], ALL_VERSIONS);
    for (algorithm, want) in [(Algorithm::RoundRobin, 2), (Algorithm::Maglev, 1)] {
        let mut policy = Policy::default();
        policy.load_balance = Some(algorithm);
        let served = Served::start(&own, &endpoints, policy, Server::new(), |tls| tls).await;
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..6 {
            let mut stream = connect(served.addr, &config, PASSED).await.unwrap();
            seen.insert(say(&mut stream, "x").await);
        }
        assert_eq!(seen.len(), want, "{seen:?}");
    }
}

#[tokio::test]
async fn tables_change_under_open_connections() {
    let (own, theirs) = (Authority::new(), Authority::new());
    let (a, b) = (tls_endpoint(&theirs, "a", None).await, tls_endpoint(&theirs, "b", None).await);
    let mut served = Served::to(&own, &[a]).await;
    let config = theirs.client(None, &[], ALL_VERSIONS);
    let mut open = connect(served.addr, &config, PASSED).await.unwrap();
    let busy = tokio::spawn(async move {
        for number in 0..200 {
            assert_eq!(say(&mut open, &number.to_string()).await, format!("a {number}"));
        }
    });
    for _ in 0..10 {
        served.publish(&[b], Some(Policy::default()));
        let mut next = connect(served.addr, &config, PASSED).await.unwrap();
        assert_eq!(say(&mut next, "x").await, "b x");
        served.publish(&[b], None);
        let ours = own.client(None, &[], ALL_VERSIONS);
        assert_eq!(get(connect(served.addr, &ours, PASSED).await.unwrap(), PASSED).await, 200);
    }
    within("all answers", busy).await.unwrap();
}

#[tokio::test]
async fn clients_are_refused_that_may_not_come_or_would_have_to_prove_something() {
    let (own, theirs) = (Authority::new(), Authority::new());
    let endpoint = tls_endpoint(&theirs, "a", None).await;
    let config = theirs.client(None, &[], ALL_VERSIONS);
    let denying = |networks: &str| {
        let mut policy = Policy::default();
        policy.access.deny = Some(networks.parse().unwrap());
        policy
    };
    let mut proving = Policy::default();
    proving.authentication.certificate = Some(ClientCertificate::new(trust(own.root().as_bytes()).unwrap()));
    let mut closed = Policy::default();
    closed.access.closed = true;
    let with = |write: fn(&mut Policy)| {
        let mut policy = Policy::default();
        write(&mut policy);
        policy
    };
    let limited = with(|policy| policy.client_limits.rate = Some("1000/s".parse().unwrap()));
    let mut exempt = limited.clone();
    exempt.client_limits.exempt = Some("127.0.0.0/8".parse().unwrap());
    let maintenance = with(|policy| policy.maintenance.on = Some(true));
    let mut staff = maintenance.clone();
    staff.maintenance.exempt = Some("127.0.0.0/8".parse().unwrap());
    let plain = (|tls| tls) as fn(Tls) -> Tls;
    let limited_everywhere = |tls: Tls| {
        let mut policy = Policy::default();
        policy.client_limits.concurrency = Some(100);
        tls.passthrough_policy(policy)
    };
    let everywhere = |tls: Tls| {
        let mut policy = Policy::default();
        policy.access.deny = Some("127.0.0.1".parse().unwrap());
        tls.passthrough_policy(policy)
    };
    for (policy, tls, want) in [
        (denying("192.0.2.0/24"), plain, true),
        (denying("127.0.0.0/8"), plain, false),
        (closed, plain, false),
        (proving, plain, false),
        (Policy::default(), everywhere, false),
        (denying("192.0.2.0/24"), everywhere, true),
        // Nobody knows whether it is a protection.
        (with(|policy| policy.custom.set("example.com/key", "")), plain, false),
        (with(|policy| policy.answer = FixedAnswer::new(404, MediaType::default(), "").ok()), plain, false),
        (maintenance, plain, false),
        (staff, plain, true),
        (with(|policy| policy.maintenance.on = Some(false)), plain, true),
        (limited, plain, false),
        (exempt, plain, true),
        (with(|policy| policy.client_limits.rate = Some(RateLimit::Unlimited)), plain, true),
        (Policy::default(), limited_everywhere, false),
        (with(|policy| policy.client_limits.concurrency = Some(0)), limited_everywhere, true),
        // What is about answers, or about nobody's limit, keeps nobody out.
        (with(|policy| policy.client_limits.bandwidth = NonZeroU64::new(1)), plain, true),
        (with(|policy| policy.client_limits.exempt = "192.0.2.0/24".parse().ok()), plain, true),
    ] {
        let served = Served::start(&own, &[endpoint], policy.clone(), Server::new(), tls).await;
        let connected = connect(served.addr, &config, PASSED).await;
        assert_eq!(connected.is_ok(), want, "{policy:?}");
    }
    // The address is the one that a load balancer tells.
    let server = Server::new().proxy_protocol("127.0.0.0/8".parse().unwrap());
    let served = Served::start(&own, &[endpoint], denying("192.0.2.7"), server, plain).await;
    for (client, want) in [("192.0.2.7", false), ("192.0.2.8", true)] {
        let mut stream = TcpStream::connect(served.addr).await.unwrap();
        let header = format!("PROXY TCP4 {client} 198.51.100.1 4096 443\r\n");
        stream.write_all(header.as_bytes()).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from(PASSED).unwrap();
        let connector = tokio_rustls::TlsConnector::from(config.clone());
        let connected = within("the handshake", connector.connect(name, stream)).await;
        assert_eq!(connected.is_ok(), want, "{client}");
    }
}

#[tokio::test]
async fn silent_connections_end_and_open_ones_are_waited_for() {
    let (own, theirs) = (Authority::new(), Authority::new());
    let endpoint = tls_endpoint(&theirs, "a", None).await;
    let config = theirs.client(None, &[], ALL_VERSIONS);
    let mut policy = Policy::default();
    policy.idle_timeout = Some(Timeout::After(Duration::from_millis(100)));
    let served = Served::start(&own, &[endpoint], policy, Server::new(), |tls| tls).await;
    let mut silent = connect(served.addr, &config, PASSED).await.unwrap();
    assert!(within("the end", silent.read(&mut [0])).await.map_or(true, |read| read == 0));

    let server = Server::new().linger(Duration::ZERO);
    let served = Served::start(&own, &[endpoint], Policy::default(), server, |tls| tls).await;
    let mut open = connect(served.addr, &config, PASSED).await.unwrap();
    assert_eq!(say(&mut open, "before").await, "a before");
    served.stop.send(()).unwrap();
    assert_eq!(say(&mut open, "after").await, "a after");
    drop(open);
    assert_eq!(within("the end", served.done).await.unwrap().cut, 0);

    let server = Server::new().linger(Duration::ZERO).drain_limit(Duration::from_millis(100));
    let served = Served::start(&own, &[endpoint], Policy::default(), server, |tls| tls).await;
    let mut open = connect(served.addr, &config, PASSED).await.unwrap();
    assert_eq!(say(&mut open, "before").await, "a before");
    served.stop.send(()).unwrap();
    assert_eq!(within("the end", served.done).await.unwrap().cut, 1);
}
