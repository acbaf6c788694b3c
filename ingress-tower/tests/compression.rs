//! Answers that are compressed, and those that must not be.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "support/scripted.rs"]
#[allow(dead_code, reason = "each test uses what it needs")]
mod scripted;
mod support;

use std::convert::Infallible;
use std::sync::Mutex;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use ingress_core::{Coding, Policy};
use ingress_tower::BoxError;
use scripted::*;
use support::*;
use tokio::sync::mpsc;
use tower::ServiceExt;

const GZIP: [(&str, &str); 1] = [("accept-encoding", "gzip")];

/// A text that is worth it.
fn text() -> String {
    "some text ".repeat(1000)
}

fn compressed(write: impl FnOnce(&mut Policy)) -> Policy {
    policy(|policy| {
        policy.compression.codings = Some(vec![Coding::Brotli, Coding::Gzip]);
        write(policy);
    })
}

/// What the client reads in the end.
async fn plain(answer: Response<Bytes>) -> String {
    let answer = answer.map(Full::new);
    let server =
        tower::service_fn(move |_: Request<()>| std::future::ready(Ok::<_, Infallible>(answer.clone())));
    let answer =
        tower_http::decompression::Decompression::new(server).oneshot(Request::new(())).await.unwrap();
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn what_is_compressed() {
    let html = ("content-type", "text/html; charset=utf-8");
    let long = 10_000;
    for (status, fields, len, coded) in [
        (200, &[html][..], long, true),
        (404, &[html], long, true),
        (500, &[("content-type", "application/problem+json")], long, true),
        (200, &[("content-type", "image/svg+xml")], long, true),
        (200, &[html, ("cache-control", "public, max-age=60")], long, true),
        (200, &[html, ("accept-ranges", "bytes")], long, true),
        (200, &[html], 1024, true),
        (200, &[html], 1023, false),
        (200, &[html], 0, false),
        (200, &[], long, false),
        (200, &[("content-type", "image/png")], long, false),
        (200, &[("content-type", "application/octet-stream")], long, false),
        (200, &[("content-type", "text/event-stream")], long, false),
        (200, &[("content-type", "application/grpc-web+proto")], long, false),
        (200, &[html, ("content-encoding", "deflate")], long, false),
        (200, &[html, ("content-encoding", "identity")], long, false),
        (200, &[html, ("cache-control", "max-age=60, No-Transform")], long, false),
        (200, &[html, ("content-digest", "sha-256=:AA==:")], long, false),
        (206, &[html, ("content-range", "bytes 0-9999/20000")], long, false),
        (206, &[("content-type", "multipart/byteranges; boundary=a")], long, false),
        (204, &[html], 0, false),
    ] {
        let of_server = fields.to_vec();
        let server = Scripted::start(move |_| {
            let mut answer = Response::builder().status(status);
            for (name, value) in &of_server {
                answer = answer.header(*name, *value);
            }
            answer.body(if len == 0 { empty() } else { full(text()[..len].to_owned()) }).unwrap()
        })
        .await;
        for answer in ask_both(&all(server.addr, compressed(|_| {})), Method::GET, "/", &GZIP).await {
            let own =
                fields.iter().find(|(name, _)| *name == "content-encoding").map_or("-", |(_, coding)| coding);
            let want = if coded { ["gzip", "accept-encoding"] } else { [own, "-"] };
            let got = ["content-encoding", "vary"].map(|name| field(&answer, name));
            assert_eq!(
                (answer.status().as_u16(), got),
                (status, want.map(str::to_owned)),
                "{fields:?} {len}"
            );
            if coded {
                assert!(answer.body().len() < len / 4, "{} of {len}", answer.body().len());
                assert_eq!(["content-length", "accept-ranges"].map(|name| field(&answer, name)), ["-", "-"]);
                assert_eq!(plain(answer).await.len(), len);
            } else {
                assert_eq!(answer.body().len(), len);
            }
        }
    }
}

#[tokio::test]
async fn the_client_says_what_it_can_read() {
    let server = Scripted::start(|_| {
        Response::builder()
            .header("content-type", "text/plain")
            .header("vary", "accept")
            .body(full(text()))
            .unwrap()
    })
    .await;
    let only = |coding| move |policy: &mut Policy| policy.compression.codings = Some(vec![coding]);
    let (both, br, gzip) =
        (compressed(|_| {}), compressed(only(Coding::Brotli)), compressed(only(Coding::Gzip)));
    for (policy, accepted, want) in [
        (&both, Some("gzip, br"), "br"),
        (&both, Some("GZIP"), "gzip"),
        (&both, Some("gzip;q=1, br;q=0.5"), "gzip"),
        (&both, Some("br;q=0, *"), "gzip"),
        (&both, Some("*"), "br"),
        (&both, Some("deflate, zstd"), "-"),
        (&both, Some("identity"), "-"),
        (&both, Some("gzip;q=0"), "-"),
        (&both, Some("identity;q=0"), "-"),
        (&both, Some("*;q=0"), "-"),
        (&both, Some(""), "-"),
        (&both, Some("ä"), "-"),
        (&both, None, "-"),
        (&br, Some("gzip, br"), "br"),
        (&br, Some("gzip"), "-"),
        (&gzip, Some("gzip, br"), "gzip"),
    ] {
        let sent: Vec<_> = accepted.into_iter().map(|accepted| ("accept-encoding", accepted)).collect();
        for answer in ask_both(&all(server.addr, policy.clone()), Method::GET, "/", &sent).await {
            assert_eq!(answer.status(), 200, "the endpoint has answered: {accepted:?}");
            let got = ["content-encoding", "vary"].map(|name| field(&answer, name));
            assert_eq!(got, [want, "accept, accept-encoding"], "{accepted:?}");
            assert_eq!(plain(answer).await, text());
        }
    }
    for sent in
        [[GZIP[0], ("cache-control", "no-transform")], [GZIP[0], ("cache-control", "No-Transform,no-store")]]
    {
        for answer in ask_both(&all(server.addr, both.clone()), Method::GET, "/", &sent).await {
            assert_eq!(field(&answer, "content-encoding"), "-");
        }
    }
    for off in [
        policy(|policy| policy.compression.codings = Some(vec![])),
        policy(|policy| policy.compression.min_size = Some(1)),
    ] {
        for answer in ask_both(&all(server.addr, off), Method::GET, "/", &GZIP).await {
            assert_eq!(
                (field(&answer, "content-encoding"), field(&answer, "vary")),
                ("-".into(), "accept".into())
            );
        }
    }
}

#[tokio::test]
async fn sizes_and_types_may_be_others() {
    let server = Scripted::start(|request| {
        let of_type = request.uri().query().unwrap().to_owned();
        Response::builder().header("content-type", of_type).body(full("some text")).unwrap()
    })
    .await;
    let policy = compressed(|policy| {
        policy.compression.min_size = Some(0);
        policy.compression.types = Some("image/*".parse().unwrap());
    });
    for (path, want) in [("/?image/bmp", "gzip"), ("/?text/html", "-")] {
        for answer in ask_both(&all(server.addr, policy.clone()), Method::GET, path, &GZIP).await {
            assert_eq!(field(&answer, "content-encoding"), want, "{path}");
        }
    }
}

#[tokio::test]
async fn what_endpoints_are_told_of_codings_is_another_matter() {
    let server = Scripted::start(|request| {
        let answer = Response::builder().header("content-type", "text/html");
        match request.headers().contains_key("accept-encoding") {
            true => answer.header("content-encoding", "zstd").body(full("own")).unwrap(),
            false => answer.body(full(text())).unwrap(),
        }
    })
    .await;
    let remove =
        |policy: &mut Policy| policy.headers.request.remove = vec!["accept-encoding".parse().unwrap()];
    for (policy, want) in [(compressed(|_| {}), "zstd"), (compressed(remove), "gzip")] {
        for answer in ask_both(&all(server.addr, policy), Method::GET, "/", &GZIP).await {
            assert_eq!(field(&answer, "content-encoding"), want);
        }
    }
}

#[tokio::test]
async fn a_head_says_what_the_answer_to_get_would() {
    let server = Scripted::start(|request| {
        let answer = Response::builder().header("content-type", "text/html").header("etag", "\"1\"");
        match request.uri().path() {
            "/short" => answer.header("content-length", "9").body(empty()).unwrap(),
            _ => answer.header("content-length", "10000").body(empty()).unwrap(),
        }
    })
    .await;
    let service = all(server.addr, compressed(|_| {}));
    for (path, want) in
        [("/", ["gzip", "-", "W/\"1\"", "accept-encoding"]), ("/short", ["-", "9", "\"1\"", "-"])]
    {
        for answer in ask_both(&service, Method::HEAD, path, &GZIP).await {
            let got = ["content-encoding", "content-length", "etag", "vary"].map(|name| field(&answer, name));
            assert_eq!((answer.status().as_u16(), got), (200, want.map(str::to_owned)), "{path}");
            assert!(answer.body().is_empty());
        }
    }
    // Nothing follows the head on the wire either.
    let gateway = Gateway::start(Default::default(), service).await;
    let mut client = gateway.client().await;
    client
        .send(format!(
            "HEAD / HTTP/1.1\r\nHost: {HOST}\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
        ))
        .await;
    let head = client.head().await.to_ascii_lowercase();
    assert!(head.contains("content-encoding: gzip") && !head.contains("content-length"), "{head}");
    client.closed().await;
}

#[tokio::test]
async fn tags_of_compressed_answers_are_weak() {
    let server = Scripted::start(|request| {
        let known = request.headers().get("if-none-match");
        let tag = if request.uri().path() == "/weak" { "W/\"1\"" } else { "\"1\"" };
        let is_known = known.is_some_and(|known| known.to_str().unwrap().contains("\"1\""));
        let answer = Response::builder().header("etag", tag).header("content-type", "text/html");
        match is_known {
            true => answer.status(304).body(empty()).unwrap(),
            false => answer.body(full(text())).unwrap(),
        }
    })
    .await;
    let service = all(server.addr, compressed(|_| {}));
    for (path, sent, want) in [
        ("/", &GZIP[..], (200, "W/\"1\"", "accept-encoding")),
        ("/weak", &GZIP, (200, "W/\"1\"", "accept-encoding")),
        ("/", &[], (200, "\"1\"", "accept-encoding")),
        ("/", &[GZIP[0], ("if-none-match", "W/\"1\"")], (304, "W/\"1\"", "accept-encoding")),
        ("/", &[GZIP[0], ("if-none-match", "W/\"0\", W/\"1\"")], (304, "W/\"1\"", "accept-encoding")),
        ("/", &[GZIP[0], ("if-none-match", "\"1\"")], (304, "\"1\"", "-")),
        ("/weak", &[GZIP[0], ("if-none-match", "W/\"1\"")], (304, "W/\"1\"", "-")),
    ] {
        for answer in ask_both(&service, Method::GET, path, sent).await {
            let got = (answer.status().as_u16(), &*field(&answer, "etag"), &*field(&answer, "vary"));
            assert_eq!(got, want, "{path} {sent:?}");
        }
    }
}

/// A server whose answer is what the test sends, piece by piece; an error breaks it off.
async fn piecewise(of_type: &'static str) -> (Scripted, mpsc::UnboundedSender<Result<Bytes, BoxError>>) {
    let (send, pieces) = mpsc::unbounded_channel::<Result<Bytes, BoxError>>();
    let pieces = Mutex::new(Some(pieces));
    let server = Scripted::start(move |_| {
        let mut pieces = pieces.lock().unwrap().take().unwrap();
        let frames =
            stream::poll_fn(move |cx| pieces.poll_recv(cx).map(|piece| Some(piece?.map(Frame::data))));
        let body = BodyExt::boxed(StreamBody::new(frames));
        Response::builder().header("content-type", of_type).body(body).unwrap()
    })
    .await;
    (server, send)
}

#[tokio::test]
async fn streams_stay_streams() {
    for (of_type, accepted, coding) in [
        ("application/x-ndjson", "gzip", "gzip"),
        ("application/x-ndjson", "br", "br"),
        ("text/event-stream", "gzip", "-"),
    ] {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let (server, pieces) = piecewise(of_type).await;
            let gateway = Gateway::start(Default::default(), all(server.addr, compressed(|_| {}))).await;
            let headers: HeaderMap =
                [("accept-encoding".parse().unwrap(), accepted.parse().unwrap())].into_iter().collect();
            let answer = ask(&gateway, version, &Method::GET, "/", &headers).await;
            assert_eq!(field(&answer, "content-encoding"), coding);
            let mut answer = Some(answer);
            let server = tower::service_fn(move |_: Request<()>| {
                std::future::ready(Ok::<_, Infallible>(answer.take().unwrap()))
            });
            let answer = tower_http::decompression::Decompression::new(server)
                .oneshot(Request::new(()))
                .await
                .unwrap();
            let mut body = answer.into_body();
            for number in 0..5 {
                // The next piece is sent when the one before has come: nothing is held back until more comes.
                let piece = format!("{{\"number\": {number}}}\n");
                pieces.send(Ok(piece.clone().into())).unwrap();
                let mut got = Vec::new();
                while got.len() < piece.len() {
                    let frame = within("a piece", body.frame()).await.unwrap().unwrap();
                    got.extend_from_slice(&frame.into_data().unwrap());
                }
                assert_eq!(String::from_utf8(got).unwrap(), piece);
            }
            drop(pieces);
            let rest = within("the end", body.collect()).await.unwrap().to_bytes();
            assert!(rest.is_empty());
        }
    }
}

#[tokio::test]
async fn what_breaks_off_does_not_look_whole() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let (server, pieces) = piecewise("text/plain").await;
        let gateway = Gateway::start(Default::default(), all(server.addr, compressed(|_| {}))).await;
        let headers: HeaderMap =
            [("accept-encoding".parse().unwrap(), "gzip".parse().unwrap())].into_iter().collect();
        let answer = ask(&gateway, version, &Method::GET, "/", &headers).await;
        assert_eq!(field(&answer, "content-encoding"), "gzip");
        let mut body = answer.into_body();
        pieces.send(Ok("some".into())).unwrap();
        within("a piece", body.frame()).await.unwrap().unwrap();
        pieces.send(Err("cut".into())).unwrap();
        within("the end", body.collect()).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_change_of_protocol_is_not_compressed() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::start(Default::default(), all(upstream.addr, compressed(|_| {}))).await;
    let mut client = gateway.client().await;
    client
        .send(format!(
            "GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: upgrade\r\nUpgrade: chat\r\nAccept-Encoding: gzip\r\n\r\n"
        ))
        .await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    endpoint
        .send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\nContent-Type: text/plain\r\n\r\nhello")
        .await;
    let head = client.head().await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101") && !head.contains("gzip"), "{head}");
    assert_eq!(client.bytes(5).await, b"hello");
}
