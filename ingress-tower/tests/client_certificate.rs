//! Certificates of clients: who is asked, who is served, and what endpoints are told.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "support/pki.rs"]
mod pki;
mod support;

use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use ingress_core::{
    ClientCertificate, Endpoint, HttpsRedirect, PathMatch, Policy, RedirectStatus, RouteTable,
    RouteTableBuilder, Rule, TableWriter, Trust,
};
use ingress_tower::server::Server;
use ingress_tower::tls::{Tls, trust};
use ingress_tower::{Body, ConnectionInfo, Error, IngressLayer, IngressService};
use pki::{Authority, Pem, connect};
use rustls::{ALL_VERSIONS, ClientConfig};
use support::*;
use tokio::net::TcpListener;
use tower::ServiceExt;

/// A gateway with certificates for all hosts of the tests, and an endpoint that counts.
struct Served {
    addr: SocketAddr,
    writer: TableWriter,
    endpoint: Moody,
    own: Pem,
}

/// A host, its path, and how its requests are treated.
type Route<'a> = (&'a str, &'a str, Policy);

fn wanting(authority: &Authority) -> Policy {
    let mut policy = Policy::default();
    policy.authentication.certificate =
        Some(ClientCertificate::new(trust(authority.root().as_bytes()).unwrap()));
    policy
}

fn optional(authority: &Authority) -> Policy {
    let mut policy = wanting(authority);
    policy.authentication.certificate.as_mut().unwrap().optional = true;
    policy
}

fn rules(endpoint: SocketAddr, own: &Pem, routes: &[Route<'_>]) -> RouteTableBuilder {
    let mut rules = RouteTable::builder();
    let backend: ingress_core::BackendRef = "default/shop:80".parse().unwrap();
    for (host, path, policy) in routes {
        let rule = Rule::new(host.parse().unwrap(), PathMatch::prefix(path).unwrap(), backend.clone());
        rules.rule(rule.with_policy(policy.clone()));
    }
    rules.endpoints(backend, [Endpoint::new(endpoint)]);
    rules.certificate("".parse().unwrap(), own.load());
    rules
}

impl Served {
    async fn with(authority: &Authority, routes: &[Route<'_>]) -> Self {
        Self::start(authority, routes, |tls| tls, Policy::default()).await
    }

    async fn start(
        authority: &Authority,
        routes: &[Route<'_>],
        tls: fn(Tls) -> Tls,
        everywhere: Policy,
    ) -> Self {
        let endpoint = Moody::start("a").await;
        let own = authority.issue(&["shop.example", "*.shop.example"]);
        let (reader, writer) = ingress_core::table(rules(endpoint.addr, &own, routes).build().0);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let tls = tls(Tls::new(reader.clone()));
        let service = IngressLayer::new(reader).policy(everywhere).into_service();
        tokio::spawn(async move {
            Server::new().serve_tls(listener, &tls, service, std::future::pending()).await
        });
        Self { addr, writer, endpoint, own }
    }

    fn publish(&mut self, routes: &[Route<'_>]) {
        self.writer.publish(rules(self.endpoint.addr, &self.own, routes).build().0);
    }

    /// The status of one request on a connection of its own, and whether the endpoint was asked.
    async fn status(&self, config: &Arc<ClientConfig>, url: &str) -> (u16, bool) {
        let (name, path) = url.split_once('/').unwrap();
        let mut client = Client::connect(self.addr, config, name).await;
        let before = self.endpoint.requests();
        let status = client.status(name, &format!("/{path}")).await;
        (status, self.endpoint.requests() > before)
    }
}

/// A connection of HTTP/1.1.
struct Client(http1::SendRequest<TestBody>);

impl Client {
    async fn connect(addr: SocketAddr, config: &Arc<ClientConfig>, name: &str) -> Self {
        let stream = connect(addr, config, name).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    async fn ask(&mut self, request: http::request::Builder) -> Response<Incoming> {
        within("ready", self.0.ready()).await.unwrap();
        within("an answer", self.0.send_request(request.body(empty()).unwrap())).await.unwrap()
    }

    async fn status(&mut self, host: &str, path: &str) -> u16 {
        self.ask(Request::get(path).header("host", host)).await.status().as_u16()
    }
}

fn plain(authority: &Authority, own: Option<&Pem>) -> Arc<ClientConfig> {
    authority.client(own, &[], ALL_VERSIONS)
}

#[tokio::test]
async fn only_clients_with_a_certificate_of_the_authority_are_served() {
    let (own, staff) = (Authority::new(), Authority::new());
    let served = Served::with(
        &own,
        &[("shop.example", "/", wanting(&staff)), ("open.shop.example", "/", optional(&staff))],
    )
    .await;
    let (good, bad) = (staff.issue(&["ann.example"]), own.issue(&["eve.example"]));
    for version in ALL_VERSIONS {
        for (name, certificate, want) in [
            ("shop.example", Some(&good), 200),
            ("shop.example", Some(&bad), 403),
            ("shop.example", None, 403),
            ("open.shop.example", Some(&good), 200),
            ("open.shop.example", Some(&bad), 403),
            ("open.shop.example", None, 200),
        ] {
            let config = own.client(certificate, &[], &[version]);
            let found = served.status(&config, &format!("{name}/")).await;
            assert_eq!(found, (want, want == 200), "{name} {version:?}");
        }
    }
}

#[tokio::test]
async fn two_routes_of_a_host_check_with_their_own_authorities() {
    let (own, staff, partners) = (Authority::new(), Authority::new(), Authority::new());
    let nobody = {
        let mut policy = wanting(&staff);
        policy.authentication.certificate.as_mut().unwrap().trust = Trust::none();
        policy
    };
    let served = Served::with(
        &own,
        &[
            ("shop.example", "/staff", wanting(&staff)),
            ("shop.example", "/partners", wanting(&partners)),
            ("shop.example", "/nobody", nobody),
            ("shop.example", "/", Policy::default()),
        ],
    )
    .await;
    let (ann, bob) = (staff.issue(&["ann.example"]), partners.issue(&["bob.example"]));
    for (certificate, wants) in
        [(Some(&ann), [200, 403, 403, 200]), (Some(&bob), [403, 200, 403, 200]), (None, [403, 403, 403, 200])]
    {
        let mut client = Client::connect(served.addr, &plain(&own, certificate), "shop.example").await;
        for _ in 0..2 {
            for (path, want) in ["/staff", "/partners", "/nobody", "/"].iter().zip(wants) {
                assert_eq!(client.status("shop.example", path).await, want, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn endpoints_are_told_of_the_certificate_and_nobody_can_forge_it() {
    let (own, staff) = (Authority::new(), Authority::new());
    let upstream = Upstream::bind().await;
    let mut silent = wanting(&staff);
    silent.authentication.certificate.as_mut().unwrap().forwarded = false;
    let mut served = Served::with(&own, &[]).await;
    let certificate = own.issue(&["shop.example", "*.shop.example"]);
    let routes = [
        ("shop.example", "/", wanting(&staff)),
        ("shop.example", "/silent", silent),
        ("shop.example", "/optional", optional(&staff)),
        ("shop.example", "/open", Policy::default()),
    ];
    served.writer.publish(rules(upstream.addr, &certificate, &routes).build().0);
    let ann = staff.issue(&["ann.example"]);
    let names = ["client-cert", "x-client-cert-subject", "x-client-cert-san", "x-client-cert-fingerprint"];
    for (path, with, told) in [
        ("/", true, true),
        ("/silent", true, false),
        ("/optional", true, true),
        ("/optional", false, false),
        ("/open", true, false),
        ("/open", false, false),
    ] {
        let config = plain(&own, with.then_some(&ann));
        let mut client = Client::connect(served.addr, &config, "shop.example").await;
        let mut request = Request::get(path).header("host", "shop.example");
        for name in names {
            request = request.header(name, "forged").header(name.replace('-', "_"), "forged");
        }
        request = request.header("client-cert-chain", "forged").header("x_client_cert-subject", "forged");
        let asked = tokio::spawn(async move { client.ask(request).await.status() });
        let mut connection = upstream.accept().await;
        let head = connection.message().await;
        assert!(!head.head.contains("forged"), "{path}: {}", head.head);
        for name in names {
            assert_eq!(head.field(name).is_some(), told, "{path} {name}");
        }
        if told {
            assert_eq!(head.field("x-client-cert-san").as_deref(), Some("DNS:ann.example"));
            assert_eq!(head.field("x-client-cert-subject").as_deref(), Some("CN=rcgen self signed cert"));
        }
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        assert_eq!(within("the answer", asked).await.unwrap(), 200);
    }
}

#[tokio::test]
async fn a_new_authority_concerns_the_next_request_of_an_open_connection() {
    let (own, old, new) = (Authority::new(), Authority::new(), Authority::new());
    let mut served = Served::with(&own, &[("shop.example", "/", wanting(&old))]).await;
    let mut client =
        Client::connect(served.addr, &plain(&own, Some(&old.issue(&["ann.example"]))), "shop.example").await;
    assert_eq!(client.status("shop.example", "/").await, 200);
    served.publish(&[("shop.example", "/", wanting(&new))]);
    assert_eq!(client.status("shop.example", "/").await, 403);
    served.publish(&[("shop.example", "/", wanting(&old))]);
    assert_eq!(client.status("shop.example", "/").await, 200);
}

#[tokio::test]
async fn who_was_not_asked_is_sent_to_another_connection() {
    let (own, staff) = (Authority::new(), Authority::new());
    let routes = [
        ("shop.example", "/", Policy::default()),
        ("staff.shop.example", "/", wanting(&staff)),
        ("maybe.shop.example", "/", optional(&staff)),
    ];
    let served = Served::with(&own, &routes).await;
    let config = own.client(Some(&staff.issue(&["ann.example"])), &["h2"], ALL_VERSIONS);
    for (name, wants) in [("shop.example", [200, 421, 200]), ("staff.shop.example", [200; 3])] {
        let stream = connect(served.addr, &config, name).await.unwrap();
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        for ((host, ..), want) in routes.iter().zip(wants) {
            let request = Request::get(format!("https://{host}/")).body(empty()).unwrap();
            let answer = within("an answer", sender.send_request(request)).await.unwrap();
            assert_eq!(answer.status(), want, "{name} {host}");
        }
    }
}

/// A session in which the client was not asked is not resumed once it is to be: it would be sent away for ever.
#[tokio::test]
async fn resumed_sessions_keep_the_certificate_and_are_of_clients_that_were_asked() {
    let (own, staff) = (Authority::new(), Authority::new());
    let ann = staff.issue(&["ann.example"]);
    for version in ALL_VERSIONS {
        let config = own.client(Some(&ann), &[], &[version]);
        let open = [("shop.example", "/", Policy::default())];
        let closed = [("shop.example", "/", wanting(&staff))];
        let mut served = Served::with(&own, &open).await;
        assert_eq!(served.status(&config, "shop.example/").await.0, 200);
        let mut old = Client::connect(served.addr, &config, "shop.example").await;
        served.publish(&closed);
        assert_eq!(old.status("shop.example", "/").await, 421, "{version:?}");
        let mut kinds = Vec::new();
        for _ in 0..3 {
            let stream = connect(served.addr, &config, "shop.example").await.unwrap();
            kinds.push(stream.get_ref().1.handshake_kind().unwrap());
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            let request = Request::get("/").header("host", "shop.example").body(empty()).unwrap();
            let answer = within("an answer", sender.send_request(request)).await.unwrap();
            assert_eq!(answer.status(), 200, "{version:?} {kinds:?}");
        }
        use rustls::HandshakeKind::{Full, Resumed};
        assert_eq!(kinds, [Full, Resumed, Resumed], "{version:?}");
        // What was resumed is checked as any other.
        let other = wanting(&own);
        served.publish(&[("shop.example", "/", other)]);
        assert_eq!(served.status(&config, "shop.example/").await, (403, false));
    }
}

#[tokio::test]
async fn names_are_asked_whose_rules_may_want_a_certificate() {
    let (own, staff) = (Authority::new(), Authority::new());
    let ann = plain(&own, Some(&staff.issue(&["ann.example"])));
    let served = Served::with(
        &own,
        &[
            ("*.shop.example", "/", wanting(&staff)),
            ("open.shop.example", "/", Policy::default()),
            ("shop.example", "/", Policy::default()),
        ],
    )
    .await;
    let asks = |name: &str| {
        let (addr, ann, name) = (served.addr, ann.clone(), name.to_owned());
        async move {
            let mut client = Client::connect(addr, &ann, &name).await;
            client.status("a.shop.example", "/").await == 200
        }
    };
    for (name, want) in [
        ("a.shop.example", true),
        ("A.SHOP.example", true),
        ("open.shop.example", false),
        ("shop.example", false),
    ] {
        assert_eq!(asks(name).await, want, "{name}");
    }
    // Who asks for no name may mean any.
    let mut nameless = (*ann).clone();
    nameless.enable_sni = false;
    let mut client = Client::connect(served.addr, &Arc::new(nameless), "shop.example").await;
    assert_eq!(client.status("a.shop.example", "/").await, 200);
}

#[tokio::test]
async fn a_policy_for_all_requests_needs_all_clients_to_be_asked() {
    let (own, staff) = (Authority::new(), Authority::new());
    let ann = plain(&own, Some(&staff.issue(&["ann.example"])));
    let mut redirected = Policy::default();
    redirected.max_body_size = Some(1);
    let routes = [("shop.example", "/", redirected)];
    for (tls, want) in
        [((|tls| tls) as fn(Tls) -> Tls, (421, false)), (|tls| tls.client_certificates(true), (200, true))]
    {
        let served = Served::start(&own, &routes, tls, wanting(&staff)).await;
        assert_eq!(served.status(&ann, "shop.example/").await, want);
    }
}

/// Asks a service with what another server says of the connection.
async fn ask(service: &IngressService, info: Option<ConnectionInfo>, headers: HeaderMap) -> Response<Body> {
    let mut request = Request::get("/").header("host", HOST).body(Body::empty()).unwrap();
    request.headers_mut().extend(headers);
    if let Some(info) = info {
        request.extensions_mut().insert(info);
    }
    within("answer", service.clone().oneshot(request)).await.unwrap()
}

#[tokio::test]
async fn without_tls_nobody_has_a_certificate() {
    let staff = Authority::new();
    let server = Moody::start("a").await;
    let mut redirecting = wanting(&staff);
    redirecting.https_redirect = Some(HttpsRedirect::With(RedirectStatus::PermanentRedirect));
    let mut any = optional(&staff);
    any.authentication.any = Some(true);
    let trusted = ConnectionInfo::new(([10, 0, 0, 1], 1).into());
    for (policy, info, want) in [
        (wanting(&staff), None, 403),
        (wanting(&staff), Some(trusted), 403),
        (optional(&staff), Some(trusted), 200),
        // Where one proof is enough, none is not.
        (any, Some(trusted), 403),
        (redirecting, None, 308),
    ] {
        let own = staff.issue(&[HOST]);
        let reader =
            ingress_core::table(rules(server.addr, &own, &[(HOST, "/", policy.clone())]).build().0).0;
        let service = IngressLayer::new(reader).trusted_proxies("10.0.0.0/8".parse().unwrap()).into_service();
        let before = server.requests();
        let mut headers = HeaderMap::new();
        if policy.https_redirect.is_none() {
            headers.insert("x-forwarded-proto", "https".parse().unwrap());
        }
        headers.insert("client-cert", ":AAAA:".parse().unwrap());
        let answer = ask(&service, info, headers.clone()).await;
        assert_eq!(answer.status(), want);
        assert_eq!(server.requests() - before, usize::from(want == 200));
        if want == 403 {
            assert_eq!(answer.extensions().get::<Error>().map(Error::reason), Some("no_client_certificate"));
            headers.insert("content-type", "application/grpc".parse().unwrap());
            let call = ask(&service, info, headers).await;
            assert_eq!(
                (call.status().as_u16(), &call.headers()["grpc-status"]),
                (200, &"7".parse().unwrap())
            );
        }
    }
}
