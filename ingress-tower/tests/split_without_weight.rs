//! Backends that share requests, none of which has any weight: nobody answers, and policies hold all the same.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use http::{Request, Response};
use ingress_core::{Backends, Canary, Endpoint, FixedAnswer, PathMatch, Policy, RouteTable, Rule};
use ingress_tower::{Body, ConnectionInfo, Error, IngressLayer, IngressService};
use support::external::backend;
use support::*;
use tower::ServiceExt;

/// Two backends with a server, and a canary that is one of them.
fn service(server: &Moody, policy: Option<Policy>, layer: Policy) -> IngressService {
    let mut rules = RouteTable::builder();
    let split = Backends::split([(backend("a"), 0), (backend("b"), 0)]);
    let rule = Rule::with_backends(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), split);
    rules.rule(match policy {
        Some(policy) => rule.with_policy(policy),
        None => rule,
    });
    for name in ["a", "b"] {
        rules.endpoints(backend(name), [Endpoint::new(server.addr)]);
        // What is said of a backend that is not asked does not count.
        let mut policy = Policy::default();
        policy.answer = FixedAnswer::new(200, Default::default(), "of the backend").ok();
        rules.backend_policy(backend(name), policy);
    }
    IngressLayer::new(ingress_core::table(rules.build().0).0).policy(layer).into_service()
}

async fn ask(service: &IngressService, fields: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::post("/").header("host", HOST);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.extension(ConnectionInfo::new(([192, 0, 2, 7], 4711).into()));
    within("answer", service.clone().oneshot(request.body(Body::empty()).unwrap())).await.unwrap()
}

fn told(answer: &Response<Body>) -> (u16, Option<&'static str>) {
    (answer.status().as_u16(), answer.extensions().get::<Error>().map(Error::reason))
}

#[tokio::test]
async fn nobody_answers() {
    let server = Moody::start("a").await;
    for policy in [None, Some(Policy::default())] {
        let service = service(&server, policy, Policy::default());
        let answer = ask(&service, &[]).await;
        assert_eq!(told(&answer), (503, Some("no_endpoint")));
        assert!(!answer.headers().contains_key("connection"));
        let call = ask(&service, &[("content-type", "application/grpc")]).await;
        assert_eq!((call.status().as_u16(), &call.headers()["grpc-status"]), (200, &"14".parse().unwrap()));
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn policies_of_route_and_layer_hold() {
    let server = Moody::start("a").await;
    let denied = |policy: &mut Policy| policy.access.deny = "192.0.2.0/24".parse().ok();
    let edited = |policy: &mut Policy| {
        policy.headers.response.set.push(("X-Edit".parse().unwrap(), "1".parse().unwrap()));
    };
    let answered = |policy: &mut Policy| policy.answer = FixedAnswer::new(299, Default::default(), "").ok();
    let alone = |policy: &mut Policy| policy.canary = Some(Canary::new("a"));
    type Set<'s> = &'s dyn Fn(&mut Policy);
    let table: [(&[Set<'_>], _); 5] = [
        (&[&edited], (503, Some("no_endpoint"))),
        (&[&edited, &denied], (403, Some("forbidden"))),
        (&[&edited, &answered], (299, None)),
        (&[&edited, &answered, &denied], (403, Some("forbidden"))),
        (&[&edited, &alone], (503, Some("no_endpoint"))),
    ];
    for (set, want) in table {
        let mut policy = Policy::default();
        set.iter().for_each(|set| set(&mut policy));
        for (route, layer) in [(Some(policy.clone()), Policy::default()), (None, policy)] {
            let answer = ask(&service(&server, route, layer), &[]).await;
            assert_eq!(told(&answer), want);
            assert_eq!(answer.headers()["x-edit"], "1");
        }
    }
    assert_eq!(server.requests(), 0);
}
