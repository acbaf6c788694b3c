//! Requests that two servers might read in two ways: the endpoint sees one strict request, or none.
#![allow(clippy::unwrap_used)]

mod support;

use support::*;

/// What the client sends, the first status it gets, and what the endpoint sees: request line and body of
/// each request.
type Case = (&'static str, u16, &'static [(&'static str, &'static str)]);

const CASES: &[Case] = &[
    // Two framings: the coding counts, the length goes, and nothing after it is served.
    (
        "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n\
         1\r\na\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: shop.example\r\n\r\n",
        200,
        &[("POST / HTTP/1.1", "a")],
    ),
    (
        "POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n\
         1\r\na\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: shop.example\r\n\r\n",
        200,
        &[("POST / HTTP/1.1", "a")],
    ),
    // Lengths.
    ("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, &[]),
    ("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 1, 1\r\n\r\na", 400, &[]),
    ("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: +1\r\n\r\na", 400, &[]),
    ("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: \r\n\r\na", 400, &[]),
    ("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0x1\r\n\r\na", 400, &[]),
    (
        "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        200,
        &[("POST / HTTP/1.1", "a")],
    ),
    ("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 99999999999999999999\r\n\r\na", 400, &[]),
    // Codings.
    ("POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, &[]),
    (
        "POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        400,
        &[],
    ),
    ("POST / HTTP/1.0\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, &[]),
    ("POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400, &[]),
    // A coding below the chunks cannot be forwarded and must not be lost; what follows is not served.
    (
        "POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: gzip, chunked\r\n\r\n\
         1\r\na\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: shop.example\r\n\r\n",
        501,
        &[],
    ),
    (
        "POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n\
         1\r\na\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: shop.example\r\n\r\n",
        501,
        &[],
    ),
    (
        "POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n\
         1\r\na\r\n0\r\n\r\n",
        501,
        &[],
    ),
    (
        "GET / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        501,
        &[],
    ),
    ("GET / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: , chunked\r\n\r\n0\r\n\r\n", 501, &[]),
    (
        "POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        200,
        &[("POST / HTTP/1.1", "a")],
    ),
    // Servers that take `_` for `-` would find a second framing.
    (
        "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 1\r\nTransfer_Encoding: chunked\r\n\
         Transfer_encoding: chunked\r\nContent_Length: 9\r\n\r\na",
        200,
        &[("POST / HTTP/1.1", "a")],
    ),
    // Fields.
    ("GET / HTTP/1.1\r\nHost: shop.example\r\nX: a\r\n b: c\r\n\r\n", 400, &[]),
    ("GET / HTTP/1.1\r\nHost: shop.example\r\n: a\r\n\r\n", 400, &[]),
    ("GET / HTTP/1.1\r\nHost: shop.example\r\nno colon\r\n\r\n", 400, &[]),
    ("GET / HTTP/1.1\r\nHost: shop.example\r\nX: a\rb\r\n\r\n", 400, &[]),
    ("GET / HTTP/1.1\r\nHost: shop.example\r\nX: a\0b\r\n\r\n", 400, &[]),
    // Request lines.
    ("GET /a b HTTP/1.1\r\nHost: shop.example\r\n\r\n", 400, &[]),
    ("GET / HTTP/1.1 x\r\nHost: shop.example\r\n\r\n", 400, &[]),
    ("GET / HTTP/2.0\r\nHost: shop.example\r\n\r\n", 400, &[]),
    ("GE(T / HTTP/1.1\r\nHost: shop.example\r\n\r\n", 400, &[]),
    ("GET /\x01 HTTP/1.1\r\nHost: shop.example\r\n\r\n", 400, &[]),
    // Two requests are two, in order, and after an Upgrade that nobody grants as well.
    (
        "GET /a HTTP/1.1\r\nHost: shop.example\r\n\r\nGET /b HTTP/1.1\r\nHost: shop.example\r\n\r\n",
        200,
        &[("GET /a HTTP/1.1", ""), ("GET /b HTTP/1.1", "")],
    ),
    (
        "POST /a HTTP/1.1\r\nHost: shop.example\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\
         \r\naGET /b HTTP/1.1\r\nHost: shop.example\r\n\r\n",
        200,
        &[("POST /a HTTP/1.1", "a"), ("GET /b HTTP/1.1", "")],
    ),
    // A body with GET is a body.
    (
        "GET /a HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 39\r\n\r\n\
         GET /b HTTP/1.1\r\nHost: shop.example\r\n\r\n",
        200,
        &[("GET /a HTTP/1.1", "GET /b HTTP/1.1\r\nHost: shop.example\r\n\r\n")],
    ),
    // An answer of the gateway's own does not make the body the next request.
    (
        "POST / HTTP/1.1\r\nHost: other.example\r\nContent-Length: 39\r\n\r\n\
         GET /b HTTP/1.1\r\nHost: shop.example\r\n\r\n",
        404,
        &[],
    ),
    // Lines that end in LF alone are read, and written anew.
    ("GET /a HTTP/1.1\nHost: shop.example\n\n", 200, &[("GET /a HTTP/1.1", "")]),
];

#[tokio::test]
async fn one_request_is_never_two() {
    for (sent, status, want) in CASES {
        let upstream = Upstream::bind().await;
        let gateway = Gateway::to(&[upstream.addr]).await;
        let mut client = gateway.client().await;
        client.send(sent).await;
        let mut endpoint = None;
        for (line, body) in *want {
            if endpoint.is_none() {
                endpoint = Some(upstream.accept().await);
            }
            let endpoint = endpoint.as_mut().unwrap();
            let seen = endpoint.message().await;
            assert_eq!((seen.lines()[0], seen.text()), (*line, *body), "{sent:?}");
            assert!(!seen.head.replace("\r\n", "").contains(['\r', '\n', '\0']), "{sent:?}");
            assert!(!seen.head.contains('_'), "{sent:?}");
            assert!(
                seen.field("content-length").is_none() || seen.field("transfer-encoding").is_none(),
                "{sent:?}"
            );
            endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        }
        let answer = client.message().await;
        assert_eq!(answer.status(), *status, "{sent:?}");
        let close = matches!(status, 400 | 501);
        assert!(!close || answer.field("connection").as_deref() == Some("close"), "{sent:?}");
        for _ in 1..want.len() {
            client.message().await;
        }
        // The client has nothing more to say; whatever else the gateway would forward is forwarded now.
        tokio::io::AsyncWriteExt::shutdown(&mut client.stream).await.unwrap();
        client.closed().await;
        drop(gateway);
        match endpoint {
            Some(mut endpoint) => assert!(endpoint.no_more().await, "{sent:?}"),
            None => assert!(upstream.nobody().await, "{sent:?}"),
        }
    }
}
