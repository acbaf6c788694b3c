//! Requests of HTTP/2 that are none, and clients that wear a server out: by frames, as no library would send them.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "support/frames.rs"]
mod frames;
mod support;

use frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, Said,
    WINDOW_UPDATE, connect, fields, frame, said,
};
use support::*;

const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":authority", "shop.example"), (":path", "/")];

const POST: [(&str, &str); 4] = [(":method", "POST"), GET[1], GET[2], GET[3]];

// Error codes (RFC 9113 section 7).
const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const FRAME_SIZE_ERROR: u32 = 6;
const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

type Fields = &'static [(&'static str, &'static str)];

/// What stands beside or instead of the fields of a plain request, and whether the request is served.
struct Case {
    what: &'static str,
    /// Pseudo-header fields that are left out.
    without: &'static [&'static str],
    with: Fields,
    served: bool,
}

const fn case(what: &'static str, without: &'static [&'static str], with: Fields, served: bool) -> Case {
    Case { what, without, with, served }
}

const CASES: &[Case] = &[
    case("plain", &[], &[], true),
    case("a host beside the authority", &[], &[("host", "shop.example")], true),
    case("a host instead of the authority", &[":authority"], &[("host", "shop.example")], true),
    case("te: trailers", &[], &[("te", "trailers")], true),
    // RFC 9113 section 8.3.
    case("no method", &[":method"], &[], false),
    case("no path", &[":path"], &[], false),
    case("no scheme", &[":scheme"], &[], false),
    case("no host at all", &[":authority"], &[], false),
    case("a method twice", &[], &[(":method", "GET")], false),
    case("a path twice", &[], &[(":path", "/")], false),
    case("a scheme twice", &[], &[(":scheme", "http")], false),
    case("an authority twice", &[], &[(":authority", "shop.example")], false),
    case("an unknown pseudo-header field", &[], &[(":unknown", "x")], false),
    case("a field of responses", &[], &[(":status", "200")], false),
    case("a pseudo-header field after others", &[":path"], &[("x", "y"), (":path", "/")], false),
    case("an empty method", &[":method"], &[(":method", "")], false),
    case("an empty path", &[":path"], &[(":path", "")], false),
    case("an empty authority", &[":authority"], &[(":authority", "")], false),
    case("a path without a slash", &[":path"], &[(":path", "x")], false),
    case("an asterisk with GET", &[":path"], &[(":path", "*")], false),
    case("a whole URI as path", &[":path"], &[(":path", "http://other.example/")], false),
    case(
        "a protocol that is not spoken",
        &[":method"],
        &[(":method", "CONNECT"), (":protocol", "connect-udp")],
        false,
    ),
    // Request splitting on the way to HTTP/1.1.
    case("a line in the method", &[":method"], &[(":method", "GET / HTTP/1.1\r\nX: a")], false),
    case("a space in the method", &[":method"], &[(":method", "GET /x")], false),
    case("a line in the path", &[":path"], &[(":path", "/ HTTP/1.1\r\nX: a")], false),
    case("a space in the path", &[":path"], &[(":path", "/ x")], false),
    case("a NUL in the path", &[":path"], &[(":path", "/\0")], false),
    case("a line in the authority", &[":authority"], &[(":authority", "shop.example\r\nX: a")], false),
    case("a path in the authority", &[":authority"], &[(":authority", "shop.example/x")], false),
    case("a user in the authority", &[":authority"], &[(":authority", "user@shop.example")], false),
    case("another scheme", &[":scheme"], &[(":scheme", "ftp")], false),
    case("a host that is none", &[], &[("host", "shop example")], false),
    case("two hosts", &[], &[("host", "shop.example"), ("host", "other.example")], false),
    // RFC 9113 section 8.2.
    case("a name in capitals", &[], &[("X-Capital", "a")], false),
    case("a space in a name", &[], &[("x y", "a")], false),
    case("a colon in a name", &[], &[("x:y", "a")], false),
    case("an empty name", &[], &[("", "a")], false),
    case("a line in a name", &[], &[("x\r\ny", "a")], false),
    case("CR in a value", &[], &[("x", "a\rb")], false),
    case("LF in a value", &[], &[("x", "a\nb")], false),
    case("NUL in a value", &[], &[("x", "a\0b")], false),
    case("connection", &[], &[("connection", "close")], false),
    case("keep-alive", &[], &[("keep-alive", "x")], false),
    case("proxy-connection", &[], &[("proxy-connection", "close")], false),
    case("transfer-encoding", &[], &[("transfer-encoding", "chunked")], false),
    case("upgrade", &[], &[("upgrade", "h2c")], false),
    case("te: gzip", &[], &[("te", "gzip")], false),
    // RFC 9113 section 8.1.1: the length is not that of the body, which is empty.
    case("a length without a body", &[], &[("content-length", "1")], false),
    case("a length that is none", &[], &[("content-length", "x")], false),
    case("two lengths", &[], &[("content-length", "0"), ("content-length", "1")], false),
];

#[tokio::test]
async fn what_is_malformed_reaches_no_endpoint() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    for Case { what, without, with, served } in CASES {
        let mut all: Vec<_> = GET.into_iter().filter(|(name, _)| !without.contains(name)).collect();
        // A pseudo-header field stands before all others, unless that is what is wrong.
        let (pseudo, plain): (Vec<(&str, &str)>, Vec<_>) =
            with.iter().copied().partition(|(name, _)| name.starts_with(':'));
        match *what {
            "a pseudo-header field after others" => all.extend(with.iter().copied()),
            _ => all.extend(pseudo.into_iter().chain(plain)),
        }
        let mut client = connect(gateway.addr).await;
        client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &fields(&all))).await;
        if *served {
            let mut endpoint = upstream.accept().await;
            let head = endpoint.head().await;
            assert!(head.starts_with("GET / HTTP/1.1\r\n"), "{what}: {head:?}");
            endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            assert_eq!(said(&mut client, 1).await, frames::OK, "{what}");
        } else {
            let answer = said(&mut client, 1).await;
            assert_ne!(answer, frames::OK, "{what}");
            assert_ne!(answer, Said::End, "{what}: it is told why");
            assert!(upstream.nobody().await, "{what}");
        }
    }
}

#[tokio::test]
async fn a_body_must_be_as_long_as_its_length_says() {
    for (data, served) in
        [(&["ab"][..], true), (&["a"], false), (&["abc"], false), (&["a", "b"], true), (&["a", "bc"], false)]
    {
        let upstream = Upstream::bind().await;
        let gateway = Gateway::to(&[upstream.addr]).await;
        let mut client = connect(gateway.addr).await;
        client
            .send(frame(HEADERS, END_HEADERS, 1, &fields(&[&POST[..], &[("content-length", "2")]].concat())))
            .await;
        for part in data {
            client.try_send(frame(DATA, 0, 1, part.as_bytes())).await;
        }
        client.try_send(frame(DATA, END_STREAM, 1, &[])).await;
        let mut endpoint = upstream.accept().await;
        let whole = endpoint.try_message().await;
        assert_eq!(whole.is_some(), served, "{data:?}");
        if served {
            endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            assert_eq!(said(&mut client, 1).await, frames::OK, "{data:?}");
        } else {
            assert_ne!(said(&mut client, 1).await, frames::OK, "{data:?}");
        }
    }
}

/// Frames that a server need not bear from anybody (RFC 9113 sections 4 to 6), and with which code it goes away: h2 says
/// `FRAME_SIZE_ERROR` only of frames that are too large.
#[tokio::test]
async fn frames_that_end_the_connection() {
    let gateway = Gateway::to(&[refusing()]).await;
    let get = |stream: u32| frame(HEADERS, END_STREAM | END_HEADERS, stream, &fields(&GET));
    let two = |one: Vec<u8>, other: Vec<u8>| [one, other].concat();
    let table = [
        ("a stream of the server", get(2), PROTOCOL_ERROR),
        ("a stream without a number", get(0), PROTOCOL_ERROR),
        ("an older stream", two(get(3), get(1)), PROTOCOL_ERROR),
        ("data before a head", frame(DATA, 0, 1, b"x"), PROTOCOL_ERROR),
        ("data of the connection", frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
        ("a reset of nothing", frame(RST_STREAM, 0, 1, &[0; 4]), PROTOCOL_ERROR),
        ("a window of nothing", frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]), PROTOCOL_ERROR),
        ("a window of no size", frame(WINDOW_UPDATE, 0, 0, &[0; 4]), PROTOCOL_ERROR),
        ("a window without end", frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), FLOW_CONTROL_ERROR),
        ("a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, &[]), PROTOCOL_ERROR),
        (
            "another frame amid a head",
            two(frame(HEADERS, 0, 1, &fields(&GET)), frame(PING, 0, 0, &[0; 8])),
            PROTOCOL_ERROR,
        ),
        ("a frame that is too large", frame(DATA, 0, 1, &[0; 16_385]), FRAME_SIZE_ERROR),
        ("settings of a stream", frame(SETTINGS, 0, 1, &[]), PROTOCOL_ERROR),
        ("settings that are cut", frame(SETTINGS, 0, 0, &[0; 5]), PROTOCOL_ERROR),
        ("settings that answer and say something", frame(SETTINGS, 1, 0, &[0; 6]), PROTOCOL_ERROR),
        ("a ping that is cut", frame(PING, 0, 0, &[0; 7]), PROTOCOL_ERROR),
        ("a ping of a stream", frame(PING, 0, 1, &[0; 8]), PROTOCOL_ERROR),
        ("a farewell of a stream", frame(GOAWAY, 0, 1, &[0; 8]), PROTOCOL_ERROR),
        (
            "a head that is no HPACK",
            frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0xff, 0xff, 0xff, 0xff, 0xff]),
            PROTOCOL_ERROR,
        ),
    ];
    for (what, bytes, code) in table {
        let mut client = connect(gateway.addr).await;
        client.try_send(bytes).await;
        let answer = loop {
            // What came before was sound, and may be answered.
            match said(&mut client, 3).await {
                Said::Head(_) => {}
                answer => break answer,
            }
        };
        assert_eq!(answer, Said::GoAway(code), "{what}");
    }
}

/// Sends the same bytes over and over until the server has had enough, and returns what it says then.
async fn flood(client: &mut Peer, bytes: impl Fn(u32) -> Vec<u8>, times: u32) -> Said {
    for number in 0..times {
        if !client.try_send(bytes(number)).await {
            break;
        }
    }
    loop {
        match said(client, u32::MAX).await {
            Said::Head(_) | Said::Reset(_) => {}
            answer => return answer,
        }
    }
}

#[tokio::test]
async fn floods_end_their_own_connection() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let head = |stream, end| frame(HEADERS, end | END_HEADERS, stream, &fields(&POST));

    let mut client = connect(gateway.addr).await;
    let reset = |number: u32| {
        let stream = 2 * number + 1;
        [head(stream, 0), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    };
    let answer = flood(&mut client, reset, 20_000).await;
    assert_eq!(answer, Said::GoAway(ENHANCE_YOUR_CALM), "streams that are reset (CVE-2023-44487)");

    let mut client = connect(gateway.addr).await;
    let malformed = fields(&[&GET[..], &[("connection", "close")]].concat());
    let fault = |number: u32| frame(HEADERS, END_STREAM | END_HEADERS, 2 * number + 1, &malformed);
    let answer = flood(&mut client, fault, 20_000).await;
    assert_eq!(answer, Said::GoAway(ENHANCE_YOUR_CALM), "streams that have to be reset (CVE-2025-8671)");

    let mut client = connect(gateway.addr).await;
    client.send(frame(HEADERS, END_STREAM, 1, &fields(&GET))).await;
    let answer = flood(&mut client, |_| frame(CONTINUATION, 0, 1, &[]), 100_000).await;
    assert_eq!(answer, Said::GoAway(ENHANCE_YOUR_CALM), "a head without end, of nothing (CVE-2024-27316)");

    let mut client = connect(gateway.addr).await;
    client.send(frame(HEADERS, END_STREAM, 1, &fields(&GET))).await;
    let more = fields(&[("x", &"a".repeat(16_000))]);
    let answer = flood(&mut client, |_| frame(CONTINUATION, 0, 1, &more), 100_000).await;
    assert!(matches!(answer, Said::GoAway(_)), "a head without end: {answer:?}");

    let mut client = connect(gateway.addr).await;
    client.send(head(1, 0)).await;
    let answer = flood(&mut client, |_| frame(DATA, 0, 1, &[]), 200_000).await;
    assert_eq!(answer, Said::GoAway(ENHANCE_YOUR_CALM), "a body without end, of nothing (CVE-2019-9518)");
}

#[tokio::test]
async fn a_head_that_grows_when_it_is_unpacked_is_refused() {
    let gateway = Gateway::to(&[refusing()]).await;
    // One field of 4,000 bytes goes into the table of HPACK, and stands in the head 10,000 times (CVE-2016-6581).
    let value = "a".repeat(4000);
    let mut bomb = fields(&GET);
    let mut indexed = fields(&[("x", &value)]);
    indexed[0] = 0x40;
    bomb.extend(indexed);
    bomb.extend([0xbe; 10_000]);
    let mut client = connect(gateway.addr).await;
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &bomb)).await;
    let answer = said(&mut client, 1).await;
    assert!(!matches!(answer, Said::Head(0x88) | Said::End), "{answer:?}");
}

#[tokio::test]
async fn only_so_many_streams_are_open() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let mut client = connect(gateway.addr).await;
    for number in 0..101 {
        client.send(frame(HEADERS, END_HEADERS, 2 * number + 1, &fields(&POST))).await;
    }
    assert_eq!(said(&mut client, 201).await, Said::Reset(REFUSED_STREAM));
}
