//! A gateway with one route and no network: what a request costs besides its sockets.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use ingress_core::{BackendRef, Endpoint, PathMatch, PathRewrite, Policy, RouteTable, Rule, Timeout};
use ingress_tower::{Body, ConnectionInfo, IngressLayer, IngressService};
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

/// A policy that asks for so many things that routes commonly ask for, in the order in which they are likely to.
pub fn policy(things: usize) -> Policy {
    let all: [fn(&mut Policy); 3] = [
        |policy| policy.response_timeout = Some(Timeout::After(Duration::from_secs(30))),
        |policy| policy.access.allow = "192.0.2.0/24, 10.0.0.0/8".parse().ok(),
        |policy| policy.rewrite.path = Some(PathRewrite::Prefix("/v2".into())),
    ];
    let mut policy = Policy::default();
    all.iter().take(things).for_each(|thing| thing(&mut policy));
    policy
}

/// A request as a browser sends it.
pub fn request() -> Request<Body> {
    Request::get("/cart/7?from=mail")
        .header("host", "shop.example")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        .header("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
        .header("accept-encoding", "gzip, deflate, br")
        .header("cookie", "sid=0123456789abcdef; theme=dark")
        .extension(ConnectionInfo::new(([192, 0, 2, 7], 4711).into()))
        .body(Body::empty())
        .expect("a request")
}

/// The answer, which waits for nobody.
///
/// # Panics
///
/// If it does wait.
pub fn answer(gateway: &mut IngressService<Echo>, request: Request<Body>) -> Response<Body> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut future = pin!(gateway.call(request));
    for _ in 0..8 {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut cx) {
            return answer.unwrap_or_else(|never| match never {});
        }
    }
    panic!("the answer waits for something")
}
