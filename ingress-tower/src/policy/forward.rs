//! A request on its way to an endpoint, as its policy says.

use bytes::Bytes;
use http::{Request, Response};
use ingress_core::{Policy, Timeout};
use tokio::time::Instant;
use tower_service::Service;

use super::{Retry, deadline};
use crate::layer::{Matched, State};
use crate::proxy::{self, Timeouts, Treatment};
use crate::{Body, BoxError, Error};

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
