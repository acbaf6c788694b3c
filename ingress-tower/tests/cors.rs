//! What scripts of other sites may do, and who answers what they ask.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "support/scripted.rs"]
#[allow(dead_code, reason = "each test uses what it needs")]
mod scripted;
mod support;

use std::time::Duration;

use http::{Method, Response};
use ingress_core::{Cors, HttpsRedirect, Policy, RedirectStatus};
use scripted::*;
use support::*;

const SHOP: &str = "https://shop.example";
const EVIL: &str = "https://evil.example";

const FIELDS: [&str; 8] = [
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-max-age",
    "access-control-expose-headers",
    "access-control-allow-private-network",
    "vary",
];

/// A server that lets everybody do everything.
async fn open() -> Scripted {
    Scripted::start(|_| {
        let mut answer = Response::builder().header("vary", "accept").header("x-upstream", "a");
        for name in FIELDS.into_iter().filter(|name| name.starts_with("access")) {
            answer = answer.header(name, "endpoint");
        }
        answer.body(full("some")).unwrap()
    })
    .await
}

fn strict() -> Cors {
    Cors::new("https://shop.example https://*.shop.example".parse().unwrap())
        .allow_methods("PUT, DELETE".parse().unwrap())
        .and_then(|cors| cors.allow_headers("Authorization, X-A".parse().unwrap()))
        .and_then(|cors| cors.expose_headers("X-B".parse().unwrap()))
        .and_then(|cors| cors.allow_credentials(true))
        .unwrap()
        .max_age(Duration::from_secs(600))
}

fn with(cors: Cors, write: impl FnOnce(&mut Policy)) -> Policy {
    policy(|policy| {
        policy.cors = Some(cors);
        write(policy);
    })
}

fn fields(answer: &Response<bytes::Bytes>) -> [String; 8] {
    FIELDS.map(|name| field(answer, name))
}

fn preflight(origin: &'static str) -> [(&'static str, &'static str); 3] {
    [("origin", origin), ("access-control-request-method", "PUT"), ("access-control-request-headers", "x-a")]
}

#[tokio::test]
async fn answers_say_what_scripts_may_do_in_place_of_the_endpoint() {
    let server = open().await;
    let everybody = || Cors::new("*".parse().unwrap()).allow_headers("*".parse().unwrap()).unwrap();
    let shop = [SHOP, "true", "-", "-", "-", "x-b", "-", "accept, origin"];
    let below = ["https://www.shop.example", "true", "-", "-", "-", "x-b", "-", "accept, origin"];
    let nothing = ["-", "-", "-", "-", "-", "-", "-", "accept, origin"];
    let any = ["*", "-", "-", "-", "-", "-", "-", "accept"];
    for (cors, origin, want) in [
        (strict(), Some(SHOP), shop),
        (strict(), Some("https://www.shop.example"), below),
        (strict(), Some(EVIL), nothing),
        (strict(), Some("https://a.b.shop.example"), nothing),
        (strict(), Some("null"), nothing),
        (strict(), None, nothing),
        (everybody(), Some(EVIL), any),
        (everybody(), None, any),
    ] {
        let sent: Vec<_> = origin.into_iter().map(|origin| ("origin", origin)).collect();
        for method in [Method::GET, Method::PUT, Method::HEAD] {
            for answer in
                ask_both(&all(server.addr, with(cors.clone(), |_| {})), method.clone(), "/", &sent).await
            {
                assert_eq!(
                    (answer.status().as_u16(), fields(&answer)),
                    (200, want.map(str::to_owned)),
                    "{origin:?}"
                );
                assert_eq!(field(&answer, "x-upstream"), "a");
            }
        }
    }
    // Without CORS nothing is touched.
    for answer in ask_both(&all(server.addr, Policy::default()), Method::GET, "/", &[("origin", EVIL)]).await
    {
        assert_eq!(field(&answer, FIELDS[0]), "endpoint");
    }
}

#[tokio::test]
async fn preflights_are_answered_by_the_gateway() {
    let server = open().await;
    let shop = [SHOP, "true", "PUT,DELETE", "authorization,x-a", "600", "-", "-", "origin"];
    let nothing = ["-", "-", "-", "-", "-", "-", "-", "origin"];
    let https = |policy: &mut Policy| {
        policy.https_redirect = Some(HttpsRedirect::With(RedirectStatus::PermanentRedirect));
    };
    for (origin, want) in [(SHOP, shop), (EVIL, nothing)] {
        for policy in [with(strict(), |_| {}), with(strict(), https)] {
            for answer in ask_both(&all(server.addr, policy), Method::OPTIONS, "/", &preflight(origin)).await
            {
                assert_eq!((answer.status().as_u16(), fields(&answer)), (200, want.map(str::to_owned)));
                assert!(answer.body().is_empty());
            }
        }
    }
    let every = Cors::new("*".parse().unwrap()).allow_methods("*".parse().unwrap()).unwrap();
    for answer in
        ask_both(&all(server.addr, with(every, |_| {})), Method::OPTIONS, "/", &preflight(EVIL)).await
    {
        assert_eq!(fields(&answer), ["*", "-", "*", "-", "-", "-", "-", "-"]);
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn other_questions_about_options_are_for_endpoints() {
    let server = open().await;
    let service = all(server.addr, with(strict(), |_| {}));
    for sent in [&[][..], &[("origin", SHOP)], &[("access-control-request-method", "PUT")]] {
        let before = server.requests();
        for answer in ask_both(&service, Method::OPTIONS, "/", sent).await {
            assert_eq!((field(&answer, "x-upstream"), answer.body().as_ref()), ("a".into(), &b"some"[..]));
            let want = if sent == [("origin", SHOP)] { SHOP } else { "-" };
            assert_eq!((field(&answer, FIELDS[0]), field(&answer, FIELDS[2])), (want.into(), "-".into()));
        }
        assert_eq!(server.requests() - before, 2);
    }
}

#[tokio::test]
async fn whoever_may_not_send_requests_gets_no_answer_to_a_preflight() {
    let server = open().await;
    let deny = |policy: &mut Policy| policy.access.deny = Some("127.0.0.0/8".parse().unwrap());
    let allow = |policy: &mut Policy| policy.access.allow = Some("192.0.2.0/24".parse().unwrap());
    let close = |policy: &mut Policy| policy.access.closed = true;
    for (policy, status) in
        [(with(strict(), deny), 403), (with(strict(), allow), 403), (with(strict(), close), 503)]
    {
        let service = all(server.addr, policy);
        for answer in ask_both(&service, Method::OPTIONS, "/", &preflight(SHOP)).await {
            assert_eq!((answer.status().as_u16(), field(&answer, FIELDS[0])), (status, "-".into()));
        }
        // Scripts may read why their requests are refused.
        for answer in ask_both(&service, Method::GET, "/", &[("origin", SHOP)]).await {
            assert_eq!((answer.status().as_u16(), field(&answer, FIELDS[0])), (status, SHOP.into()));
        }
        for answer in ask_both(&service, Method::GET, "/", &[("origin", EVIL)]).await {
            assert_eq!((answer.status().as_u16(), field(&answer, FIELDS[0])), (status, "-".into()));
        }
    }
    assert_eq!(server.requests(), 0);
    for answer in
        ask_both(&all(refusing(), with(strict(), |_| {})), Method::GET, "/", &[("origin", SHOP)]).await
    {
        assert_eq!((answer.status().as_u16(), field(&answer, FIELDS[0])), (502, SHOP.into()));
    }
    let call = [("content-type", "application/grpc"), ("origin", SHOP)];
    for answer in ask_both(&all(server.addr, with(strict(), deny)), Method::POST, "/a.B/C", &call).await {
        assert_eq!((field(&answer, "grpc-status"), field(&answer, FIELDS[0])), ("7".into(), SHOP.into()));
    }
}

#[tokio::test]
async fn a_route_may_say_more_in_its_fields() {
    let server = open().await;
    let policy = with(strict(), |policy| {
        policy.headers.response.set = vec![("timing-allow-origin".parse().unwrap(), "*".parse().unwrap())];
    });
    for answer in ask_both(&all(server.addr, policy), Method::OPTIONS, "/", &preflight(SHOP)).await {
        assert_eq!(
            (field(&answer, FIELDS[0]), field(&answer, "timing-allow-origin")),
            (SHOP.into(), "*".into())
        );
    }
}
