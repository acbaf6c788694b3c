//! Carries requests to endpoints over pooled HTTP/1.1 connections.

mod body;
mod pool;

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::uri::{Authority, PathAndQuery};
use http::{Request, Response, Uri};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower_service::Service;

use crate::{Body, BoxError, TimedOut, Unsent};

pub(crate) use body::UpstreamBody;
use pool::{Connection, Pool};

/// The default client: HTTP/1.1, with connections kept for each endpoint.
///
/// Each thread keeps connections of its own, so that a request does not wake another thread where each
/// thread runs a runtime; the most recently used connection is taken first. A request that meets a
/// connection closed before it was used takes another one; [`Unsent`] is returned when a new one cannot be
/// made. Cheap to clone; clones share the pool. It needs a tokio runtime with I/O and time enabled.
#[derive(Clone, Debug)]
pub struct HttpClient {
    shared: Arc<Shared>,
}

/// Settings of an [`HttpClient`].
#[derive(Clone, Debug)]
#[must_use]
pub struct HttpClientBuilder {
    connect_timeout: Duration,
    head_timeout: Option<Duration>,
    idle_timeout: Duration,
    max_idle: usize,
}

#[derive(Debug)]
struct Shared {
    settings: HttpClientBuilder,
    pool: Arc<Pool>,
}

/// One request on one connection came to nothing.
enum Failure {
    /// Nothing was sent; the request is whole.
    Unsent(Request<Body>, hyper::Error),
    Other(BoxError),
}

// ===== impl HttpClientBuilder =====

impl Default for HttpClientBuilder {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            head_timeout: Some(Duration::from_secs(60)),
            idle_timeout: Duration::from_secs(55),
            max_idle: 256,
        }
    }
}

impl HttpClientBuilder {
    /// How long a connection may take to be made. Default: 5 seconds (ruling R15).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long an endpoint may take to begin its answer; `None` for any time. The body that follows has no
    /// limit. Default: 60 seconds (ruling R15).
    pub fn head_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.head_timeout = timeout.into();
        self
    }

    /// How long an unused connection is kept. It should be shorter than the endpoints' own limit, or they
    /// close connections just as they are used again. Default: 55 seconds (Go and nginx close after 60 and
    /// 75 seconds).
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// How many unused connections each thread keeps for each endpoint. Default: 256.
    pub fn max_idle(mut self, connections: usize) -> Self {
        self.max_idle = connections;
        self
    }

    /// The client.
    pub fn build(self) -> HttpClient {
        let pool = Arc::new(Pool::new(self.idle_timeout, self.max_idle));
        HttpClient { shared: Arc::new(Shared { settings: self, pool }) }
    }
}

// ===== impl HttpClient =====

impl HttpClient {
    /// A client with other settings than the default.
    pub fn builder() -> HttpClientBuilder {
        HttpClientBuilder::default()
    }
}

impl Default for HttpClient {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl Service<Request<Body>> for HttpClient {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    /// The request's URI is `http://address:port/path`; its Host field is sent as it is.
    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let shared = self.shared.clone();
        Box::pin(async move { shared.send(request).await })
    }
}

// ===== impl Shared =====

impl Shared {
    async fn send(&self, mut request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let uri = std::mem::take(request.uri_mut()).into_parts();
        let endpoint = uri.authority.ok_or("the URI names no endpoint")?;
        *request.uri_mut() = Uri::from(uri.path_and_query.unwrap_or(PathAndQuery::from_static("/")));

        while let Some(connection) = self.pool.take(&endpoint) {
            match self.exchange(connection, &endpoint, request).await {
                Err(Failure::Unsent(unsent, _)) => request = unsent,
                Err(Failure::Other(error)) => return Err(error),
                Ok(response) => return Ok(response),
            }
        }
        let connection = match self.connect(&endpoint).await {
            Ok(connection) => connection,
            Err(error) => return Err(Unsent::new(request, error).into()),
        };
        self.exchange(connection, &endpoint, request).await.map_err(|failure| match failure {
            Failure::Unsent(request, error) => Unsent::new(request, error).into(),
            Failure::Other(error) => error,
        })
    }

    async fn connect(&self, endpoint: &Authority) -> Result<Connection, BoxError> {
        let address: SocketAddr = endpoint.as_str().parse()?;
        let connecting = tokio::time::timeout(self.settings.connect_timeout, TcpStream::connect(address));
        let stream = connecting.await.map_err(|_| "connecting took too long")??;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends when the endpoint closes, or when the sender is dropped. Its error is the sender's, too.
        tokio::spawn(connection);
        Ok(Connection::new(sender))
    }

    async fn exchange(
        &self,
        mut connection: Connection,
        endpoint: &Authority,
        request: Request<Body>,
    ) -> Result<Response<Body>, Failure> {
        if let Some(timeout) = self.settings.head_timeout {
            connection.deadline.as_mut().reset(Instant::now() + timeout);
        }
        let has_deadline = self.settings.head_timeout.is_some();
        let mut answer = pin!(connection.sender.try_send_request(request));
        let answered = poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if has_deadline => connection.deadline.as_mut().poll(cx).map(|()| None),
            Poll::Pending => Poll::Pending,
        });
        match answered.await {
            None => Err(Failure::Other(TimedOut.into())),
            Some(Ok(response)) => {
                Ok(response.map(|body| UpstreamBody::new(body, connection, endpoint, &self.pool)))
            }
            Some(Err(mut error)) => Err(match error.take_message() {
                Some(request) => Failure::Unsent(request, error.into_error()),
                None => Failure::Other(error.into_error().into()),
            }),
        }
    }
}
