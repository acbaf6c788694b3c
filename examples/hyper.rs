//! A plain hyper server whose only service is the routing table.
//!
//! `cargo run --example hyper -- 127.0.0.1:8080 127.0.0.1:9000` sends all of `shop.example` to the second
//! address; everything else is 404. For deadlines and a graceful end see `ingress_tower::server`.

use std::net::SocketAddr;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use ingress_core::{BackendRef, Endpoint, PathMatch, RouteTable, Rule};
use ingress_tower::{ConnectionInfo, IngressService};
use tower::ServiceExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let listen = args.next().unwrap_or("127.0.0.1:8080".into());
    let endpoint: SocketAddr = args.next().unwrap_or("127.0.0.1:9000".into()).parse()?;

    let backend: BackendRef = "default/web:80".parse()?;
    let mut rules = RouteTable::builder();
    rules.rule(Rule::new("shop.example".parse()?, PathMatch::prefix("/")?, backend.clone()));
    rules.endpoints(backend, [Endpoint::new(endpoint)]);
    let (reader, _writer) = ingress_core::table(rules.build().0);
    let service = IngressService::new(reader);

    let listener = tokio::net::TcpListener::bind(listen).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, client) = listener.accept().await?;
        // The table's service learns the client's address from the request's extensions.
        let service =
            service.clone().map_request(move |mut request: hyper::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(ConnectionInfo::new(client));
                request
            });
        tokio::spawn(async move {
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new());
            let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
            if let Err(error) = connection.await {
                eprintln!("{client}: {error}");
            }
        });
    }
}
