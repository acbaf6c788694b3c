//! Backends that live in this process: a folder of files and an axum router, each behind the
//! `backend.resource` of an Ingress. Any tower service can stand there.
//!
//! Run it with `cargo run --example resource_backend`, then ask for `/`, for `/hello/you`, and for `/bucket`,
//! which nobody answers.

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use ingress_core::BackendRef;
use ingress_kube::manifests::Loaded;
use ingress_kube::{Config, IngressController};
use ingress_tower::server::Server;
use ingress_tower::{IngressLayer, ResourceRegistry};
use tower_http::services::ServeDir;

const MANIFESTS: &str = include_str!("resource_backend.yaml");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listen = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());

    // Services see the request with the path that the client sent.
    let hello = |Path(name): Path<String>| async move { format!("hello {name}\n") };
    let registry = ResourceRegistry::new()
        .with(resource("StaticSite", "pages"), ServeDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/site")))
        .with(resource("Router", "hello"), Router::new().route("/hello/{name}", get(hello)));

    // The translation knows what is registered, so it reports what is not.
    let registered = registry.backends().filter_map(|backend| match backend {
        BackendRef::Resource(resource) => Some(resource.clone()),
        BackendRef::Service(_) => None,
    });
    let config = registered.fold(Config::default(), Config::resource);
    let (reader, writer) = ingress_core::table(Default::default());
    let mut manifests = Loaded::default();
    manifests.add_text("resource_backend.yaml", MANIFESTS);
    manifests.publish(&mut IngressController::new(config, writer));

    let listener = tokio::net::TcpListener::bind(listen).await?;
    println!("listening on {}", listener.local_addr()?);
    reader.snapshot().diagnostics().iter().for_each(|diagnostic| println!("{diagnostic}"));
    let service = IngressLayer::new(reader).resources(registry).into_service();
    Server::new().serve(listener, service, std::future::pending()).await;
    Ok(())
}

fn resource(kind: &str, name: &str) -> BackendRef {
    BackendRef::resource("default", "example.com", kind, name)
}
