//! An accept loop with a deadline for everything that a client can delay, and a graceful end.
//!
//! hyper's own protocol detection waits for the first bytes of a connection without limit, and its header
//! deadline counts the time between requests, too. Here the first bytes have a deadline, the head of a
//! request has one from its first byte on, and an idle connection has another.

mod accept;
mod connection;
mod io;
mod timer;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower_service::Service;

use crate::{BoxError, ConnectionInfo};
use accept::Acceptor;
use connection::Ending;

/// Settings of the accept loop. HTTP/1.1 and HTTP/2 (with prior knowledge) are served on one port.
#[derive(Clone, Debug)]
#[must_use]
pub struct Server {
    header_timeout: Duration,
    idle_timeout: Duration,
    linger: Duration,
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
            linger: Duration::from_secs(1),
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

    /// How long an HTTP/1.1 connection may wait for its next request; for HTTP/2, how long for its first, and
    /// how long a silent peer may leave a ping unanswered. Default: 75 seconds, longer than the 60 after which
    /// common load balancers close their side.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// For how long the server goes on accepting and answering once it is told to stop, while each HTTP/1.1
    /// answer closes its connection: a client that sends its next request in that instant gets an answer, and
    /// one that is busy takes its requests elsewhere. At most half of the drain limit, so that what is open
    /// then can still finish. Default: 1 second; zero stops at once.
    pub fn linger(mut self, time: Duration) -> Self {
        self.linger = time;
        self
    }

    /// How long the end may take once the server is told to stop, from then on and with the time that it
    /// lingers: requests that are open at the limit are cut. Default: 30 seconds.
    pub fn drain_limit(mut self, limit: Duration) -> Self {
        self.drain_limit = limit;
        self
    }

    /// The largest request head, in bytes; a larger one is answered with 431. Default: 64 KiB.
    pub fn max_head_size(mut self, bytes: usize) -> Self {
        self.max_head_size = bytes;
        self
    }

    /// Serves connections of `listener` until `shutdown` is done, and then ends in two steps. While it
    /// [lingers](Self::linger) it goes on, but HTTP/1.1 answers close their connections. Then no new connection
    /// is accepted, idle ones are closed, HTTP/2 peers are sent GOAWAY, and open requests finish. What is still
    /// open at the drain limit is cut.
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
        let ending = Ending::new();
        let settings = Arc::new(self.clone());
        let signals = ending.signals();
        let mut acceptor = Acceptor::new(listener, move |stream: TcpStream, client| {
            // Small answers must not wait for an acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
            let info = ConnectionInfo::new(client);
            let info = stream.local_addr().map_or(info, |local| info.with_local(local));
            connection::serve(stream, info, service.clone(), settings.clone(), signals.clone())
        });
        acceptor.until(shutdown).await;
        let told = Instant::now();
        let linger = self.lingers();
        if !linger.is_zero() {
            ending.begin();
            acceptor.until(tokio::time::sleep(linger)).await;
        }
        let connections = acceptor.close();
        ending.stop();
        drain(connections, self.drain_limit.saturating_sub(told.elapsed())).await
    }

    /// For how long it lingers: what the drain limit leaves of the time.
    fn lingers(&self) -> Duration {
        self.linger.min(self.drain_limit / 2)
    }
}

async fn drain(mut connections: JoinSet<()>, limit: Duration) -> Drained {
    let finished = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(limit, finished).await;
    let cut = connections.len();
    connections.shutdown().await;
    Drained { cut }
}

/// What is served here and now; other transports can be added beside it.
type Stream = TcpStream;
