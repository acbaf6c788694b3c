//! An accept loop with a deadline for everything that a client can delay, and a graceful end.
//!
//! hyper's own protocol detection waits for the first bytes of a connection without limit, and its header
//! deadline counts the time between requests, too. Here the first bytes have a deadline, the head of a
//! request has one from its first byte on, and an idle connection has another.
//!
//! | limit | default | beyond it |
//! |---|---|---|
//! | [first bytes, head of a request](Server::header_timeout) | 10 s | closed |
//! | TLS handshake (`tls::Tls::handshake_timeout`) | 10 s | closed |
//! | [between requests](Server::idle_timeout) | 75 s | closed |
//! | [not reading](Server::write_timeout) | 60 s | cut |
//! | [bytes of a head](Server::max_head_size) | 32 KiB | 431 |
//! | fields of a head | 100, HTTP/1.1 | 431 |
//! | [connections](Server::max_connections) | 10,000 | 503 with `Retry-After` |
//! | [connections of a client](Server::max_connections_per_client) | 5,000 | 503 with `Retry-After` |
//! | [age of a connection](Server::max_connection_age) | none | GOAWAY, or `Connection: close` |
//! | open streams of an HTTP/2 connection | 100 | refused (`REFUSED_STREAM`) |
//! | resets by a client that nobody has looked at yet; by its own faults | 20; 100 | GOAWAY (`ENHANCE_YOUR_CALM`) |
//! | bytes on their way to the server on a stream; on a connection | 64 KiB; 1 MiB | flow control |
//! | bytes that wait for a client on a stream | 64 KiB | back-pressure |
//!
//! The target of a request has a limit of its own, as it has without this server
//! ([`IngressLayer::max_target_len`](crate::IngressLayer::max_target_len)), and so has whatever waits for an endpoint
//! ([`HttpClientBuilder`](crate::HttpClientBuilder)). Where the process has no descriptors left, accepting pauses for 50 ms
//! and goes on.

mod accept;
mod connection;
mod io;
mod limits;
mod proxy_protocol;
mod requests;
mod timer;

use std::future::Future;
use std::io::{Read, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower_service::Service;

use crate::{BoxError, ConnectionInfo, TrustedProxies};
use accept::Acceptor;
use connection::{Ending, Transport};
use limits::{Connections, Place};

/// Settings of the accept loop. HTTP/1.1 and HTTP/2 (with prior knowledge) are served on one port. Clones count their
/// connections together.
#[derive(Clone, Debug)]
#[must_use]
pub struct Server {
    header_timeout: Duration,
    idle_timeout: Duration,
    write_timeout: Duration,
    linger: Duration,
    drain_limit: Duration,
    max_head_size: usize,
    max_connections: usize,
    max_connections_per_client: usize,
    max_connection_age: Option<Duration>,
    proxy_protocol: TrustedProxies,
    connections: Arc<Connections>,
}

/// How the connections of a [`Server`] ended after it was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that were still open when the drain limit was reached, and were cut.
    pub cut: usize,
}

/// What a [`Server`] and its clones have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Connections that are open.
    pub open: usize,
    /// Connections that were refused, because too many were open.
    pub refused: u64,
}

/// What [`Server::serve`] asks of a service and of the body of its answers.
trait Handler<B>:
    Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<S, B> Handler<B> for S where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static
{
}

trait ResponseBody: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static {}

impl<B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static> ResponseBody for B {}

/// The most fields that a request of HTTP/1.1 may have.
const MAX_FIELDS: usize = 100;

// ===== impl Server =====

impl Default for Server {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(60),
            linger: Duration::from_secs(1),
            drain_limit: Duration::from_secs(30),
            max_head_size: 32 * 1024,
            max_connections: 10_000,
            max_connections_per_client: 5_000,
            max_connection_age: None,
            proxy_protocol: TrustedProxies::default(),
            connections: Arc::default(),
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

    /// How long a client may leave unread what it is sent, after which its connection is cut. Default: 60 seconds.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// How many connections may be open at a time, of this server and its clones together. More are answered with 503
    /// and a `Retry-After`, and closed. Default: 10,000. It should be at most half of the descriptors that the process
    /// may have, since a request needs another one for its endpoint.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// How many of them one client may have: an address, or the 64 bits of a network of IPv6. Default: 5,000, so that no
    /// client takes all; the clients of a load balancer that hides their addresses count as one.
    pub fn max_connections_per_client(mut self, connections: usize) -> Self {
        self.max_connections_per_client = connections;
        self
    }

    /// How old a connection may become, give or take a tenth, so that those that were made together do not end together.
    /// HTTP/2 clients are sent GOAWAY then, and finish what they have begun; the next answer of HTTP/1.1 closes its connection.
    /// Long-lived connections, as gRPC clients hold them, so spread again over all servers behind an address. Default: none.
    pub fn max_connection_age(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.max_connection_age = age.into();
        self
    }

    /// The load balancers that pass bytes on and say first from whom they are, by the PROXY protocol in version 1 or 2. A
    /// connection from one of these addresses without such a header is closed; from all others the header is no HTTP, and
    /// refused. Default: nobody.
    pub fn proxy_protocol(mut self, from: TrustedProxies) -> Self {
        self.proxy_protocol = from;
        self
    }

    /// What this server and its clones have done so far.
    pub fn stats(&self) -> ServerStats {
        ServerStats { open: self.connections.open(), refused: self.connections.refused() }
    }

    /// The largest request head, in bytes; a larger one is answered with 431, as is one of more than 100 fields. Default:
    /// 32 KiB.
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
        self.serve_over(Transport::Plain, listener, service, shutdown).await
    }

    /// As [`Server::serve`], for clients that speak TLS. HTTP/2 is spoken with those that choose it in the handshake,
    /// HTTP/1.1 with all others.
    #[cfg(feature = "tls")]
    pub async fn serve_tls<S, B>(
        &self,
        listener: TcpListener,
        tls: &crate::tls::Tls,
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
        self.serve_over(Transport::Tls(tls.acceptor()), listener, service, shutdown).await
    }

    async fn serve_over<S, B>(
        &self,
        transport: Transport,
        listener: TcpListener,
        service: S,
        shutdown: impl Future<Output = ()>,
    ) -> Drained
    where
        S: Handler<B>,
        B: ResponseBody,
    {
        let ending = Ending::new();
        let settings = Arc::new(self.clone());
        let signals = ending.signals();
        let mut acceptor = Acceptor::new(listener, move |stream: TcpStream, client| {
            // Small answers must not wait for an acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
            let info = ConnectionInfo::new(client);
            let info = stream.local_addr().map_or(info, |local| info.with_local(local));
            let place = settings.place(client.ip());
            let (transport, service) = (transport.clone(), service.clone());
            let (settings, signals) = (settings.clone(), signals.clone());
            async move {
                let Some(place) = place else { return refuse(stream, &transport) };
                match settings.introduce(stream, info, place).await {
                    Ok((stream, info, _place)) => {
                        connection::serve(stream, transport, info, service, settings, signals).await;
                    }
                    Err(Some(stream)) => refuse(stream, &transport),
                    Err(None) => {}
                }
            }
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

    /// A place for a connection, if there is one. Of load balancers it is not known yet whose it will be.
    fn place(&self, client: IpAddr) -> Option<Place> {
        let place = self.connections.enter(self.max_connections).and_then(|mut place| {
            let passes = self.proxy_protocol.trusts(client);
            (passes || place.of(client, self.max_connections_per_client)).then_some(place)
        });
        if place.is_none() {
            log_refused(client);
        }
        place
    }

    /// Hears from a load balancer whose connection this is. Where nothing is to be served, the error is the stream, if
    /// that can be said.
    async fn introduce(
        &self,
        mut stream: TcpStream,
        info: ConnectionInfo,
        mut place: Place,
    ) -> Result<(TcpStream, ConnectionInfo, Place), Option<TcpStream>> {
        if !self.proxy_protocol.trusts(info.client.ip()) {
            return Ok((stream, info, place));
        }
        let header = tokio::time::timeout(self.header_timeout, proxy_protocol::read(&mut stream));
        let info = match Box::pin(header).await {
            Ok(Ok(Some((client, local)))) => ConnectionInfo::new(client).with_local(local),
            Ok(Ok(None)) => info,
            Ok(Err(error)) => {
                connection::log(info, &error);
                return Err(None);
            }
            Err(_) => return Err(None),
        };
        if place.of(info.client.ip(), self.max_connections_per_client) {
            return Ok((stream, info, place));
        }
        log_refused(info.client.ip());
        Err(Some(stream))
    }

    /// For how long it lingers: what the drain limit leaves of the time.
    fn lingers(&self) -> Duration {
        self.linger.min(self.drain_limit / 2)
    }
}

/// Says so to a client that there is no place for, as far as that can be said without waiting; in TLS it cannot.
fn refuse(stream: TcpStream, transport: &Transport) {
    if !matches!(transport, Transport::Plain) {
        return;
    }
    const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\
        Content-Length: 0\r\n\r\n";
    // What was not read would make the end a reset, which may overtake the answer.
    let Ok(mut stream) = stream.into_std() else { return };
    let _ = stream.read(&mut [0; 4096]);
    let _ = stream.write(ANSWER);
}

#[cfg(feature = "tracing")]
fn log_refused(client: IpAddr) {
    crate::log::connection_refused(client);
}

#[cfg(not(feature = "tracing"))]
fn log_refused(_: IpAddr) {}

async fn drain(mut connections: JoinSet<()>, limit: Duration) -> Drained {
    let finished = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(limit, finished).await;
    let cut = connections.len();
    connections.shutdown().await;
    Drained { cut }
}
