//! What clients see in place of errors.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Response, Version};
use ingress_core::{BackendRef, Endpoint, PathMatch, Policy, RouteTable, Rule};
use ingress_tower::{Body, IngressLayer, ResourceRegistry};
use support::*;
use tokio::sync::watch;
use tower::ServiceExt;

fn backend(name: &str) -> BackendRef {
    format!("default/{name}:80").parse().unwrap()
}

fn layer(shop: SocketAddr, pages: Option<SocketAddr>, policy: Policy) -> IngressLayer {
    let mut rules = RouteTable::builder();
    let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend("shop"));
    rules.rule(rule.with_policy(policy));
    rules.endpoints(backend("shop"), [Endpoint::new(shop)]);
    rules.endpoints(backend("errors"), pages.map(Endpoint::new));
    IngressLayer::new(ingress_core::table(rules.build().0).0)
}

async fn gateway(shop: SocketAddr, pages: Option<SocketAddr>, policy: Policy) -> Gateway {
    Gateway::start(Default::default(), layer(shop, pages, policy).into_service()).await
}

fn text(statuses: &[(u16, u16)], body: Option<&str>) -> Policy {
    let mut policy = Policy::default();
    policy.error_pages.statuses = statuses.to_vec();
    policy.error_pages.body = body.map(Into::into);
    policy
}

fn asking(statuses: &[(u16, u16)], body: Option<&str>) -> Policy {
    let mut policy = text(statuses, body);
    policy.error_pages.backend = Some(backend("errors"));
    policy
}

/// An endpoint whose answer has the status that its path is, and all kinds of fields.
async fn shop() -> Asked {
    Asked::start(|seen| {
        let status: u16 = seen.target[1..].parse().unwrap();
        Response::builder()
            .status(status)
            .header("content-type", "text/plain")
            .header("content-encoding", "x-none")
            .header("content-language", "de")
            .header("content-security-policy", "default-src 'self'")
            .header("etag", "\"1\"")
            .header("last-modified", "Sat, 28 Nov 2026 11:00:00 GMT")
            .header("accept-ranges", "bytes")
            .header("retry-after", "7")
            .header("www-authenticate", "Basic realm=\"a\"")
            .header("ratelimit", "\"a\";r=0")
            .header("set-cookie", "a=b")
            .header("x-own", "1")
            .body(full("the endpoint's own words"))
            .unwrap()
    })
    .await
}

#[tokio::test]
async fn a_text_stands_in_for_listed_statuses() {
    let shop = shop().await;
    let mut policy = text(&[(401, 401), (404, 404), (500, 599)], Some("{\"sorry\": true}"));
    policy.error_pages.content_type = Some("application/json".parse().unwrap());
    let gateway = gateway(shop.addr, None, policy).await;
    for status in [200, 302, 400, 401, 403, 404, 500, 503, 599] {
        let replaced = [401, 404, 500, 503, 599].contains(&status);
        for method in ["GET", "POST", "HEAD"] {
            let target = format!("/{status}");
            for answer in send_both(gateway.addr, || request(method, &target, &[], empty())).await {
                let (want, kind) = match replaced {
                    true => ("{\"sorry\": true}", "application/json"),
                    false => ("the endpoint's own words", "text/plain"),
                };
                let body = if method == "HEAD" { "" } else { want };
                assert_eq!((answer.status, answer.text()), (status, body), "{method} {status}");
                assert_eq!(answer.field("content-type"), Some(kind));
                assert_eq!(
                    answer.field("content-length"),
                    Some(&*want.len().to_string()),
                    "{method} {status}"
                );
                for name in ["content-encoding", "content-language", "etag", "last-modified", "accept-ranges"]
                {
                    assert_eq!(answer.field(name).is_none(), replaced, "{name}");
                }
                for name in [
                    "retry-after",
                    "www-authenticate",
                    "ratelimit",
                    "set-cookie",
                    "x-own",
                    "content-security-policy",
                ] {
                    assert!(answer.field(name).is_some(), "{name}");
                }
            }
        }
    }
}

#[tokio::test]
async fn refusals_of_the_gateway_are_replaced_too() {
    let shop = shop().await;
    let page = Some("<h1>Sorry</h1>");
    let all = &[(400, 599)];
    let mut forbidden = text(all, page);
    forbidden.access.deny = Some("127.0.0.0/8".parse().unwrap());
    let mut closed = text(all, page);
    closed.access.closed = true;
    let mut large = text(all, page);
    large.max_body_size = Some(1);
    for (policy, endpoint, status) in [
        (forbidden.clone(), shop.addr, 403),
        (closed, shop.addr, 503),
        (large, shop.addr, 413),
        (text(all, page), refusing(), 502),
    ] {
        let gateway = gateway(endpoint, None, policy).await;
        for answer in send_both(gateway.addr, || request("POST", "/200", &[], full("body"))).await {
            assert_eq!((answer.status, answer.text()), (status, "<h1>Sorry</h1>"));
            assert_eq!(answer.field("content-type"), Some("text/html; charset=utf-8"));
        }
    }
    // Why it was refused is still told to logs.
    let service = layer(refusing(), None, text(all, page)).into_service();
    let request = http::Request::get("/").header("host", HOST).body(Body::empty()).unwrap();
    let answer = service.oneshot(request).await.unwrap();
    let error = answer.extensions().get::<ingress_tower::Error>().unwrap();
    assert_eq!(error.reason(), "connect_failed");
}

#[tokio::test]
async fn a_service_is_asked_for_pages() {
    let shop = shop().await;
    let pages = Asked::start(|seen| {
        let code = seen.field("x-code").unwrap();
        Response::builder()
            .status(if code == "404" { 404 } else { 200 })
            .header("content-type", "text/x-page")
            .header("content-language", "en")
            .header("set-cookie", "pages=1")
            .header("x-pages", "1")
            .body(full(format!("page for {code}")))
            .unwrap()
    })
    .await;
    let gateway = gateway(shop.addr, Some(pages.addr), asking(&[(404, 404), (503, 503)], Some("text"))).await;
    let fields = [
        ("accept", "text/html, */*;q=0.1"),
        ("authorization", "Bearer abc"),
        ("cookie", "a=b"),
        ("x-code", "1"),
        ("if-none-match", "*"),
    ];
    let mut asked = 0;
    for status in [404, 503] {
        let target = format!("/{status}");
        for method in ["POST", "HEAD"] {
            for answer in send_both(gateway.addr, || request(method, &target, &fields, empty())).await {
                let want = format!("page for {status}");
                assert_eq!(
                    (answer.status, answer.text()),
                    (status, if method == "HEAD" { "" } else { &want })
                );
                assert_eq!(answer.field("content-type"), Some("text/x-page"));
                assert_eq!(answer.field("content-language"), Some("en"));
                assert_eq!(answer.field("content-length"), Some(&*want.len().to_string()));
                assert_eq!((answer.field("set-cookie"), answer.field("x-pages")), (Some("a=b"), None));
                assert_eq!((answer.field("retry-after"), answer.field("etag")), (Some("7"), None));
                let (seen, own) = (pages.nth(asked).await, shop.nth(asked).await);
                asked += 1;
                assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/"));
                let id = own.field("x-request-id").unwrap();
                for (name, want) in [
                    ("host", Some(HOST)),
                    ("x-code", Some(&target[1..])),
                    ("x-format", Some("text/html, */*;q=0.1")),
                    ("accept", Some("text/html, */*;q=0.1")),
                    ("x-original-uri", Some(&*target)),
                    ("x-namespace", Some("default")),
                    ("x-service-name", Some("shop")),
                    ("x-service-port", Some("80")),
                    ("x-request-id", Some(id)),
                    ("x-forwarded-for", Some("127.0.0.1")),
                    ("authorization", None),
                    ("cookie", None),
                    ("if-none-match", None),
                ] {
                    assert_eq!(seen.field(name), want, "{name}");
                }
            }
        }
    }
    assert_eq!(send(gateway.addr, Version::HTTP_2, request("GET", "/200", &[], empty())).await.status, 200);
    assert_eq!(pages.count(), asked);
}

#[tokio::test]
async fn where_the_service_fails_the_text_or_the_answer_is_sent() {
    let shop = shop().await;
    let moody = Moody::start("pages").await;
    for mood in [Some(Mood::Failing(500)), Some(Mood::Failing(302)), Some(Mood::Resetting), None] {
        moody.set(mood.unwrap_or(Mood::Well));
        let pages = mood.map(|_| moody.addr);
        let with_text = gateway(shop.addr, pages, asking(&[(404, 404)], Some("text"))).await;
        let without = gateway(shop.addr, pages, asking(&[(404, 404)], None)).await;
        for answer in send_both(with_text.addr, || request("GET", "/404", &[], empty())).await {
            assert_eq!((answer.status, answer.text()), (404, "text"), "{mood:?}");
        }
        for answer in send_both(without.addr, || request("GET", "/404", &[], empty())).await {
            assert_eq!((answer.status, answer.text()), (404, "the endpoint's own words"), "{mood:?}");
            assert_eq!(answer.field("etag"), Some("\"1\""));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_service_has_five_seconds() {
    let pages = tower::service_fn(|_| async {
        std::future::pending::<Result<Response<Body>, std::io::Error>>().await
    });
    let shop = tower::service_fn(|_| async {
        Ok::<_, std::io::Error>(Response::builder().status(500).body(Body::from("own")).unwrap())
    });
    let registry = ResourceRegistry::new().with(backend("errors"), pages).with(backend("shop"), shop);
    let service = layer(refusing(), None, asking(&[(500, 500)], None)).resources(registry).into_service();
    let began = tokio::time::Instant::now();
    let request = http::Request::get("/").header("host", HOST).body(Body::empty()).unwrap();
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!((answer.status().as_u16(), began.elapsed().as_secs()), (500, 5));
}

#[tokio::test]
async fn calls_of_grpc_are_left_alone_and_so_is_what_leaves_http() {
    let mut policy = text(&[(400, 599)], Some("text"));
    policy.access.deny = Some("127.0.0.0/8".parse().unwrap());
    let refusing_gateway = gateway(refusing(), None, policy).await;
    let call = request("POST", "/", &[("content-type", "application/grpc")], empty());
    let answer = send(refusing_gateway.addr, Version::HTTP_2, call).await;
    assert_eq!((answer.status, answer.field("grpc-status"), answer.text()), (200, Some("7"), ""));

    let endpoint = Upstream::bind().await;
    let gateway = gateway(endpoint.addr, None, text(&[(400, 599)], Some("text"))).await;
    let ask = "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    for agrees in [true, false] {
        let mut client = gateway.client().await;
        client.send(ask).await;
        let mut endpoint = endpoint.accept().await;
        endpoint.head().await;
        if agrees {
            endpoint
                .send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
                .await;
            assert!(client.head().await.starts_with("HTTP/1.1 101 "));
            assert_eq!(client.bytes(5).await, b"hello");
        } else {
            endpoint.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nown").await;
            let answer = client.response().await;
            assert_eq!((answer.status(), answer.text()), (400, "text"));
        }
    }
}

#[tokio::test]
async fn nobody_waits_for_the_answer_that_is_replaced() {
    let endpoint = Upstream::bind().await;
    let gateway = gateway(endpoint.addr, None, text(&[(500, 500)], Some("text"))).await;
    let (ended, mut end) = watch::channel(false);
    let ended = Arc::new(ended);
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let answer = tokio::spawn(send(gateway.addr, version, request("GET", "/", &[], empty())));
        let mut peer = endpoint.accept().await;
        peer.head().await;
        // The rest of it never comes.
        peer.send("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100\r\n\r\nbegun").await;
        let answer = within("answer", answer).await.unwrap();
        assert_eq!((answer.status, answer.text()), (500, "text"));
        let ended = ended.clone();
        tokio::spawn(async move {
            peer.closed().await;
            ended.send_replace(true);
        });
        within("the connection's end", end.wait_for(|ended| *ended)).await.unwrap();
    }
}
