//! What a client may ask for and take, and what it is told beyond that.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::fmt::Write;
use std::time::Duration;

use http::Request;
use ingress_tower::server::Server;
use ingress_tower::{HttpClient, IngressLayer, IngressService};
use support::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
const SOON: Duration = Duration::from_millis(300);

/// A request of one line more than there are fields: Host is one of them.
fn fields(count: usize) -> String {
    let mut text = "GET / HTTP/1.1\r\nHost: shop.example\r\n".to_owned();
    (1..count).for_each(|number| write!(text, "X-{number}: a\r\n").unwrap());
    text + "\r\n"
}

#[tokio::test]
async fn heads_that_are_too_large() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::to(&[echo.addr]).await;
    let get =
        |target: usize| format!("GET /{} HTTP/1.1\r\nHost: shop.example\r\n\r\n", "a".repeat(target - 1));
    let field =
        |bytes: usize| format!("GET / HTTP/1.1\r\nHost: shop.example\r\nX: {}\r\n\r\n", "a".repeat(bytes));
    let table = [
        (fields(100), 200),
        (fields(101), 431),
        (get(8192), 200),
        (get(8193), 414),
        (format!("GET /?{} HTTP/1.1\r\nHost: shop.example\r\n\r\n", "q".repeat(8191)), 414),
        (field(30 * 1024), 200),
        (field(33 * 1024), 431),
    ];
    for (request, want) in table {
        let mut client = gateway.client().await;
        client.send(&request).await;
        assert_eq!(client.response().await.status(), want, "{} bytes", request.len());
        if want != 200 {
            assert!(client.rest().await.is_empty(), "nobody knows what follows");
        }
    }
    let mut client = http2_client(gateway.addr).await;
    for (len, want) in [(8192, 200), (8193, 414)] {
        let request = Request::get(format!("http://{HOST}/{}", "a".repeat(len - 1))).body(empty()).unwrap();
        assert_eq!(within("an answer", client.send_request(request)).await.unwrap().status(), want);
    }
}

#[tokio::test]
async fn the_limit_of_the_target_can_be_set() {
    let echo = Echo::start("a").await;
    let layer = IngressLayer::new(table(&[echo.addr])).max_target_len(3);
    let gateway = Gateway::start(Server::new(), layer.into_service()).await;
    assert_eq!(gateway.status("GET /ab HTTP/1.1\r\nHost: shop.example\r\n\r\n").await, 200);
    assert_eq!(gateway.status("GET /abc HTTP/1.1\r\nHost: shop.example\r\n\r\n").await, 414);
}

#[tokio::test]
async fn more_connections_than_there_is_room_for() {
    let all = Server::new().max_connections(2);
    let of_each = Server::new().max_connections_per_client(2);
    for server in [all, of_each] {
        let echo = Echo::start("a").await;
        let gateway = Gateway::start(server.clone(), IngressService::new(table(&[echo.addr]))).await;
        let mut open = Vec::new();
        for _ in 0..2 {
            let mut client = gateway.client().await;
            client.send(GET).await;
            assert_eq!(client.response().await.status(), 200);
            open.push(client);
        }
        for _ in 0..3 {
            let mut client = gateway.client().await;
            let refused = client.message().await;
            assert_eq!((refused.status(), refused.field("retry-after").as_deref()), (503, Some("1")));
            client.closed().await;
        }
        assert_eq!((server.stats().open, server.stats().refused), (2, 3));
        // Those that are open are not concerned, and their places become free.
        open[0].send(GET).await;
        assert_eq!(open[0].response().await.status(), 200);
        open[1].send("GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n").await;
        assert_eq!(open[1].response().await.status(), 200);
        open[1].closed().await;
        let until_free = async {
            while gateway.status(GET).await != 200 {
                tokio::task::yield_now().await;
            }
        };
        within("a place", until_free).await;
    }
}

#[tokio::test]
async fn a_client_that_stops_sending_is_told_so() {
    let client = HttpClient::builder().head_timeout(SOON).build();
    let upstream = Upstream::bind().await;
    let gateway = Gateway::with_client(&[upstream.addr], client).await;
    let mut client = gateway.client().await;
    client.send("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 10\r\n\r\nhalf").await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    assert_eq!(client.response().await.status(), 408);
    assert!(client.rest().await.is_empty());
    assert_eq!(endpoint.rest().await, b"half", "the request is left incomplete");
}

#[tokio::test]
async fn an_endpoint_that_says_no_more_is_not_waited_for_without_end() {
    let upstream = Upstream::bind().await;
    let client = HttpClient::builder().body_timeout(SOON).build();
    let gateway = Gateway::with_client(&[upstream.addr], client).await;
    let mut client = gateway.client().await;
    client.send(GET).await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
    assert!(client.try_message().await.is_none(), "the rest is missing, and that is seen");
    endpoint.closed().await;

    // The client that does not ask for more is another matter.
    let client = HttpClient::builder().body_timeout(None).build();
    let gateway = Gateway::with_client(&[upstream.addr], client).await;
    let mut client = gateway.client().await;
    client.send(GET).await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf").await;
    client.head().await;
    client.silent_for(2 * SOON).await;
    endpoint.send("half").await;
    assert_eq!(client.bytes(8).await, b"halfhalf");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let upstream = Upstream::bind().await;
    let server = Server::new().write_timeout(SOON);
    let gateway = Gateway::start(server, IngressService::new(table(&[upstream.addr]))).await;
    let mut client = Peer::connect_small(gateway.addr).await;
    client.send(GET).await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").await;
    let endless = async {
        while endpoint.stream.try_write(&[0; 65536]).is_ok()
            || endpoint.stream.writable().await.is_ok() && !ended(&endpoint).await
        {}
    };
    within("the end at the endpoint", endless).await;
    let rest = client.rest().await;
    assert!(rest.len() < 1_000_000_000, "{}", rest.len());
}

/// Whether the other side has closed.
async fn ended(peer: &Peer) -> bool {
    peer.stream.peer_addr().is_err()
        || matches!(peer.stream.try_write(&[0]), Err(error) if error.kind() != std::io::ErrorKind::WouldBlock)
}

#[tokio::test]
async fn an_old_connection_ends_after_an_answer() {
    let echo = Echo::start("a").await;
    let server = Server::new().max_connection_age(SOON);
    let gateway = Gateway::start(server, IngressService::new(table(&[echo.addr]))).await;
    let mut client = gateway.client().await;
    client.send(GET).await;
    let young = client.response().await;
    assert_eq!((young.status(), young.field("connection")), (200, None));
    client.silent_for(2 * SOON).await;
    client.send(GET).await;
    let old = client.response().await;
    assert_eq!((old.status(), old.field("connection").as_deref()), (200, Some("close")));
    client.closed().await;

    let mut client = http2_client(gateway.addr).await;
    let request = || Request::get(format!("http://{HOST}/")).body(empty()).unwrap();
    assert_eq!(within("an answer", client.send_request(request())).await.unwrap().status(), 200);
    let told_to_go = async {
        while client.ready().await.is_ok() && !client.is_closed() {
            tokio::task::yield_now().await
        }
    };
    within("GOAWAY", told_to_go).await;
}

/// Each of them holds what it holds, and nobody waits for it.
#[tokio::test]
async fn two_hundred_slow_clients_do_not_slow_a_fast_one() {
    let echo = Echo::start("a").await;
    let large = Upstream::bind().await;
    let reader = {
        let rule = |path, backend: &str| {
            let path = ingress_core::PathMatch::prefix(path).unwrap();
            ingress_core::Rule::new(HOST.parse().unwrap(), path, backend.parse().unwrap())
        };
        let mut rules = ingress_core::RouteTable::builder();
        rules.rule(rule("/", "default/shop:80")).rule(rule("/large", "default/large:80"));
        let endpoint = |addr| [ingress_core::Endpoint::new(addr)];
        rules.endpoints("default/shop:80".parse().unwrap(), endpoint(echo.addr));
        rules.endpoints("default/large:80".parse().unwrap(), endpoint(large.addr));
        ingress_core::table(rules.build().0).0
    };
    let server = Server::new().max_connections_per_client(300);
    let gateway = Gateway::start(server, IngressService::new(reader)).await;
    let mut slow = Vec::new();
    for number in 0..200 {
        let mut client = gateway.client().await;
        match number % 4 {
            0 => client.send("GET / HTTP/1.1\r\nHost: shop.ex").await,
            1 => {
                let head = "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 100000\r\n\r\n";
                client.send(head.to_owned() + &"x".repeat(number)).await;
            }
            2 => client.send("PRI * HTTP/2.0\r\n").await,
            _ => {
                client.send("GET /large HTTP/1.1\r\nHost: shop.example\r\n\r\n").await;
                let mut endpoint = large.accept().await;
                endpoint.head().await;
                endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n").await;
                // Whatever the client's side takes while it does not read.
                let chunk = vec![0; 65536];
                tokio::spawn(async move { while endpoint.try_send(&chunk).await {} });
            }
        }
        slow.push(client);
    }
    let mut fast = gateway.client().await;
    for _ in 0..500 {
        fast.send(GET).await;
        assert_eq!(fast.message().await.status(), 200);
    }
    assert_eq!(slow.len(), 200);
}
