//! A gateway with one route and no network: what a request costs besides its sockets.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderValue};
use http::{Request, Response};
use ingress_core::{
    BackendRef, BasicAuth, Coding, Cors, Endpoint, FieldName, HttpsRedirect, PathMatch, PathRewrite, Policy,
    Retries, RouteTable, Rule, Timeout,
};
use ingress_tower::{Body, ConnectionInfo, IngressLayer, IngressService};
use tokio::runtime::{Builder, Runtime};
use tower::Service;

/// Answers at once, in place of an endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Echo;

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        ready(Ok(Response::new(Body::from("ok"))))
    }
}

/// A gateway whose only route has this policy.
pub fn gateway(policy: Policy) -> IngressService<Echo> {
    let backend: BackendRef = "default/shop:80".parse().expect("a backend");
    let path = PathMatch::prefix("/").expect("a path");
    let mut rules = RouteTable::builder();
    rules.rule(Rule::new("shop.example".parse().expect("a host"), path, backend.clone()).with_policy(policy));
    rules.endpoints(backend, [Endpoint::new(([127, 0, 0, 1], 80).into())]);
    let (reader, _writer) = ingress_core::table(rules.build().0);
    IngressLayer::with_client(reader, Echo).into_service()
}

/// Something that a route may ask for, and in words.
pub type Thing = (&'static str, fn(&mut Policy));

/// What routes commonly ask for, in the order in which they are likely to.
pub const COMMON: [Thing; 13] = [
    ("a timeout", |policy| policy.response_timeout = Some(Timeout::After(Duration::from_secs(30)))),
    ("an address list", |policy| policy.access.allow = "192.0.2.0/24, 10.0.0.0/8".parse().ok()),
    ("a rewritten path", |policy| policy.rewrite.path = Some(PathRewrite::Prefix("/v2".into()))),
    ("a field of answers", |policy| {
        let value = "max-age=31536000".parse().expect("a template");
        policy.headers.response.set.push((name("strict-transport-security"), value));
    }),
    ("the way to https", |policy| policy.https_redirect = Some(HttpsRedirect::Off)),
    ("a size of bodies", |policy| policy.max_body_size = Some(1 << 20)),
    ("retries", |policy| policy.retries = Some(Retries::up_to(1))),
    ("a rate", |policy| policy.client_limits.rate = "1000000/s".parse().ok()),
    ("a field of requests with a variable", |policy| {
        policy.headers.request.set.push((name("x-client"), "{client}".parse().expect("a template")));
    }),
    ("scripts of another site", |policy| {
        policy.cors = "https://partner.example".parse().ok().map(Cors::new);
    }),
    ("compression", |policy| policy.compression.codings = Some(vec![Coding::Brotli, Coding::Gzip])),
    ("pages for errors", |policy| {
        (policy.error_pages.statuses, policy.error_pages.body) = (vec![(502, 504)], Some("later".into()));
    }),
    ("a password", |policy| {
        // Of the user `clerk`: `lamp`.
        let users = "clerk:{SHA}vE7czoqFQF5mDyQKII6OA+/TKY0=".parse().expect("a user");
        policy.authentication.basic = Some(BasicAuth::new(users));
    }),
];

fn name(text: &str) -> FieldName {
    text.parse().expect("a name of a field")
}

/// A policy with so many of the [`COMMON`] things.
pub fn policy(things: usize) -> Policy {
    let mut policy = Policy::default();
    COMMON.iter().take(things).for_each(|(_, thing)| thing(&mut policy));
    policy
}

/// A request as a browser sends it, with what its route asks for.
pub fn request(things: usize) -> Request<Body> {
    let mut request = Request::get("/cart/7?from=mail")
        .header("host", "shop.example")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        .header("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
        .header("accept-encoding", "gzip, deflate, br")
        .header("cookie", "sid=0123456789abcdef; theme=dark")
        .extension(ConnectionInfo::new(([192, 0, 2, 7], 4711).into()))
        .body(Body::empty())
        .expect("a request");
    if things >= COMMON.len() {
        let password = HeaderValue::from_static("Basic Y2xlcms6bGFtcA==");
        request.headers_mut().insert(AUTHORIZATION, password);
    }
    request
}

/// A gateway that has made once what it makes once, in a program that has timers and threads.
#[derive(Debug)]
pub struct Warm {
    gateway: IngressService<Echo>,
    /// What was begun in it may go on.
    _runtime: Runtime,
}

impl Warm {
    /// One whose route has so many of the [`COMMON`] things.
    ///
    /// # Panics
    ///
    /// If a request is not served.
    pub fn new(things: usize) -> Self {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let mut gateway = gateway(policy(things));
        let first = runtime.block_on(gateway.call(request(things))).unwrap_or_else(|never| match never {});
        assert_eq!(first.status(), 200, "{things} policies");
        Self { gateway, _runtime: runtime }
    }

    /// The answer, which waits for nobody.
    ///
    /// # Panics
    ///
    /// If it does wait.
    pub fn answer(&mut self, request: Request<Body>) -> Response<Body> {
        let mut cx = Context::from_waker(Waker::noop());
        match pin!(self.gateway.call(request)).poll(&mut cx) {
            Poll::Ready(answer) => answer.unwrap_or_else(|never| match never {}),
            Poll::Pending => panic!("the answer waits for something"),
        }
    }
}
