//! A service that says who may pass: what it is shown, and what it says of requests.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use ingress_core::{AuthMethod, CalleeAddress, EndpointAddress, Protocol};
use ingress_tower::{Body, IngressLayer, ResourceRegistry};
use support::external::*;
use support::*;

#[tokio::test]
async fn it_is_shown_the_request_without_its_body() {
    let (shop, auth_server) = (shop().await, answering(200, &[], "fine").await);
    let gateway = gateway(&shop, &auth_server, auth("/check?from={host}")).await;
    let fields = [
        ("authorization", "Bearer abc"),
        ("cookie", "a=b"),
        ("content-type", "text/plain"),
        ("x-secret", "1"),
        ("x-original-url", "http://evil.example/"),
        ("x-forwarded-for", "203.0.113.9"),
        ("te", "trailers"),
    ];
    let answers = send_both(gateway.addr, || request("POST", "/a/%2e/b?x=1&y", &fields, full("body"))).await;
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!((answer.status, answer.text()), (200, "body"));
        let seen = auth_server.nth(number).await;
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/check?from=shop.example"));
        assert_eq!(seen.body.as_deref(), Some(&b""[..]));
        for (name, want) in [
            ("host", Some("auth.default.svc")),
            ("x-original-method", Some("POST")),
            ("x-original-url", Some("http://shop.example/a/b?x=1&y")),
            ("x-forwarded-uri", Some("/a/b?x=1&y")),
            ("x-forwarded-method", Some("POST")),
            ("x-forwarded-host", Some("shop.example")),
            ("x-forwarded-proto", Some("http")),
            ("x-forwarded-for", Some("127.0.0.1")),
            ("x-real-ip", Some("127.0.0.1")),
            ("authorization", Some("Bearer abc")),
            ("cookie", Some("a=b")),
            ("x-request-id", shop.nth(number).await.field("x-request-id")),
            ("content-type", None),
            ("content-length", None),
            ("transfer-encoding", None),
            ("te", None),
            ("connection", None),
            ("x-secret", None),
        ] {
            assert_eq!(seen.field(name), want, "{name}");
        }
    }
}

#[tokio::test]
async fn method_and_fields_are_chosen() {
    let (shop, auth_server) = (shop().await, answering(204, &[], "").await);
    let mut external = auth("/");
    external.options.method = Some(AuthMethod::OfRequest);
    external.options.request_fields = Some(names(&["x-key", "content-length", "host", "te", "x-real-ip"]));
    let of_request = gateway(&shop, &auth_server, external.clone()).await;
    let fields = [("x-key", "1"), ("authorization", "Bearer abc")];
    let ask = || request("DELETE", "/a", &fields, full("body"));
    assert_eq!(send(of_request.addr, Version::HTTP_11, ask()).await.status, 200);
    let seen = auth_server.last();
    assert_eq!((seen.method, seen.headers.get("x-key")), (Method::DELETE, Some(&"1".parse().unwrap())));
    let lengths = (seen.headers.get("authorization"), seen.headers.get("content-length"));
    assert!(matches!(lengths, (None, None)), "{:?}", seen.headers);
    assert_eq!(seen.headers.get("host").unwrap(), "auth.default.svc");
    external.options.method = Some(AuthMethod::Always(Method::HEAD));
    let by_head = gateway(&shop, &auth_server, external).await;
    assert_eq!(send(by_head.addr, Version::HTTP_2, ask()).await.status, 200);
    assert_eq!(auth_server.last().method, Method::HEAD);
}

#[tokio::test]
async fn what_it_says_of_a_request_no_client_can_say() {
    let shop = shop().await;
    let knows = answering(200, &[("x-user", "ann"), ("x-other", "1"), ("set-cookie", "s=1")], "").await;
    let silent = answering(200, &[], "").await;
    let forged = [("x-user", "root"), ("x_user", "root"), ("x-groups", "admin"), ("x-own", "kept")];
    for (server, user) in [(&knows, Some("ann")), (&silent, None)] {
        for cookies in [None, Some(true)] {
            let mut external = auth("/");
            external.options.response_fields = Some(names(&["x-user", "x-groups"]));
            external.options.cookies = cookies;
            let gateway = gateway(&shop, server, external).await;
            for answer in send_both(gateway.addr, || request("GET", "/", &forged, empty())).await {
                let seen = shop.last();
                assert_eq!((answer.status, seen.field("x-user")), (200, user));
                for name in ["x_user", "x-groups", "x-other"] {
                    assert_eq!(seen.field(name), None, "{name}");
                }
                assert_eq!(seen.field("x-own"), Some("kept"));
                let cookie = cookies.and(user).map(|_| "s=1");
                assert_eq!(answer.field("set-cookie"), cookie);
            }
        }
    }
    // Where something else is enough, it is not asked, and yet nobody may say it himself.
    let mut any = auth("/");
    any.options.response_fields = Some(names(&["x-user"]));
    let mut any = policy(any);
    any.authentication.any = Some(true);
    any.access.allow = Some("127.0.0.0/8".parse().unwrap());
    let layer = IngressLayer::new(guarded_table(shop.addr, Some(knows.addr), any).0);
    let gateway = Gateway::start(Default::default(), layer.into_service()).await;
    let asked = knows.count();
    for answer in send_both(gateway.addr, || request("GET", "/", &forged, empty())).await {
        let seen = shop.last();
        assert_eq!((answer.status, seen.field("x-user"), seen.field("x_user")), (200, None, None));
    }
    assert_eq!(knows.count(), asked);
}

#[tokio::test]
async fn credentials_may_be_replaced_once_they_were_shown() {
    let shop = shop().await;
    let server = Asked::start(|seen| {
        let response = Response::builder().status(200);
        let response = match seen.field("authorization") {
            Some("Basic YW5uOnB3") => response.header("authorization", "Bearer ann"),
            _ => response,
        };
        response.body(empty()).unwrap()
    })
    .await;
    let mut external = auth("/");
    external.options.request_fields = Some(names(&["authorization", "x-session"]));
    let given = ["authorization", "x-session", "host", "content-length", "x-forwarded-for", "connection"];
    external.options.response_fields = Some(names(&given));
    let gateway = gateway(&shop, &server, external).await;
    for (own, want) in [("Basic YW5uOnB3", Some("Bearer ann")), ("Basic other", None)] {
        let fields = [("authorization", own), ("x-session", "7")];
        for answer in send_both(gateway.addr, || request("POST", "/", &fields, full("body"))).await {
            assert_eq!(answer.status, 200);
            let (shown, seen) = (server.last(), shop.last());
            assert_eq!((shown.field("authorization"), shown.field("x-session")), (Some(own), Some("7")));
            assert_eq!((seen.field("authorization"), seen.field("x-session")), (want, None));
            // What nobody may take over is left as it is.
            assert_eq!((seen.field("host"), seen.field("x-forwarded-for")), (Some(HOST), Some("127.0.0.1")));
            assert_eq!((seen.field("content-length"), answer.text()), (Some("4"), "body"));
        }
    }
}

#[tokio::test]
async fn a_body_streams_on_once_its_request_may_pass() {
    let (echo, server) = (Echo::start("a").await, answering(200, &[], "").await);
    let gateway = Gateway::start(Default::default(), service(echo.addr, server.addr, auth("/"))).await;
    let mut client = gateway.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        .await;
    assert!(client.head().await.starts_with("HTTP/1.1 200 "), "the echo answers before the body has ended");
    assert_eq!(client.bytes(6).await, b"1\r\na\r\n");
    client.send("0\r\n\r\n").await;
    assert_eq!(client.bytes(5).await, b"0\r\n\r\n");

    let (sender, mut pieces) = tokio::sync::mpsc::channel(1);
    let body = BodyExt::boxed(StreamBody::new(futures_util::stream::poll_fn(move |cx| pieces.poll_recv(cx))));
    let mut client = http2_client(gateway.addr).await;
    let answer = tokio::spawn(async move { client.send_request(request("POST", "/", &[], body)).await });
    sender.send(Ok(Frame::data(Bytes::from_static(b"a")))).await.unwrap();
    let mut answer = within("answer", answer).await.unwrap().unwrap();
    let piece = within("piece", answer.body_mut().frame()).await.unwrap().unwrap();
    assert_eq!(piece.into_data().unwrap(), "a");
    drop(sender);
    let rest = within("end", answer.into_body().collect()).await.unwrap();
    assert_eq!(rest.to_bytes(), "");
}

#[tokio::test]
async fn who_leaves_http_is_asked_about_too() {
    let endpoint = Upstream::bind().await;
    let ask = "GET /chat HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nCookie: a=b\r\n\r\n";
    let no = answering(401, &[], "no").await;
    let gateway_no = Gateway::start(Default::default(), service(endpoint.addr, no.addr, auth("/"))).await;
    let mut client = gateway_no.client().await;
    client.send(ask).await;
    assert_eq!(client.response().await.status(), 401);
    let seen = no.last();
    assert_eq!(
        (seen.field("upgrade"), seen.field("connection"), seen.field("cookie")),
        (None, None, Some("a=b"))
    );
    assert!(endpoint.nobody().await);

    let yes = answering(200, &[("x-user", "ann")], "").await;
    let mut external = auth("/");
    external.options.response_fields = Some(names(&["x-user"]));
    let gateway = Gateway::start(Default::default(), service(endpoint.addr, yes.addr, external)).await;
    let mut client = gateway.client().await;
    client.send(ask).await;
    let mut endpoint = endpoint.accept().await;
    let asked = endpoint.message().await;
    assert_eq!(
        (asked.field("x-user").as_deref(), asked.field("upgrade").as_deref()),
        (Some("ann"), Some("websocket"))
    );
    endpoint
        .send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
        .await;
    assert!(client.head().await.starts_with("HTTP/1.1 101 "));
    assert_eq!(client.bytes(5).await, b"hello");
}

#[tokio::test]
async fn a_yes_is_remembered_for_the_same_question() {
    let shop = shop().await;
    let no = Arc::new(AtomicBool::new(false));
    let says_no = no.clone();
    let server = Asked::start(move |seen| {
        let mut response = Response::builder().status(if says_no.load(SeqCst) { 403 } else { 200 });
        response = response.header("x-user", seen.field("authorization").unwrap_or("nobody").to_owned());
        if seen.target.ends_with("no-store") {
            response = response.header("cache-control", "private, no-store");
        }
        response.body(empty()).unwrap()
    })
    .await;
    let mut external = auth("/check");
    external.options.response_fields = Some(names(&["x-user"]));
    external.options.cache = Some(Duration::from_secs(3600));
    let service = service(shop.addr, server.addr, external.clone());
    let gateway = Gateway::start(Default::default(), service).await;
    let ask = async |method, target, user| {
        let fields = [("authorization", user), ("x-user", "forged"), ("x-secret", target)];
        send(gateway.addr, Version::HTTP_2, request(method, target, &fields, empty())).await
    };
    for (method, target, user, asks) in [
        ("GET", "/a", "ann", 1),
        ("GET", "/a", "ann", 0),
        ("GET", "/a", "bob", 1),
        ("HEAD", "/a", "ann", 1),
        ("GET", "/a?x", "ann", 1),
        ("GET", "/b", "ann", 1),
        ("GET", "/a", "bob", 0),
    ] {
        let before = server.count();
        assert_eq!(ask(method, target, user).await.status, 200);
        assert_eq!(server.count() - before, asks, "{method} {target} {user}");
        assert_eq!(shop.last().field("x-user"), Some(user));
    }
    // A no is not, and a yes stays.
    no.store(true, SeqCst);
    for _ in 0..2 {
        let before = server.count();
        assert_eq!(ask("GET", "/c", "ann").await.status, 403);
        assert_eq!(server.count() - before, 1);
    }
    assert_eq!(ask("GET", "/a", "ann").await.status, 200);
    no.store(false, SeqCst);
    // Nor is what the service wants to be asked again.
    let mut private = external.clone();
    private.callee.path = "/no-store".parse().unwrap();
    let gateway = self::gateway(&shop, &server, private).await;
    for _ in 0..2 {
        let before = server.count();
        assert_eq!(
            send(gateway.addr, Version::HTTP_11, request("GET", "/a", &[], empty())).await.status,
            200
        );
        assert_eq!(server.count() - before, 1);
    }
}

#[tokio::test]
async fn it_may_be_in_this_process_or_at_a_url() {
    let shop = shop().await;
    let in_process = tower::service_fn(|request: http::Request<Body>| async move {
        assert_eq!(
            (request.uri().path(), request.headers()["host"].to_str().unwrap()),
            ("/check", "auth.default.svc")
        );
        let status = if request.headers().contains_key("cookie") { 200 } else { 403 };
        Ok::<_, std::io::Error>(Response::builder().status(status).body(Body::empty()).unwrap())
    });
    let registry = ResourceRegistry::new().with(backend("auth"), in_process);
    let (reader, _writer) = guarded_table(shop.addr, None, policy(auth("/check")));
    let layer = IngressLayer::new(reader).resources(registry);
    let gateway = Gateway::start(Default::default(), layer.into_service()).await;
    for (fields, status) in [(&[("cookie", "a")][..], 200), (&[], 403)] {
        for answer in send_both(gateway.addr, || request("GET", "/", fields, empty())).await {
            assert_eq!(answer.status, status);
        }
    }
    let server = answering(204, &[], "").await;
    let mut external = auth("/check?a");
    let address = EndpointAddress::Socket(server.addr);
    for protocol in [Protocol::Http1, Protocol::H2c] {
        external.callee.to = CalleeAddress::Url(address.clone(), protocol);
        let (reader, _writer) = guarded_table(shop.addr, None, policy(external.clone()));
        let gateway = Gateway::start(Default::default(), IngressLayer::new(reader).into_service()).await;
        for answer in send_both(gateway.addr, || request("GET", "/", &[], empty())).await {
            assert_eq!(answer.status, 200);
            let seen = server.last();
            assert!(seen.target.ends_with("/check?a"));
            let host = seen.field("host").map_or_else(|| seen.target.clone(), str::to_owned);
            assert!(host.contains(&server.addr.to_string()), "{host}");
        }
    }
    // A name that leads to this machine is not followed.
    let name = EndpointAddress::Name("localhost".parse().unwrap(), server.addr.port());
    external.callee.to = CalleeAddress::Url(name, Protocol::Http1);
    let before = server.count();
    let (reader, _writer) = guarded_table(shop.addr, None, policy(external));
    let gateway = Gateway::start(Default::default(), IngressLayer::new(reader).into_service()).await;
    let answer = send(gateway.addr, Version::HTTP_11, request("GET", "/", &[], empty())).await;
    assert_eq!((answer.status, server.count()), (503, before));
}

#[tokio::test]
async fn its_endpoints_change_and_no_request_fails() {
    let shop = shop().await;
    let servers =
        [answering(200, &[], "").await, answering(200, &[], "yes").await, answering(204, &[], "").await];
    let (reader, mut writer) = guarded_table(shop.addr, Some(servers[0].addr), policy(auth("/")));
    let gateway = Gateway::start(Default::default(), IngressLayer::new(reader).into_service()).await;
    let (stop, failed, passed) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (stop, failed, passed, addr) = (stop.clone(), failed.clone(), passed.clone(), gateway.addr);
            tokio::spawn(async move {
                let mut client = http2_client(addr).await;
                while !stop.load(SeqCst) {
                    let answer = client.send_request(request("GET", "/", &[], empty())).await.unwrap();
                    let counter = if answer.status() == 200 { &passed } else { &failed };
                    counter.fetch_add(1, SeqCst);
                    drop(answer.into_body().collect().await);
                }
            })
        })
        .collect();
    for round in 1..=30 {
        let before = passed.load(SeqCst);
        let server = servers[round % servers.len()].addr;
        writer.publish(routes(shop.addr, Some(server), policy(auth("/"))));
        within("progress", async {
            while passed.load(SeqCst) + failed.load(SeqCst) < before + 20 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    stop.store(true, SeqCst);
    for client in clients {
        within("client", client).await.unwrap();
    }
    assert_eq!(failed.load(SeqCst), 0);
    assert!(servers.iter().all(|server| server.count() > 0));
}
