//! TLS: which certificate a client sees, what is spoken then, and what is refused.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "support/pki.rs"]
mod pki;
mod support;

use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use ingress_core::{Certificate, HostMatch, PathMatch, RouteTable, RouteTableBuilder, Rule, TableWriter};
use ingress_tower::IngressService;
use ingress_tower::server::Server;
use ingress_tower::tls::{CertificateError, Tls, TlsVersion, certificate};
use pki::{Authority, Hello};
use rcgen::KeyPair;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A gateway with TLS in front of an endpoint that tells what it was sent.
struct Served {
    addr: SocketAddr,
    writer: TableWriter,
    endpoint: SocketAddr,
}

/// Every host to the endpoint, and these certificates.
fn rules(endpoint: SocketAddr, certificates: &[(&str, &Certificate)]) -> RouteTableBuilder {
    let mut rules = RouteTable::builder();
    let backend: ingress_core::BackendRef = "default/shop:80".parse().unwrap();
    rules.rule(Rule::new(HostMatch::Any, PathMatch::prefix("/").unwrap(), backend.clone()));
    rules.endpoints(backend, [ingress_core::Endpoint::new(endpoint)]);
    for (host, certificate) in certificates {
        rules.certificate(host.parse().unwrap(), (*certificate).clone());
    }
    rules
}

impl Served {
    async fn with(certificates: &[(&str, &Certificate)], tls: fn(Tls) -> Tls) -> Self {
        let endpoint = Echo::start("a").await.addr;
        let (reader, writer) = ingress_core::table(rules(endpoint, certificates).build().0);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let tls = tls(Tls::new(reader.clone()));
        let server = Server::new();
        let service = IngressService::new(reader);
        tokio::spawn(async move { server.serve_tls(listener, &tls, service, std::future::pending()).await });
        Self { addr, writer, endpoint }
    }

    fn publish(&mut self, certificates: &[(&str, &Certificate)]) {
        self.writer.publish(rules(self.endpoint, certificates).build().0);
    }
}

fn get(host: &str) -> Request<TestBody> {
    Request::get("/").header("host", host).body(empty()).unwrap()
}

#[tokio::test]
async fn the_name_chooses_the_certificate() {
    let authority = Authority::new();
    let [shop, wild, default] =
        [&["shop.example"][..], &["*.team.example"], &["default.example", "shop.example"]]
            .map(|names| authority.issue(names).load());
    let all = [("shop.example", &shop), ("*.team.example", &wild), ("", &default)];
    let served = Served::with(&all, |tls| tls).await;
    for (name, trusted) in [
        (Some("shop.example"), true),
        (Some("a.team.example"), true),
        (Some("a.b.team.example"), false),
        (Some("team.example"), false),
        (Some("default.example"), true),
        (Some("other.example"), false),
        // The client expects shop.example, without saying so.
        (None, true),
    ] {
        let connected = authority.connect(served.addr, Hello { name, ..Hello::default() }).await;
        assert_eq!(connected.is_ok(), trusted, "{name:?}: {:?}", connected.err());
    }
    // The wildcard's owner shows nothing to those who ask for another name.
    let unnamed = Served::with(&[("*.team.example", &wild)], |tls| tls).await;
    for name in [Some("shop.example"), None] {
        let refused = authority.connect(unnamed.addr, Hello { name, ..Hello::default() }).await;
        assert!(refused.unwrap_err().to_string().contains("alert"), "{name:?}");
    }
    assert!(
        authority
            .connect(unnamed.addr, Hello { name: Some("b.team.example"), ..Hello::default() })
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn all_kinds_of_keys_serve_both_versions() {
    let authority = Authority::new();
    let rsa = || KeyPair::from_pem(include_str!("data/rsa.key")).unwrap();
    let mut pems: Vec<_> = [
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap(),
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap(),
        KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(),
        rsa(),
        rsa(),
    ]
    .iter()
    .map(|key| authority.issue_for(&["shop.example"], key))
    .collect();
    pems.last_mut().unwrap().key = include_str!("data/rsa-pkcs1.key").to_owned();
    for pem in &pems {
        let served = Served::with(&[("shop.example", &pem.load())], |tls| tls).await;
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let hello = Hello { versions: &[version], ..Hello::default() };
            assert!(authority.connect(served.addr, hello).await.is_ok(), "{} {version:?}", pem.key);
        }
    }
}

#[tokio::test]
async fn what_is_spoken_is_what_was_agreed() {
    let authority = Authority::new();
    let shop = authority.issue(&["shop.example"]).load();
    let served = Served::with(&[("", &shop)], |tls| tls).await;
    let hello = Hello { alpn: &["h2", "http/1.1"], ..Hello::default() };
    let stream = authority.connect(served.addr, hello).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("https://shop.example/").body(empty()).unwrap();
    assert_eq!(within("an answer", sender.send_request(request)).await.unwrap().status(), 200);

    for alpn in [&["http/1.1"][..], &[]] {
        let stream = authority.connect(served.addr, Hello { alpn, ..Hello::default() }).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let answer = within("an answer", sender.send_request(get("shop.example"))).await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    // Neither speaks the other's language, and a stranger gets no connection at all.
    let http1 = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    let http2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for (alpn, bytes) in [(&["h2"][..], http1), (&["http/1.1"], http2), (&[], http2)] {
        let mut stream = authority.connect(served.addr, Hello { alpn, ..Hello::default() }).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let _ = within("the end", stream.read_to_end(&mut rest)).await;
        assert!(rest.is_empty(), "{alpn:?}: {rest:?}");
    }
    assert!(authority.connect(served.addr, Hello { alpn: &["spdy/3"], ..Hello::default() }).await.is_err());

    let only_http1 = Served::with(&[("", &shop)], |tls| tls.http2(false)).await;
    let hello = Hello { alpn: &["h2", "http/1.1"], ..Hello::default() };
    let stream = authority.connect(only_http1.addr, hello).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn old_versions_are_refused() {
    let authority = Authority::new();
    let shop = authority.issue(&["shop.example"]).load();
    let served = Served::with(&[("", &shop)], |tls| tls.min_version(TlsVersion::Tls13)).await;
    for (version, accepted) in [(&rustls::version::TLS12, false), (&rustls::version::TLS13, true)] {
        let hello = Hello { versions: &[version], ..Hello::default() };
        assert_eq!(authority.connect(served.addr, hello).await.is_ok(), accepted, "{version:?}");
    }
}

#[tokio::test]
async fn a_request_for_a_host_that_the_certificate_is_not_for_is_421() {
    let authority = Authority::new();
    let shop = authority.issue(&["shop.example", "*.shop.example"]).load();
    let other = authority.issue(&["other.example"]).load();
    let all = [("shop.example", &shop), ("other.example", &other), ("", &shop)];
    let served = Served::with(&all, |tls| tls).await;
    let stream = authority.connect(served.addr, Hello { alpn: &["h2"], ..Hello::default() }).await.unwrap();
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for (host, want) in [
        ("shop.example", StatusCode::OK),
        ("SHOP.example:443", StatusCode::OK),
        ("a.shop.example", StatusCode::OK),
        ("a.b.shop.example", StatusCode::MISDIRECTED_REQUEST),
        ("other.example", StatusCode::MISDIRECTED_REQUEST),
        ("192.0.2.1", StatusCode::MISDIRECTED_REQUEST),
        ("shop.example", StatusCode::OK),
    ] {
        let request = Request::get(format!("https://{host}/")).body(empty()).unwrap();
        let answer = within("an answer", sender.send_request(request)).await.unwrap();
        assert_eq!(answer.status(), want, "{host}");
    }
    // Who asks for no name, or for one without a certificate, is served what it asked for.
    for (name, host, want) in [(None, "other.example", 200), (None, "192.0.2.1", 200)] {
        let stream = authority.connect(served.addr, Hello { name, ..Hello::default() }).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let answer = within("an answer", sender.send_request(get(host))).await.unwrap();
        assert_eq!(answer.status(), want, "{name:?} {host}");
    }
}

#[tokio::test]
async fn a_new_certificate_drops_no_connection() {
    let (old, new) = (Authority::new(), Authority::new());
    let names = &["shop.example"];
    let mut served = Served::with(&[("shop.example", &old.issue(names).load())], |tls| tls).await;
    let stream = old.connect(served.addr, Hello::default()).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for certificate in [old.issue(names), new.issue(names)] {
        served.publish(&[("shop.example", &certificate.load())]);
        let answer = within("an answer", sender.send_request(get("shop.example"))).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
    }
    assert!(new.connect(served.addr, Hello::default()).await.is_ok());
    assert!(old.connect(served.addr, Hello::default()).await.is_err());
}

#[tokio::test]
async fn endpoints_are_told_that_the_client_spoke_tls() {
    let authority = Authority::new();
    let shop = authority.issue(&["shop.example"]).load();
    let upstream = Upstream::bind().await;
    let (reader, _writer) = ingress_core::table(rules(upstream.addr, &[("", &shop)]).build().0);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (tls, service) = (Tls::new(reader.clone()), IngressService::new(reader));
    tokio::spawn(
        async move { Server::new().serve_tls(listener, &tls, service, std::future::pending()).await },
    );
    let mut client = authority.connect(addr, Hello::default()).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-Proto: http\r\n\r\n")
        .await
        .unwrap();
    let head = upstream.accept().await.message().await;
    assert_eq!(head.field("x-forwarded-proto").as_deref(), Some("https"));
    assert_eq!(head.field("x-forwarded-port"), Some(addr.port().to_string()));
}

#[tokio::test]
async fn a_handshake_that_stalls_is_cut_and_plain_text_is_not_answered() {
    let authority = Authority::new();
    let shop = authority.issue(&["shop.example"]).load();
    let served = Served::with(&[("", &shop)], |tls| tls.handshake_timeout(Duration::from_millis(100))).await;
    let mut silent = TcpStream::connect(served.addr).await.unwrap();
    assert_eq!(within("the end", silent.read(&mut [0; 16])).await.unwrap(), 0);
    let mut plain = Peer::connect(served.addr).await;
    plain.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n").await;
    assert!(!plain.rest().await.starts_with(b"HTTP"));
}

#[test]
fn what_is_no_certificate_says_why() {
    let authority = Authority::new();
    let (good, other) = (authority.issue(&["shop.example"]), authority.issue(&["shop.example"]));
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let load = |chain: &str, key: &str| certificate(chain.as_bytes(), key.as_bytes(), None).unwrap_err();
    assert!(matches!(load("", &good.key), CertificateError::Empty));
    assert!(matches!(load(&good.key, &good.key), CertificateError::Empty));
    assert!(matches!(load("-----BEGIN CERTIFICATE-----\n!", &good.key), CertificateError::Chain(_)));
    assert!(matches!(load(broken, &good.key), CertificateError::Malformed(_)));
    assert!(matches!(load(&good.chain, ""), CertificateError::Key(_)));
    assert!(matches!(load(&good.chain, &good.chain), CertificateError::Key(_)));
    assert!(matches!(load(&good.chain, &other.key), CertificateError::Mismatch(_)));
    assert!(!format!("{:?}", good.load()).contains("PRIVATE"));
}

#[tokio::test]
async fn an_ocsp_answer_is_stapled() {
    let authority = Authority::new();
    let pem = authority.issue(&["shop.example"]);
    let (chain, key) = (pem.chain.as_bytes(), pem.key.as_bytes());
    let stapled = certificate(chain, key, Some(b"the responder's words")).unwrap();
    assert_ne!(stapled, pem.load());
    let served = Served::with(&[("", &stapled)], |tls| tls).await;
    assert_eq!(authority.staple(served.addr).await, b"the responder's words");
}
