//! The admin listener: is it alive, is it ready, what does it serve.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ingress_core::TableReader;

/// What the admin listener tells about.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    reader: TableReader,
    ready: Arc<AtomicBool>,
}

impl Admin {
    /// Not ready yet.
    pub(crate) fn new(reader: TableReader) -> Self {
        Self { reader, ready: Arc::default() }
    }

    /// Says whether traffic should be sent here: once a complete table is served, until the process stops.
    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// Serves until the process ends.
    pub(crate) async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let router = Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/config_dump", get(config_dump))
            .with_state(self);
        axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await
    }
}

async fn ready(State(admin): State<Admin>) -> Response {
    if admin.ready.load(Ordering::Relaxed) {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
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
