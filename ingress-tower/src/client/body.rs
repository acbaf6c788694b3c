//! A response's body, which gives its connection back when it is read to the end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::Authority;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::pool::{Connection, Pool};
use crate::Body;
use crate::proxy::headers;

/// The body of a response on a pooled connection. Dropped before its end, it closes the connection, since
/// what is left would be taken for the next response.
#[derive(Debug)]
pub(crate) struct UpstreamBody {
    incoming: Incoming,
    lease: Option<Lease>,
}

#[derive(Debug)]
struct Lease {
    connection: Connection,
    endpoint: Authority,
    pool: Arc<Pool>,
}

impl UpstreamBody {
    /// A body that holds on to its connection; where there is nothing to read, the connection goes back at
    /// once.
    pub(super) fn leased(
        incoming: Incoming,
        connection: Connection,
        endpoint: &Authority,
        pool: &Arc<Pool>,
    ) -> Body {
        if incoming.is_end_stream() {
            pool.give(endpoint, connection);
            return Body::empty();
        }
        let lease = Lease { connection, endpoint: endpoint.clone(), pool: pool.clone() };
        Body::upstream(Self { incoming, lease: Some(lease) })
    }

    /// The body of a response on a connection that others use at the same time. Dropped before its end, it cancels
    /// the request.
    pub(super) fn shared(incoming: Incoming) -> Body {
        if incoming.is_end_stream() {
            return Body::empty();
        }
        Body::upstream(Self { incoming, lease: None })
    }

    fn give_back(&mut self) {
        if let Some(Lease { connection, endpoint, pool }) = self.lease.take() {
            pool.give(&endpoint, connection);
        }
    }
}

impl HttpBody for UpstreamBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
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
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
