//! A response's body, which gives its connection back when it is read to the end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::connection::Connection;
use super::pool::Pool;
use super::target::Target;
use crate::proxy::headers;
use crate::stall::Stall;
use crate::{Body, BoxError};

/// The body of a response on a pooled connection. Dropped before its end, it closes the connection, since
/// what is left would be taken for the next response.
#[derive(Debug)]
pub(crate) struct UpstreamBody {
    incoming: Incoming,
    lease: Option<Lease>,
    /// How long the endpoint has said nothing.
    stall: Option<Stall>,
}

/// What is given back when the body has been read.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) connection: Connection,
    pub(super) target: Target,
    pub(super) pool: Arc<Pool>,
}

impl UpstreamBody {
    /// A body that holds on to its connection; where there is nothing to read, the connection goes back at
    /// once.
    pub(super) fn leased(incoming: Incoming, lease: Lease, timeout: Option<Duration>) -> Body {
        if incoming.is_end_stream() {
            lease.pool.give(&lease.target, lease.connection);
            return Body::empty();
        }
        Body::upstream(Self { incoming, lease: Some(lease), stall: timeout.map(Stall::new) })
    }

    /// The body of a response on a connection that others use at the same time. Dropped before its end, it cancels
    /// the request.
    pub(super) fn shared(incoming: Incoming, timeout: Option<Duration>) -> Body {
        if incoming.is_end_stream() {
            return Body::empty();
        }
        Body::upstream(Self { incoming, lease: None, stall: timeout.map(Stall::new) })
    }

    fn give_back(&mut self) {
        if let Some(Lease { connection, target, pool }) = self.lease.take() {
            pool.give(&target, connection);
        }
    }
}

impl HttpBody for UpstreamBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let mut frame = Pin::new(&mut this.incoming).poll_frame(cx);
        let ended = match &mut frame {
            Poll::Ready(None) => true,
            Poll::Ready(Some(Ok(frame))) => match frame.trailers_mut() {
                Some(trailers) => {
                    headers::clean_trailers(trailers);
                    // The last frame; many readers do not ask whether another follows.
                    true
                }
                None => this.incoming.is_end_stream(),
            },
            Poll::Ready(Some(Err(_))) | Poll::Pending => false,
        };
        if ended {
            this.give_back();
        }
        match (&mut this.stall, frame) {
            (Some(stall), Poll::Pending) => {
                stall.wait(cx).map(|()| Some(Err("the endpoint says no more".into())))
            }
            (Some(stall), Poll::Ready(frame)) => {
                stall.stop();
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            (None, frame) => frame.map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
