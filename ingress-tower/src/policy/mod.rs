//! What a route's policy asks for, one file each. Requests of other routes pass none of it.

mod body_size;
mod deadline;
mod merged;
mod retry;

use bytes::Bytes;
use http::{Request, Response};
use ingress_core::{Policy, Timeout};
use tower_service::Service;

use crate::layer::{Matched, State};
use crate::proxy::{self, Timeouts, Treatment};
use crate::{Body, BoxError, Error};

pub(crate) use body_size::limit as limit_body;
pub(crate) use merged::of;
pub(crate) use retry::{Budgets, Retry};

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
    let reference = matched.backend.reference().clone();
    let treatment = Treatment { policy, queues: &state.queues, retry };
    let answer = proxy::forward(client, matched, request, Some(treatment));
    match limit {
        Some(limit) => deadline::within(limit, answer, &reference).await,
        None => answer.await,
    }
}
