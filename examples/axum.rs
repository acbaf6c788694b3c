//! An axum application that also routes to other services.
//!
//! Its own routes and the proxied ones live side by side: what a rule takes is proxied, the rest is the
//! application's. Run it with `cargo run --example axum`, then ask for `/healthz` and for `/api`.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use ingress_core::{BackendRef, Endpoint, PathMatch, RouteTable, Rule};
use ingress_tower::IngressLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listen = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let api = start_api().await?;

    let backend: BackendRef = "default/api:80".parse()?;
    let mut rules = RouteTable::builder();
    rules.rule(Rule::new("".parse()?, PathMatch::prefix("/api")?, backend.clone()));
    rules.endpoints(backend, [Endpoint::new(api)]);
    let (table, diagnostics) = rules.build();
    for diagnostic in diagnostics.iter() {
        eprintln!("{diagnostic}");
    }
    // Keep the writer to publish other tables while the application runs.
    let (reader, _writer) = ingress_core::table(table);

    let routes = IngressLayer::new(reader)
        .client_addr(|extensions| extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0));
    let app = Router::new().route("/healthz", get(|| async { "ok" })).layer(routes);
    let listener = tokio::net::TcpListener::bind(listen).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// Stands for a service elsewhere.
async fn start_api() -> std::io::Result<SocketAddr> {
    let app = Router::new().route("/api", get(|| async { "the api answers" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}
