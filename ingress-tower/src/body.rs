//! One body type for requests and responses, whoever made them.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use sync_wrapper::SyncWrapper;

use crate::BoxError;
use crate::policy::Permit;
use crate::spread::Flight;

/// A stream of bytes and trailers. Frames are passed on as they come and only when they are asked for, so
/// that a slow reader slows down the writer.
///
/// hyper's own bodies are held as they are; any other body is boxed once.
#[derive(Default)]
pub struct Body {
    kind: Kind,
    /// The exchange that this is the answer of; an endpoint works on it until this is dropped.
    _flight: Option<Flight>,
    /// The request of a client that may have so many open.
    _permit: Option<Permit>,
}

/// The body broke before its end. A request's body that fails is the client's fault, a response's the
/// endpoint's.
#[derive(Debug, thiserror::Error)]
#[error("the body ended early")]
pub struct BodyError(#[source] BoxError);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    /// Empty, without saying so.
    Silent,
    Full(Full<Bytes>),
    #[cfg(any(feature = "client", feature = "server"))]
    Incoming(hyper::body::Incoming),
    #[cfg(feature = "client")]
    Upstream(crate::client::UpstreamBody),
    Boxed(Boxed),
}

/// A body of any type. What it says of itself is kept after each frame, since it may only be asked by one
/// thread at a time.
struct Boxed {
    body: SyncWrapper<UnsyncBoxBody<Bytes, BodyError>>,
    ended: bool,
    size: SizeHint,
}

// ===== impl Body =====

impl Body {
    /// A body without bytes.
    pub fn empty() -> Self {
        Self::of(Kind::Empty)
    }

    /// Takes any body of bytes.
    pub fn new<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut body = Some(body);
        let any: &mut dyn Any = &mut body;
        if let Some(body) = any.downcast_mut::<Option<Self>>().and_then(Option::take) {
            return body;
        }
        #[cfg(any(feature = "client", feature = "server"))]
        if let Some(body) = any.downcast_mut::<Option<hyper::body::Incoming>>().and_then(Option::take) {
            return if body.is_end_stream() { Self::empty() } else { Self::of(Kind::Incoming(body)) };
        }
        match body {
            Some(body) if !body.is_end_stream() => Self::of(Kind::Boxed(Boxed::new(
                body.map_err(|error| BodyError(error.into())).boxed_unsync(),
            ))),
            _ => Self::empty(),
        }
    }

    fn of(kind: Kind) -> Self {
        Self { kind, _flight: None, _permit: None }
    }

    /// Counts the exchange at its endpoint until this body is dropped.
    pub(crate) fn with_flight(self, flight: Flight) -> Self {
        Self { _flight: Some(flight), ..self }
    }

    /// Counts the request at its client until this body is dropped.
    pub(crate) fn with_permit(self, permit: Permit) -> Self {
        Self { _permit: Some(permit), ..self }
    }

    /// Lets the length in the head of a response to HTTP/1.1 stand, though nothing follows: hyper takes it
    /// away where it knows that the body is empty.
    pub(crate) fn silence(&mut self) {
        if self.is_end_stream() {
            self.kind = Kind::Silent;
        }
    }

    #[cfg(feature = "client")]
    pub(crate) fn upstream(body: crate::client::UpstreamBody) -> Self {
        Self::of(Kind::Upstream(body))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.get_mut().kind {
            Kind::Empty | Kind::Silent => Poll::Ready(None),
            Kind::Full(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            #[cfg(any(feature = "client", feature = "server"))]
            Kind::Incoming(body) => Pin::new(body).poll_frame(cx).map_err(|error| BodyError(error.into())),
            #[cfg(feature = "client")]
            Kind::Upstream(body) => Pin::new(body).poll_frame(cx).map_err(BodyError),
            Kind::Boxed(boxed) => boxed.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Silent => false,
            Kind::Full(body) => body.is_end_stream(),
            #[cfg(any(feature = "client", feature = "server"))]
            Kind::Incoming(body) => body.is_end_stream(),
            #[cfg(feature = "client")]
            Kind::Upstream(body) => body.is_end_stream(),
            Kind::Boxed(boxed) => boxed.ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Silent => SizeHint::default(),
            Kind::Full(body) => body.size_hint(),
            #[cfg(any(feature = "client", feature = "server"))]
            Kind::Incoming(body) => body.size_hint(),
            #[cfg(feature = "client")]
            Kind::Upstream(body) => body.size_hint(),
            Kind::Boxed(boxed) => boxed.size,
        }
    }
}

impl Boxed {
    fn new(body: UnsyncBoxBody<Bytes, BodyError>) -> Self {
        Self { ended: body.is_end_stream(), size: body.size_hint(), body: SyncWrapper::new(body) }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let body = self.body.get_mut();
        let frame = Pin::new(&mut *body).poll_frame(cx);
        self.ended = body.is_end_stream();
        self.size = body.size_hint();
        frame
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self::of(Kind::Full(Full::new(bytes.into())))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("size", &self.size_hint().exact()).finish_non_exhaustive()
    }
}
