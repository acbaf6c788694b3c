//! Values that let their holder in: HTTP/2 sends them in a way that nobody on the way remembers.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "support/frames.rs"]
#[allow(dead_code, reason = "each test uses what it needs")]
mod frames;
#[path = "support/scripted.rs"]
#[allow(dead_code, reason = "each test uses what it needs")]
mod scripted;
mod support;

use frames::{END_HEADERS, END_STREAM, HEADERS, SETTINGS, fields, frame};
use http::Response;
use ingress_core::{Affinity, AffinityCookie, BackendRef, Endpoint, PathMatch, Protocol, RouteTable, Rule};
use ingress_tower::IngressService;
use scripted::*;
use support::*;

/// The first bytes of literals that are never indexed (RFC 7541 section 6.2.3), for fields of the static table.
const AUTHORIZATION: [u8; 2] = [0x1f, 23 - 15];
const COOKIE: [u8; 2] = [0x1f, 32 - 15];
const SET_COOKIE: [u8; 2] = [0x1f, 55 - 15];

fn count(block: &[u8], start: [u8; 2]) -> usize {
    block.windows(2).filter(|bytes| *bytes == start).count()
}

/// The fields of the first HEADERS that come, as they are packed.
async fn head(peer: &mut Peer) -> Vec<u8> {
    loop {
        let (kind, flags, _, payload) = frames::next(peer).await.unwrap();
        match kind {
            HEADERS => return payload,
            SETTINGS if flags & 1 == 0 => peer.send(frame(SETTINGS, 1, 0, &[])).await,
            _ => {}
        }
    }
}

#[tokio::test]
async fn cookies_of_answers_are_never_indexed() {
    let server = Scripted::start(|_| {
        let answer = Response::builder().header("set-cookie", "a=1").header("set-cookie", "b=2");
        answer.header("x-other", "c").body(empty()).unwrap()
    })
    .await;
    let sticky = policy(|policy| {
        policy.affinity = Some(Affinity::Cookie(AffinityCookie::new("home")));
        policy.headers.response_cookies = vec!["d=4".parse().unwrap()];
    });
    for (service, cookies) in [(IngressService::new(table(&[server.addr])), 2), (all(server.addr, sticky), 4)]
    {
        let gateway = Gateway::start(Default::default(), service).await;
        let mut client = frames::connect(gateway.addr).await;
        let asked = [(":method", "GET"), (":scheme", "http"), (":authority", HOST), (":path", "/")];
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&asked))).await;
        let block = head(&mut client).await;
        assert_eq!(count(&block, SET_COOKIE), cookies, "{block:x?}");
    }
}

#[tokio::test]
async fn credentials_of_requests_are_never_indexed() {
    let upstream = Upstream::bind().await;
    let mut rules = RouteTable::builder();
    let backend: BackendRef = "default/shop:80".parse().unwrap();
    rules.rule(Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend.clone()));
    rules.endpoints(backend, [Endpoint::new(upstream.addr).with_protocol(Protocol::H2c)]);
    let service = IngressService::new(ingress_core::table(rules.build().0).0);
    let gateway = Gateway::start(Default::default(), service).await;
    let mut client = gateway.client().await;
    client
        .send(format!(
            "GET / HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer a\r\nCookie: a=1\r\nCookie: b=2\r\nProxy-Authorization: c\r\n\r\n"
        ))
        .await;
    let mut endpoint = upstream.accept().await;
    endpoint.bytes(24).await;
    endpoint.send(frame(SETTINGS, 0, 0, &[])).await;
    let block = head(&mut endpoint).await;
    assert_eq!((count(&block, AUTHORIZATION), count(&block, COOKIE)), (1, 2), "{block:x?}");
}

#[tokio::test]
async fn credentials_that_a_service_grants_are_never_indexed() {
    let upstream = Upstream::bind().await;
    static GRANTED: [(&str, &str); 2] = [("authorization", "Bearer own"), ("cookie", "own=1")];
    let auth = external::answering(200, &GRANTED, "").await;
    let mut needed = external::auth("/");
    needed.options.response_fields = Some(external::names(&["authorization", "cookie"]));
    needed.options.cache = Some(std::time::Duration::from_secs(60));
    let backend = external::backend("shop");
    let mut rules = RouteTable::builder();
    let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend.clone());
    rules.rule(rule.with_policy(external::policy(needed)));
    rules.endpoints(backend, [Endpoint::new(upstream.addr).with_protocol(Protocol::H2c)]);
    rules.endpoints(external::backend("auth"), [Endpoint::new(auth.addr)]);
    let service = IngressService::new(ingress_core::table(rules.build().0).0);
    let gateway = Gateway::start(Default::default(), service).await;
    let asked = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let mut client = gateway.client().await;
    client.send(asked.clone()).await;
    let mut endpoint = upstream.accept().await;
    endpoint.bytes(24).await;
    endpoint.send(frame(SETTINGS, 0, 0, &[])).await;
    let fresh = head(&mut endpoint).await;
    // What is remembered of the service's word is no less of a secret.
    let mut other = gateway.client().await;
    other.send(asked).await;
    let remembered = head(&mut endpoint).await;
    for block in [fresh, remembered] {
        assert_eq!((count(&block, AUTHORIZATION), count(&block, COOKIE)), (1, 1), "{block:x?}");
    }
    assert_eq!(auth.count(), 1);
}
