//! What an endpoint answers to a request.

use ::http::header::{CONNECTION, HOST, HeaderValue, USER_AGENT};
use ::http::uri::PathAndQuery;
use ::http::{Request, Response, Version};
use ingress_core::{BackendRef, Policy, Timeout};
use tower_service::Service;

use super::ask::Failure;
use super::checked::Question;
use crate::proxy;
use crate::{Body, BoxError, Timeouts};

/// Who asks.
const AGENT: HeaderValue = HeaderValue::from_static("ingress-gateway (health check)");
/// The statuses of an endpoint that is well, where none are named.
const STATUSES: (u16, u16) = (200, 299);

/// Asks for the path. The body is dropped with the answer, which closes the connection.
pub(super) async fn ask<C, B>(client: &mut C, question: &Question) -> Result<(), Failure>
where
    C: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
{
    let check = question.check();
    let path = PathAndQuery::try_from(check.path.as_deref().unwrap_or("/")).map_err(Failure::new)?;
    let request = request(question, path, question.policy(), Body::empty())?;
    let response = send(client, request).await?;
    let status = response.status().as_u16();
    let is_in = |&(first, last): &(u16, u16)| (first..=last).contains(&status);
    let well = match &check.statuses[..] {
        [] => is_in(&STATUSES),
        statuses => statuses.iter().any(is_in),
    };
    if well { Ok(()) } else { Err(Failure::Status(status)) }
}

/// A GET to the endpoint, as a client's would be sent to it under this policy.
pub(super) fn request(
    question: &Question,
    path: PathAndQuery,
    policy: &Policy,
    body: Body,
) -> Result<Request<Body>, Failure> {
    let backend = question.backend();
    let endpoint = question.endpoint().ok_or_else(|| Failure::new("there is no endpoint"))?;
    let host = match backend.reference() {
        BackendRef::Service(service) => format!("{}.{}", service.name, service.namespace),
        BackendRef::Resource(_) => endpoint.authority().to_string(),
    };
    let mut request = Request::new(body);
    proxy::address(&mut request, backend, endpoint, path, Some(policy));
    // There is one limit for all of it.
    let never = Some(Timeout::Never);
    request.extensions_mut().insert(Timeouts { connect: never, response: never, idle: never });
    let is_http1 = request.version() < Version::HTTP_2;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::try_from(host).map_err(Failure::new)?);
    headers.insert(USER_AGENT, AGENT);
    if is_http1 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(request)
}

pub(super) async fn send<C, B>(client: &mut C, request: Request<Body>) -> Result<Response<B>, Failure>
where
    C: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
{
    proxy::send(client, request).await.map_err(Failure::new)
}
