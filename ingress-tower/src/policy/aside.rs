//! Requests of the gateway's own, besides the one that a client sent.

use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{Request, Response};
use ingress_core::{Backend, CalleeAddress, Endpoint, EndpointAddress, UpstreamTls};
use tower::ServiceExt;

use super::{forward, treated};
use crate::bounds::{Client, UpstreamBody};
use crate::error::Kind;
use crate::layer::{Matched, Shared};
use crate::{Body, Error, proxy};

/// Asks whoever a policy names; `others` are the backends that it names. The backend's own policy is followed: its
/// timeouts and what its endpoints speak.
pub(super) async fn ask<C, B>(
    shared: &Shared<C>,
    others: &[Arc<Backend>],
    to: &CalleeAddress,
    path: PathAndQuery,
    mut request: Request<Body>,
) -> Result<Response<Body>, Error>
where
    C: Client<B>,
    B: UpstreamBody,
{
    let reference = match to {
        CalleeAddress::Backend(reference) => reference,
        CalleeAddress::Url(address, protocol) => {
            return ask_url(shared, endpoint(address).with_protocol(*protocol), path, request).await;
        }
        _ => return Err(Error::new(Kind::NoEndpoint)),
    };
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
    endpoint: Endpoint,
    path: PathAndQuery,
    mut request: Request<Body>,
) -> Result<Response<Body>, Error>
where
    C: Client<B>,
    B: UpstreamBody,
{
    proxy::address_to(&mut request, &endpoint, endpoint.protocol(), path);
    if endpoint.protocol().is_tls() {
        let mut tls = UpstreamTls::default();
        tls.server_name = Some(endpoint.authority().host().into());
        request.extensions_mut().insert(tls);
    }
    let answer = proxy::send(&mut shared.client.clone(), request).await;
    let answer = answer.map_err(|error| Error::with_source(Kind::Upstream, error))?;
    proxy::plain_answer(answer)
}

fn endpoint(address: &EndpointAddress) -> Endpoint {
    match address {
        EndpointAddress::Name(name, port) => Endpoint::named(name.clone(), *port),
        EndpointAddress::Socket(address) => Endpoint::new(*address),
        _ => Endpoint::new(std::net::SocketAddr::from(([0, 0, 0, 0], 0))),
    }
}
