//! An accept loop with a deadline for everything that a client can delay, and a graceful end.
//!
//! hyper's own protocol detection waits for the first bytes of a connection without limit, and its header
//! deadline counts the time between requests, too. Here the first bytes have a deadline, the head of a
//! request has one from its first byte on, and an idle connection has another.

mod connection;
mod io;
mod timer;

use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower_service::Service;

use crate::{BoxError, ConnectionInfo};

/// How long the loop rests when no connection can be accepted for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Settings of the accept loop. HTTP/1.1 and HTTP/2 (with prior knowledge) are served on one port.
#[derive(Clone, Debug)]
#[must_use]
pub struct Server {
    header_timeout: Duration,
    idle_timeout: Duration,
    drain_limit: Duration,
    max_head_size: usize,
}

/// How the connections of a [`Server`] ended after it was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that were still open when the drain limit was reached, and were cut.
    pub cut: usize,
}

// ===== impl Server =====

impl Default for Server {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            drain_limit: Duration::from_secs(30),
            max_head_size: 64 * 1024,
        }
    }
}

impl Server {
    /// A server with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a client may take to send the first bytes of a connection, and the head of a request from
    /// its first byte on. Default: 10 seconds.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout;
        self
    }

    /// How long an HTTP/1.1 connection may wait for its next request; for HTTP/2, how long a silent peer may
    /// leave a ping unanswered. Default: 75 seconds, longer than the 60 after which common load balancers
    /// close their side.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// How long open requests may take to finish once the server is told to stop. Default: 30 seconds.
    pub fn drain_limit(mut self, limit: Duration) -> Self {
        self.drain_limit = limit;
        self
    }

    /// The largest request head, in bytes; a larger one is answered with 431. Default: 64 KiB.
    pub fn max_head_size(mut self, bytes: usize) -> Self {
        self.max_head_size = bytes;
        self
    }

    /// Serves connections of `listener` until `shutdown` is done, then lets open requests finish: no new
    /// connection is accepted, HTTP/1.1 answers close, HTTP/2 peers are sent GOAWAY. What is still open at
    /// the drain limit is cut.
    ///
    /// Every connection is a task of the present tokio runtime; one that panics takes no other with it.
    pub async fn serve<S, B>(
        &self,
        listener: TcpListener,
        service: S,
        shutdown: impl Future<Output = ()>,
    ) -> Drained
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
            + Clone
            + Send
            + 'static,
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let settings = Arc::new(self.clone());
        let (stop, stopped) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, client)) => {
                    // Small answers must not wait for an acknowledgement of the one before.
                    let _ = stream.set_nodelay(true);
                    let info = ConnectionInfo::new(client);
                    let (service, settings) = (service.clone(), settings.clone());
                    connections.spawn(connection::serve(stream, info, service, settings, stopped.clone()));
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    accept_failed(&error);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop((listener, stop));
        self.drain(connections).await
    }

    async fn drain(&self, mut connections: JoinSet<()>) -> Drained {
        let finished = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(self.drain_limit, finished).await;
        let cut = connections.len();
        connections.shutdown().await;
        Drained { cut }
    }
}

/// The client gave up while it waited to be accepted; the next one is not concerned.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

#[cfg(feature = "tracing")]
fn accept_failed(error: &std::io::Error) {
    tracing::error!(%error, "no connection can be accepted");
}

#[cfg(not(feature = "tracing"))]
fn accept_failed(_: &std::io::Error) {}

/// What is served here and now; other transports can be added beside it.
type Stream = TcpStream;
