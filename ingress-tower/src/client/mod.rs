//! Carries requests to endpoints over connections that are kept: of HTTP/1.1, or HTTP/2 where the endpoint speaks it.

mod body;
mod connection;
mod dial;
mod http2;
mod pool;
mod resolve;
mod target;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
mod upload;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::uri::{PathAndQuery, Scheme};
use http::{Request, Response, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use ingress_core::Timeout;
use tokio::time::{Instant, Sleep};
use tower_service::Service;

use crate::{Body, BoxError, Stalled, TimedOut, Timeouts, Unsent};

use body::Lease;
pub(crate) use body::UpstreamBody;
use connection::Connection;
use dial::Dialer;
use pool::Pool;
pub(crate) use resolve::resolve;
use target::Target;
pub(crate) use upload::Progress;
use upload::Upload;

/// The default client: HTTP/1.1, with connections kept for each endpoint, and HTTP/2 with prior knowledge for requests
/// whose version is [`Version::HTTP_2`]; both over TLS where the URI says `https`.
///
/// Over HTTP/2 all requests of a runtime to an endpoint share a connection; what is more than the endpoint takes at a
/// time waits. Of HTTP/1.1 each thread takes its own connections first, the most recently used one before others, and
/// then those of other threads of its runtime: where each thread runs a runtime, no request wakes another thread.
///
/// A request that meets a connection closed before it was used takes another one; [`Unsent`] is returned when
/// a new one cannot be made. Where an endpoint closes a connection just as it is used again, a request without
/// a body whose method is safe (GET, HEAD, OPTIONS, TRACE) is sent once more, on a new connection; no other
/// request is.
///
/// Cheap to clone; clones share the pool. It needs a tokio runtime with I/O and time enabled.
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
    body_timeout: Option<Duration>,
    idle_timeout: Duration,
    max_idle: usize,
    local_names: bool,
}

#[derive(Debug)]
struct Shared {
    settings: HttpClientBuilder,
    pool: Arc<Pool>,
    http2: http2::Connections,
    dialer: Dialer,
}

// ===== impl HttpClientBuilder =====

impl Default for HttpClientBuilder {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            head_timeout: Some(Duration::from_secs(60)),
            body_timeout: Some(Duration::from_secs(300)),
            idle_timeout: Duration::from_secs(55),
            max_idle: 256,
            local_names: false,
        }
    }
}

impl HttpClientBuilder {
    /// How long a connection may take to be made. Default: 5 seconds (ruling R15).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long an endpoint may take to begin its answer while the request makes no progress; `None` for any
    /// time. A long upload may take longer. Where it is the client that says nothing, it is told so with 408. Default: 60
    /// seconds (ruling R15).
    pub fn head_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.head_timeout = timeout.into();
        self
    }

    /// How long an endpoint may say nothing in the middle of its answer, while more is asked for; the answer is broken off
    /// then. `None` for any time. Default: 5 minutes.
    pub fn body_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.body_timeout = timeout.into();
        self
    }

    /// How long an unused connection is kept. It should be shorter than the endpoints' own limit, or they
    /// close connections just as they are used again. Default: 55 seconds; nginx as an endpoint closes after 75
    /// unless told otherwise.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// How many unused connections each thread keeps for each endpoint. Default: 256.
    pub fn max_idle(mut self, connections: usize) -> Self {
        self.max_idle = connections;
        self
    }

    /// Whether an endpoint that is a name (a Service of type ExternalName) may have addresses of this machine,
    /// of its link (169.254.0.0/16, fe80::/10) or of a cloud's instance metadata. Default: no. They are looked at
    /// each time that a connection is made, so a name cannot change to such an address later. Endpoints that
    /// are addresses are not concerned.
    pub fn local_names(mut self, allowed: bool) -> Self {
        self.local_names = allowed;
        self
    }

    /// The client.
    pub fn build(self) -> HttpClient {
        let pool = Arc::new(Pool::new(self.idle_timeout, self.max_idle));
        let dialer = Dialer::new(self.local_names);
        let http2 = http2::Connections::default();
        HttpClient { shared: Arc::new(Shared { settings: self, pool, http2, dialer }) }
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

    /// The request's URI is `http://endpoint:port/path`, where a name is looked up; its Host field is sent as it is. With
    /// `https` its extensions hold an [`UpstreamTls`](ingress_core::UpstreamTls) that names the server, and the feature
    /// `tls` is needed.
    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let shared = self.shared.clone();
        Box::pin(async move { shared.send(request).await })
    }
}

// ===== impl Shared =====

impl Shared {
    async fn send(&self, mut request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let times = Times::new(&self.settings, request.extensions().get());
        let uri = std::mem::take(request.uri_mut()).into_parts();
        let authority = uri.authority.ok_or("the URI names no endpoint")?;
        let tls = (uri.scheme == Some(Scheme::HTTPS))
            .then(|| request.extensions_mut().remove().unwrap_or_default());
        let target = Target { authority, tls: tls.map(Arc::new) };
        *request.uri_mut() = Uri::from(uri.path_and_query.unwrap_or(PathAndQuery::from_static("/")));
        if request.version() == Version::HTTP_2 {
            return self.send_http2(request, &target, times).await;
        }
        if !request.body().is_end_stream() && request.body().size_hint().exact().is_none() {
            // Left to itself, hyper sends no body of unknown length with GET.
            request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }

        // Whoever leaves HTTP, or only asks to, must not meet the requests of others.
        let alone = request.headers().contains_key(UPGRADE);
        let pooled = || if alone { None } else { self.pool.take(&target) };
        while let Some(connection) = pooled() {
            let again = repeatable(&request);
            let error = match self.exchange(connection, &target, request, times).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            match (error.downcast::<Unsent>(), again) {
                (Ok(unsent), _) => request = unsent.into_parts().0,
                (Err(error), Some(again)) if is_lost(&error) => {
                    request = again;
                    break;
                }
                (Err(error), _) => return Err(error),
            }
        }
        match self.dialer.http1(&target, alone, times.connect).await {
            Ok(connection) => self.exchange(connection, &target, request, times).await,
            Err(error) => Err(Unsent::new(request, error).into()),
        }
    }

    async fn send_http2(
        &self,
        mut request: Request<Body>,
        target: &Target,
        times: Times,
    ) -> Result<Response<Body>, BoxError> {
        let connect = async |slot| self.dialer.http2(target, slot, times.connect).await;
        let mut sender = match self.http2.get(target, self.settings.idle_timeout, connect).await {
            Ok(sender) => sender,
            Err(error) => return Err(Unsent::new(request, error).into()),
        };
        http2::prepare(&mut request, target);
        let progress = Progress::new();
        let request = request.map(|body| Upload::new(body, &progress));
        let sleep = pin!(tokio::time::sleep(Duration::ZERO));
        let deadline = Deadline::begin(times.head, sleep, &progress);
        let answer = sender.try_send_request(request);
        // Lest a request that its connection missed in its end waits as long as there is a sender: see `connection`.
        drop(sender);
        let answer = async { answer.await.map_err(connection::refused) };
        let response = answered(answer, deadline).await?;
        Ok(response.map(|body| UpstreamBody::shared(body, times.body)))
    }

    async fn exchange(
        &self,
        mut connection: Connection,
        target: &Target,
        request: Request<Body>,
        times: Times,
    ) -> Result<Response<Body>, BoxError> {
        let request = request.map(|body| Upload::new(body, &connection.progress));
        let deadline = Deadline::begin(times.head, connection.deadline.as_mut(), &connection.progress);
        let response = answered(connection.sender.send(request), deadline).await?;
        let lease = Lease { connection, target: target.clone(), pool: self.pool.clone() };
        Ok(response.map(|body| UpstreamBody::leased(body, lease, times.body)))
    }
}

/// Waits for the answer as long as it may take.
async fn answered(
    answer: impl Future<Output = Result<Response<Incoming>, BoxError>>,
    mut deadline: Deadline<'_>,
) -> Result<Response<Incoming>, BoxError> {
    let mut answer = pin!(answer);
    let answered = poll_fn(|cx| match answer.as_mut().poll(cx) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => deadline.poll(cx).map(|()| None),
    });
    match answered.await {
        None if deadline.progress.is_wanting() => Err(Stalled.into()),
        None => Err(TimedOut.into()),
        Some(answer) => answer,
    }
}

/// A copy of a request that can be sent twice: its method is safe (RFC 9110 section 9.2.1), and it has no body.
fn repeatable(request: &Request<Body>) -> Option<Request<Body>> {
    if !request.method().is_safe() || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(Body::empty());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    Some(copy)
}

/// The connection ended without an answer.
fn is_lost(error: &BoxError) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(|error| {
        let source = std::error::Error::source(error);
        error.is_incomplete_message() || source.is_some_and(|source| source.is::<std::io::Error>())
    })
}

/// How long the steps of one request may take.
#[derive(Clone, Copy)]
struct Times {
    connect: Option<Duration>,
    head: Option<Duration>,
    body: Option<Duration>,
}

impl Times {
    /// Those of the route's policy, and else the client's.
    fn new(settings: &HttpClientBuilder, policy: Option<&Timeouts>) -> Self {
        let policy = policy.copied().unwrap_or_default();
        let or = |own: Option<Timeout>, other| own.map_or(other, Timeout::limit);
        Self {
            connect: or(policy.connect, Some(settings.connect_timeout)),
            head: or(policy.response, settings.head_timeout),
            body: or(policy.idle, settings.body_timeout),
        }
    }
}

/// The time until which an answer must have begun: some time after the request's last progress.
struct Deadline<'a> {
    timeout: Option<Duration>,
    sleep: Pin<&'a mut Sleep>,
    progress: &'a Progress,
}

// ===== impl Deadline =====

impl<'a> Deadline<'a> {
    fn begin(timeout: Option<Duration>, mut sleep: Pin<&'a mut Sleep>, progress: &'a Progress) -> Self {
        progress.note();
        if let Some(timeout) = timeout {
            sleep.as_mut().reset(progress.last() + timeout);
        }
        Self { timeout, sleep, progress }
    }

    /// Progress is looked at only when the time seems to be up, so that frames cost no timer.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(timeout) = self.timeout else { return Poll::Pending };
        while self.sleep.as_mut().poll(cx).is_ready() {
            let deadline = self.progress.last() + timeout;
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}
