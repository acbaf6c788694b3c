//! The requests of one connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Extensions, Request, Response, StatusCode};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower::util::Oneshot;
use tower_service::Service;

use crate::connection::Held;
use crate::{ConnectionInfo, ServerName};

/// Tells the service of which connection a request is, and the client when the connection is to end.
pub(super) struct PerConnection<S> {
    pub(super) service: S,
    pub(super) client: Client,
    pub(super) flag: Flag,
}

/// What is known of a connection's client.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) info: ConnectionInfo,
    pub(super) server_name: Option<ServerName>,
    #[cfg(feature = "tls")]
    pub(super) chain: Option<crate::tls::ClientChain>,
}

impl Client {
    /// Who is known by an address only.
    pub(super) fn plain(info: ConnectionInfo) -> Self {
        Self {
            info,
            server_name: None,
            #[cfg(feature = "tls")]
            chain: None,
        }
    }

    fn introduce(&self, extensions: &mut Extensions) {
        extensions.insert(self.info);
        if let Some(name) = &self.server_name {
            extensions.insert(name.clone());
        }
        #[cfg(feature = "tls")]
        if let Some(chain) = &self.chain {
            extensions.insert(chain.clone());
        }
    }
}

/// What connection and requests tell each other.
pub(super) enum Flag {
    /// To the requests of HTTP/1: answers close the connection, and tunnels hold it.
    Closing(Closing, Held),
    /// From those of HTTP/2: there was one.
    Asked(Arc<AtomicBool>),
}

/// When answers of HTTP/1 close their connection.
#[derive(Clone)]
pub(super) struct Closing {
    pub(super) ending: Arc<AtomicBool>,
    pub(super) old_at: Option<Instant>,
}

impl Closing {
    fn is_due(&self) -> bool {
        self.ending.load(Ordering::Relaxed) || self.old_at.is_some_and(|old_at| Instant::now() >= old_at)
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for PerConnection<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answer<Oneshot<S, Request<Incoming>>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        self.client.introduce(request.extensions_mut());
        let closing = match &self.flag {
            Flag::Closing(closing, held) => {
                if request.headers().contains_key(UPGRADE) {
                    request.extensions_mut().insert(held.clone());
                }
                Some(closing.clone())
            }
            Flag::Asked(asked) => {
                asked.store(true, Ordering::Relaxed);
                None
            }
        };
        Answer { future: Oneshot::new(self.service.clone(), request), closing }
    }
}

pin_project! {
    /// An answer to come, which closes its connection if the server ends by then.
    pub(super) struct Answer<F> {
        #[pin]
        future: F,
        closing: Option<Closing>,
    }
}

impl<F, B, E> Future for Answer<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut answer = ready!(this.future.poll(cx));
        let closing = this.closing.as_ref().is_some_and(Closing::is_due);
        match &mut answer {
            // After 101 the field belongs to the new protocol.
            Ok(response) if closing && response.status() != StatusCode::SWITCHING_PROTOCOLS => {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        Poll::Ready(answer)
    }
}
