//! Pages in place of errors are as bounded as answers are: they take their request's time, its rate, and room.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::convert::Infallible;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Response;
use http_body_util::BodyExt;
use ingress_core::{
    BackendRef, Callee, CalleeAddress, ExternalAuth, FixedAnswer, MediaType, PathMatch, Policy, RouteTable,
    Rule,
};
use ingress_tower::{Body, IngressLayer, IngressService, ResourceRegistry};
use support::*;
use tower::ServiceExt;

fn backend(name: &str) -> BackendRef {
    format!("default/{name}:80").parse().unwrap()
}

fn text(statuses: &[(u16, u16)], body: Option<&str>) -> Policy {
    let mut policy = Policy::default();
    policy.error_pages.statuses = statuses.to_vec();
    policy.error_pages.body = body.map(Into::into);
    policy
}

fn asking(statuses: &[(u16, u16)], body: Option<&str>) -> Policy {
    let mut policy = text(statuses, body);
    policy.error_pages.backend = Some(backend("errors"));
    policy
}

/// A route whose endpoint fails, in this process, and what `pages` says of it.
fn failing(
    policy: Policy,
    pages: impl Fn() -> Option<Body> + Clone + Send + Sync + 'static,
) -> IngressService {
    let pages = tower::service_fn(move |_| {
        let page = pages();
        async move {
            match page {
                Some(page) => Ok::<_, Infallible>(Response::new(page)),
                None => std::future::pending().await,
            }
        }
    });
    let shop = tower::service_fn(|_| async {
        Ok::<_, Infallible>(Response::builder().status(500).body(Body::from("own")).unwrap())
    });
    let registry = ResourceRegistry::new().with(backend("errors"), pages).with(backend("shop"), shop);
    let mut rules = RouteTable::builder();
    let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend("shop"));
    rules.rule(rule.with_policy(policy));
    IngressLayer::new(ingress_core::table(rules.build().0).0).resources(registry).into_service()
}

async fn ask(service: &IngressService) -> Response<Body> {
    let request = http::Request::get("/").header("host", HOST).body(Body::empty()).unwrap();
    within("answer", service.clone().oneshot(request)).await.unwrap()
}

async fn text_of(answer: Response<Body>) -> String {
    let body = within("body", answer.into_body().collect()).await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_request_is_open_until_its_page_is_sent() {
    let mut refusing = asking(&[(503, 503)], None);
    let nobody = Callee::new(CalleeAddress::Backend(backend("auth")), "/".parse().unwrap());
    refusing.authentication.external = Some(ExternalAuth::new(nobody));
    for (mut policy, status, body) in [
        (text(&[(500, 500)], Some("text")), 500, "text"),
        (asking(&[(500, 500)], None), 500, "page"),
        (refusing, 503, "page"),
    ] {
        policy.client_limits.concurrency = Some(1);
        policy.client_limits.rate = "100/s".parse().ok();
        let service = failing(policy, || Some(Body::from("page")));
        let first = ask(&service).await;
        assert_eq!(first.status(), status);
        assert_eq!(first.headers().get_all("ratelimit").iter().count(), 1);
        assert_eq!(ask(&service).await.status(), 429, "the page of the first is still on its way");
        assert_eq!(text_of(first).await, body);
        assert_eq!(ask(&service).await.status(), status);
    }
}

#[tokio::test(start_paused = true)]
async fn pages_and_fixed_answers_are_paced() {
    let long = "x".repeat(1000);
    let mut closed = text(&[(503, 503)], Some(&long));
    closed.access.closed = true;
    let mut fixed = Policy::default();
    fixed.answer = Some(FixedAnswer::new(200, MediaType::default(), &*long).unwrap());
    for (mut policy, status) in [
        (text(&[(500, 500)], Some(&long)), 500),
        (asking(&[(500, 500)], None), 500),
        (closed, 503),
        (fixed, 200),
    ] {
        policy.client_limits.bandwidth = NonZeroU64::new(1000);
        let page = long.clone();
        let service = failing(policy, move || Some(Body::from(page.clone())));
        let answer = ask(&service).await;
        assert_eq!(answer.status().as_u16(), status);
        let began = tokio::time::Instant::now();
        assert_eq!(text_of(answer).await, long);
        assert!((800..1100).contains(&began.elapsed().as_millis()), "{status}: {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_is_asked_for_so_many_pages_at_a_time() {
    for answers in [true, false] {
        let count = Arc::<AtomicUsize>::default();
        let counter = count.clone();
        let service = failing(asking(&[(500, 500)], Some("text")), move || {
            counter.fetch_add(1, Ordering::Relaxed);
            answers.then(|| Body::from("page"))
        });
        let asked = || count.load(Ordering::Relaxed);
        let mut asking = tokio::task::JoinSet::new();
        for number in 0..64 {
            let service = service.clone();
            asking.spawn(async move { ask(&service).await });
            while asked() <= number {
                tokio::task::yield_now().await;
            }
        }
        let mut open = Vec::new();
        if answers {
            open = asking.join_all().await;
            asking = tokio::task::JoinSet::new();
        }
        let began = tokio::time::Instant::now();
        assert_eq!(text_of(ask(&service).await).await, "text", "nobody waits for room");
        assert_eq!((asked(), began.elapsed().as_secs()), (64, 0));
        while let Some(answer) = asking.join_next().await {
            assert_eq!(text_of(answer.unwrap()).await, "text");
        }
        if let Some(answer) = open.pop() {
            assert_eq!(text_of(answer).await, "page");
            assert_eq!(text_of(ask(&service).await).await, "page");
            assert_eq!(asked(), 65);
        }
    }
}
