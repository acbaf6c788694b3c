//! What an embedding program can put in: its own application, client, resources and balancing.
#![allow(clippy::unwrap_used)]

mod support;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use http::{Request, Response};
use http_body_util::BodyExt;
use ingress_core::{
    Algorithm, BackendRef, Balance, Draw, Endpoint, Members, PathMatch, Policy, RouteTable, Rule, TableReader,
};
use ingress_tower::{
    Body, BoxError, ConnectionInfo, Error, IngressLayer, IngressService, ResourceRegistry, TimedOut, Unsent,
};
use support::*;
use tower::{Layer, Service, ServiceExt};

fn request(target: &str) -> Request<Body> {
    Request::get(target).header("host", HOST).body(Body::empty()).unwrap()
}

fn backend() -> BackendRef {
    "default/shop:80".parse().unwrap()
}

async fn text<B>(response: Response<B>) -> String
where
    B: http_body::Body<Error: std::fmt::Debug>,
{
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// Routes `/shop` only, to this backend.
fn shop(backend: BackendRef, endpoints: &[SocketAddr]) -> TableReader {
    let mut rules = RouteTable::builder();
    rules.rule(Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/shop").unwrap(), backend.clone()));
    rules.endpoints(backend, endpoints.iter().map(|&addr| Endpoint::new(addr)));
    ingress_core::table(rules.build().0).0
}

/// A service that must be polled to readiness before each call, and shows what it got.
#[derive(Clone, Default)]
struct Inner {
    ready: bool,
    seen: Arc<Mutex<Vec<Request<Body>>>>,
}

impl Service<Request<Body>> for Inner {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if std::mem::replace(&mut self.ready, true) {
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called before it was ready");
        self.seen.lock().unwrap().push(request);
        std::future::ready(Ok(Response::new(Body::from("inner"))))
    }
}

#[tokio::test]
async fn what_no_route_takes_reaches_the_inner_service_unchanged() {
    let inner = Inner::default();
    let seen = inner.seen.clone();
    let service = IngressLayer::new(shop(backend(), &[])).layer(inner);
    for _ in 0..2 {
        let mut sent = request("/%61/../other?q");
        sent.headers_mut().insert("connection", "x-hop".parse().unwrap());
        sent.headers_mut().insert("x-forwarded-for", "10.0.0.1".parse().unwrap());
        sent.extensions_mut().insert(7_u8);
        assert_eq!(text(service.clone().oneshot(sent).await.unwrap()).await, "inner");
        let got = seen.lock().unwrap().pop().unwrap();
        assert_eq!(got.uri(), "/%61/../other?q");
        assert_eq!(got.headers().len(), 3);
        assert_eq!(got.extensions().get(), Some(&7_u8));
    }
    // What is routed or refused never gets there.
    assert_eq!(service.clone().oneshot(request("/shop")).await.unwrap().status(), 503);
    assert_eq!(service.clone().oneshot(request("/..")).await.unwrap().status(), 400);
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn errors_are_in_the_extensions() {
    let service = IngressService::new(shop(backend(), &[refusing()]));
    let table = [
        ("/other", 404, "no_route"),
        ("/..", 400, "bad_path"),
        ("/a/..%2fshop", 400, "ambiguous_path"),
        ("/shop", 502, "connect_failed"),
    ];
    for (target, status, reason) in table {
        let answer = service.clone().oneshot(request(target)).await.unwrap();
        let error = answer.extensions().get::<Error>().unwrap();
        assert_eq!((answer.status().as_u16(), error.reason()), (status, reason), "{target}");
        assert_eq!(error.backend().is_some(), status == 502);
        assert_eq!(error.endpoint().is_some(), status == 502);
        assert_eq!(answer.status(), error.status());
    }
    // Both readings of this path reach the same route.
    assert_eq!(service.oneshot(request("/shop/a%2Fb")).await.unwrap().status(), 502);
}

#[tokio::test]
async fn axum_has_it_as_a_layer_and_as_a_fallback() {
    let echo = Echo::start("a").await;
    let layer = IngressLayer::new(shop(backend(), &[echo.addr]))
        .client_addr(|extensions| extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0));
    let own = || Router::new().route("/healthz", get(|| async { "ok" }));
    let layered = own().fallback(|| async { "mine" }).layer(layer.clone());
    let fallback = own().fallback_service(layer.into_service());
    for (app, rest) in [(layered, "mine"), (fallback, "404 Not Found\n")] {
        for (target, want) in [("/healthz", "ok"), ("/shop", "abc"), ("/other", rest)] {
            let request = Request::post(target).header("host", HOST).body(axum::body::Body::from("abc"));
            let mut request = request.unwrap();
            if want == "ok" {
                *request.method_mut() = http::Method::GET;
            }
            assert_eq!(text(app.clone().oneshot(request).await.unwrap()).await, want, "{target}");
        }
    }
}

#[tokio::test]
async fn a_client_can_hand_back_what_it_did_not_send() {
    let endpoints = [1, 2, 3].map(|last| SocketAddr::from(([10, 0, 0, last], 80)));
    let tried = Arc::new(Mutex::new(Vec::new()));
    let log = tried.clone();
    let client = tower::service_fn(move |request: Request<Body>| {
        let mut tried = log.lock().unwrap();
        tried.push(request.uri().to_string());
        let answer: Result<Response<Body>, BoxError> = match tried.len() {
            1 | 2 => Err(Unsent::new(request, "busy").into()),
            _ => Ok(Response::new(request.into_body())),
        };
        async move { answer }
    });
    let service = IngressLayer::with_client(shop(backend(), &endpoints), client).into_service();
    let mut sent = request("/shop?q");
    *sent.body_mut() = Body::from("whole");
    assert_eq!(text(service.clone().oneshot(sent).await.unwrap()).await, "whole");
    let mut tried = tried.lock().unwrap().clone();
    tried.sort();
    assert_eq!(
        tried,
        [1, 2, 3].map(|last| format!("http://10.0.0.{last}/shop?q").replace("/shop", ":80/shop"))
    );
}

#[tokio::test]
async fn a_client_can_say_that_it_waited_long_enough() {
    let endpoints = [SocketAddr::from(([10, 0, 0, 1], 80)), SocketAddr::from(([10, 0, 0, 2], 80))];
    async fn status<E: Into<BoxError> + Send + 'static>(endpoints: &[SocketAddr], error: fn() -> E) -> u16 {
        let client = tower::service_fn(move |_| std::future::ready(Err::<Response<Body>, _>(error())));
        let service = IngressLayer::with_client(shop(backend(), endpoints), client).into_service();
        let answer = service.oneshot(request("/shop")).await.unwrap();
        assert_eq!(answer.extensions().get::<Error>().unwrap().is_timeout(), answer.status() == 504);
        answer.status().as_u16()
    }
    assert_eq!(status(&endpoints, || TimedOut).await, 504);
    assert_eq!(status(&endpoints, || std::io::Error::other("x")).await, 502);
}

/// What is known of a request's connection, and the `X-Forwarded-For`, `X-Real-IP` and `X-Forwarded-Proto` that
/// a backend gets.
#[tokio::test]
async fn what_is_known_of_the_connection_is_told() {
    let client = SocketAddr::from(([192, 0, 2, 7], 1));
    let table = [
        (None, [None, None, Some("http")]),
        (Some(ConnectionInfo::new(client)), [Some("192.0.2.7"), Some("192.0.2.7"), Some("http")]),
        (
            Some(ConnectionInfo::new(client).with_tls(true)),
            [Some("192.0.2.7"), Some("192.0.2.7"), Some("https")],
        ),
    ];
    for (info, want) in table {
        let seen = Arc::new(Mutex::new(None));
        let slot = seen.clone();
        let echo = tower::service_fn(move |request: Request<Body>| {
            *slot.lock().unwrap() = Some(request.headers().clone());
            async { Ok::<_, Infallible>(Response::new(Body::empty())) }
        });
        let registry = ResourceRegistry::new().with(backend(), echo);
        let mut sent = request("/shop");
        for name in ["x-forwarded-for", "x-real-ip", "x-forwarded-proto"] {
            sent.headers_mut().insert(name, "evil".parse().unwrap());
        }
        if let Some(info) = info {
            sent.extensions_mut().insert(info);
        }
        let layer = IngressLayer::new(shop(backend(), &[])).resources(registry);
        assert_eq!(layer.into_service().oneshot(sent).await.unwrap().status(), 200);
        let seen = seen.lock().unwrap().take().unwrap();
        let found = ["x-forwarded-for", "x-real-ip", "x-forwarded-proto"]
            .map(|name| seen.get(name).map(|value| value.to_str().unwrap()));
        assert_eq!(found, want);
    }
}

#[tokio::test]
async fn services_of_this_process_answer_for_backends() {
    let bucket = BackendRef::resource("default", "example.com", "Bucket", "static");
    let echo = tower::service_fn(|request: Request<Body>| async move {
        let (parts, body) = request.into_parts();
        assert_eq!(parts.headers["x-forwarded-for"], "192.0.2.7");
        Ok::<_, Infallible>(Response::builder().header("x-path", parts.uri.to_string()).body(body).unwrap())
    });
    let failing = tower::service_fn(|_: Request<Body>| async { Err::<Response<Body>, _>("broken") });
    let registry = ResourceRegistry::new().with(bucket.clone(), echo).with(backend(), echo);
    let client = ConnectionInfo::new(SocketAddr::from(([192, 0, 2, 7], 1)));
    for backend in [bucket.clone(), backend()] {
        let layer = IngressLayer::new(shop(backend, &[])).resources(registry.clone());
        let mut sent = request("/shop/./a?q");
        sent.extensions_mut().insert(client);
        *sent.body_mut() = Body::from("abc");
        let answer = layer.into_service().oneshot(sent).await.unwrap();
        assert_eq!(answer.headers()["x-path"], "/shop/a?q");
        assert_eq!(text(answer).await, "abc");
    }
    let unknown = IngressService::new(shop(bucket.clone(), &[])).oneshot(request("/shop")).await.unwrap();
    assert_eq!(unknown.status(), 503);
    assert_eq!(unknown.extensions().get::<Error>().unwrap().reason(), "no_resource");
    let registry = ResourceRegistry::new().with(bucket.clone(), failing);
    let failed = IngressLayer::new(shop(bucket, &[])).resources(registry).into_service();
    let failed = failed.oneshot(request("/shop")).await.unwrap();
    assert_eq!(failed.status(), 500);
    assert!(!text(failed).await.contains("broken"));
}

/// Always the last one, whatever the ticket.
#[derive(Debug)]
struct Last(usize);

impl Balance for Last {
    fn pick(&self, members: Members<'_>, _: &Draw) -> Option<usize> {
        (members.len() + self.0).checked_sub(1)
    }
}

#[tokio::test]
async fn endpoints_can_be_chosen_in_another_way() {
    let (a, b) = (Echo::start("a").await, Echo::start("b").await);
    let last = a.addr.max(b.addr);
    for (beyond, status) in [(0, 200), (5, 503)] {
        let mut rules = RouteTable::builder();
        rules.rule(Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend()));
        rules.endpoints(backend(), [Endpoint::new(a.addr), Endpoint::new(b.addr)]);
        let mut policy = Policy::default();
        policy.load_balance = Some(Algorithm::custom(Last(beyond)));
        rules.backend_policy(backend(), policy);
        let service = IngressService::new(ingress_core::table(rules.build().0).0);
        for _ in 0..4 {
            let answer = service.clone().oneshot(request("/")).await.unwrap();
            assert_eq!(answer.status(), status);
            let upstream = answer.headers().get("x-upstream").map(|name| name == "a");
            assert!(upstream.is_none_or(|is_a| is_a == (last == a.addr)));
        }
    }
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_about_its_clients_and_not_about_the_route() {
    for (trusted, want) in
        [("127.0.0.0/8", ["192.0.2.7", "https", "443"]), ("10.0.0.0/8", ["127.0.0.1", "http", "-"])]
    {
        let upstream = Upstream::bind().await;
        let layer = IngressLayer::new(table(&[upstream.addr])).trusted_proxies(trusted.parse().unwrap());
        let gateway = Gateway::start(ingress_tower::server::Server::new(), layer.into_service()).await;
        let mut client = gateway.client().await;
        let fields = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: other.example\r\nX-Request-ID: one\r\n";
        client.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n")).await;
        let seen = upstream.accept().await.message().await;
        let field = |name: &str| seen.field(name).unwrap();
        let own_port = gateway.addr.port().to_string();
        let port = if want[2] == "-" { own_port } else { want[2].into() };
        assert_eq!(
            [field("x-real-ip"), field("x-forwarded-proto"), field("x-forwarded-port")],
            [want[0].into(), want[1].into(), port]
        );
        assert_eq!(field("host"), HOST);
        assert_eq!(field("x-request-id") == "one", want[1] == "https");
    }
}
