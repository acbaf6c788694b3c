//! Endpoints and clients that break off, answer nonsense, or go away.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use ingress_tower::HttpClient;
use support::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test]
async fn a_refused_connection_costs_nothing_but_the_next_endpoint() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::to(&[refusing(), refusing(), echo.addr]).await;
    let mut client = gateway.client().await;
    for method in ["GET", "POST", "PATCH", "DELETE"] {
        for _ in 0..3 {
            let head =
                format!("{method} / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n");
            client.send(head).await;
            client.send("3\r\nabc\r\n").await;
            client.send("3\r\ndef\r\n0\r\n\r\n").await;
            let answer = client.response().await;
            assert_eq!((answer.status(), answer.text()), (200, "abcdef"), "{method}");
        }
    }
}

#[tokio::test]
async fn nobody_to_connect_to_is_502() {
    let gateway = Gateway::to(&[refusing(), refusing()]).await;
    assert_eq!(gateway.status(GET).await, 502);
}

#[tokio::test]
async fn an_answer_that_is_none_is_502() {
    let endless: &[u8] =
        Box::leak([b"HTTP/1.1 200 OK\r\nX: ", &[b'a'; 2_000_000][..]].concat().into_boxed_slice());
    let table: [&'static [u8]; 17] = [
        b"",
        b"HTTP/1.1 200",
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nbytes",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        // The coding below the chunks would be lost.
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
        endless,
    ];
    for answer in table {
        let gateway = Gateway::to(&[Upstream::bind().await.always(answer)]).await;
        let shown = String::from_utf8_lossy(&answer[..answer.len().min(80)]);
        assert_eq!(gateway.status(GET).await, 502, "{shown:?}");
    }
}

#[tokio::test]
async fn framing_is_made_anew() {
    let table: [(&'static [u8], &str); 5] = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "chunked"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n2\r\nok\r\n0\r\n\r\n", "chunked"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", "2"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok and more", "2"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "2"),
    ];
    for (answer, framing) in table {
        let gateway = Gateway::to(&[Upstream::bind().await.always(answer)]).await;
        let mut client = gateway.client().await;
        for _ in 0..2 {
            client.send(GET).await;
            let answer = client.response().await;
            assert_eq!((answer.status(), answer.text()), (200, "ok"), "{}", answer.head);
            let found = [answer.field("transfer-encoding"), answer.field("content-length")];
            assert_eq!(found.iter().flatten().collect::<Vec<_>>(), [framing], "{}", answer.head);
        }
    }
}

#[tokio::test]
async fn a_reset_before_the_head_is_502() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let mut client = gateway.client().await;
    client.send(POST).await;
    client.send("3\r\nabc\r\n").await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    endpoint.reset();
    assert_eq!(client.response().await.status(), 502);
}

#[tokio::test]
async fn a_body_that_breaks_off_never_looks_whole() {
    let heads = ["Content-Length: 100\r\n\r\npart", "Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n"];
    for head in heads {
        for reset in [false, true] {
            let upstream = Upstream::bind().await;
            let gateway = Gateway::to(&[upstream.addr]).await;
            let (mut one, mut two) = (gateway.client().await, http2_client(gateway.addr).await);
            let request = Request::get(format!("http://{HOST}/")).body(empty()).unwrap();
            let two = tokio::spawn(two.send_request(request));
            one.send(GET).await;
            let mut endpoints = [upstream.accept().await, upstream.accept().await];
            for endpoint in &mut endpoints {
                endpoint.head().await;
                endpoint.send(format!("HTTP/1.1 200 OK\r\n{head}")).await;
            }
            let mut two = within("a head", two).await.unwrap().unwrap().into_body();
            let first = within("a frame", two.frame()).await.unwrap().unwrap();
            assert_eq!(first.into_data().unwrap(), "part");
            for endpoint in endpoints {
                if reset { endpoint.reset() } else { drop(endpoint) }
            }
            assert!(one.try_message().await.is_none(), "{head} reset {reset}");
            assert!(within("the end", two.collect()).await.is_err(), "{head} reset {reset}");
        }
    }
}

#[tokio::test]
async fn a_pooled_connection_that_the_endpoint_closed_is_not_used() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let mut client = gateway.client().await;
    for _ in 0..50 {
        client.send(POST).await;
        client.send("3\r\nabc\r\n0\r\n\r\n").await;
        let mut endpoint = upstream.accept().await;
        assert_eq!(endpoint.message().await.text(), "abc");
        endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        assert_eq!(client.response().await.text(), "ok");
        drop(endpoint);
    }
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_exchange() {
    let answers = ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart"];
    for request in [GET.to_owned(), format!("{POST}3\r\nabc\r\n0\r\n\r\n")] {
        for answer in answers {
            let upstream = Upstream::bind().await;
            let gateway = Gateway::to(&[upstream.addr]).await;
            let mut client = gateway.client().await;
            client.send(&request).await;
            let mut endpoint = upstream.accept().await;
            endpoint.head().await;
            endpoint.send(answer).await;
            if !answer.is_empty() {
                client.head().await;
            }
            drop(client);
            endpoint.rest().await;
        }
    }
}

#[tokio::test]
async fn an_http2_stream_that_is_reset_ends_the_exchange_and_no_other() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let mut client = http2_client(gateway.addr).await;
    let request = || Request::get(format!("http://{HOST}/")).body(empty()).unwrap();
    let gone = tokio::spawn(client.send_request(request()));
    let mut first = upstream.accept().await;
    first.head().await;
    gone.abort();
    first.rest().await;
    let stays = tokio::spawn(client.send_request(request()));
    let mut second = upstream.accept().await;
    second.head().await;
    second.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(within("the answer", stays).await.unwrap().unwrap().status(), 204);
}

#[tokio::test]
async fn a_malformed_chunk_is_the_clients_fault() {
    for chunk in ["zz\r\n", "-3\r\nabc\r\n", "0x3\r\nabc\r\n", "3\r\nabcd\r\n", "ffffffffffffffffff\r\n"] {
        let upstream = Upstream::bind().await;
        let gateway = Gateway::to(&[upstream.addr]).await;
        let mut client = gateway.client().await;
        client.send(POST).await;
        client.send("3\r\nabc\r\n").await;
        let mut endpoint = upstream.accept().await;
        endpoint.head().await;
        assert_eq!(endpoint.bytes(8).await, b"3\r\nabc\r\n");
        client.send(chunk).await;
        let rest = endpoint.rest().await;
        assert!(!rest.ends_with(b"0\r\n\r\n"), "{chunk:?}");
        assert_eq!(client.response().await.status(), 400, "{chunk:?}");
        client.closed().await;
    }
}

#[tokio::test]
async fn an_endpoint_that_is_silent_is_504_and_let_go() {
    let upstream = Upstream::bind().await;
    let client = HttpClient::builder().head_timeout(Duration::from_millis(100)).build();
    let gateway = Gateway::with_client(&[upstream.addr], client).await;
    for request in [GET.to_owned(), format!("{POST}3\r\nabc\r\n0\r\n\r\n")] {
        let mut client = gateway.client().await;
        client.send(request).await;
        let mut endpoint = upstream.accept().await;
        endpoint.head().await;
        assert_eq!(client.response().await.status(), 504);
        endpoint.rest().await;
    }
}

/// Defends against counting the time of an upload as the endpoint's.
#[tokio::test]
async fn an_upload_may_take_longer_than_the_head() {
    let upstream = Upstream::bind().await;
    let client = HttpClient::builder().head_timeout(Duration::from_millis(200)).build();
    let gateway = Gateway::with_client(&[upstream.addr], client).await;
    let mut client = gateway.client().await;
    client.send(POST).await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    for _ in 0..8 {
        client.send("3\r\nabc\r\n").await;
        assert_eq!(endpoint.bytes(8).await, b"3\r\nabc\r\n");
        client.silent_for(Duration::from_millis(75)).await;
    }
    client.send("0\r\n\r\n").await;
    endpoint.bytes(5).await;
    endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    assert_eq!(client.response().await.status(), 200);
}
