//! A service that says who may not pass, or says nothing: what clients are answered.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::time::Duration;

use http::{Response, Version};
use ingress_core::{CalleeAddress, SignIn};
use ingress_tower::{Body, IngressLayer, ResourceRegistry};
use support::external::*;
use support::*;
use tower::ServiceExt;

#[tokio::test]
async fn its_refusals_are_answers() {
    let shop = shop().await;
    for status in [301, 302, 303, 307, 400, 401, 403, 404, 418, 429] {
        let fields = &[
            ("www-authenticate", "Bearer realm=\"a\""),
            ("location", "https://login.example/"),
            ("set-cookie", "s=1"),
            ("content-type", "application/json"),
            ("x-internal", "1"),
            ("server", "auth"),
        ];
        let server = answering(status, fields, "{\"no\": true}").await;
        let gateway = gateway(&shop, &server, auth("/")).await;
        for answer in send_both(gateway.addr, || request("POST", "/", &[], full("body"))).await {
            assert_eq!((answer.status, answer.text()), (status, "{\"no\": true}"));
            for (name, value) in &fields[..4] {
                assert_eq!(answer.field(name), Some(*value), "{name}");
            }
            assert_eq!(answer.field("cache-control"), Some("no-store"));
            assert_eq!((answer.field("x-internal"), answer.field("server")), (None, None));
        }
        for answer in send_both(gateway.addr, || request("HEAD", "/", &[], empty())).await {
            assert_eq!((answer.status, answer.text()), (status, ""));
        }
        let call = [("content-type", "application/grpc"), ("te", "trailers")];
        let code = if status == 401 { "16" } else { "7" };
        let call = send(gateway.addr, Version::HTTP_2, request("POST", "/", &call, empty())).await;
        assert_eq!((call.status, call.field("grpc-status")), (200, Some(code)));
    }
    assert_eq!(shop.count(), 0);
}

#[tokio::test]
async fn a_refusal_that_is_too_large_is_sent_without_its_text() {
    let (shop, server) = (
        shop().await,
        Asked::start(|_| {
            let response = Response::builder().status(403).header("content-type", "text/html");
            response.body(full(vec![b'x'; 64 * 1024 + 1])).unwrap()
        })
        .await,
    );
    let gateway = gateway(&shop, &server, auth("/")).await;
    let answer = send(gateway.addr, Version::HTTP_11, request("GET", "/", &[], empty())).await;
    assert_eq!((answer.status, answer.text(), answer.field("content-type")), (403, "", None));
}

#[tokio::test]
async fn without_a_usable_answer_nobody_passes() {
    let shop = shop().await;
    for status in [304, 500, 502, 503] {
        let server = answering(status, &[], "").await;
        let gateway = gateway(&shop, &server, auth("/")).await;
        for answer in send_both(gateway.addr, || request("GET", "/", &[], empty())).await {
            assert_eq!((answer.status, answer.text()), (503, "503 Service Unavailable\n"), "{status}");
        }
    }
    let moody = Moody::start("auth").await;
    let mut external = auth("/");
    external.options.timeout = Some(Duration::from_millis(50));
    for mood in [Mood::Frozen, Mood::Resetting] {
        moody.set(mood);
        let service = service(shop.addr, moody.addr, external.clone());
        let gateway = Gateway::start(Default::default(), service).await;
        for answer in send_both(gateway.addr, || request("GET", "/", &[], empty())).await {
            assert_eq!(answer.status, 503, "{mood:?}");
        }
    }
    // Nobody listens; there is no endpoint; there is no such backend.
    let mut elsewhere = auth("/");
    elsewhere.callee.to = CalleeAddress::Backend(backend("nobody"));
    for (auth_server, external) in
        [(Some(refusing()), auth("/")), (None, auth("/")), (Some(moody.addr), elsewhere)]
    {
        let (reader, _writer) = guarded_table(shop.addr, auth_server, policy(external));
        let gateway = Gateway::start(Default::default(), IngressLayer::new(reader).into_service()).await;
        for answer in send_both(gateway.addr, || request("GET", "/", &[], empty())).await {
            assert_eq!(answer.status, 503);
        }
        let call = request("POST", "/", &[("content-type", "application/grpc")], empty());
        let call = send(gateway.addr, Version::HTTP_2, call).await;
        assert_eq!((call.status, call.field("grpc-status")), (200, Some("14")));
    }
    assert_eq!(shop.count(), 0);
}

#[tokio::test]
async fn it_is_asked_once_more_where_it_breaks_off() {
    let (shop, server) = (shop().await, Upstream::bind().await);
    let service = service(shop.addr, server.addr, auth("/"));
    let gateway = Gateway::start(Default::default(), service).await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        for (second, status) in
            [(Some("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"), 200), (None, 503)]
        {
            let answer = tokio::spawn(send(gateway.addr, version, request("POST", "/", &[], full("body"))));
            let mut peer = server.accept().await;
            peer.head().await;
            drop(peer);
            let mut peer = server.accept().await;
            peer.head().await;
            if let Some(second) = second {
                peer.send(second).await;
            }
            drop(peer);
            assert_eq!(within("answer", answer).await.unwrap().status, status);
        }
    }
    assert_eq!(shop.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn it_has_five_seconds_if_nothing_else_is_said() {
    let registry = ResourceRegistry::new().with(
        backend("auth"),
        tower::service_fn(|_| async {
            std::future::pending::<Result<Response<Body>, std::io::Error>>().await
        }),
    );
    let (reader, _writer) = guarded_table(refusing(), None, policy(auth("/")));
    let service = IngressLayer::new(reader).resources(registry).into_service();
    let began = tokio::time::Instant::now();
    let request = http::Request::get("/").header("host", HOST).body(Body::empty()).unwrap();
    let answer = service.oneshot(request).await.unwrap();
    let error = answer.extensions().get::<ingress_tower::Error>().unwrap();
    assert_eq!((answer.status().as_u16(), error.reason()), (503, "auth_failed"));
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn browsers_are_sent_to_sign_in() {
    let (shop, server) = (shop().await, answering(401, &[("set-cookie", "s=1")], "no").await);
    let with = |page: SignIn| {
        let mut external = auth("/");
        external.options.sign_in = Some(page);
        external
    };
    let page = |text: &str| text.parse::<SignIn>().unwrap();
    let escaped = "http%3A%2F%2Fshop.example%2Fa%3Fx%3D1%26y%3Dhttp%3A%2F%2Fevil.example%2F%253F";
    let html = ("accept", "text/html,*/*;q=0.8");
    for (external, fields, want) in [
        (
            with(page("https://login.example/start")),
            vec![html],
            Some(format!("https://login.example/start?rd={escaped}")),
        ),
        (
            with(page("https://login.{host}?app=1")),
            vec![html],
            Some(format!("https://login.shop.example/?app=1&rd={escaped}")),
        ),
        (
            with(page("/oauth2/start")),
            vec![html],
            Some(format!("http://shop.example/oauth2/start?rd={escaped}")),
        ),
        (
            with(page("/in").with_parameter("next").unwrap()),
            vec![html],
            Some(format!("http://shop.example/in?next={escaped}")),
        ),
        (with(page("/in").with_parameter("").unwrap()), vec![html], Some("http://shop.example/in".into())),
        (
            with(page("/in")),
            vec![html, ("sec-fetch-mode", "navigate")],
            Some(format!("http://shop.example/in?rd={escaped}")),
        ),
        (with(page("/in")), vec![html, ("sec-fetch-mode", "cors")], None),
        (with(page("/in")), vec![html, ("x-requested-with", "XMLHttpRequest")], None),
        (with(page("/in")), vec![("accept", "application/json")], None),
        (with(page("/in")), vec![], None),
        (with(page("/a")), vec![html], None),
        (auth("/"), vec![html], None),
    ] {
        let gateway = gateway(&shop, &server, external).await;
        let target = "/a?x=1&y=http://evil.example/%3F";
        for answer in send_both(gateway.addr, || request("GET", target, &fields, empty())).await {
            let status = if want.is_some() { 302 } else { 401 };
            assert_eq!((answer.status, answer.field("location")), (status, want.as_deref()), "{fields:?}");
            assert_eq!(answer.field("set-cookie"), Some("s=1"));
            assert_eq!(answer.text(), if want.is_some() { "" } else { "no" });
        }
    }
    assert_eq!(shop.count(), 0);
    let forbidden = answering(403, &[], "no").await;
    let gateway = gateway(&shop, &forbidden, with(page("/in"))).await;
    let answer = send(gateway.addr, Version::HTTP_2, request("GET", "/", &[html], empty())).await;
    assert_eq!((answer.status, answer.text()), (403, "no"));
}
