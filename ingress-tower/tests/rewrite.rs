//! Other paths and hosts than those that were asked for: what an endpoint sees, and where clients are sent.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Method, Request};
use http_body_util::BodyExt;
use ingress_core::{
    BackendRef, Endpoint, HttpsRedirect, PathMatch, PathRewrite, Policy, RedirectScheme, RedirectStatus,
    RouteTable, Rule, Www,
};
use ingress_tower::{ConnectionInfo, Error, IngressLayer, IngressService};
use support::*;
use tokio::net::TcpListener;
use tower::ServiceExt;

/// A server that answers with the head of each request that came.
struct Mirror {
    addr: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Mirror {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (addr, requests) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
        let count = requests.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (mut peer, count) = (Peer::new(stream), count.clone());
                tokio::spawn(async move {
                    while let Some(head) = peer.try_head().await {
                        count.fetch_add(1, Ordering::SeqCst);
                        let answer =
                            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len());
                        peer.send(answer).await;
                    }
                });
            }
        });
        Self { addr, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn service(server: SocketAddr, rules: impl IntoIterator<Item = (PathMatch, Policy)>) -> IngressService {
    let mut builder = RouteTable::builder();
    let backend: BackendRef = "default/shop:80".parse().unwrap();
    for (path, policy) in rules {
        for host in [HOST, "www.shop.example"] {
            let rule = Rule::new(host.parse().unwrap(), path.clone(), backend.clone());
            builder.rule(rule.with_policy(policy.clone()));
        }
    }
    builder.endpoints(backend, [Endpoint::new(server)]);
    let reader = ingress_core::table(builder.build().0).0;
    IngressLayer::new(reader).trusted_proxies("10.0.0.0/8".parse().unwrap()).into_service()
}

fn policy(write: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = Policy::default();
    write(&mut policy);
    policy
}

fn prefix(path: &str) -> Policy {
    policy(|policy| policy.rewrite.path = Some(PathRewrite::Prefix(path.into())))
}

fn full(path: &str) -> Policy {
    policy(|policy| policy.rewrite.path = Some(PathRewrite::Full(path.parse().unwrap())))
}

/// Status, and the first line that the endpoint saw or the reason why it saw nothing, over HTTP/1.1 and HTTP/2.
async fn asked(service: &IngressService, target: &str) -> (u16, String) {
    let gateway = Gateway::start(Default::default(), service.clone()).await;
    let mut client = gateway.client().await;
    client.send(format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
    let answer = client.response().await;
    let first = |text: &str| text.lines().next().unwrap_or_default().trim_end().to_owned();
    let seen = (answer.status(), first(answer.text()));

    let mut client = http2_client(gateway.addr).await;
    let request = Request::get(format!("http://{HOST}{target}")).body(empty()).unwrap();
    let answer = within("answer", client.send_request(request)).await.unwrap();
    let status = answer.status().as_u16();
    let body = within("body", answer.into_body().collect()).await.unwrap().to_bytes();
    assert_eq!((status, first(std::str::from_utf8(&body).unwrap())), seen, "{target} over HTTP/2");
    seen
}

#[tokio::test]
async fn endpoints_are_asked_for_other_paths() {
    let server = Mirror::start().await;
    let service = service(
        server.addr,
        [
            (PathMatch::prefix("/api").unwrap(), prefix("/")),
            (PathMatch::prefix("/slash/").unwrap(), prefix("/v2/")),
            (PathMatch::prefix("/").unwrap(), policy(|policy| policy.max_body_size = Some(9))),
            (PathMatch::exact("/exact").unwrap(), prefix("/whole")),
            (PathMatch::template("/users/{id}/{*rest}").unwrap(), full("/v2/{rest}?user={id}&{query}")),
            (PathMatch::regex("/a-([^/]*)(?P<more>.*)").unwrap(), full("/pub/{1}{more}")),
            (PathMatch::regex("/q/.*").unwrap(), full("/q?")),
        ],
    );
    let (bad, ok) = ((400, "400 Bad Request"), |path| (200, path));
    for (target, (status, want)) in [
        ("/api/users?x=1", ok("GET /users?x=1 HTTP/1.1")),
        ("/api", ok("GET / HTTP/1.1")),
        ("/api/", ok("GET / HTTP/1.1")),
        ("/%61pi/%75sers/./a/", ok("GET /users/a/ HTTP/1.1")),
        ("/apiary", ok("GET /apiary HTTP/1.1")),
        ("/slash/a", ok("GET /v2/a HTTP/1.1")),
        ("/exact?x", ok("GET /whole?x HTTP/1.1")),
        ("/users/7%26x=1/a/b?y=2", ok("GET /v2/a/b?user=7%26x%3D1&y=2 HTTP/1.1")),
        ("/users/7&admin/a", ok("GET /v2/a?user=7%26admin& HTTP/1.1")),
        ("/a-x/y", ok("GET /pub/x/y HTTP/1.1")),
        ("/a-../secret", bad),
        ("/a-..%2Fsecret", bad),
        ("/a-..%5Csecret", bad),
        ("/a-..;x/secret", bad),
        ("/q/a?b", ok("GET /q HTTP/1.1")),
    ] {
        let (status, want) = (status, want.to_owned());
        assert_eq!(asked(&service, target).await, (status, want), "{target}");
    }
}

#[tokio::test]
async fn what_is_no_path_or_host_is_not_asked_for() {
    let server = Mirror::start().await;
    for (path, host, target) in [
        (Some("/a/../../b"), None, "/"),
        (Some("b"), None, "/"),
        (Some("/{query}"), None, "/?../x"),
        (None, Some("a{path}"), "/x"),
        (None, Some("{tls-server-name}"), "/x"),
    ] {
        let policy = policy(|policy| {
            policy.rewrite.path = path.map(|path| PathRewrite::Full(path.parse().unwrap()));
            policy.rewrite.host = host.map(|host| host.parse().unwrap());
        });
        let service = service(server.addr, [(PathMatch::prefix("/").unwrap(), policy)]);
        let request = Request::get(target).header("host", HOST).body(ingress_tower::Body::empty()).unwrap();
        let answer = within("answer", service.oneshot(request)).await.unwrap();
        assert_eq!(answer.extensions().get::<Error>().map(Error::reason), Some("bad_rewrite"));
        assert_eq!(answer.status(), 400);
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn endpoints_are_asked_for_another_host_and_told_the_clients() {
    let server = Mirror::start().await;
    let policy = policy(|policy| policy.rewrite.host = "next.{host}:81".parse().ok());
    let service = service(server.addr, [(PathMatch::prefix("/").unwrap(), policy)]);
    let gateway = Gateway::start(Default::default(), service).await;
    let mut client = gateway.client().await;
    client.send("GET / HTTP/1.1\r\nHost: Shop.example:8080\r\n\r\n").await;
    let answer = client.response().await;
    let head = answer.text().to_ascii_lowercase();
    assert!(head.contains("\r\nhost: next.shop.example:81\r\n"), "{head}");
    assert!(head.contains("\r\nx-forwarded-host: shop.example:8080\r\n"), "{head}");
}

/// Where a client is sent that came from an address and with what a proxy says about TLS.
async fn sent(service: &IngressService, peer: ([u8; 4], bool), proto: &str, url: (&str, &str)) -> String {
    let info = ConnectionInfo::new((peer.0, 4711).into()).with_tls(peer.1);
    let request =
        Request::get(url.1).header("host", url.0).header("x-forwarded-proto", proto).extension(info);
    let request = request.body(ingress_tower::Body::empty()).unwrap();
    let answer = within("answer", service.clone().oneshot(request)).await.unwrap();
    let location = answer.headers().get("location").map(|location| location.to_str().unwrap());
    format!("{} {}", answer.status().as_u16(), location.unwrap_or("-"))
}

#[tokio::test]
async fn clients_without_tls_are_sent_to_https_as_trusted_proxies_tell_it() {
    let server = Mirror::start().await;
    let policy = policy(|policy| {
        policy.https_redirect = Some(HttpsRedirect::With(RedirectStatus::PermanentRedirect));
    });
    let service = service(server.addr, [(PathMatch::prefix("/").unwrap(), policy)]);
    let (proxy, client) = ([10, 0, 0, 1], [192, 0, 2, 7]);
    for (peer, proto, target, want) in [
        ((client, false), "", "/a?b", "308 https://shop.example/a?b"),
        ((client, false), "https", "/", "308 https://shop.example/"),
        ((client, true), "http", "/", "200 -"),
        ((proxy, false), "https", "/", "200 -"),
        ((proxy, true), "http", "/", "308 https://shop.example/"),
        ((proxy, false), "", "/", "308 https://shop.example/"),
        ((client, false), "", "/.well-known/acme-challenge/token", "200 -"),
        ((client, false), "", "//evil.example/", "308 https://shop.example//evil.example/"),
    ] {
        assert_eq!(
            sent(&service, peer, proto, ("shop.example:8080", target)).await,
            want,
            "{peer:?} {proto}"
        );
    }
}

#[tokio::test]
async fn redirects_never_reach_the_endpoint_over_both_versions() {
    let server = Mirror::start().await;
    let mut to = policy(|policy| {
        policy.redirect.scheme = Some(RedirectScheme::Https);
        policy.redirect.host = "new.example".parse().ok();
        policy.redirect.path = Some(PathRewrite::Prefix("/v2".into()));
        policy.redirect.status = Some(RedirectStatus::MovedPermanently);
        // Sizes are looked at where a request goes on.
        policy.max_body_size = Some(1);
    });
    let rules = [(PathMatch::prefix("/api").unwrap(), to.clone())];
    let gateway = Gateway::start(Default::default(), service(server.addr, rules)).await;
    let want = "https://new.example/v2/a%20b?q=%0d%0aX:y";
    let mut client = gateway.client().await;
    for _ in 0..2 {
        client
            .send(format!(
                "POST /api/a%20b?q=%0d%0aX:y HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 2\r\n\r\nab"
            ))
            .await;
        let answer = client.response().await;
        assert_eq!((answer.status(), answer.field("location").as_deref()), (301, Some(want)));
    }
    let mut client = http2_client(gateway.addr).await;
    for method in [Method::GET, Method::HEAD] {
        let request = Request::builder().method(method).uri(format!("http://{HOST}/api/a%20b?q=%0d%0aX:y"));
        let answer = within("answer", client.send_request(request.body(empty()).unwrap())).await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["location"]), (301, &want.parse().unwrap()));
    }
    to.access.deny = "127.0.0.0/8".parse().ok();
    to.https_redirect = Some(HttpsRedirect::With(RedirectStatus::Found));
    to.www = Some(Www::Add);
    let rules = [(PathMatch::prefix("/api").unwrap(), to)];
    let gateway = Gateway::start(Default::default(), service(server.addr, rules)).await;
    let mut client = gateway.client().await;
    client.send(format!("GET /api HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
    let answer = client.response().await;
    assert_eq!((answer.status(), answer.field("location")), (403, None), "the access list comes first");
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn redirects_have_an_order() {
    let server = Mirror::start().await;
    let policy = policy(|policy| {
        policy.https_redirect = Some(HttpsRedirect::With(RedirectStatus::TemporaryRedirect));
        policy.www = Some(Www::Remove);
        policy.redirect.path = Some(PathRewrite::Full("/new".parse().unwrap()));
    });
    let service = service(server.addr, [(PathMatch::prefix("/").unwrap(), policy)]);
    let client = [192, 0, 2, 7];
    for (tls, host, target, want) in [
        (false, "www.shop.example", "/a?b", "307 https://www.shop.example/a?b"),
        (true, "www.shop.example", "/a?b", "308 https://shop.example/a?b"),
        (true, HOST, "/a?b", "302 https://shop.example/new?b"),
        (true, HOST, "/new", "500 -"),
    ] {
        assert_eq!(sent(&service, (client, tls), "", (host, target)).await, want);
    }
    assert_eq!(server.requests(), 0);
}
