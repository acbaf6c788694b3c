//! Endpoints that speak TLS: who is believed to be one, and what is spoken then.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "support/pki.rs"]
mod pki;
mod support;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response};
use hyper::body::Incoming;
use ingress_core::{Endpoint, HostName, PathMatch, Policy, Protocol, RouteTable, Rule, Trust, UpstreamTls};
use ingress_tower::server::Server;
use ingress_tower::tls::{Tls, trust};
use ingress_tower::{HttpClient, IngressLayer, IngressService, ServerName};
use pki::Authority;
use support::*;
use tokio::net::TcpListener;

/// An endpoint with this certificate that tells which name it was asked for and in what, and how many connections it
/// has had.
struct TlsEndpoint {
    addr: SocketAddr,
    server: Server,
    requests: Arc<AtomicUsize>,
}

impl TlsEndpoint {
    async fn start(certificate: ingress_core::Certificate, tls: fn(Tls) -> Tls) -> Self {
        let mut rules = RouteTable::builder();
        rules.certificate("".parse().unwrap(), certificate);
        let (reader, _writer) = ingress_core::table(rules.build().0);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (server, requests) = (Server::new(), Arc::<AtomicUsize>::default());
        let (own, count, tls) = (server.clone(), requests.clone(), tls(Tls::new(reader)));
        tokio::spawn(async move {
            let service = tower::service_fn(move |request: Request<Incoming>| {
                count.fetch_add(1, Ordering::Relaxed);
                let name = request.extensions().get::<ServerName>().map(|name| name.as_str().to_owned());
                let mut response = Response::new(request.into_body());
                response.headers_mut().insert("x-name", name.unwrap_or_default().parse().unwrap());
                async { Ok::<_, Infallible>(response) }
            });
            own.serve_tls(listener, &tls, service, std::future::pending()).await
        });
        Self { addr, server, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

fn tls(server_name: Option<&str>, trust: Option<Trust>, verify: Option<bool>) -> UpstreamTls {
    let mut tls = UpstreamTls::default();
    (tls.server_name, tls.trust, tls.verify) = (server_name.map(Into::into), trust, verify);
    tls
}

/// A gateway whose one route has this policy.
async fn gateway(endpoint: Endpoint, tls: UpstreamTls) -> Gateway {
    let mut policy = Policy::default();
    policy.tls = tls;
    let backend: ingress_core::BackendRef = "default/shop:443".parse().unwrap();
    let mut rules = RouteTable::builder();
    let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend.clone());
    rules.rule(rule.with_policy(policy));
    rules.endpoints(backend, [endpoint]);
    let (reader, _writer) = ingress_core::table(rules.build().0);
    let client = HttpClient::builder().local_names(true).build();
    Gateway::start(Server::new(), IngressLayer::with_client(reader, client).into_service()).await
}

const GET: &str = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";

#[tokio::test]
async fn the_certificate_must_be_that_of_the_endpoint() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let names = &["shop.default.svc", "localhost", "own.example"];
    let endpoint = TlsEndpoint::start(authority.issue(names).load(), |tls| tls).await;
    let at = || Endpoint::new(endpoint.addr).with_protocol(Protocol::Https);
    let named = || {
        let name: HostName = "localhost".parse().unwrap();
        Endpoint::named(name, endpoint.addr.port()).with_protocol(Protocol::Https)
    };
    let trusted = || Some(trust(authority.root().as_bytes()).unwrap());
    let other = || Some(trust(stranger.root().as_bytes()).unwrap());
    let table = [
        (at(), tls(None, trusted(), None), Some("shop.default.svc")),
        (named(), tls(None, trusted(), None), Some("localhost")),
        (at(), tls(Some("own.example"), trusted(), None), Some("own.example")),
        (at(), tls(Some("other.example"), trusted(), None), None),
        (at(), tls(Some("not a name"), trusted(), None), None),
        (at(), tls(None, other(), None), None),
        (at(), tls(None, Some(Trust::none()), None), None),
        (at(), tls(None, None, None), None),
        (at(), tls(Some("other.example"), None, Some(false)), Some("other.example")),
    ];
    for (to, tls, want) in table {
        let what = format!("{tls:?}");
        let gateway = gateway(to, tls).await;
        let mut client = gateway.client().await;
        client.send(GET).await;
        let answer = client.response().await;
        match want {
            Some(name) => {
                assert_eq!((answer.status(), answer.field("x-name").as_deref()), (200, Some(name)), "{what}")
            }
            None => assert_eq!(answer.status(), 502, "{what}"),
        }
    }
    assert_eq!(endpoint.requests(), 4, "nothing is sent to whom nobody knows");
}

#[tokio::test]
async fn connections_are_kept_and_both_versions_are_spoken() {
    let authority = Authority::new();
    let certificate = authority.issue(&["shop.default.svc"]).load();
    let trusted = || tls(None, Some(trust(authority.root().as_bytes()).unwrap()), None);
    for protocol in [Protocol::Https, Protocol::H2] {
        let endpoint = TlsEndpoint::start(certificate.clone(), |tls| tls).await;
        let gateway = gateway(Endpoint::new(endpoint.addr).with_protocol(protocol), trusted()).await;
        for body in ["", "some text"] {
            let request = format!(
                "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let mut client = gateway.client().await;
            client.send(request).await;
            let answer = client.response().await;
            assert_eq!((answer.status(), answer.text()), (200, body), "{protocol}");
        }
        assert_eq!(endpoint.server.stats().open, 1, "{protocol}");
    }
    // Whoever does not speak HTTP/2 is not taken for one who does.
    let old = TlsEndpoint::start(certificate, |tls| tls.http2(false)).await;
    let gateway = gateway(Endpoint::new(old.addr).with_protocol(Protocol::H2), trusted()).await;
    assert_eq!(gateway.status(GET).await, 502);
}

#[tokio::test]
async fn connections_of_one_policy_are_not_those_of_another() {
    let authority = Authority::new();
    let endpoint = TlsEndpoint::start(authority.issue(&["shop.default.svc"]).load(), |tls| tls).await;
    let backend: ingress_core::BackendRef = "default/shop:443".parse().unwrap();
    let mut rules = RouteTable::builder();
    for (path, tls) in [
        ("/open", tls(None, None, Some(false))),
        ("/strict", tls(None, None, None)),
        ("/own", tls(None, Some(trust(authority.root().as_bytes()).unwrap()), None)),
    ] {
        let mut policy = Policy::default();
        (policy.tls, policy.protocol) = (tls, Some(Protocol::Https));
        let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix(path).unwrap(), backend.clone());
        rules.rule(rule.with_policy(policy));
    }
    // The policy says what is spoken, whatever the endpoint says.
    rules.endpoints(backend, [Endpoint::new(endpoint.addr)]);
    let (reader, _writer) = ingress_core::table(rules.build().0);
    let gateway = Gateway::start(Server::new(), IngressService::new(reader)).await;
    for (path, want) in [("/open", 200), ("/strict", 502), ("/own", 200), ("/open", 200), ("/strict", 502)] {
        let request = GET.replace("GET /", &format!("GET {path}"));
        assert_eq!(gateway.status(&request).await, want, "{path}");
    }
}

#[tokio::test]
async fn another_protocol_passes_through_tls() {
    let authority = Authority::new();
    let upstream = Upstream::bind().await;
    // A second gateway ends TLS in front of the endpoint.
    let mut rules = RouteTable::builder();
    let backend: ingress_core::BackendRef = "default/shop:80".parse().unwrap();
    rules.rule(Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend.clone()));
    rules.endpoints(backend, [Endpoint::new(upstream.addr)]);
    rules.certificate("".parse().unwrap(), authority.issue(&["shop.default.svc"]).load());
    let (reader, _writer) = ingress_core::table(rules.build().0);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (end, service) = (Tls::new(reader.clone()), IngressService::new(reader));
    tokio::spawn(
        async move { Server::new().serve_tls(listener, &end, service, std::future::pending()).await },
    );
    let trusted = tls(Some(HOST), Some(trust(authority.root().as_bytes()).unwrap()), None);
    // Its certificate is for another name than the one that is asked for, which is a refusal.
    let strict = gateway(Endpoint::new(addr).with_protocol(Protocol::Https), trusted).await;
    assert_eq!(strict.status(GET).await, 502);
    let open = tls(Some(HOST), None, Some(false));
    let gateway = gateway(Endpoint::new(addr).with_protocol(Protocol::H2), open).await;
    let mut client = gateway.client().await;
    client
        .send("GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await;
    let mut endpoint = upstream.accept().await;
    endpoint.head().await;
    endpoint
        .send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello")
        .await;
    assert!(client.head().await.starts_with("HTTP/1.1 101"));
    assert_eq!(client.bytes(5).await, b"hello");
    client.send("back").await;
    assert_eq!(endpoint.bytes(4).await, b"back");
}
