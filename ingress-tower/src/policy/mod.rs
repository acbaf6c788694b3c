//! What a route's policy asks for, one file each. Requests of other routes pass none of it.

mod body_size;
mod deadline;
mod retry;

use std::sync::Arc;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response};
use ingress_core::{Backend, Policy, Timeout};
use tower_service::Service;

use crate::proxy::{self, Timeouts};
use crate::{Body, BoxError, Error};

pub(crate) use body_size::limit as limit_body;
pub(crate) use retry::{Budgets, Retry};

/// What all of these say together, the first before the others. Where only one says anything, nothing is copied.
pub(crate) fn of(policies: [Option<&Arc<Policy>>; 3]) -> Option<Arc<Policy>> {
    let mut said = policies.into_iter().flatten();
    let first = said.next()?.clone();
    Some(said.fold(first, |policy, other| Arc::new(policy.or(other))))
}

/// Sends a request as [`proxy::forward`] does, and as the policy says.
pub(crate) async fn forward<C, B>(
    client: C,
    budgets: &Budgets,
    policy: &Policy,
    backend: Arc<Backend>,
    mut request: Request<Body>,
    path: PathAndQuery,
) -> Result<Response<Body>, Error>
where
    C: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    if let Some(timeouts) = Timeouts::of(policy) {
        request.extensions_mut().insert(timeouts);
    }
    let retry = policy.retries.as_ref().and_then(|retries| Retry::new(retries, &request, budgets, &backend));
    let limit = policy.request_timeout.and_then(Timeout::limit);
    let reference = backend.reference().clone();
    let answer = proxy::forward(client, backend, request, path, Some(policy), retry);
    match limit {
        Some(limit) => deadline::within(limit, answer, &reference).await,
        None => answer.await,
    }
}
