//! What the policy of a route asks for: timeouts, retries, sizes of bodies.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use ingress_core::{Endpoint, PathMatch, Policy, Retries, RouteTable, Rule, TableReader, Timeout};
use ingress_tower::server::Server;
use ingress_tower::{HttpClient, IngressLayer, IngressService};
use support::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const SOON: Option<Timeout> = Some(Timeout::After(Duration::from_millis(200)));

/// One route with this policy to these endpoints, and `/free` without.
fn routes(endpoints: &[SocketAddr], set: impl FnOnce(&mut Policy)) -> TableReader {
    let mut policy = Policy::default();
    set(&mut policy);
    let backend: ingress_core::BackendRef = "default/shop:80".parse().unwrap();
    let rule = |path| Rule::new(HOST.parse().unwrap(), PathMatch::prefix(path).unwrap(), backend.clone());
    let mut rules = RouteTable::builder();
    rules.rule(rule("/").with_policy(policy)).rule(rule("/free"));
    rules.endpoints(backend, endpoints.iter().map(|&endpoint| Endpoint::new(endpoint)));
    ingress_core::table(rules.build().0).0
}

async fn gateway(endpoints: &[SocketAddr], set: impl FnOnce(&mut Policy)) -> Gateway {
    Gateway::start(Server::new(), IngressService::new(routes(endpoints, set))).await
}

#[tokio::test]
async fn the_route_comes_before_the_backend_and_both_before_the_layer() {
    let echo = Echo::start("a").await;
    let limit = |bytes: u64| {
        let mut policy = Policy::default();
        policy.max_body_size = Some(bytes);
        policy
    };
    let rule = |path, backend: &str| {
        Rule::new(HOST.parse().unwrap(), PathMatch::prefix(path).unwrap(), backend.parse().unwrap())
    };
    let mut rules = RouteTable::builder();
    rules.rule(rule("/none", "default/plain:80")).rule(rule("/backend", "default/shop:80"));
    rules.rule(rule("/route", "default/plain:80").with_policy(limit(1)));
    rules.rule(rule("/both", "default/shop:80").with_policy(limit(1)));
    for backend in ["default/plain:80", "default/shop:80"] {
        rules.endpoints(backend.parse().unwrap(), [Endpoint::new(echo.addr)]);
    }
    rules.backend_policy("default/shop:80".parse().unwrap(), limit(3));
    let reader = ingress_core::table(rules.build().0).0;
    let bare = Gateway::start(Server::new(), IngressService::new(reader.clone())).await;
    let layer = IngressLayer::new(reader).policy(limit(5));
    let layered = Gateway::start(Server::new(), layer.into_service()).await;
    for (path, most_bare, most_layered) in [
        ("/none", None, Some(5)),
        ("/backend", Some(3), Some(3)),
        ("/route", Some(1), Some(1)),
        ("/both", Some(1), Some(1)),
    ] {
        for (gateway, most) in [(&bare, most_bare), (&layered, most_layered)] {
            for len in 0..8 {
                let body = "x".repeat(len);
                let request = format!(
                    "POST {path} HTTP/1.1\r\nHost: shop.example\r\nContent-Length: {len}\r\n\r\n{body}"
                );
                let want = if most.is_none_or(|most| len <= most) { 200 } else { 413 };
                assert_eq!(gateway.status(&request).await, want, "{path} {len}");
            }
        }
    }
}

#[tokio::test]
async fn bodies_that_are_too_large() {
    let echo = Echo::start("a").await;
    let gateway = gateway(&[echo.addr], |policy| policy.max_body_size = Some(4)).await;
    let sized = |path: &str, len: usize| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: shop.example\r\nContent-Length: {len}\r\n\r\n{}",
            "x".repeat(len)
        )
    };
    let chunked = |chunks: &str| {
        format!(
            "POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
        )
    };
    for (request, want) in [
        (sized("/", 4), 200),
        (sized("/", 5), 413),
        (sized("/free", 5), 200),
        (chunked("4\r\nxxxx\r\n"), 200),
        (chunked("2\r\nxx\r\n2\r\nxx\r\n"), 200),
        (chunked("5\r\nxxxxx\r\n"), 413),
        (GET.to_owned(), 200),
    ] {
        assert_eq!(gateway.status(&request).await, want, "{request:?}");
    }
    // Nobody is told to go on who may not.
    let mut client = gateway.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        .await;
    assert_eq!(client.message().await.status(), 413);
}

#[tokio::test]
async fn an_upload_that_grows_too_large_is_left_incomplete() {
    let upstream = Upstream::bind().await;
    let gateway = gateway(&[upstream.addr], |policy| policy.max_body_size = Some(4)).await;
    let mut client = gateway.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        .await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    assert_eq!(endpoint.bytes(8).await, b"3\r\nabc\r\n");
    client.send("3\r\nabc\r\n").await;
    assert_eq!(client.response().await.status(), 413);
    assert!(endpoint.rest().await.is_empty());
}

#[tokio::test]
async fn the_routes_timeouts_come_before_the_clients() {
    let upstream = Upstream::bind().await;
    let client = HttpClient::builder().head_timeout(None).body_timeout(None).build();
    let reader = routes(&[upstream.addr], |policy| {
        policy.response_timeout = SOON;
        policy.idle_timeout = SOON;
    });
    let gateway =
        Gateway::start(Server::new(), IngressLayer::with_client(reader, client).into_service()).await;
    let mut client = gateway.client().await;
    client.send(GET).await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    assert_eq!(client.response().await.status(), 504);

    client.send(GET).await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
    assert!(client.try_message().await.is_none());

    // And the route may wait where the client would not.
    let client = HttpClient::builder().head_timeout(Duration::from_millis(100)).build();
    let reader = routes(&[upstream.addr], |policy| policy.response_timeout = Some(Timeout::Never));
    let gateway =
        Gateway::start(Server::new(), IngressLayer::with_client(reader, client).into_service()).await;
    let (mut patient, mut hasty) = (gateway.client().await, gateway.client().await);
    patient.send(GET).await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    hasty.send(GET.replace("GET /", "GET /free")).await;
    assert_eq!(hasty.response().await.status(), 504);
    endpoint.send(OK).await;
    assert_eq!(patient.response().await.status(), 200);
}

#[tokio::test]
async fn connecting_takes_no_longer_than_the_route_says() {
    let Some(full) = FullBacklog::new().await else { return };
    let started = std::time::Instant::now();
    let gateway = gateway(&[full.addr], |policy| policy.connect_timeout = SOON).await;
    assert_eq!(gateway.status(GET).await, 502);
    assert!(started.elapsed() < Duration::from_secs(4), "the client alone would take 5 s");
}

#[tokio::test]
async fn the_whole_exchange_has_a_time() {
    let upstream = Upstream::bind().await;
    let gateway = gateway(&[upstream.addr], |policy| policy.request_timeout = SOON).await;
    let mut client = gateway.client().await;
    client.send(GET).await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    assert_eq!(client.response().await.status(), 504);
    endpoint.closed().await;

    // An answer that is under way is broken off, however busy it is.
    client.send(GET).await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    endpoint.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let drip = async {
        while endpoint.stream.try_write(b"1\r\nx\r\n").is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (answer, ()) = tokio::join!(client.try_message(), within("the end", drip));
    assert!(answer.is_none(), "{answer:?}");

    client.closed().await;
    let mut client = gateway.client().await;
    client.send(GET).await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    endpoint.send(OK).await;
    assert_eq!(client.response().await.text(), "ok");
}

/// What the first endpoint does, the method, and whether another one is asked.
#[tokio::test]
async fn another_endpoint_where_one_failed() {
    const FAILING: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    let with = |set: fn(&mut Retries)| {
        let mut retries = Retries::up_to(1);
        set(&mut retries);
        retries
    };
    let plain = || with(|_| ());
    let of_503 = || with(|retries| retries.statuses = vec![(502, 504)]);
    let table = [
        ("", "GET", plain(), 200),
        ("", "DELETE", plain(), 200),
        ("", "POST", plain(), 502),
        ("", "POST", with(|retries| retries.non_idempotent = true), 200),
        ("", "GET", with(|retries| retries.reset = false), 502),
        ("", "GET", with(|retries| retries.attempts = 0), 502),
        ("garbage\r\n\r\n", "GET", plain(), 200),
        ("wait", "GET", plain(), 200),
        ("wait", "GET", with(|retries| retries.timeout = false), 504),
        (FAILING, "GET", plain(), 503),
        (FAILING, "GET", of_503(), 200),
        (FAILING, "POST", of_503(), 503),
    ];
    for (answer, method, retries, want) in table {
        let what = format!("{answer:?} {method} {retries:?}");
        let (failing, sound) = (Upstream::bind().await, Upstream::bind().await.always(OK));
        let gateway = gateway(&[failing.addr, sound], |policy| {
            policy.response_timeout = SOON;
            policy.retries = Some(retries);
        })
        .await;
        let serve = async {
            let mut endpoint = failing.accept().await;
            endpoint.head().await;
            if answer == "wait" {
                endpoint.rest().await;
            } else {
                endpoint.send(answer).await;
            }
        };
        let ask = async {
            // The first endpoint is that of every second request.
            let mut statuses = Vec::new();
            for _ in 0..2 {
                let request =
                    format!("{method} / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\n\r\n");
                statuses.push(gateway.status(&request).await);
            }
            statuses
        };
        let ((), statuses) = tokio::join!(serve, ask);
        let failed = statuses.into_iter().find(|&status| status != 200).unwrap_or(200);
        assert_eq!(failed, want, "{what}");
    }
}

#[tokio::test]
async fn a_request_with_a_body_is_sent_once_and_one_endpoint_is_asked_once() {
    let (one, other) = (Upstream::bind().await, Upstream::bind().await);
    let retried = |policy: &mut Policy| policy.retries = Some(Retries::up_to(3));
    let both = gateway(&[one.addr, other.addr], retried).await;
    let mut client = both.client().await;
    client.send("PUT / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 1\r\n\r\nx").await;
    let asked = tokio::select! {
        endpoint = one.accept() => endpoint,
        endpoint = other.accept() => endpoint,
    };
    drop(asked);
    assert_eq!(client.response().await.status(), 502);

    let single = gateway(&[one.addr], retried).await;
    let mut client = single.client().await;
    client.send(GET).await;
    drop(one.accept().await);
    assert_eq!(client.response().await.status(), 502);
}

#[tokio::test]
async fn retries_end_where_most_requests_fail() {
    let failing =
        Upstream::bind().await.always(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    let other =
        Upstream::bind().await.always(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    let sound = Echo::start("c").await;
    let gateway = gateway(&[failing, other, sound.addr], |policy| {
        let mut retries = Retries::up_to(2);
        retries.statuses = vec![(500, 599)];
        policy.retries = Some(retries);
    })
    .await;
    let mut failed = 0;
    for _ in 0..600 {
        failed += usize::from(gateway.status(GET).await != 200);
    }
    // A hundred are free in ten seconds, and a fifth of the requests besides: 600 would need 600 or more.
    assert!((50..400).contains(&failed), "{failed}");
}

/// An address that answers no attempt to connect, for its queue of new connections is full.
struct FullBacklog {
    addr: SocketAddr,
    _listener: tokio::net::TcpListener,
    _queue: Vec<tokio::net::TcpStream>,
}

impl FullBacklog {
    /// Nothing where the system takes any number.
    async fn new() -> Option<Self> {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let addr = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        for _ in 0..16 {
            let connect = tokio::net::TcpStream::connect(addr);
            match tokio::time::timeout(Duration::from_millis(200), connect).await {
                Ok(stream) => queue.push(stream.unwrap()),
                Err(_) => return Some(Self { addr, _listener: listener, _queue: queue }),
            }
        }
        None
    }
}
