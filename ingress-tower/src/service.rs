//! One request: matched, then proxied, served in process, or passed on.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use ingress_core::BackendRef;
use tower::ServiceExt;
use tower_service::Service;

use crate::bounds::Client;
use crate::error::Kind;
use crate::future::ResponseFuture;
use crate::layer::{IngressLayer, Matched, Shared};
use crate::policy::{self, Call};
use crate::proxy::{forward, headers, upgrade};
use crate::respond::{Shape, refuse, respond};
use crate::{Body, BoxError, Error, match_route};

/// A service with the routing table in front, made by [`IngressLayer`].
///
/// It is always ready; the inner service's readiness is waited for only by requests that reach it.
#[derive(Debug)]
pub struct Ingress<S, C> {
    inner: S,
    shared: Arc<Shared<C>>,
}

/// The routing table as a whole service: what no route takes is answered with 404.
///
/// ```
/// # #[cfg(feature = "server")] {
/// use ingress_core::RouteTable;
/// use ingress_tower::{IngressService, server::Server};
///
/// async fn serve(listener: tokio::net::TcpListener) {
///     let (reader, _writer) = ingress_core::table(RouteTable::default());
///     let until = std::future::pending();
///     Server::new().serve(listener, IngressService::new(reader), until).await;
/// }
/// # }
/// ```
pub type IngressService<C = crate::DefaultClient> = Ingress<NotFound, C>;

/// Answers 404 to everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotFound;

// ===== impl Ingress =====

#[cfg(feature = "client")]
impl IngressService {
    /// Serves the table that `reader` sees; see [`IngressLayer::new`].
    pub fn new(reader: ingress_core::TableReader) -> Self {
        IngressLayer::new(reader).into_service()
    }
}

impl<C> IngressLayer<C> {
    /// The layer's settings as a service that answers 404 to what no route takes.
    pub fn into_service(self) -> IngressService<C> {
        Ingress::wrap(NotFound, self.shared)
    }
}

impl<S, C> Ingress<S, C> {
    pub(crate) fn wrap(inner: S, shared: Shared<C>) -> Self {
        Self { inner, shared: Arc::new(shared) }
    }
}

impl<S: Clone, C> Clone for Ingress<S, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: self.shared.clone() }
    }
}

impl<S, C, ReqBody, InnerBody, UpstreamBody> Service<Request<ReqBody>> for Ingress<S, C>
where
    S: Service<Request<ReqBody>, Response = Response<InnerBody>> + Clone,
    C: Service<Request<Body>, Response = Response<UpstreamBody>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    ReqBody: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    InnerBody: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    UpstreamBody: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let mut matched = match self.shared.matched(&parts) {
            Ok(Some(matched)) => matched,
            Ok(None) => return ResponseFuture::inner(self.inner.clone(), Request::from_parts(parts, body)),
            Err(error) => return ResponseFuture::ready(refuse(error, &parts.method, parts.version)),
        };
        let host = match_route::host_field(&parts);
        let origin = self.shared.origin(&parts, host.as_ref());
        // The fields that tell it are written anew.
        let client =
            matched.policy.as_ref().and_then(|_| self.shared.client(&parts.headers, &parts.extensions));
        let version = parts.version;
        let mut request = Request::from_parts(parts, Body::new(body));
        let upgrade = upgrade::asked(&request);
        headers::prepare_request(&mut request, host, origin);
        if let Some(protocols) = upgrade {
            upgrade::ask(&mut request, protocols);
        }
        if let Some(captures) = matched.captures.take() {
            request.extensions_mut().insert(captures);
        }
        if let Some(treated) = matched.policy.take() {
            *request.uri_mut() = matched.path.clone().into();
            let shared = self.shared.clone();
            let call = Call { shared, matched, treated, client, version, said: Default::default() };
            return ResponseFuture::boxed(policy::serve(Box::new(call), request));
        }
        serve(&self.shared, matched, request, version)
    }
}

/// Hands a matched and prepared request without a policy to whoever answers for its backend; `version` is the client's.
fn serve<S, C, ReqBody, B>(
    shared: &Shared<C>,
    matched: Matched,
    mut request: Request<Body>,
    version: Version,
) -> ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
    C: Client<B>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let shape = Shape::of(request.method(), request.headers());
    if let Some(error) = matched.idle() {
        return ResponseFuture::ready(respond(error, shape));
    }
    if let Some(service) = shared.resources.get(matched.backend.reference()) {
        *request.uri_mut() = matched.path.clone().into();
        let answer = service.clone().oneshot(request);
        return ResponseFuture::boxed(async move {
            answer.await.unwrap_or_else(|error| respond(matched.resource_failed(error), shape))
        });
    }
    if matches!(matched.backend.reference(), BackendRef::Resource(_)) {
        return ResponseFuture::ready(respond(matched.no_resource(), shape));
    }
    let client = shared.client.clone();
    ResponseFuture::boxed(async move {
        let answer = forward(client, matched, request, None).await;
        let mut response = answer.unwrap_or_else(|error| respond(error, shape));
        if response.status() == StatusCode::NOT_MODIFIED && version < Version::HTTP_2 {
            response.body_mut().silence();
        }
        response
    })
}

// ===== impl NotFound =====

impl<B> Service<Request<B>> for NotFound {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(respond(Error::new(Kind::NotRouted), Shape::of(request.method(), request.headers()))))
    }
}
