//! Requests of HTTP/1 that are none: each is refused, its connection is closed, and no endpoint hears of it. Those that
//! are odd but sound are in the tables as well, lest everything is refused.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use support::*;

/// Values of Content-Length, for a body of one byte (RFC 9110 section 8.6).
const LENGTHS: &[(&str, u16)] = &[
    ("1", 200),
    (" 1 ", 200),
    ("01", 200),
    ("", 400),
    (" ", 400),
    ("+1", 400),
    ("-1", 400),
    ("1.0", 400),
    ("1 1", 400),
    ("1,1", 400),
    ("1, 2", 400),
    ("0x1", 400),
    ("1a", 400),
    ("a", 400),
    ("1;", 400),
    ("\"1\"", 400),
    ("1\t2", 400),
    ("\u{661}", 400),
    ("18446744073709551616", 400),
    ("99999999999999999999999999999999999999", 400),
    ("1\0", 400),
    ("1\r", 400),
];

/// Values of Transfer-Encoding, for a body of one chunk (RFC 9112 section 6.1).
const CODINGS: &[(&str, u16)] = &[
    ("chunked", 200),
    ("CHUNKED", 200),
    (" chunked ", 200),
    ("", 400),
    ("identity", 400),
    ("gzip", 400),
    ("chunked, gzip", 400),
    ("chunkedx", 400),
    ("xchunked", 400),
    ("chunked;q=1", 400),
    ("\"chunked\"", 400),
    ("'chunked'", 400),
    ("chunk ed", 400),
    ("\u{b}chunked", 400),
    ("chunked\u{b}", 400),
    ("chunked\0", 400),
    ("gzip, chunked", 501),
    ("chunked, chunked", 501),
    ("identity, chunked", 501),
    (",chunked", 501),
];

/// Lines of the head (RFC 9112 section 5).
const LINES: &[(&str, u16)] = &[
    ("X: a", 200),
    ("X:a", 200),
    ("X:", 200),
    ("X: \u{e4}", 200),
    ("x!#$%&'*+-.^_`|~: a", 200),
    ("X", 400),
    (": a", 400),
    (" X: a", 400),
    ("\tX: a", 400),
    ("X : a", 400),
    ("X\t: a", 400),
    ("X y: a", 400),
    ("X(: a", 400),
    ("X/: a", 400),
    ("X@: a", 400),
    ("X\": a", 400),
    ("\u{e4}: a", 400),
    ("X\0: a", 400),
    ("X: a\0", 400),
    ("X: a\u{1}", 400),
    ("X: a\u{7f}", 400),
    ("X: a\rY: b", 400),
    ("X: a\r\r", 400),
    ("\rX: a", 400),
    ("X: a\r\n folded", 400),
    ("X: a\r\n\tfolded", 400),
    ("X\r\n: a", 400),
];

/// Request lines (RFC 9112 section 3).
const REQUEST_LINES: &[(&str, u16)] = &[
    ("GET / HTTP/1.1", 200),
    ("BREW /pot HTTP/1.1", 200),
    ("get / HTTP/1.1", 200),
    ("GET http://shop.example/ HTTP/1.1", 200),
    ("GET HTTP://SHOP.example:80/ HTTP/1.1", 200),
    ("\r\nGET / HTTP/1.1", 200),
    ("GET  / HTTP/1.1", 400),
    ("GET /  HTTP/1.1", 400),
    ("GET\t/\tHTTP/1.1", 400),
    (" GET / HTTP/1.1", 400),
    ("GET / HTTP/1.1 ", 400),
    ("GET / HTTP/1.1 HTTP/1.1", 400),
    ("GET /", 400),
    ("GET / HTTP/0.9", 400),
    ("GET / HTTP/1.2", 400),
    ("GET / HTTP/2.0", 400),
    ("GET / HTTP/11", 400),
    ("GET / http/1.1", 400),
    ("GET / HTTPS/1.1", 400),
    ("GET / HTTP/1,1", 400),
    ("GET / HTTP/ 1.1", 400),
    ("GET HTTP/1.1", 400),
    (" / HTTP/1.1", 400),
    ("G\"T / HTTP/1.1", 400),
    ("G\0T / HTTP/1.1", 400),
    ("G\u{e4}T / HTTP/1.1", 400),
    ("GET shop HTTP/1.1", 400),
    ("GET * HTTP/1.1", 400),
    ("GET shop.example:80 HTTP/1.1", 400),
    ("GET /\0 HTTP/1.1", 400),
    ("GET /%00 HTTP/1.1", 400),
    ("GET /\u{1f} HTTP/1.1", 400),
    ("GET /\u{7f} HTTP/1.1", 400),
    ("GET /<> HTTP/1.1", 400),
    ("GET ftp://shop.example/ HTTP/1.1", 400),
    ("GET http:///x HTTP/1.1", 400),
    ("GET http://shop.example:99999/ HTTP/1.1", 400),
    ("GET http://user@shop.example/ HTTP/1.1", 400),
    ("CONNECT shop.example:443 HTTP/1.1", 405),
    ("CONNECT / HTTP/1.1", 405),
];

/// All that is said of the host (RFC 9112 section 3.2).
const HOSTS: &[(&str, u16)] = &[
    ("Host: shop.example", 200),
    ("host:SHOP.EXAMPLE.", 200),
    ("Host: shop.example:8080", 200),
    ("Host: shop.example:", 200),
    ("", 400),
    ("Host: shop.example\r\nHost: shop.example", 400),
    ("Host: shop.example\r\nhost: other.example", 400),
    ("Host: shop.example, other.example", 400),
    ("Host: shop.example other.example", 400),
    ("Host: shop.example/x", 400),
    ("Host: shop.example?x", 400),
    ("Host: shop.example#x", 400),
    ("Host: user@shop.example", 400),
    ("Host: http://shop.example", 400),
    ("Host: shop.example:http", 400),
    ("Host: shop.example:-1", 400),
    ("Host: shop.example:65536", 400),
    ("Host: shop.example:80:80", 400),
    ("Host: shop..example", 400),
    ("Host: .shop.example", 400),
    ("Host: shop%2eexample", 400),
    ("Host: shop.example\u{e4}", 400),
    ("Host: [::1", 400),
    ("Host: [::x]", 400),
    ("Host: ::1", 400),
    ("Host: \"shop.example\"", 400),
];

/// What follows the head of a message in chunks (RFC 9112 section 7.1), of which the endpoint may see a part, but never the
/// end.
const CHUNKS: &[(&str, u16)] = &[
    ("1\r\na\r\n0\r\n\r\n", 200),
    ("01\r\na\r\n00\r\n\r\n", 200),
    ("A\r\n0123456789\r\n0\r\n\r\n", 200),
    ("1;x=y\r\na\r\n0\r\n\r\n", 200),
    ("1;x=\"y\"\r\na\r\n0\r\n\r\n", 200),
    ("\r\na\r\n0\r\n\r\n", 400),
    ("-1\r\na\r\n0\r\n\r\n", 400),
    ("+1\r\na\r\n0\r\n\r\n", 400),
    ("0x1\r\na\r\n0\r\n\r\n", 400),
    ("g\r\na\r\n0\r\n\r\n", 400),
    ("1_\r\na\r\n0\r\n\r\n", 400),
    ("1\na\r\n0\r\n\r\n", 400),
    ("1\ra\r\n0\r\n\r\n", 400),
    ("1\r\nab\r\n0\r\n\r\n", 400),
    ("1\r\na0\r\n\r\n", 400),
    ("1\r\na\n0\r\n\r\n", 400),
    ("1\r\na\r0\r\n\r\n", 400),
    ("1;x\ny\r\na\r\n0\r\n\r\n", 400),
    ("10000000000000000\r\na\r\n0\r\n\r\n", 400),
    ("FFFFFFFFFFFFFFFFF\r\na\r\n0\r\n\r\n", 400),
    ("1\r\na\r\n0\r\nX y: z\r\n\r\n", 400),
    ("1\r\na\r\n0\r\nno colon\r\n\r\n", 400),
];

/// Sends bytes and checks what comes of them: an answer with the status, and, unless it is 200, the end of the connection,
/// while the endpoint hears nothing, or nothing whole.
async fn check(what: &str, bytes: &[u8], status: u16) {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(&[upstream.addr]).await;
    let mut client = gateway.client().await;
    client.send(bytes).await;
    if status == 200 {
        let mut endpoint = upstream.accept().await;
        let seen = endpoint.message().await;
        assert!(!seen.head.replace("\r\n", "").contains(|c: char| c.is_control()), "{what}: {:?}", seen.head);
        endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(client.response().await.status(), 200, "{what}");
        return;
    }
    let answer = client.response().await;
    assert_eq!(answer.status(), status, "{what}");
    assert!(client.rest().await.is_empty(), "{what}: nothing that follows is served");
    drop(gateway);
    if let Some(mut endpoint) = upstream.waiting().await {
        assert!(endpoint.try_message().await.is_none(), "{what}: the endpoint saw a whole request");
    }
}

fn bytes(text: &str) -> Vec<u8> {
    // What is no ASCII is meant as one byte: obs-text (RFC 9110 section 5.5), never a character.
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(0xff)).collect()
}

#[tokio::test]
async fn lengths() {
    for &(value, status) in LENGTHS {
        let request = format!("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length:{value}\r\n\r\na");
        check(value, &bytes(&request), status).await;
    }
}

#[tokio::test]
async fn codings() {
    for &(value, status) in CODINGS {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding:{value}\r\n\r\n1\r\na\r\n0\r\n\r\n"
        );
        check(value, &bytes(&request), status).await;
    }
}

#[tokio::test]
async fn lines_of_the_head() {
    for &(line, status) in LINES {
        check(line, &bytes(&format!("GET / HTTP/1.1\r\nHost: shop.example\r\n{line}\r\n\r\n")), status).await;
    }
}

#[tokio::test]
async fn request_lines() {
    for &(line, status) in REQUEST_LINES {
        check(line, &bytes(&format!("{line}\r\nHost: shop.example\r\n\r\n")), status).await;
    }
}

#[tokio::test]
async fn hosts() {
    for &(lines, status) in HOSTS {
        let end = if lines.is_empty() { "\r\n" } else { "\r\n\r\n" };
        check(lines, &bytes(&format!("GET / HTTP/1.1\r\n{lines}{end}")), status).await;
    }
}

#[tokio::test]
async fn chunks() {
    for &(chunks, status) in CHUNKS {
        let request =
            format!("POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        check(chunks, &bytes(&request), status).await;
    }
}
