//! The order in which policies act.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{HOST, SET_COOKIE};
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode, Version};
use ingress_core::BackendRef;
use tower::ServiceExt;

use super::{
    Facts, Said, Treated, access, authentication, bandwidth, body_size, client_limits, cors, custom,
    error_pages, fixed, forward, headers, mirror, redirect, rewrite,
};
use crate::bounds::{Client, UpstreamBody};
use crate::layer::{Matched, Shared};
use crate::respond::{Shape, respond};
use crate::{Body, Error};

/// A request whose route has a policy, apart from the request itself. Its path, normalised, is the request's target.
pub(crate) struct Call<C> {
    pub(crate) shared: Arc<Shared<C>>,
    pub(crate) matched: Matched,
    pub(crate) treated: Arc<Treated>,
    /// The client's address, as trusted proxies tell it.
    pub(crate) client: Option<IpAddr>,
    /// In which the client speaks.
    pub(crate) version: Version,
    /// What the service said of it that was asked who may pass.
    pub(crate) said: Said,
}

/// Answers a request as its policy says. What stands first here is outermost: it sees a request first and its answer last.
///
/// Each step is boxed: a future that holds all others is moved as a whole at each step, with room for what few routes ask for.
pub(crate) async fn serve<C, B>(call: Box<Call<C>>, request: Request<Body>) -> Response<Body>
where
    C: Client<B>,
    B: UpstreamBody,
{
    let treated = call.treated.clone();
    let edits = headers::of_answer(&treated, &call.facts(&request));
    // Whoever may not send requests may not ask what scripts may do either.
    let may_ask = !cors::is_preflight(&request) || admit(&treated, call.client).is_ok();
    let mut answer = match treated.prepared.cors.as_ref().filter(|_| may_ask) {
        Some(cors) => Box::pin(cors.around(request, |request| Box::pin(guarded(call, request)))).await,
        None => Box::pin(guarded(call, request)).await,
    };
    if let Some(edits) = edits {
        edits.apply(answer.headers_mut());
    }
    answer
}

/// Lets pass who may, and replaces errors by pages. Whatever is sent is paced, and keeps the request open until its end.
async fn guarded<C, B>(mut call: Box<Call<C>>, mut request: Request<Body>) -> Response<Body>
where
    C: Client<B>,
    B: UpstreamBody,
{
    let shape = Shape::of(request.method(), request.headers());
    let pages = error_pages::of(&call, &request);
    let mut pass = client_limits::Pass::default();
    let guarded = guard(&mut call, &mut request, &mut pass).await;
    let cookies = std::mem::take(&mut call.said.cookies);
    let treated = call.treated.clone();
    let mut answer = match guarded {
        Ok(None) if treated.prepared.has_layers() => Box::pin(dressed(call, request, shape)).await,
        Ok(None) => Box::pin(send(call, request, shape)).await,
        Ok(Some(answer)) => answer,
        Err(error) => respond(error.of_backend(call.matched.backend.reference(), None), shape),
    };
    for cookie in cookies {
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
    let answer = match pages {
        Some(pages) => Box::pin(pages.replace::<B>(answer)).await,
        None => answer,
    };
    pass.write(bandwidth::limit(&treated.client_limits, answer))
}

/// Refuses whoever may not send requests, and everybody where nobody knows who may.
fn admit(treated: &Treated, client: Option<IpAddr>) -> Result<(), Error> {
    access::check(treated, client)?;
    treated.prepared.custom.check()
}

/// Decides about a request before it goes anywhere. The answer is there where no endpoint is asked; `pass` is what the request
/// holds from where its client's limits let it in.
async fn guard<C, B>(
    call: &mut Call<C>,
    request: &mut Request<Body>,
    pass: &mut client_limits::Pass,
) -> Result<Option<Response<Body>>, Error>
where
    C: Client<B>,
    B: UpstreamBody,
{
    let treated = call.treated.clone();
    admit(&treated, call.client)?;
    if let Some(answer) = redirect::to_other_name(&treated, &call.facts(request))? {
        return Ok(Some(answer));
    }
    if let Some(answer) = fixed::maintenance(call, request) {
        return Ok(Some(answer));
    }
    *pass = client_limits::admit(&treated, &call.facts(request))?;
    pass.attend(request);
    if treated.authentication.is_needed() {
        if let Some(answer) = Box::pin(authentication::check(call, request)).await? {
            return Ok(Some(answer));
        }
    }
    if let Some(answer) = redirect::elsewhere(&treated, &call.facts(request))? {
        return Ok(Some(answer));
    }
    fixed::answer(&treated, request)
}

/// Compresses the answer, and lets the layers of the embedding program do what they do.
async fn dressed<C, B>(call: Box<Call<C>>, request: Request<Body>, shape: Shape) -> Response<Body>
where
    C: Client<B>,
    B: UpstreamBody,
{
    let treated = call.treated.clone();
    match &treated.prepared.compression {
        Some(compression) => {
            let rest = move |request| Box::pin(custom::around(call, request, shape)) as _;
            Box::pin(compression.around(request, rest)).await
        }
        None => custom::around(call, request, shape).await,
    }
}

/// Makes of the request what the endpoint is asked for, and asks it.
pub(super) async fn send<C, B>(
    mut call: Box<Call<C>>,
    mut request: Request<Body>,
    shape: Shape,
) -> Response<Body>
where
    C: Client<B>,
    B: UpstreamBody,
{
    if let Err(error) = prepare(&mut call, &mut request) {
        return respond(error.of_backend(call.matched.backend.reference(), None), shape);
    }
    mirror::copy::<C, B>(&call, &mut request);
    let Call { shared, matched, treated, version, .. } = *call;
    let mut response = answer(&shared, matched, &treated, request, shape).await;
    if response.status() == StatusCode::NOT_MODIFIED && version < Version::HTTP_2 {
        response.body_mut().silence();
    }
    response
}

/// Bounds the body, and gives the request another target and other fields.
fn prepare<C>(call: &mut Call<C>, request: &mut Request<Body>) -> Result<(), Error> {
    let treated = call.treated.clone();
    if let Some(max) = treated.max_body_size {
        body_size::limit(max, request)?;
    }
    let edits = headers::of_request(&treated, &call.facts(request));
    let (path, host) = rewrite::apply(&treated.rewrite, &call.facts(request))?;
    call.matched.path = path.unwrap_or_else(|| target(request).clone());
    if let Some(host) = host {
        request.headers_mut().insert(HOST, host);
    }
    if let Some(edits) = edits {
        edits.apply_to_request(request.headers_mut());
    }
    Ok(())
}

/// The answer of whoever answers for the backend.
async fn answer<C, B>(
    shared: &Arc<Shared<C>>,
    matched: Matched,
    treated: &Treated,
    mut request: Request<Body>,
    shape: Shape,
) -> Response<Body>
where
    C: Client<B>,
    B: UpstreamBody,
{
    if let Some(error) = matched.idle() {
        return respond(error, shape);
    }
    if let Some(service) = shared.resources.get(matched.backend.reference()) {
        *request.uri_mut() = matched.path.clone().into();
        let answer = service.clone().oneshot(request).await;
        return answer.unwrap_or_else(|error| respond(matched.resource_failed(error), shape));
    }
    if matches!(matched.backend.reference(), BackendRef::Resource(_)) {
        return respond(matched.no_resource(), shape);
    }
    let answer = Box::pin(forward(shared.client.clone(), &shared.state, matched, treated, request)).await;
    answer.unwrap_or_else(|error| respond(error, shape))
}

/// Path and query of a request that is on its way through the policies.
pub(super) fn target(request: &Request<Body>) -> &PathAndQuery {
    static ROOT: std::sync::LazyLock<PathAndQuery> =
        std::sync::LazyLock::new(|| PathAndQuery::from_static("/"));
    request.uri().path_and_query().unwrap_or(&ROOT)
}

impl<C> Call<C> {
    /// What is known of the request.
    pub(super) fn facts<'r>(&self, request: &'r Request<Body>) -> Facts<'r> {
        Facts { request, client: self.client, path: target(request), prefix: self.matched.prefix }
    }
}
