//! The policies of the layer and of backends, where they name backends that no rule names.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::convert::Infallible;

use http::{Request, Response};
use http_body_util::BodyExt;
use ingress_core::{
    Callee, CalleeAddress, Endpoint, Jwt, JwtKeys, Mirror, PathMatch, Policy, RouteTable, Rule,
};
use ingress_tower::{Body, Error, IngressLayer, ResourceRegistry};
use support::external::{auth, backend};
use support::*;
use tower::ServiceExt;

/// Has the form of a token; nobody has signed it.
const TOKEN: &str = "Bearer eyJhbGciOiJFUzI1NiJ9.e30.AAAA";

fn set(write: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = Policy::default();
    write(&mut policy);
    policy
}

/// Asks a service who may pass, in either way.
fn guarded() -> [Policy; 2] {
    let keys = Callee::new(CalleeAddress::Backend(backend("auth")), "/keys".parse().unwrap());
    [
        set(|policy| policy.authentication.external = Some(auth("/"))),
        set(|policy| policy.authentication.jwt = Some(Jwt::new(JwtKeys::At(keys)))),
    ]
}

/// A route to one server, and backends with another one; perhaps a policy of the backend, and a rule for another host whose
/// policy names what the others name.
fn layer(
    shop: &Moody,
    other: &Moody,
    of_backend: Option<&Policy>,
    named: Option<&Policy>,
    own: Option<&Policy>,
) -> IngressLayer {
    let mut rules = RouteTable::builder();
    let rule =
        |host: &str| Rule::new(host.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend("shop"));
    rules.rule(rule(HOST));
    rules.endpoints(backend("shop"), [Endpoint::new(shop.addr)]);
    for name in ["auth", "mirror", "pages"] {
        rules.endpoints(backend(name), [Endpoint::new(other.addr)]);
    }
    if let Some(policy) = of_backend {
        rules.backend_policy(backend("shop"), policy.clone());
    }
    if let Some(policy) = named {
        rules.rule(rule("other.example").with_policy(policy.clone()));
    }
    let layer = IngressLayer::new(ingress_core::table(rules.build().0).0);
    layer.policy(own.cloned().unwrap_or_default())
}

async fn ask(layer: &IngressLayer) -> Response<Body> {
    let request = Request::get("/").header("host", HOST).header("authorization", TOKEN);
    let request = request.body(Body::empty()).unwrap();
    within("answer", layer.clone().into_service().oneshot(request)).await.unwrap()
}

fn told(answer: &Response<Body>) -> (u16, Option<&'static str>) {
    (answer.status().as_u16(), answer.extensions().get::<Error>().map(Error::reason))
}

async fn text(answer: Response<Body>) -> String {
    let bytes = within("body", answer.into_body().collect()).await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn nobody_passes_where_no_rule_names_who_decides() {
    let (shop, auth) = (Moody::start("shop").await, Moody::start("auth").await);
    for policy in guarded() {
        for layer in
            [layer(&shop, &auth, None, None, Some(&policy)), layer(&shop, &auth, Some(&policy), None, None)]
        {
            assert_eq!(told(&ask(&layer).await), (503, Some("auth_failed")), "{policy:?}");
        }
    }
    assert_eq!((shop.requests(), auth.requests()), (0, 0));
    // With a rule that names it, the service decides.
    let [policy, _] = guarded();
    for layer in [
        layer(&shop, &auth, None, Some(&policy), Some(&policy)),
        layer(&shop, &auth, Some(&policy), Some(&policy), None),
    ] {
        assert_eq!(ask(&layer).await.status(), 200);
    }
    assert_eq!((shop.requests(), auth.requests()), (2, 2));
}

#[tokio::test]
async fn a_service_of_this_process_decides_without_a_rule() {
    let (shop, auth) = (Moody::start("shop").await, Moody::start("auth").await);
    let [policy, _] = guarded();
    for (status, want) in [(204, 200), (403, 403)] {
        let answer = move |_: Request<Body>| {
            let mut answer = Response::new(Body::empty());
            *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
            std::future::ready(Ok::<_, Infallible>(answer))
        };
        let registry = ResourceRegistry::new().with(backend("auth"), tower::service_fn(answer));
        let layer = layer(&shop, &auth, None, None, Some(&policy)).resources(registry);
        assert_eq!(ask(&layer).await.status(), want);
    }
    assert_eq!((shop.requests(), auth.requests()), (1, 0));
}

#[tokio::test]
async fn copies_and_pages_are_left_out_where_no_rule_names_them() {
    let (shop, other) = (Moody::start("shop").await, Moody::start("other").await);
    let policy = set(|policy| {
        policy.mirror = Some(Mirror::to(backend("mirror")));
        policy.error_pages.statuses = vec![(503, 503)];
        policy.error_pages.backend = Some(backend("pages"));
    });
    let mut with_text = policy.clone();
    with_text.error_pages.body = Some("sorry".into());
    for (mood, status) in [(Mood::Well, 200), (Mood::Failing(503), 503)] {
        shop.set(mood);
        for (policy, is_text) in [(&policy, false), (&with_text, true)] {
            for layer in [
                layer(&shop, &other, None, None, Some(policy)),
                layer(&shop, &other, Some(policy), None, None),
            ] {
                let answer = ask(&layer).await;
                assert_eq!(answer.status(), status);
                assert_eq!(text(answer).await == "sorry", is_text && status == 503);
            }
        }
    }
    assert_eq!((shop.requests(), other.requests()), (8, 0));
}
