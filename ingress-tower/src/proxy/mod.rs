//! A matched request on its way to an endpoint, and the response on its way back.

mod contract;
mod ending;
pub(crate) mod headers;
pub(crate) mod origin;
pub(crate) mod tickets;
#[cfg(feature = "client")]
pub(crate) mod tunnel;
#[cfg(feature = "client")]
pub(crate) mod upgrade;
#[cfg(not(feature = "client"))]
#[path = "no_upgrade.rs"]
pub(crate) mod upgrade;

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{PathAndQuery, Scheme, Uri};
use http::{Request, Response, StatusCode, Version};
use http_body_util::LengthLimitError;
use ingress_core::{Backend, BackendRef, Endpoint, EndpointAddress, Policy, Protocol, RequestPath};
use tokio::time::Instant;
use tower_service::Service;

use crate::error::Kind;
use crate::layer::Matched;
use crate::policy::{self, Retry};
use crate::spread::{Chooser, Queues, Recording, Session};
use crate::{Body, BodyError, BoxError, Error};

use upgrade::{Tunnel, Upgrading};

pub use contract::{Stalled, TimedOut, Timeouts, Unsent};

/// For how long after the first failure other endpoints are tried.
const OTHER_ENDPOINTS_FOR: Duration = Duration::from_secs(10);

/// What the policies of a request ask for besides.
pub(crate) struct Treatment<'p> {
    pub(crate) policy: &'p Policy,
    pub(crate) queues: &'p Queues,
    pub(crate) retry: Option<Retry<'p>>,
    /// When the answer must have begun.
    pub(crate) end: Option<Instant>,
}

/// Sends a request to an endpoint of the backend that it was matched with, and returns its response.
///
/// Where no byte of the request was sent, the next endpoint is tried, each at most once; and where `treatment` says so,
/// also after one that failed.
pub(crate) async fn forward<C, B>(
    mut client: C,
    matched: Matched,
    mut request: Request<Body>,
    treatment: Option<Treatment<'_>>,
) -> Result<Response<Body>, Error>
where
    C: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let Matched { backend, path, key, session, recorded, .. } = matched;
    let upgrading = Upgrading::take(&mut request);
    let limited = treatment.as_ref().map(|treatment| (treatment.policy, treatment.queues));
    let policy = limited.map(|(policy, _)| policy);
    let end = treatment.as_ref().and_then(|treatment| treatment.end);
    let mut retry = treatment.and_then(|treatment| treatment.retry);
    let recording = recorded.map(|generation| {
        let request_id = request.headers().get(headers::X_REQUEST_ID).cloned();
        Recording { generation, request_id }
    });
    let reference = end.map(|_| backend.reference().clone());
    let begun = policy::by(end, Chooser::begin(backend, limited, key, session)).await;
    let begun = begun.unwrap_or_else(|| {
        let backend = reference.iter();
        Err(backend.fold(Error::new(Kind::Timeout), |error, backend| error.of_backend(backend, None)))
    });
    let mut chooser = begun?.record(recording);
    let mut failing_since: Option<Instant> = None;
    loop {
        let Some(endpoint) = chooser.endpoint() else { return Err(Error::new(Kind::NoEndpoint)) };
        address(&mut request, chooser.backend(), endpoint, path.clone(), policy);
        if upgrading.is_some() {
            // Nobody leaves HTTP/2 as a whole for another protocol.
            *request.version_mut() = Version::HTTP_11;
        }
        let sent = policy::by(end, send(&mut client, request)).await;
        let sent = sent.unwrap_or_else(|| Err(TimedOut.into()));
        chooser.note(ending::of(&sent, policy));
        let has_time = end.is_none_or(|end| Instant::now() < end);
        let retry = retry.as_mut().filter(|_| has_time);
        let (again, place) = match sent {
            Ok(response) => {
                let again = retry.and_then(|retry| retry.after_status(response.status(), || chooser.other()));
                match again {
                    Some(again) => again,
                    None => return answer(response, upgrading, chooser, session, policy),
                }
            }
            Err(error) => match error.downcast::<Unsent>() {
                Ok(unsent) => {
                    let (again, source) = unsent.into_parts();
                    let since = *failing_since.get_or_insert_with(Instant::now);
                    let in_time = has_time && since.elapsed() < OTHER_ENDPOINTS_FOR;
                    let other = chooser.other().filter(|_| in_time);
                    let error = || chooser.blame(Error::with_source(Kind::Connect, source));
                    (again, other.ok_or_else(error)?)
                }
                Err(error) => {
                    let error = chooser.blame(classify(error));
                    let again = retry.and_then(|retry| retry.after_error(&error, || chooser.other()));
                    again.ok_or(error)?
                }
            },
        };
        if !chooser.go(place) {
            return Err(chooser.blame(Error::new(Kind::Overloaded)));
        }
        request = again;
    }
}

/// The endpoint's answer for the client.
fn answer<B>(
    response: Response<B>,
    upgrading: Option<Upgrading>,
    chooser: Chooser<'_>,
    session: Option<Session>,
    policy: Option<&Policy>,
) -> Result<Response<Body>, Error>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let chosen = chooser.chosen();
    let (mut response, tunnel) = match accept(response, upgrading) {
        Ok(accepted) => accepted,
        Err(error) => return Err(chooser.blame(error).of_choice(chosen)),
    };
    if let Some(chosen) = chosen {
        response.extensions_mut().insert(chosen);
    }
    let flight = chooser.into_flight();
    if let (Some(session), Some(policy), Some(place)) = (session, policy, flight.place()) {
        session.write(flight.backend(), policy, place, &mut response);
    }
    match tunnel {
        Some(tunnel) => tunnel.dig(flight),
        None => response = response.map(|body| body.with_flight(flight)),
    }
    Ok(response)
}

pub(crate) async fn send<C>(client: &mut C, request: Request<Body>) -> Result<C::Response, BoxError>
where
    C: Service<Request<Body>>,
    C::Error: Into<BoxError>,
{
    poll_fn(|cx| client.poll_ready(cx)).await.map_err(Into::into)?;
    client.call(request).await.map_err(Into::into)
}

/// The answer to a request that asked for no other protocol.
pub(crate) fn plain_answer<B>(response: Response<B>) -> Result<Response<Body>, Error>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    accept(response, None).map(|(response, _)| response)
}

fn accept<B>(
    mut response: Response<B>,
    upgrading: Option<Upgrading>,
) -> Result<(Response<Body>, Option<Tunnel>), Error>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let nobody_asked =
            || Error::with_source(Kind::Upstream, "a change of protocol that nobody asked for");
        let (response, tunnel) = upgrading.ok_or_else(nobody_asked)?.accept(response)?;
        return Ok((response, Some(tunnel)));
    }
    if upgrading.is_some_and(|upgrading| upgrading.is_mistaken_by(response.status())) {
        return Err(Error::with_source(
            Kind::Upstream,
            "an answer in HTTP where a change of protocol was asked for",
        ));
    }
    if !headers::is_chunked_at_most(response.headers()) {
        return Err(Error::with_source(Kind::Upstream, "a transfer coding other than chunked"));
    }
    headers::clean_response(&mut response);
    Ok((response.map(Body::new), None))
}

/// Whose fault it is: the client's when its body broke, the endpoint's otherwise.
fn classify(error: BoxError) -> Error {
    Error::with_source(classify_kind(&*error), error)
}

fn classify_kind(error: &(dyn std::error::Error + 'static)) -> Kind {
    let mut cause = Some(error);
    let mut kind = Kind::Upstream;
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            kind = Kind::LargeBody;
        } else if error.is::<BodyError>() {
            kind = Kind::RequestBody;
        } else if error.is::<TimedOut>() {
            kind = Kind::Timeout;
        } else if error.is::<Stalled>() {
            kind = Kind::RequestStalled;
        }
        cause = error.source();
    }
    kind
}

/// Says to which endpoint the request goes, and in what it is spoken to.
pub(crate) fn address(
    request: &mut Request<Body>,
    backend: &Backend,
    endpoint: &Endpoint,
    path: PathAndQuery,
    policy: Option<&Policy>,
) {
    let protocol = policy.and_then(|policy| policy.protocol).unwrap_or(endpoint.protocol());
    address_to(request, endpoint, protocol, path);
    if protocol.is_tls() {
        let mut tls = policy.map(|policy| policy.tls.clone()).unwrap_or_default();
        tls.server_name.get_or_insert_with(|| server_name(backend, endpoint));
        request.extensions_mut().insert(tls);
    }
}

/// The same, without a word about certificates.
pub(crate) fn address_to(
    request: &mut Request<Body>,
    endpoint: &Endpoint,
    protocol: Protocol,
    path: PathAndQuery,
) {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if protocol.is_tls() { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = Some(endpoint.authority().clone());
    parts.path_and_query = Some(path);
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    *request.version_mut() = match protocol {
        Protocol::H2c | Protocol::H2 => Version::HTTP_2,
        _ => Version::HTTP_11,
    };
}

/// The name that an endpoint's certificate has if nothing else is said: its own, or that of the Service in the cluster.
fn server_name(backend: &Backend, endpoint: &Endpoint) -> Box<str> {
    match (endpoint.address(), backend.reference()) {
        (EndpointAddress::Socket(_), BackendRef::Service(service)) => {
            format!("{}.{}.svc", service.name, service.namespace).into()
        }
        _ => endpoint.authority().host().into(),
    }
}

/// What the endpoint is asked for: the path that was matched, and the query as it came.
pub(crate) fn forwarded_path(uri: &Uri, path: &RequestPath<'_>) -> Result<PathAndQuery, Error> {
    match uri.path_and_query() {
        Some(same) if !path.is_rewritten() && !same.path().is_empty() && same.as_str().starts_with('/') => {
            Ok(same.clone())
        }
        _ => {
            let mut text = path.as_str().to_owned();
            if let Some(query) = uri.query() {
                text.push('?');
                text.push_str(query);
            }
            PathAndQuery::from_maybe_shared(Bytes::from(text))
                .map_err(|error| Error::with_source(Kind::BadPath, error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matched_path_is_the_forwarded_path() {
        let table = [
            ("/a/b?x=%61", "/a/b?x=%61"),
            ("/%61?x", "/a?x"),
            ("/a/../b?", "/b?"),
            ("http://shop.example", "/"),
            ("http://shop.example?q", "/?q"),
            ("/a//b", "/a//b"),
        ];
        for (target, want) in table {
            let uri: Uri = target.parse().unwrap();
            let path = RequestPath::parse(uri.path()).unwrap();
            assert_eq!(forwarded_path(&uri, &path).unwrap().as_str(), want, "{target}");
        }
    }
}
