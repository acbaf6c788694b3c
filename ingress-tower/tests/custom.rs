//! Policies of the embedding program: layers that routes ask for by name.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use ingress_core::{BackendRef, Endpoint, FixedAnswer, PathMatch, PathRewrite, Policy, RouteTable, Rule};
use ingress_tower::{Body, ConnectionInfo, Error, IngressLayer, IngressService, Next, PolicyRegistry};
use support::*;
use tower::layer::{layer_fn, util::Identity};
use tower::{Service, ServiceExt};

fn service(server: SocketAddr, policies: &PolicyRegistry, policy: &Policy) -> IngressService {
    let mut rules = RouteTable::builder();
    let backend: BackendRef = "default/shop:80".parse().unwrap();
    let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend.clone());
    rules.rule(rule.with_policy(policy.clone()));
    rules.endpoints(backend, [Endpoint::new(server)]);
    IngressLayer::new(ingress_core::table(rules.build().0).0).policies(policies.clone()).into_service()
}

fn said(pairs: &[(&str, &str)]) -> Policy {
    let mut policy = Policy::default();
    pairs.iter().for_each(|(name, text)| policy.custom.set(*name, *text));
    policy
}

async fn ask(service: &IngressService, path: &str) -> Response<Body> {
    let request = Request::get(path).header("host", HOST).body(Body::empty()).unwrap();
    within("answer", service.clone().oneshot(request)).await.unwrap()
}

fn reason(answer: &Response<Body>) -> Option<&'static str> {
    answer.extensions().get::<Error>().map(Error::reason)
}

async fn text(answer: Response<Body>) -> String {
    let bytes = within("body", answer.into_body().collect()).await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

type Answer = Response<Body>;

/// Adds a layer that writes its text into a field of the request and of the answer, behind what stands there.
fn with_mark(registry: PolicyRegistry, name: &str) -> PolicyRegistry {
    registry.with(name, |text| {
        let value: HeaderValue = text.parse()?;
        Ok(layer_fn(move |next: Next| {
            let (of_request, of_answer) = (value.clone(), value.clone());
            next.map_request(move |mut request: Request<Body>| {
                request.headers_mut().append("x-mark", of_request.clone());
                request
            })
            .map_response(move |mut answer: Answer| {
                answer.headers_mut().append("x-mark", of_answer.clone());
                answer
            })
        }))
    })
}

fn marking(names: &[&str]) -> PolicyRegistry {
    names.iter().fold(PolicyRegistry::new(), |registry, name| with_mark(registry, name))
}

fn marks(answer: &Answer) -> String {
    let marks = answer.headers().get_all("x-mark").iter().map(|mark| mark.to_str().unwrap());
    marks.collect::<Vec<_>>().join(" ")
}

/// An endpoint that answers with the head of the one request that comes.
async fn heads(upstream: Upstream, count: usize) -> Vec<String> {
    let mut heads = Vec::new();
    let mut peer = upstream.accept().await;
    for _ in 0..count {
        heads.push(peer.head().await);
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    }
    heads
}

/// Neither the order of names nor that of what is said counts.
#[tokio::test]
async fn requests_pass_in_the_order_of_the_registry() {
    let orders: [[&str; 3]; 4] = [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"], ["c", "a", "b"]];
    for order in orders {
        let registry = marking(&order);
        assert_eq!(registry.names().collect::<Vec<_>>(), order);
        for missing in ["none", "a", "b", "c"] {
            let upstream = Upstream::bind().await;
            let pairs: Vec<_> = ["a", "b", "c"].into_iter().filter(|name| *name != missing).collect();
            let pairs: Vec<_> = pairs.into_iter().map(|name| (name, name)).collect();
            let service = service(upstream.addr, &registry, &said(&pairs));
            let seen = tokio::spawn(heads(upstream, 1));
            let answer = ask(&service, "/").await;
            let want: Vec<_> = order.into_iter().filter(|name| *name != missing).collect();
            let back: Vec<_> = want.iter().rev().copied().collect();
            assert_eq!(marks(&answer), back.join(" "), "{order:?}");
            let head = within("head", seen).await.unwrap().remove(0);
            let lines = head.lines().filter_map(|line| line.strip_prefix("x-mark: "));
            assert_eq!(lines.collect::<Vec<_>>(), want, "{order:?}");
        }
    }
    // A name that is added again keeps its place.
    let registry = marking(&["a", "b"]);
    let registry = registry.with("a", |_: &str| Err::<Identity, _>("no".into()));
    assert_eq!(registry.names().collect::<Vec<_>>(), ["a", "b"]);
    assert!(registry.check("a", "x").is_err() && registry.check("b", "x").is_ok());
}

#[tokio::test]
async fn what_nobody_knows_closes_the_route() {
    let server = Moody::start("a").await;
    let registry = marking(&["a"]);
    let mut answered = said(&[("other", "x")]);
    answered.answer = FixedAnswer::new(200, Default::default(), "x").ok();
    for policy in [
        said(&[("other", "x")]),
        said(&[("a", "x"), ("other", "x")]),
        said(&[("A", "x")]),
        said(&[("a", "line\nfeed")]),
        answered,
    ] {
        let service = service(server.addr, &registry, &policy);
        for _ in 0..2 {
            let answer = ask(&service, "/").await;
            assert_eq!((answer.status().as_u16(), reason(&answer)), (503, Some("closed")), "{policy:?}");
        }
        let call = Request::post("/").header("host", HOST).header("content-type", "application/grpc");
        let call = service.oneshot(call.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!((call.status().as_u16(), &call.headers()["grpc-status"]), (200, &"14".parse().unwrap()));
    }
    let none = service(server.addr, &PolicyRegistry::new(), &said(&[("a", "x")]));
    assert_eq!(reason(&ask(&none, "/").await), Some("closed"));
    assert_eq!(server.requests(), 0);
    let sound = service(server.addr, &registry, &said(&[("a", "x")]));
    assert_eq!(ask(&sound, "/").await.status(), 200);
}

/// An error tells logs what is wrong, but not the text, which may be what it should not be.
#[tokio::test]
async fn texts_are_not_told() {
    let server = Moody::start("a").await;
    let registry = PolicyRegistry::new()
        .with("a", |text: &str| Err::<Identity, _>(format!("{text} cannot be read").into()));
    let answer = ask(&service(server.addr, &registry, &said(&[("a", "hunter2")])), "/").await;
    let error = format!("{:?}", answer.extensions().get::<Error>().unwrap());
    assert!(error.contains("\\\"a\\\"") && !error.contains("hunter2"), "{error}");
    assert_eq!(format!("{registry:?}"), "[\"a\"]");
}

/// Adds a layer that always answers itself, and that all is well only to who has the key that its text is.
fn with_guard(registry: PolicyRegistry, name: &str) -> PolicyRegistry {
    registry.with(name, |text| {
        let key = text.to_owned();
        Ok(layer_fn(move |_: Next| {
            let key = key.clone();
            tower::service_fn(move |request: Request<Body>| {
                let passes = request.headers().get("x-key").is_some_and(|own| *own == *key);
                let mut answer = Response::new(Full::from("the layer answers"));
                *answer.status_mut() = if passes { StatusCode::OK } else { StatusCode::FORBIDDEN };
                std::future::ready(Ok::<_, Infallible>(answer))
            })
        }))
    })
}

#[tokio::test]
async fn layers_may_answer_themselves() {
    let server = Moody::start("a").await;
    let registry = with_guard(marking(&["outer"]), "guard");
    let policy = said(&[("guard", "k"), ("outer", "o")]);
    let gateway = Gateway::start(Default::default(), service(server.addr, &registry, &policy)).await;
    let mut client = http2_client(gateway.addr).await;
    for (key, status) in [("k", 200), ("x", 403)] {
        let request = Request::get(format!("http://{HOST}/")).header("x-key", key).body(empty()).unwrap();
        let answer = within("answer", client.send_request(request)).await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["x-mark"]), (status, &"o".parse().unwrap()));
        let body = within("body", answer.into_body().collect()).await.unwrap().to_bytes();
        assert_eq!(&body[..], b"the layer answers");
        // Who asks for a WebSocket would take 200 for consent.
        let connect = Request::connect(format!("http://{HOST}/")).header("x-key", key);
        let connect =
            connect.extension(hyper::ext::Protocol::from_static("websocket")).body(empty()).unwrap();
        let answer = within("answer", client.send_request(connect)).await.unwrap();
        assert_eq!(answer.status(), if status == 200 { 405 } else { status });
        let mut peer = gateway.client().await;
        peer.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nx-key: {key}\r\n\r\n")).await;
        let answer = peer.response().await;
        assert_eq!((answer.status(), answer.text()), (status, "the layer answers"));
    }
    assert_eq!(server.requests(), 0);
}

/// Adds a layer that asks for the path that its text is, with another field.
fn with_move(registry: PolicyRegistry, name: &str) -> PolicyRegistry {
    registry.with(name, |text| {
        let path: Uri = text.parse()?;
        Ok(layer_fn(move |next: Next| {
            let path = path.clone();
            next.map_request(move |mut request: Request<Body>| {
                *request.uri_mut() = path.clone();
                request.headers_mut().insert("x-tenant", HeaderValue::from_static("acme"));
                request.headers_mut().remove("x-forwarded-host");
                request
            })
        }))
    })
}

#[tokio::test]
async fn changes_to_the_request_are_followed() {
    let registry = with_move(PolicyRegistry::new(), "moved");
    let mut rewritten = said(&[("moved", "/in/v2?x=1")]);
    rewritten.rewrite.path = Some(PathRewrite::Full("/own{path}?{query}".parse().unwrap()));
    for (policy, want) in [
        (said(&[("moved", "/v2/a%20b?x=1")]), "GET /v2/a%20b?x=1 HTTP/1.1"),
        (said(&[("moved", "http://other.example/v3")]), "GET /v3 HTTP/1.1"),
        (rewritten, "GET /own/in/v2?x=1 HTTP/1.1"),
    ] {
        let upstream = Upstream::bind().await;
        let service = service(upstream.addr, &registry, &policy);
        let seen = tokio::spawn(heads(upstream, 1));
        assert_eq!(ask(&service, "/a/../b?q").await.status(), 200);
        let head = within("head", seen).await.unwrap().remove(0);
        assert_eq!(head.lines().next(), Some(want));
        assert!(head.contains("\r\nx-tenant: acme\r\n") && !head.contains("x-forwarded-host"), "{head}");
        assert!(head.to_lowercase().contains(&format!("\r\nhost: {HOST}\r\n")), "{head}");
    }
}

#[tokio::test]
async fn bodies_stream_through_both_ways() {
    let registry = marking(&["a", "b"]);
    let upstream = Upstream::bind().await;
    let service = service(upstream.addr, &registry, &said(&[("a", "a"), ("b", "b")]));
    let gateway = Gateway::start(Default::default(), service).await;
    let mut client = gateway.client().await;
    client
        .send(format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"))
        .await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    assert_eq!(endpoint.bytes(8).await, b"3\r\nabc\r\n");
    endpoint.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n").await;
    assert!(client.head().await.starts_with("HTTP/1.1 200"));
    assert_eq!(client.bytes(7).await, b"2\r\nxy\r\n");
    client.send("1\r\nd\r\n0\r\n\r\n").await;
    assert_eq!(endpoint.bytes(11).await, b"1\r\nd\r\n0\r\n\r\n");
    endpoint.send("1\r\nz\r\n0\r\n\r\n").await;
    assert_eq!(client.bytes(11).await, b"1\r\nz\r\n0\r\n\r\n");
}

/// Adds a layer that sends each request twice.
fn with_echo(registry: PolicyRegistry, name: &str) -> PolicyRegistry {
    registry.with(name, |_| {
        Ok(layer_fn(|next: Next| {
            let next = Arc::new(tokio::sync::Mutex::new(next));
            tower::service_fn(move |request: Request<Body>| {
                let next = next.clone();
                async move {
                    let mut next = next.lock().await;
                    let again = Request::get(request.uri().clone()).body(Body::empty()).unwrap();
                    let first = next.ready().await?.call(request).await?;
                    assert_eq!(first.status(), 200);
                    next.ready().await?.call(again).await
                }
            })
        }))
    })
}

#[tokio::test]
async fn the_rest_of_the_way_is_gone_once() {
    let server = Moody::start("a").await;
    let registry = with_echo(PolicyRegistry::new(), "twice");
    let answer = ask(&service(server.addr, &registry, &said(&[("twice", "")])), "/").await;
    assert_eq!(answer.status(), 500);
    assert!(answer.extensions().get::<Error>().is_some());
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn they_come_after_those_who_may_send_requests() {
    let server = Moody::start("a").await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let registry = PolicyRegistry::new().with("count", move |_: &str| {
        let count = count.clone();
        Ok(layer_fn(move |next: Next| {
            count.fetch_add(1, SeqCst);
            next
        }))
    });
    let mut policy = said(&[("count", "")]);
    policy.access.allow = "192.0.2.0/24".parse().ok();
    let service = service(server.addr, &registry, &policy);
    for (address, want) in [([198, 51, 100, 1], (403, 0)), ([192, 0, 2, 1], (200, 1))] {
        let request = Request::get("/").header("host", HOST);
        let request = request.extension(ConnectionInfo::new((address, 4711).into()));
        let answer = service.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!((answer.status().as_u16(), asked.load(SeqCst)), want);
    }
}

/// On all threads, and by all routes; what is long out of use is made anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_layer_is_made_once_for_each_text() {
    let server = Moody::start("a").await;
    let made = Arc::new(AtomicUsize::new(0));
    let count = made.clone();
    let registry = PolicyRegistry::new().with("a", move |_: &str| {
        count.fetch_add(1, SeqCst);
        Ok(Identity::new())
    });
    let mut other = said(&[("a", "one")]);
    other.max_body_size = Some(9);
    let services = [said(&[("a", "one")]), other, said(&[("a", "two")])]
        .map(|policy| service(server.addr, &registry, &policy));
    // First one by one, so that no two threads make the same.
    for service in &services {
        assert_eq!(ask(service, "/").await.status(), 200);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        for service in services.clone() {
            tasks.spawn(async move { assert_eq!(ask(&service, "/").await.status(), 200) });
        }
    }
    while let Some(done) = within("all", tasks.join_next()).await {
        done.unwrap();
    }
    assert_eq!(made.load(SeqCst), 2);
    for number in 0..3000 {
        registry.check("a", &number.to_string()).unwrap();
    }
    registry.check("a", "one").unwrap();
    assert_eq!(made.load(SeqCst), 3002, "what routes use is remembered");
}

#[tokio::test]
async fn text_of_an_answer_is_the_endpoints() {
    let server = Moody::start("a").await;
    let registry = marking(&["a"]);
    let answer = ask(&service(server.addr, &registry, &said(&[("a", "x")])), "/").await;
    assert_eq!(text(answer).await, "a");
    // A table without the policy asks nobody for it.
    let plain = ask(&service(server.addr, &registry, &Policy::default()), "/").await;
    assert_eq!((marks(&plain), plain.status().as_u16()), (String::new(), 200));
}
