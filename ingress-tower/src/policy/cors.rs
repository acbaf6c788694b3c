//! `cors`: what scripts of other sites may do.

use std::future::Future;
use std::pin::Pin;

use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use ingress_core::{Cors, CorsNames};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders, Vary};

use super::next::through;
use crate::Body;
use crate::proxy::headers::lists;

/// What is made of the value once.
#[derive(Debug)]
pub(super) struct Layer {
    layer: CorsLayer,
    /// Whether answers depend on the origin.
    varies: bool,
}

/// Whether a browser asks what a script may do (<https://fetch.spec.whatwg.org/#cors-preflight-request>). Other requests
/// with the same method are for endpoints.
pub(super) fn is_preflight(request: &Request<Body>) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

impl Layer {
    pub(super) fn new(value: &Cors) -> Self {
        let origins = value.origins().clone();
        let varies = !origins.is_any();
        let origins = match varies {
            true => AllowOrigin::predicate(move |origin: &HeaderValue, _: &_| {
                origin.to_str().is_ok_and(|origin| origins.contains(origin))
            }),
            false => AllowOrigin::any(),
        };
        // `Vary` is written here, once.
        let mut layer = CorsLayer::new().allow_origin(origins).vary(Vary::list([]));
        if let Some(names) = value.methods() {
            let all = names.iter().filter_map(|name| Method::from_bytes(name.as_bytes()).ok());
            let list = AllowMethods::list(all);
            layer = layer.allow_methods(if names.is_any() { AllowMethods::any() } else { list });
        }
        if let Some(names) = value.headers() {
            let list = AllowHeaders::list(fields(names));
            layer = layer.allow_headers(if names.is_any() { AllowHeaders::any() } else { list });
        }
        if let Some(names) = value.exposed() {
            let list = ExposeHeaders::list(fields(names));
            layer = layer.expose_headers(if names.is_any() { ExposeHeaders::any() } else { list });
        }
        if let Some(max_age) = value.remembered() {
            layer = layer.max_age(max_age);
        }
        // With `*` in any of them the layer would panic; the value cannot be like that.
        Self { layer: layer.allow_credentials(value.credentials()), varies }
    }

    /// Answers a preflight, and says in the answer of any other request what scripts may do with it.
    pub(super) async fn around(
        &self,
        request: Request<Body>,
        rest: impl FnOnce(Request<Body>) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> + Send + 'static,
    ) -> Response<Body> {
        let mut answer = if is_preflight(&request) {
            through(&self.layer, request, rest).await
        } else {
            // The layer takes each request with OPTIONS for a preflight, so it sees another one.
            let mut seen = Request::new(Body::empty());
            if let Some(origin) = request.headers().get(ORIGIN) {
                seen.headers_mut().insert(ORIGIN, origin.clone());
            }
            let rest = move |_| -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
                let answer = rest(request);
                Box::pin(async move {
                    let mut answer = answer.await;
                    remove_permissions(answer.headers_mut());
                    answer
                })
            };
            through(&self.layer, seen, rest).await
        };
        let headers = answer.headers_mut();
        if !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            // Who may do nothing need not know what others may.
            remove_permissions(headers);
        }
        if self.varies && !lists(headers, &VARY, b"origin") {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        answer
    }
}

fn fields(names: &CorsNames) -> impl Iterator<Item = HeaderName> {
    names.iter().filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
}

/// Takes out what was said of what scripts may do.
fn remove_permissions(headers: &mut HeaderMap) {
    let says = |name: &&HeaderName| name.as_str().starts_with("access-control-");
    while let Some(name) = headers.keys().find(says).cloned() {
        headers.remove(name);
    }
}
