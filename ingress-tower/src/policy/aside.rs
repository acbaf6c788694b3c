//! Requests of the gateway's own, besides the one that a client sent.

use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt;
use ingress_core::{Backend, BackendRef, CalleeAddress, Endpoint, EndpointAddress, Protocol, UpstreamTls};
use tokio::runtime::Handle;
use tower::ServiceExt;

use super::{forward, treated};
use crate::bounds::{Client, UpstreamBody};
use crate::error::Kind;
use crate::layer::{Matched, Shared};
use crate::{Body, Error, proxy};

/// What nobody wants is read as long as this for the sake of its connection, and no further.
const WORTH_BYTES: usize = 64 * 1024;
const WORTH_TIME: Duration = Duration::from_secs(1);

/// Asks whoever a policy names; `others` are the backends that it names. The backend's own policy is followed: its
/// timeouts and what its endpoints speak. Without a Host of its own the request is for the callee's.
pub(super) async fn ask<C, B>(
    shared: &Shared<C>,
    others: &[Arc<Backend>],
    to: &CalleeAddress,
    path: PathAndQuery,
    request: Request<Body>,
) -> Result<Response<Body>, Error>
where
    C: Client<B>,
    B: UpstreamBody,
{
    match to {
        CalleeAddress::Backend(reference) => ask_backend(shared, others, reference, path, request).await,
        CalleeAddress::Url(address, protocol) => ask_url(shared, address, *protocol, path, request).await,
        _ => Err(Error::new(Kind::NoEndpoint)),
    }
}

/// The same of a backend.
pub(super) async fn ask_backend<C, B>(
    shared: &Shared<C>,
    others: &[Arc<Backend>],
    reference: &BackendRef,
    path: PathAndQuery,
    mut request: Request<Body>,
) -> Result<Response<Body>, Error>
where
    C: Client<B>,
    B: UpstreamBody,
{
    let host = match reference {
        BackendRef::Service(service) => format!("{}.{}.svc", service.name, service.namespace),
        BackendRef::Resource(resource) => format!("{}.{}", resource.name, resource.namespace),
    };
    name_host(&mut request, &host);
    if let Some(service) = shared.resources.get(reference) {
        *request.uri_mut() = path.into();
        let answer = service.clone().oneshot(request).await;
        return answer.map_err(|error| Error::with_source(Kind::Resource, error).of_backend(reference, None));
    }
    let nobody = || Error::new(Kind::NoEndpoint).of_backend(reference, None);
    let backend = others.iter().find(|other| other.reference() == reference).ok_or_else(nobody)?;
    let treated = treated::of(&shared.state, [None, backend.policy(), shared.policy()]);
    let matched = Matched::aside(backend.clone(), path);
    match treated {
        Some(treated) => forward(shared.client.clone(), &shared.state, matched, &treated, request).await,
        None => proxy::forward(shared.client.clone(), matched, request, None).await,
    }
}

async fn ask_url<C, B>(
    shared: &Shared<C>,
    address: &EndpointAddress,
    protocol: Protocol,
    path: PathAndQuery,
    mut request: Request<Body>,
) -> Result<Response<Body>, Error>
where
    C: Client<B>,
    B: UpstreamBody,
{
    let endpoint = match address {
        EndpointAddress::Name(name, port) => Endpoint::named(name.clone(), *port),
        EndpointAddress::Socket(address) => Endpoint::new(*address),
        _ => return Err(Error::new(Kind::NoEndpoint)),
    };
    let authority = endpoint.authority();
    let usual = if protocol.is_tls() { 443 } else { 80 };
    let is_usual = authority.port_u16() == Some(usual);
    name_host(&mut request, if is_usual { authority.host() } else { authority.as_str() });
    proxy::address_to(&mut request, &endpoint, protocol, path);
    if protocol.is_tls() {
        let mut tls = UpstreamTls::default();
        tls.server_name = Some(authority.host().into());
        request.extensions_mut().insert(tls);
    }
    let answer = proxy::send(&mut shared.client.clone(), request).await;
    let answer = answer.map_err(|error| Error::with_source(Kind::Upstream, error))?;
    proxy::plain_answer(answer)
}

fn name_host(request: &mut Request<Body>, host: &str) {
    if let (false, Ok(host)) = (request.headers().contains_key(HOST), HeaderValue::try_from(host)) {
        request.headers_mut().insert(HOST, host);
    }
}

/// Drops a body that nobody wants. So that its connection can be used again, a little of it may still come, for which
/// nobody waits.
pub(super) fn discard(body: Body) {
    if body.is_end_stream() || body.size_hint().lower() > WORTH_BYTES as u64 {
        return;
    }
    // Who embeds this may run something else than tokio.
    let Ok(runtime) = Handle::try_current() else { return };
    runtime.spawn(async move { tokio::time::timeout(WORTH_TIME, read_away(body, WORTH_BYTES)).await });
}

/// Reads a body and forgets it, as far as this many bytes.
pub(super) async fn read_away(mut body: Body, most: usize) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, bytes::Bytes::len);
        if read > most {
            return;
        }
    }
}
