//! `--access-log`: one JSON object a line for each request, on the standard output.
//!
//! What is logged of the choice of an endpoint is what `gateway replay` needs.

mod entry;
mod lines;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Bytes;
use axum::http::{Request, Response};
use clap::ValueEnum;
use http_body::{Body as HttpBody, Frame, SizeHint};
use ingress_tower::{Body, BodyError, BoxError, IngressLayer, IngressService};
use tower::Service;
use tower::util::Either;

use crate::Failure;
use entry::Entry;
use lines::{Lines, Written};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct AccessLogOptions {
    /// What is written to stdout about each request when its answer has ended. Lines that cannot be written as fast as
    /// requests come are left out, and counted in the log
    #[arg(long, env = "INGRESS_ACCESS_LOG", value_enum, default_value_t = Format::None)]
    access_log: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Nothing
    None,
    /// One JSON object a line: time (when it came), client, method, host, path (without the query), protocol, status,
    /// bytes (of the answer's body), duration_ms, request_id; generation (of the table), backend, endpoint, algorithm,
    /// choice and attempts for `gateway replay`; reason, if the gateway answered itself or the answer was broken off. What
    /// is not known is left out
    Json,
}

/// The access log, if there is one.
#[derive(Debug)]
pub(crate) struct AccessLog(Option<(Lines, Written)>);

/// The routing table as a service, with a log of its requests or without.
pub(crate) type GatewayService = Either<IngressService, Logged>;

/// A service whose requests are logged.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    inner: IngressService,
    log: Arc<Log>,
}

#[derive(Debug)]
struct Log {
    /// Knows the addresses of clients.
    layer: IngressLayer,
    lines: Lines,
}

/// The body of an answer, whose line is written when it is dropped.
struct Counted {
    body: Body,
    entry: Entry,
}

// ===== impl AccessLog =====

impl AccessLog {
    /// Begins to write, if that is asked for.
    pub(crate) fn start(options: &AccessLogOptions) -> Result<Self, Failure> {
        if options.access_log == Format::None {
            return Ok(Self(None));
        }
        let started = lines::start(std::io::stdout());
        let failed = |error| Failure::System(format!("cannot start the access log: {error}"));
        started.map(Some).map(Self).map_err(failed)
    }

    /// The service of a layer, whose requests are logged.
    pub(crate) fn service(&self, layer: IngressLayer) -> GatewayService {
        let Some((lines, _)) = &self.0 else { return Either::Left(layer.into_service()) };
        let inner = layer.clone().record_choices(true).into_service();
        Either::Right(Logged { inner, log: Arc::new(Log { layer, lines: lines.clone() }) })
    }

    /// Waits a moment until all is written. The services must be gone.
    pub(crate) fn finish(self) {
        if let Some((lines, written)) = self.0 {
            drop(lines);
            written.wait();
        }
    }
}

// ===== impl Logged =====

impl<B> Service<Request<B>> for Logged
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<B>>::poll_ready(&mut self.inner, cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // If nobody waits for the answer any more, the entry is dropped with the future.
        let mut entry = Entry::new(&request, self.log.layer.client_of(&request), self.log.lines.clone());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if entry.answered(&mut response) {
                return Ok(response);
            }
            Ok(response.map(|body| Body::new(Counted { body, entry })))
        })
    }
}

// ===== impl Counted =====

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => this.entry.sent(frame.data_ref().map_or(0, Bytes::len)),
            Poll::Ready(Some(Err(_))) => this.entry.failed(),
            Poll::Ready(None) => this.entry.ended(),
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A server that knows the length asks for nothing behind it.
impl Drop for Counted {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.entry.ended();
        }
    }
}
