//! Deadlines, limits and the graceful end of the accept loop.
#![allow(clippy::unwrap_used)]

mod support;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use ingress_tower::server::Server;
use support::*;
use tokio::sync::Notify;

const GET: &str = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";

/// Short where a client is slow, long where it is idle.
fn short_heads() -> Server {
    Server::new().header_timeout(Duration::from_millis(150)).idle_timeout(Duration::from_secs(60))
}

/// Answers `/` at once, `/slow` when `go` says so, and panics for `/panic`.
async fn start(server: Server, go: Arc<Notify>) -> Gateway {
    let service = tower::service_fn(move |request: Request<Incoming>| {
        let go = go.clone();
        async move {
            match request.uri().path() {
                "/slow" => go.notified().await,
                "/panic" => panic!("asked to"),
                _ => {}
            }
            Ok::<_, Infallible>(Response::new(full("done")))
        }
    });
    Gateway::start(server, service).await
}

async fn quick(server: Server) -> Gateway {
    start(server, Arc::default()).await
}

#[tokio::test]
async fn a_client_that_says_nothing_is_sent_away() {
    let gateway = quick(short_heads()).await;
    gateway.client().await.closed().await;
}

#[tokio::test]
async fn a_slow_head_is_cut_though_the_idle_time_is_long() {
    let gateway = quick(short_heads()).await;
    for beginning in ["G", "GET / HTTP/1.1\r\nHost: shop.ex", "PRI * HTTP/2.0\r\n"] {
        let mut client = gateway.client().await;
        client.send(beginning).await;
        client.closed().await;
    }
    // The second request of a connection has the same deadline.
    let mut client = gateway.client().await;
    client.send(GET).await;
    client.response().await;
    client.send("GET / HT").await;
    client.closed().await;
}

#[tokio::test]
async fn bytes_that_trickle_do_not_lengthen_the_deadline() {
    let gateway = quick(short_heads()).await;
    let mut client = gateway.client().await;
    let began = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    client.send("GET / HTTP/1.1\r\nX-A: ").await;
    while tokio::io::AsyncWriteExt::write_all(&mut client.stream, b"a").await.is_ok() {
        tick.tick().await;
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn an_idle_connection_outlives_the_head_deadline_but_not_its_own() {
    let server =
        Server::new().header_timeout(Duration::from_millis(100)).idle_timeout(Duration::from_secs(1));
    let gateway = quick(server).await;
    let mut client = gateway.client().await;
    client.send(GET).await;
    client.response().await;
    client.silent_for(Duration::from_millis(300)).await;
    client.send(GET).await;
    assert_eq!(client.response().await.status(), 200);
    let began = Instant::now();
    client.closed().await;
    assert!(began.elapsed() > Duration::from_millis(700), "{:?}", began.elapsed());
}

/// Defends against peers that say HTTP/2, answer pings, and never ask for anything.
#[tokio::test]
async fn http2_without_a_request_is_cut_after_the_idle_time_and_with_one_it_stays() {
    let gateway = quick(Server::new().idle_timeout(Duration::from_millis(400))).await;
    let mut silent = gateway.client().await;
    silent.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let mut user = http2_client(gateway.addr).await;
    let get = || Request::get(format!("http://{HOST}/")).body(empty()).unwrap();
    within("an answer", user.send_request(get())).await.unwrap();
    silent.rest().await;
    within("an answer", user.send_request(get())).await.unwrap();
}

#[tokio::test]
async fn a_head_beyond_the_limit_is_431() {
    let gateway = quick(Server::new().max_head_size(4096)).await;
    let big = format!("GET / HTTP/1.1\r\nHost: shop.example\r\nX-Big: {}\r\n\r\n", "a".repeat(5000));
    assert_eq!(gateway.status(&big).await, 431);
    let many = format!("GET / HTTP/1.1\r\nHost: shop.example\r\n{}\r\n", "a: b\r\n".repeat(200));
    assert_eq!(gateway.status(&many).await, 431);
    assert_eq!(gateway.status(GET).await, 200);
}

/// Sends a request for each answer until nobody listens any more; a connection is used as long as it stays
/// open. Returns how many requests were answered and how many were not.
async fn busy(addr: std::net::SocketAddr, pause: bool) -> (usize, usize) {
    let (mut answered, mut lost) = (0, 0);
    while let Ok(stream) = tokio::net::TcpStream::connect(addr).await {
        let mut client = Peer::new(stream);
        loop {
            if tokio::io::AsyncWriteExt::write_all(&mut client.stream, GET.as_bytes()).await.is_err() {
                lost += 1;
                break;
            }
            let Some(answer) = client.try_message().await else {
                lost += 1;
                break;
            };
            answered += 1;
            if answer.field("connection").as_deref() == Some("close") {
                break;
            }
            if pause {
                tokio::task::yield_now().await;
            }
        }
    }
    (answered, lost)
}

/// Defends against connections that close in the instant in which the next request is written.
#[tokio::test]
async fn the_end_loses_no_request_of_busy_clients() {
    for round in 0..5 {
        let gateway = quick(Server::new().linger(Duration::from_millis(200))).await;
        let clients: Vec<_> =
            (0..12).map(|number| tokio::spawn(busy(gateway.addr, (number + round) % 2 == 0))).collect();
        for _ in 0..20 {
            assert_eq!(gateway.status(GET).await, 200);
        }
        let told = Instant::now();
        gateway.stop.send(()).unwrap();
        assert_eq!(within("the end", gateway.done).await.unwrap().cut, 0);
        assert!(told.elapsed() >= Duration::from_millis(200), "{:?}", told.elapsed());
        for client in clients {
            let (answered, lost) = within("a client", client).await.unwrap();
            assert_eq!(lost, 0, "round {round}, after {answered} answers");
        }
    }
}

#[tokio::test]
async fn while_it_lingers_the_server_answers_and_closes() {
    let gateway = quick(Server::new().linger(Duration::from_millis(500))).await;
    let (mut before, mut two) = (gateway.client().await, http2_client(gateway.addr).await);
    before.send(GET).await;
    assert_eq!(before.response().await.field("connection"), None);
    let Gateway { addr, stop, done } = gateway;
    stop.send(()).unwrap();
    before.send(GET).await;
    assert_eq!(before.response().await.field("connection").as_deref(), Some("close"));
    before.closed().await;
    let mut after = Peer::connect(addr).await;
    after.send(GET).await;
    assert_eq!(after.response().await.field("connection").as_deref(), Some("close"));
    after.closed().await;
    let request = Request::get(format!("http://{HOST}/")).body(empty()).unwrap();
    let answer = within("an answer", two.send_request(request)).await.unwrap();
    assert!(!answer.headers().contains_key("connection"));
    assert_eq!(within("the end", done).await.unwrap().cut, 0);
}

#[tokio::test]
async fn the_server_never_lingers_beyond_the_drain_limit() {
    let server = Server::new().linger(Duration::from_secs(60)).drain_limit(Duration::from_millis(200));
    let gateway = quick(server).await;
    let (mut silent, mut idle) = (gateway.client().await, gateway.client().await);
    idle.send(GET).await;
    idle.response().await;
    gateway.stop.send(()).unwrap();
    // Idle connections have time to close, so that none counts as cut.
    assert_eq!(within("the end", gateway.done).await.unwrap().cut, 0);
    idle.closed().await;
    silent.closed().await;
}

#[tokio::test]
async fn requests_in_flight_finish_and_idle_connections_close() {
    let go = Arc::new(Notify::new());
    let gateway = start(Server::new().linger(Duration::ZERO), go.clone()).await;
    let (mut slow, mut idle, mut silent) =
        (gateway.client().await, gateway.client().await, gateway.client().await);
    idle.send(GET).await;
    idle.response().await;
    slow.send("GET /slow HTTP/1.1\r\nHost: shop.example\r\n\r\n").await;
    // Answered after `slow` was accepted, so that `slow` is in flight when the server stops.
    assert_eq!(gateway.status(GET).await, 200);
    let addr = gateway.addr;
    let began = Instant::now();
    gateway.stop.send(()).unwrap();
    idle.closed().await;
    silent.closed().await;
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
    assert!(!gateway.done.is_finished());
    go.notify_one();
    let answer = slow.response().await;
    assert_eq!((answer.status(), answer.text()), (200, "done"));
    assert_eq!(answer.field("connection").as_deref(), Some("close"));
    slow.closed().await;
    assert_eq!(within("the end", gateway.done).await.unwrap().cut, 0);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_the_drain_limit_cuts_is_counted_and_nothing_else() {
    let go = Arc::new(Notify::new());
    let gateway = start(Server::new().drain_limit(Duration::from_millis(300)), go.clone()).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = gateway.client().await;
        client.send("GET /slow HTTP/1.1\r\nHost: shop.example\r\n\r\n").await;
        clients.push(client);
    }
    assert_eq!(gateway.status(GET).await, 200);
    gateway.stop.send(()).unwrap();
    go.notify_one();
    let drained = within("the end", gateway.done).await.unwrap();
    assert_eq!(drained.cut, 2);
    let mut answered = 0;
    for client in &mut clients {
        answered += usize::from(client.try_message().await.is_some());
    }
    assert_eq!(answered, 1);
}

#[tokio::test]
async fn http2_is_told_to_go_away_and_its_streams_finish() {
    let go = Arc::new(Notify::new());
    let gateway = start(Server::new().linger(Duration::ZERO), go.clone()).await;
    let mut client = http2_client(gateway.addr).await;
    let get = |path: &str| Request::get(format!("http://{HOST}{path}")).body(empty()).unwrap();
    let slow = tokio::spawn(client.send_request(get("/slow")));
    within("an answer", client.send_request(get("/"))).await.unwrap();
    gateway.stop.send(()).unwrap();
    within("GOAWAY", async {
        while client.ready().await.is_ok() {
            if client.send_request(get("/")).await.is_err() {
                break;
            }
        }
    })
    .await;
    go.notify_one();
    let answer = within("the answer", slow).await.unwrap().unwrap();
    assert_eq!(within("the body", answer.into_body().collect()).await.unwrap().to_bytes(), "done");
    assert_eq!(within("the end", gateway.done).await.unwrap().cut, 0);
}

#[tokio::test]
async fn a_panic_takes_its_own_connection_only() {
    let gateway = quick(Server::new()).await;
    let (mut other, mut victim) = (gateway.client().await, gateway.client().await);
    other.send(GET).await;
    other.response().await;
    victim.send("GET /panic HTTP/1.1\r\nHost: shop.example\r\n\r\n").await;
    victim.closed().await;
    other.send(GET).await;
    assert_eq!(other.response().await.status(), 200);
    assert_eq!(gateway.status(GET).await, 200);
}
