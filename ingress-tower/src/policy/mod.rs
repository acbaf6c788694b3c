//! What a route's policy asks for, one file each. Requests of other routes pass none of it.

mod access;
mod body_size;
mod deadline;
mod merged;
mod redirect;
mod retry;
mod rewrite;

use std::net::IpAddr;

use bytes::Bytes;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{Request, Response};
use ingress_core::{Policy, Timeout};
use tokio::time::Instant;
use tower_service::Service;

use crate::layer::{Matched, State};
use crate::proxy::{self, Timeouts, Treatment};
use crate::{Body, BoxError, Error};

use rewrite::Facts;

pub(crate) use deadline::by;
pub(crate) use merged::of;
pub(crate) use retry::{Budgets, Retry};
pub(crate) use rewrite::prefix;

/// Decides about a request before it goes anywhere, in this order: whether the client may send it, whether it is sent
/// elsewhere (to `https`, to the other name of the host, then as the route says), what its body may be, and what the
/// endpoint is asked for in place of it. `path` is what was asked for, and becomes that; `prefix` is how much of it the
/// route's prefix takes. The answer is there where no endpoint is asked.
pub(crate) fn before(
    policy: &Policy,
    client: Option<IpAddr>,
    (path, prefix): (&mut PathAndQuery, Option<usize>),
    request: &mut Request<Body>,
) -> Result<Option<Response<Body>>, Error> {
    access::check(&policy.access, || client)?;
    let answer = redirect::answer(policy, &Facts { request, client, path, prefix })?;
    if answer.is_some() {
        return Ok(answer);
    }
    if let Some(max) = policy.max_body_size {
        body_size::limit(max, request)?;
    }
    if !policy.rewrite.is_default() {
        let facts = Facts { request, client, path, prefix };
        let (other_path, other_host) = rewrite::apply(&policy.rewrite, &facts)?;
        if let Some(other) = other_path {
            *path = other;
        }
        if let Some(other) = other_host {
            request.headers_mut().insert(HOST, other);
        }
    }
    Ok(None)
}

/// Sends a request as [`proxy::forward`] does, and as the policy says.
pub(crate) async fn forward<C, B>(
    client: C,
    state: &State,
    matched: Matched,
    policy: &Policy,
    mut request: Request<Body>,
) -> Result<Response<Body>, Error>
where
    C: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    if let Some(timeouts) = Timeouts::of(policy) {
        request.extensions_mut().insert(timeouts);
    }
    let retry = Retry::new(policy, &request, &state.budgets, &matched.backend);
    let limit = policy.request_timeout.and_then(Timeout::limit);
    let end = limit.map(|limit| Instant::now() + limit);
    let treatment = Treatment { policy, queues: &state.queues, retry, end };
    let response = proxy::forward(client, matched, request, Some(treatment)).await?;
    Ok(match end {
        Some(end) => deadline::bound(end, response),
        None => response,
    })
}
