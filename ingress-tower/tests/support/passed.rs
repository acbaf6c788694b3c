//! A gateway that passes the connections of one host on, and endpoints that end them.

use std::net::SocketAddr;
use std::sync::Arc;

use http::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use ingress_core::{
    BackendRef, Endpoint, HostMatch, PathMatch, Policy, RouteTable, Rule, TableReader, TableWriter,
};
use ingress_tower::IngressService;
use ingress_tower::server::{Drained, Server};
use ingress_tower::tls::Tls;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::pki::{Authority, Pem};
use super::support::*;

pub(crate) const PASSED: &str = "tcp.example";
pub(crate) const ENDED: &str = "shop.example";

/// A gateway that ends TLS for one host, and passes on that of another.
pub(crate) struct Served {
    pub(crate) addr: SocketAddr,
    pub(crate) reader: TableReader,
    pub(crate) writer: TableWriter,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) done: JoinHandle<Drained>,
    pub(crate) endpoint: Moody,
    pub(crate) own: Pem,
}

pub(crate) fn backend() -> BackendRef {
    "default/tcp:443".parse().unwrap()
}

impl Served {
    pub(crate) async fn to(authority: &Authority, endpoints: &[SocketAddr]) -> Self {
        Self::start(authority, endpoints, Policy::default(), Server::new(), |tls| tls).await
    }

    pub(crate) async fn start(
        authority: &Authority,
        endpoints: &[SocketAddr],
        policy: Policy,
        server: Server,
        tls: fn(Tls) -> Tls,
    ) -> Self {
        let endpoint = Moody::start("ended").await;
        let own = authority.issue(&[ENDED, PASSED]);
        let (reader, writer) = ingress_core::table(RouteTable::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (tls, service) = (tls(Tls::new(reader.clone())), IngressService::new(reader.clone()));
        let until = async move { drop(stopped.await) };
        let done = tokio::spawn(async move { server.serve_tls(listener, &tls, service, until).await });
        let mut served = Self { addr, reader, writer, stop, done, endpoint, own };
        served.publish(endpoints, Some(policy));
        served
    }

    /// Everything but the passed host goes to one endpoint; without a policy the host is not passed.
    pub(crate) fn publish(&mut self, endpoints: &[SocketAddr], policy: Option<Policy>) {
        let mut rules = RouteTable::builder();
        let web: BackendRef = "default/web:80".parse().unwrap();
        rules.rule(Rule::new(HostMatch::Any, PathMatch::prefix("/").unwrap(), web.clone()));
        rules.endpoints(web, [Endpoint::new(self.endpoint.addr)]);
        rules.certificate(HostMatch::Any, self.own.load());
        if let Some(policy) = policy {
            rules.rule(Rule::passthrough(PASSED.parse().unwrap(), backend()).with_policy(policy));
            rules.endpoints(backend(), endpoints.iter().map(|&addr| Endpoint::new(addr)));
        }
        self.writer.publish(rules.build().0);
    }

    /// How many connections each endpoint of the passed host has.
    pub(crate) fn in_flight(&self) -> Vec<u64> {
        let table = self.reader.snapshot();
        let endpoints = table.passthrough(PASSED).unwrap().backend.endpoints();
        (0..endpoints.as_slice().len())
            .map(|place| endpoints.vitals(place).unwrap().in_flight_now().into())
            .collect()
    }
}

/// An endpoint that speaks TLS with a certificate of its own, and answers each line with its name and the line; to each
/// client it says first how many certificates it has.
pub(crate) async fn tls_endpoint(
    authority: &Authority,
    name: &'static str,
    clients: Option<&Authority>,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let own = authority.issue(&[PASSED]);
    let builder = ServerConfig::builder_with_provider(default_provider().into());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(clients.root_der()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots.into(), default_provider().into());
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let acceptor =
        TlsAcceptor::from(Arc::new(builder.with_single_cert(own.certificates(), own.key()).unwrap()));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut byte = [0];
                let mut line = format!("{name} ").into_bytes();
                while let Ok(1) = stream.read(&mut byte).await {
                    line.push(byte[0]);
                    if byte[0] == b'\n' {
                        stream.write_all(&line).await.unwrap();
                        line = format!("{name} ").into_bytes();
                    }
                }
                stream.write_all(b"bye").await.unwrap();
                stream.shutdown().await.unwrap();
            });
        }
    });
    addr
}

/// Sends a line and returns the answer.
pub(crate) async fn say(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin), line: &str) -> String {
    within("sent", stream.write_all(format!("{line}\n").as_bytes())).await.unwrap();
    let mut answer = Vec::new();
    while answer.last() != Some(&b'\n') {
        let mut byte = [0];
        within("an answer", stream.read_exact(&mut byte)).await.unwrap();
        answer.extend(byte);
    }
    String::from_utf8(answer).unwrap().trim_end().to_owned()
}

pub(crate) async fn get(stream: tokio_rustls::client::TlsStream<TcpStream>, host: &str) -> u16 {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/").header("host", host).body(empty()).unwrap();
    within("an answer", sender.send_request(request)).await.unwrap().status().as_u16()
}
