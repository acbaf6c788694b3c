//! Connections that leave HTTP (RFC 9110 section 7.8).
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::Request;
use ingress_tower::IngressService;
use ingress_tower::server::Server;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message as WsMessage;

const ASK: &str = "GET /chat HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade, X-Secret\r\nUpgrade: websocket\r\nX-Secret: 1\r\n\r\n";
const AGREE: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nX-Kept: 1\r\n\r\n";

/// A tunnel: the client's side and the endpoint's.
async fn tunnel(gateway: &Gateway, upstream: &Upstream) -> (Peer, Peer) {
    let mut client = gateway.client().await;
    client.send(ASK).await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    endpoint.send(AGREE).await;
    assert!(client.head().await.starts_with("HTTP/1.1 101 "));
    (client, endpoint)
}

#[tokio::test]
async fn bytes_pass_both_ways_until_both_sides_have_ended() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let mut client = gateway.client().await;
    // What a client sends too early waits for the endpoint's consent.
    client.send([ASK, "early"].concat()).await;
    let mut endpoint = upstream.accept().await;
    let asked = endpoint.message().await;
    assert_eq!(asked.field("connection").as_deref(), Some("upgrade"));
    assert_eq!(asked.field("upgrade").as_deref(), Some("websocket"));
    assert_eq!(asked.field("x-secret"), None, "the client took it away");
    endpoint.silent_for(Duration::from_millis(100)).await;

    endpoint.send([AGREE, "hello"].concat()).await;
    let agreed = client.message().await;
    assert_eq!((agreed.status(), agreed.field("upgrade").as_deref()), (101, Some("WebSocket")));
    assert_eq!(agreed.field("connection").as_deref(), Some("upgrade"));
    assert_eq!(agreed.field("x-kept").as_deref(), Some("1"));
    assert_eq!(client.bytes(5).await, b"hello");
    assert_eq!(endpoint.bytes(5).await, b"early");

    endpoint.stream.shutdown().await.unwrap();
    client.closed().await;
    client.send("still here").await;
    assert_eq!(endpoint.bytes(10).await, b"still here");
    client.stream.shutdown().await.unwrap();
    endpoint.closed().await;
}

/// CVE-2026-2833 of Pingora: bytes after the request were taken for the new protocol before anybody had agreed.
#[tokio::test]
async fn without_101_it_is_http_as_ever() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let mut client = gateway.client().await;
    client.send([ASK, "GET /second HTTP/1.1\r\nHost: shop.example\r\n\r\n"].concat()).await;
    let mut endpoint = upstream.accept().await;
    assert!(endpoint.head().await.starts_with("GET /chat "));
    endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain").await;
    assert_eq!(client.response().await.text(), "plain");
    // The next request is one of its own, on another connection: this one has been asked to leave HTTP.
    let mut other = upstream.accept().await;
    let second = other.message().await;
    assert!(second.head.starts_with("GET /second "));
    assert_eq!(second.field("upgrade"), None);
    endpoint.closed().await;
    other.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo").await;
    assert_eq!(client.response().await.text(), "two");
}

#[tokio::test]
async fn what_is_not_asked_for_on() {
    let head = "GET / HTTP/1.1\r\nHost: shop.example\r\n";
    let table = [
        ("not named by Connection", "Upgrade: websocket\r\n\r\n"),
        ("no protocol", "Connection: upgrade\r\n\r\n"),
        ("HTTP/2 is no matter of the endpoint's", "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n"),
        ("one of several", "Connection: upgrade\r\nUpgrade: websocket, h2c\r\n\r\n"),
        ("several fields", "Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: foo\r\n\r\n"),
        ("a body stays a body", "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nab"),
    ];
    for (what, rest) in table {
        let upstream = Upstream::bind().await;
        let gateway = Gateway::to(&[upstream.addr]).await;
        let mut client = gateway.client().await;
        client.send([head, rest].concat()).await;
        let mut endpoint = upstream.accept().await;
        let message = endpoint.message().await;
        assert_eq!((message.field("upgrade"), message.field("connection")), (None, None), "{what}");
        assert_eq!(message.text(), if rest.ends_with("ab") { "ab" } else { "" }, "{what}");
        endpoint.send(AGREE).await;
        assert_eq!(client.response().await.status(), 502, "{what}: nobody asked");
    }
}

#[tokio::test]
async fn another_protocol_than_one_that_was_asked_for_is_502() {
    for fields in ["Upgrade: other\r\n", "", "Upgrade: websocket\r\nUpgrade: websocket\r\n"] {
        let upstream = Upstream::bind().await;
        let gateway = Gateway::to(&[upstream.addr]).await;
        let mut client = gateway.client().await;
        client.send(ASK).await;
        let mut endpoint = upstream.accept().await;
        endpoint.head().await;
        endpoint.send(format!("HTTP/1.1 101 Yes\r\nConnection: upgrade\r\n{fields}\r\nbytes")).await;
        assert_eq!(client.response().await.status(), 502, "{fields:?}");
        endpoint.closed().await;
    }
}

#[tokio::test]
async fn a_server_that_ends_waits_for_tunnels_and_then_cuts_them() {
    let upstream = Upstream::bind().await;
    let server = Server::new().linger(Duration::ZERO).drain_limit(Duration::from_secs(2));
    let gateway = Gateway::start(server, IngressService::new(table(&[upstream.addr]))).await;
    let (mut client, mut endpoint) = tunnel(&gateway, &upstream).await;
    gateway.stop.send(()).unwrap();
    client.send("still").await;
    assert_eq!(endpoint.bytes(5).await, b"still");
    assert_eq!(within("the end", gateway.done).await.unwrap().cut, 1);
    client.closed().await;
    endpoint.closed().await;
}

#[tokio::test]
async fn a_server_that_ends_is_done_when_its_tunnels_are() {
    let upstream = Upstream::bind().await;
    let server = Server::new().linger(Duration::ZERO).drain_limit(Duration::from_secs(60));
    let gateway = Gateway::start(server, IngressService::new(table(&[upstream.addr]))).await;
    let (client, mut endpoint) = tunnel(&gateway, &upstream).await;
    gateway.stop.send(()).unwrap();
    drop(client);
    endpoint.closed().await;
    drop(endpoint);
    assert_eq!(within("the end", gateway.done).await.unwrap().cut, 0);
}

/// A client and a server that others wrote.
#[tokio::test]
async fn websocket_messages_pass() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = Gateway::to(&[listener.local_addr().unwrap()]).await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() || message.is_binary() {
                socket.send(message).await.unwrap();
            }
        }
    });
    let stream = TcpStream::connect(gateway.addr).await.unwrap();
    let url = format!("ws://{HOST}/chat");
    let (mut socket, _) =
        within("the handshake", tokio_tungstenite::client_async(url, stream)).await.unwrap();
    for message in [WsMessage::text("hello"), WsMessage::binary(vec![7; 300_000])] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(within("an echo", socket.next()).await.unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
    assert!(within("the close", socket.next()).await.unwrap().unwrap().is_close());
}

/// Asks for a WebSocket by extended CONNECT (RFC 8441).
async fn ask_http2(gateway: &Gateway) -> hyper::Result<http::Response<hyper::body::Incoming>> {
    let mut client = http2_client(gateway.addr).await;
    // Whether the server offers it is in its first settings.
    client.ready().await?;
    let request = Request::connect("http://shop.example/chat")
        .extension(hyper::ext::Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .body(empty());
    within("an answer", client.send_request(request.unwrap())).await
}

#[tokio::test]
async fn a_stream_of_http2_becomes_a_websocket() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let endpoint = async {
        let mut endpoint = upstream.accept().await;
        let asked = endpoint.message().await;
        assert!(asked.head.starts_with("GET /chat HTTP/1.1\r\n"), "{}", asked.head);
        for (name, value) in [
            ("host", "shop.example"),
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
        ] {
            assert_eq!(asked.field(name).as_deref(), Some(value));
        }
        assert_eq!(asked.field("sec-websocket-key").unwrap().len(), 24);
        endpoint.send(AGREE.replace("X-Kept: 1", "X-Kept: 1\r\nSec-WebSocket-Accept: x")).await;
        endpoint
    };
    let (mut endpoint, answer) = tokio::join!(endpoint, ask_http2(&gateway));
    let answer = answer.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["x-kept"]), (200, &"1".parse().unwrap()));
    for gone in ["upgrade", "connection", "sec-websocket-accept"] {
        assert!(!answer.headers().contains_key(gone), "{gone}");
    }
    let upgraded = within("the stream", hyper::upgrade::on(answer)).await.unwrap();
    let mut stream = hyper_util::rt::TokioIo::new(upgraded);
    stream.write_all(b"hello").await.unwrap();
    assert_eq!(endpoint.bytes(5).await, b"hello");
    endpoint.send("world").await;
    let mut read = [0; 5];
    within("bytes", stream.read_exact(&mut read)).await.unwrap();
    assert_eq!(&read, b"world");
    drop(endpoint);
    assert_eq!(within("the end", stream.read(&mut read)).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn an_answer_in_http_is_no_consent_to_a_websocket() {
    for (said, status) in [("200 OK", 502), ("204 No Content", 502), ("403 Forbidden", 403)] {
        let upstream = Upstream::bind().await;
        let gateway = Gateway::to(&[upstream.addr]).await;
        let endpoint = async {
            let mut endpoint = upstream.accept().await;
            endpoint.head().await;
            endpoint.send(format!("HTTP/1.1 {said}\r\nContent-Length: 0\r\n\r\n")).await;
            endpoint
        };
        let (_endpoint, answer) = tokio::join!(endpoint, ask_http2(&gateway));
        assert_eq!(answer.unwrap().status().as_u16(), status, "{said}");
    }
}
