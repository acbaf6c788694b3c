//! HTTPS with the certificates of Secrets that are edited while the gateway runs.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::CertifiedKey;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use support::{Gateway, client, manifests, services};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

type Made = CertifiedKey<rcgen::KeyPair>;

fn make(host: &str) -> Made {
    rcgen::generate_simple_self_signed([host.to_owned()]).unwrap()
}

fn write_secret(directory: &Path, chain: &str, key: &str) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": chain, "tls.key": key},
    });
    manifests::write(directory, "secret.yaml", &[secret]);
}

fn write(directory: &Path, made: &Made) {
    write_secret(directory, &made.cert.pem(), &made.signing_key.serialize_pem());
}

/// A gateway that serves `web.example` with the certificate.
fn serve(directory: &Path, made: &Made) -> (Gateway, SocketAddr) {
    let mut web = manifests::served("web", services::start("web"));
    web[0]["spec"]["tls"] = json!([{"hosts": ["web.example"], "secretName": "web"}]);
    manifests::write(directory, "web.yaml", &web);
    write(directory, made);
    let gateway = Gateway::run(directory, &["--https", "127.0.0.1:0"]);
    let https = https(&gateway);
    (gateway, https)
}

fn https(gateway: &Gateway) -> SocketAddr {
    gateway.seen.iter().find_map(|line| line["https"].as_str()?.parse().ok()).unwrap()
}

/// Asks for a host over TLS; nothing, if the certificate is not this one.
fn get(address: SocketAddr, host: &str, trusted: &Made) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let exchange = async {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("web.example").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        Some(answer)
    };
    runtime.block_on(async { tokio::time::timeout(support::PATIENCE, exchange).await.unwrap() })
}

#[test]
fn certificates_follow_their_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (make("web.example"), make("web.example"));
    let (mut gateway, https) = serve(directory.path(), &old);
    let answer = get(https, "web.example", &old).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("web"), "{answer}");
    let misdirected = get(https, "other.example", &old).unwrap();
    assert!(misdirected.starts_with("HTTP/1.1 421"), "{misdirected}");

    write(directory.path(), &new);
    gateway.wait_for_table();
    assert!(get(https, "web.example", &new).is_some());
    assert!(get(https, "web.example", &old).is_none());

    // Another key is not that of the certificate: it costs this certificate and nothing else.
    write_secret(directory.path(), &new.cert.pem(), &old.signing_key.serialize_pem());
    gateway.wait_for_table();
    assert!(get(https, "web.example", &new).is_none());
    let dump = gateway.config_dump();
    assert_eq!(dump["diagnostics"][0]["code"], "ING027", "{dump}");
    assert!(!dump.to_string().contains("PRIVATE"));
    assert_eq!(client::get(gateway.http, "web.example", "/").body, "web");

    write(directory.path(), &new);
    gateway.wait_for_table();
    assert!(get(https, "web.example", &new).is_some());
}

#[test]
fn the_default_certificate_is_for_hosts_without_one() {
    let directory = tempfile::tempdir().unwrap();
    let made = make("web.example");
    write(directory.path(), &made);
    manifests::write(directory.path(), "web.yaml", &manifests::served("web", services::start("web")));
    let more = ["--https", "127.0.0.1:0", "--default-certificate", "default/web", "--tls-min-version", "1.3"];
    let gateway = Gateway::run(directory.path(), &more);
    assert!(get(https(&gateway), "web.example", &made).unwrap().starts_with("HTTP/1.1 200"));
}

#[test]
fn endpoints_that_speak_tls_are_those_of_the_named_authority() {
    let (behind, front) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = make("web.example");
    let (_endpoint, https) = serve(behind.path(), &made);
    let mut objects = manifests::served("secure", https);
    objects[0]["metadata"]["annotations"] = json!({
        "ingress.gateway/backend-protocol": "https",
        "ingress.gateway/backend-server-name": "web.example",
        "ingress.gateway/backend-ca-secret": "authority",
    });
    objects[0]["spec"]["rules"][0]["host"] = json!("web.example");
    manifests::write(front.path(), "secure.yaml", &objects);
    let authority = |pem: &str| {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "authority"},
            "stringData": {"ca.crt": pem},
        });
        manifests::write(front.path(), "authority.yaml", &[secret]);
    };
    authority(&made.cert.pem());
    let mut gateway = Gateway::run(front.path(), &[]);
    let answer = client::get(gateway.http, "web.example", "/");
    assert_eq!((answer.status, answer.body.as_str()), (200, "web"), "{}", answer.head);

    authority(&make("web.example").cert.pem());
    gateway.wait_for_table();
    assert_eq!(client::get(gateway.http, "web.example", "/").status, 502);
    authority("nobody");
    gateway.wait_for_table();
    assert_eq!(client::get(gateway.http, "web.example", "/").status, 502);
    assert_eq!(gateway.config_dump()["diagnostics"][0]["code"], "ING023");
}
