//! Bodies of any size in both directions, as they come and no faster than they are read.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use support::*;
use tokio::io::AsyncReadExt;
use tokio::sync::{Mutex, mpsc};

const MIB: usize = 1024 * 1024;

/// Serialises the tests that look at the memory of the process.
static MEMORY: Mutex<()> = Mutex::const_new(());

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

async fn swallow(stream: &mut (impl AsyncReadExt + Unpin), mut len: usize) {
    let mut buffer = vec![0; 64 * 1024];
    while len > 0 {
        let read = within("bytes", stream.read(&mut buffer)).await.unwrap();
        assert!(read > 0, "{len} bytes missing");
        len = len.saturating_sub(read);
    }
}

async fn pour(peer: &mut Peer, len: usize) {
    let block = vec![b'a'; 64 * 1024];
    for _ in 0..len / block.len() {
        peer.send(&block).await;
    }
}

#[tokio::test]
async fn large_bodies_need_little_memory() {
    let _alone = MEMORY.lock().await;
    let len = 128 * MIB;
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let before = resident();
    let mut client = gateway.client().await;
    client.send(format!("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: {len}\r\n\r\n")).await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    tokio::join!(pour(&mut client, len), swallow(&mut endpoint.stream, len));
    endpoint.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n")).await;
    client.head().await;
    tokio::join!(pour(&mut endpoint, len), swallow(&mut client.stream, len));
    let grown = resident().saturating_sub(before);
    assert!(grown < 48 * MIB, "grew by {grown} bytes");
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_endpoint() {
    let _alone = MEMORY.lock().await;
    for http2 in [false, true] {
        let upstream = Upstream::bind().await;
        let gateway = Gateway::to(&[upstream.addr]).await;
        let mut one = Peer::connect_small(gateway.addr).await;
        let mut two = http2_client(gateway.addr).await;
        let mut held = None;
        let endpoint;
        if http2 {
            let answer = two.send_request(Request::get(format!("http://{HOST}/")).body(empty()).unwrap());
            let answer = tokio::spawn(answer);
            let mut peer = upstream.accept().await;
            peer.head().await;
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").await;
            held = Some(within("a head", answer).await.unwrap().unwrap());
            endpoint = peer;
        } else {
            one.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n").await;
            let mut peer = upstream.accept().await;
            peer.head().await;
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").await;
            endpoint = peer;
        }
        let accepted = accepted(endpoint).await;
        assert!(accepted < MUCH, "http2 {http2}: the gateway took {accepted} bytes");
        drop(held);
    }
}

#[tokio::test]
async fn an_endpoint_that_does_not_read_stops_the_client() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let mut client = gateway.client().await;
    client.send("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 1000000000\r\n\r\n").await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    let accepted = accepted(client).await;
    assert!(accepted < MUCH, "the gateway took {accepted} bytes");
}

/// More than the system's buffers of two connections hold, and far less than the whole body.
const MUCH: usize = 128 * MIB;

/// How much a peer can write before nothing is taken for a while.
async fn accepted(mut peer: Peer) -> usize {
    use tokio::io::AsyncWriteExt;
    let block = vec![b'a'; 64 * 1024];
    let mut total = 0;
    while let Ok(written) = tokio::time::timeout(Duration::from_millis(300), peer.stream.write(&block)).await
    {
        total += written.unwrap();
        assert!(total < 500 * MIB);
    }
    total
}

#[tokio::test]
async fn every_piece_passes_when_it_comes() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let mut client = gateway.client().await;
    client.send("POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let mut endpoint = upstream.accept().await;
    let head = Message { head: endpoint.head().await, body: vec![], trailers: String::new() };
    assert_eq!(head.field("transfer-encoding").as_deref(), Some("chunked"));
    for _ in 0..3 {
        client.send("3;ext=1\r\nabc\r\n").await;
        assert_eq!(endpoint.bytes(8).await, b"3\r\nabc\r\n");
    }
    // The answer may begin, and pass, before the request is whole.
    endpoint.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    assert!(client.head().await.contains("transfer-encoding: chunked\r\n"));
    for _ in 0..3 {
        endpoint.send("2\r\nde\r\n").await;
        assert_eq!(client.bytes(7).await, b"2\r\nde\r\n");
        client.send("3\r\nabc\r\n").await;
        assert_eq!(endpoint.bytes(8).await, b"3\r\nabc\r\n");
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(endpoint.bytes(5).await, b"0\r\n\r\n");
    endpoint.send("0\r\n\r\n").await;
    assert_eq!(client.bytes(5).await, b"0\r\n\r\n");
}

/// Defends against hyper's client, which sends no body of unknown length with GET.
#[tokio::test]
async fn a_body_of_unknown_length_passes_with_every_method() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::to(&[echo.addr]).await;
    let (mut one, mut two) = (gateway.client().await, http2_client(gateway.addr).await);
    for method in ["GET", "DELETE", "POST", "OPTIONS", "PROPFIND"] {
        one.send(format!("{method} / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n"))
            .await;
        one.send("3\r\nabc\r\n0\r\n\r\n").await;
        assert_eq!(one.response().await.text(), "abc", "{method}");
        let (send, receive) = mpsc::channel(1);
        send.send(Frame::data(Bytes::from("abc"))).await.unwrap();
        drop(send);
        let request = Request::builder().method(method).uri(format!("http://{HOST}/")).body(stream(receive));
        let answer = within("an answer", two.send_request(request.unwrap())).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "abc", "{method}");
    }
}

fn stream(mut receive: mpsc::Receiver<Frame<Bytes>>) -> TestBody {
    let frames = futures_util::stream::poll_fn(move |cx| receive.poll_recv(cx).map(|frame| frame.map(Ok)));
    BodyExt::boxed(StreamBody::new(frames))
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let mut client = gateway.client().await;
    client
        .send(
            "POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\
             Connection: TE\r\nTrailer: X-Sum, Host\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nHost: evil\r\n\r\n",
        )
        .await;
    let mut endpoint = upstream.accept().await;
    let seen = endpoint.message().await;
    assert_eq!((seen.text(), seen.trailers.as_str()), ("abc", "x-sum: 1\r\n"));
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Grpc-Status\r\n\r\n2\r\nok\r\n\
                  0\r\nGrpc-Status: 0\r\nContent-Length: 5\r\nConnection: x\r\n\r\n";
    endpoint.send(answer).await;
    let seen = client.response().await;
    assert_eq!((seen.text(), seen.trailers.as_str()), ("ok", "grpc-status: 0\r\n"));

    let mut client = http2_client(gateway.addr).await;
    let request = Request::get(format!("http://{HOST}/")).body(empty()).unwrap();
    let response = tokio::spawn(client.send_request(request));
    endpoint.head().await;
    endpoint.send(answer).await;
    let response = within("a head", response).await.unwrap().unwrap();
    let whole = within("the end", response.into_body().collect()).await.unwrap();
    let trailers = whole.trailers().unwrap();
    assert_eq!((trailers.len(), &trailers["grpc-status"]), (1, &"0".parse().unwrap()));
}

/// Trailers that HTTP/1.1 cannot carry, since nobody announced or asked for them, are dropped, and the message
/// is whole without them.
#[tokio::test]
async fn trailers_that_cannot_pass_do_not_keep_a_message_open() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let mut two = http2_client(gateway.addr).await;
    let (send, receive) = mpsc::channel(2);
    send.send(Frame::data(Bytes::from("abc"))).await.unwrap();
    send.send(Frame::trailers(http::HeaderMap::from_iter([(
        "x-sum".parse().unwrap(),
        "1".parse().unwrap(),
    )])))
    .await
    .unwrap();
    drop(send);
    let request = Request::post(format!("http://{HOST}/")).body(stream(receive)).unwrap();
    let answer = tokio::spawn(two.send_request(request));
    let mut endpoint = upstream.accept().await;
    let seen = endpoint.message().await;
    assert_eq!((seen.text(), seen.trailers.as_str()), ("abc", ""));
    endpoint.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    within("the answer", answer).await.unwrap().unwrap();

    let mut one = gateway.client().await;
    for _ in 0..2 {
        one.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n").await;
        endpoint.head().await;
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n";
        endpoint.send(format!("{head}2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n")).await;
        let seen = one.response().await;
        assert_eq!((seen.text(), seen.trailers.as_str()), ("ok", ""));
    }
}

#[tokio::test]
async fn continue_is_said_once_somebody_will_read() {
    const HEAD: &str =
        "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[refusing(), upstream.addr]).await;
    for _ in 0..2 {
        let mut client = gateway.client().await;
        client.send(HEAD).await;
        let mut endpoint = upstream.accept().await;
        assert!(!endpoint.head().await.contains("expect"));
        assert_eq!(client.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
        client.send("abc").await;
        assert_eq!(endpoint.bytes(3).await, b"abc");
        endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        assert_eq!(client.message().await.status(), 200);
    }
    for (endpoints, status) in [(&[][..], 503), (&[refusing()][..], 502)] {
        let gateway = Gateway::to(endpoints).await;
        let mut client = gateway.client().await;
        client.send(HEAD).await;
        assert_eq!(client.message().await.status(), status);
    }
}

#[tokio::test]
async fn an_early_answer_to_a_large_upload_passes() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let mut client = gateway.client().await;
    client.send("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 100000000\r\n\r\nabc").await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    endpoint.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig").await;
    drop(endpoint);
    let answer = client.response().await;
    assert_eq!((answer.status(), answer.text()), (413, "big"));
    client.closed().await;
}
