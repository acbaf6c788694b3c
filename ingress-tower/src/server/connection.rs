//! One connection, from its first byte to its last.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::sync::watch;
use tower::util::Oneshot;
use tower_service::Service;

use super::io::{Protocol, ServerIo};
use super::timer::HeadTimer;
use super::{Server, Stream};
use crate::{BoxError, ConnectionInfo};

/// How often a silent HTTP/2 peer is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const MAX_STREAMS: u32 = 100;
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Serves a connection to its end. Its errors are the peer's or the network's and concern nobody else.
pub(super) async fn serve<S, B>(
    stream: Stream,
    info: ConnectionInfo,
    service: S,
    settings: Arc<Server>,
    mut stopped: watch::Receiver<()>,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let detected = tokio::select! {
        biased;
        detected = tokio::time::timeout(settings.header_timeout, ServerIo::detect(stream)) => detected,
        _ = stopped.changed() => return,
    };
    let Ok(Ok((io, protocol))) = detected else { return };
    let service = PerConnection { service, info };
    let ended = match protocol {
        Protocol::Http1 => {
            let mut builder = http1::Builder::new();
            builder
                .timer(HeadTimer::new(io.activity(), settings.header_timeout, settings.idle_timeout))
                .header_read_timeout(settings.idle_timeout)
                .max_header_size(settings.max_head_size);
            run(builder.serve_connection(io, service), stopped).await
        }
        Protocol::Http2 => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .keep_alive_interval(PING_INTERVAL)
                .keep_alive_timeout(settings.idle_timeout)
                .max_concurrent_streams(MAX_STREAMS)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .max_header_list_size(u32::try_from(settings.max_head_size).unwrap_or(u32::MAX));
            run(builder.serve_connection(io, service), stopped).await
        }
    };
    log(info, ended);
}

/// Runs a connection to its end, which is to be soon once the server has stopped.
async fn run<C: GracefulConnection>(connection: C, mut stopped: watch::Receiver<()>) -> Result<(), C::Error> {
    let mut connection = pin!(connection);
    tokio::select! {
        // The connection comes first, so that a request that is already here counts as open.
        biased;
        ended = &mut connection => return ended,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

#[cfg(feature = "tracing")]
fn log(info: ConnectionInfo, ended: hyper::Result<()>) {
    if let Err(error) = ended {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        tracing::debug!(client = %info.client, %error, source, "a connection ended early");
    }
}

#[cfg(not(feature = "tracing"))]
fn log(_: ConnectionInfo, _: hyper::Result<()>) {}

/// Tells the service of which connection a request is.
struct PerConnection<S> {
    service: S,
    info: ConnectionInfo,
}

impl<S> hyper::service::Service<Request<Incoming>> for PerConnection<S>
where
    S: Service<Request<Incoming>> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Oneshot<S, Request<Incoming>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.info);
        Oneshot::new(self.service.clone(), request)
    }
}
