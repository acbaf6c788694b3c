//! The admin listener: is it alive, is it ready, what does it serve.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ingress_core::TableReader;
use ingress_kube::client::{Health, HealthState};

use crate::metrics;

/// What the admin listener tells about.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    reader: TableReader,
    ready: Arc<AtomicBool>,
    /// How the watches of a cluster fare.
    watches: Arc<OnceLock<Health>>,
}

impl Admin {
    /// Not ready yet.
    pub(crate) fn new(reader: TableReader) -> Self {
        Self { reader, ready: Arc::default(), watches: Arc::default() }
    }

    /// Says whether traffic should be sent here: once a complete table is served, until the process stops.
    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    pub(crate) fn reader(&self) -> &TableReader {
        &self.reader
    }

    /// How the watches of a cluster fare, if one is followed.
    pub(crate) fn watches(&self) -> Option<HealthState> {
        self.watches.get().map(Health::now)
    }

    /// Says how the watches of a cluster fare.
    pub(crate) fn set_watches(&self, health: Health) {
        let _ = self.watches.set(health);
    }

    /// Serves until the process ends.
    pub(crate) async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let router = Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/config_dump", get(config_dump))
            .route("/metrics", get(metrics))
            .with_state(self);
        axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await
    }
}

/// `?verbose` adds a line for each watch, as kube-apiserver does for its checks. A watch that fails after the first table
/// does not make the gateway unready: it serves what it knows.
async fn ready(State(admin): State<Admin>, RawQuery(query): RawQuery) -> Response {
    let (status, text) = match admin.is_ready() {
        true => (StatusCode::OK, "ok\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    };
    if !query
        .is_some_and(|query| query.split('&').any(|name| name == "verbose" || name.starts_with("verbose=")))
    {
        return (status, text).into_response();
    }
    let mut lines = String::new();
    let health = admin.watches().unwrap_or_default();
    for watch in &health.watches {
        let place = [&watch.namespace, &watch.name].into_iter().flatten();
        let place: String = place.map(|part| format!(" {part}")).collect();
        let state = match &watch.failing {
            Some((since, why)) => {
                let seconds = since.elapsed().map_or(0, |time| time.as_secs());
                format!("[-]{}{place} failing for {seconds} s: {why}", watch.watched)
            }
            None if watch.listed => format!("[+]{}{place} ok", watch.watched),
            None => format!("[-]{}{place} not listed yet", watch.watched),
        };
        lines += &(state + "\n");
    }
    if let Some(leading) = health.leading {
        lines += if leading { "[+]leading\n" } else { "[+]not leading\n" };
    }
    (status, lines + text).into_response()
}

async fn metrics(State(admin): State<Admin>) -> Response {
    match metrics::text(&admin) {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn config_dump(State(admin): State<Admin>) -> Response {
    let table = admin.reader.snapshot();
    match serde_json::to_vec_pretty(&table.dump()) {
        Ok(mut json) => {
            json.push(b'\n');
            ([(CONTENT_TYPE, "application/json")], json).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
