//! Keys of tokens that somebody is asked for: how often, and what holds until they come.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "support/seen.rs"]
mod seen;
mod support;
#[path = "support/tokens.rs"]
mod tokens;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{Request, Response};
use ingress_core::{Callee, CalleeAddress, Endpoint, JwtKeys};
use ingress_tower::{Body, Error, IngressService, ResourceRegistry};
use seen::Seen;
use support::*;
use tokens::*;

/// Someone in this process who has keys.
#[derive(Clone, Default)]
struct Issuer {
    asked: Arc<AtomicUsize>,
    answer: Arc<Mutex<Option<String>>>,
    hangs: Arc<AtomicBool>,
}

impl Issuer {
    fn set(&self, keys: Option<String>) {
        *self.answer.lock().unwrap() = keys;
    }

    fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }

    /// A gateway whose routes need keys of this one.
    fn gateway(&self, server: &Seen) -> IngressService {
        let callee = Callee::new(
            CalleeAddress::Backend("default/issuer:80".parse().unwrap()),
            "/keys".parse().unwrap(),
        );
        let issuer = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let issuer = issuer.clone();
            async move {
                assert_eq!(
                    (request.uri().path(), request.headers().contains_key(AUTHORIZATION)),
                    ("/keys", false)
                );
                issuer.asked.fetch_add(1, SeqCst);
                if issuer.hangs.load(SeqCst) {
                    std::future::pending::<()>().await;
                }
                let answer = issuer.answer.lock().unwrap().clone();
                let status = if answer.is_some() { 200 } else { 500 };
                let body = Body::from(answer.unwrap_or_default());
                Ok::<_, std::convert::Infallible>(Response::builder().status(status).body(body).unwrap())
            }
        });
        let resources = ResourceRegistry::new().with("default/issuer:80".parse().unwrap(), service);
        layer(server, needed(JwtKeys::At(callee)), &[("default/issuer:80", vec![])])
            .resources(resources)
            .into_service()
    }
}

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

/// Lets all that can go on do so.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn keys_are_asked_for_once_and_again_for_names_that_are_not_there() {
    let server = Seen::start().await;
    let (issuer, old, new) = (Issuer::default(), Signer::ec(), Signer::ec());
    let service = issuer.gateway(&server);
    tokio::time::pause();
    issuer.set(Some(set(&[old.jwk("old")])));
    let token = old.token("old", &claims());
    let both = [status(&service, &token).await, status(&service, &token).await];
    assert_eq!((both, issuer.asked()), ([200, 200], 1));
    // Whoever makes up names has nobody asked: that was just done.
    for _ in 0..5 {
        assert_eq!(status(&service, &new.token("new", &claims())).await, 401);
    }
    assert_eq!(issuer.asked(), 1);
    pass(6).await;
    issuer.set(Some(set(&[new.jwk("new")])));
    assert_eq!(status(&service, &new.token("new", &claims())).await, 200);
    assert_eq!(status(&service, &old.token("old", &claims())).await, 401);
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn keys_are_asked_for_again_and_old_ones_kept_if_nothing_comes() {
    let server = Seen::start().await;
    let (issuer, signer) = (Issuer::default(), Signer::ec());
    let service = issuer.gateway(&server);
    let token = signer.token("a", &claims());
    tokio::time::pause();
    issuer.set(Some(set(&[signer.jwk("a")])));
    assert_eq!(status(&service, &token).await, 200);
    issuer.set(None);
    for (seconds, asked) in [(200, 1), (101, 2), (1, 2), (5, 3), (1000, 4)] {
        pass(seconds).await;
        assert_eq!(status(&service, &token).await, 200);
        tokio::task::yield_now().await;
        assert_eq!(issuer.asked(), asked, "after {seconds} more");
    }
    // A key that has gone is gone once that is known.
    issuer.set(Some(set(&[Signer::ec().jwk("b")])));
    pass(700).await;
    // Who did not answer lately is not waited for.
    assert_eq!(status(&service, &token).await, 200);
    settle().await;
    assert_eq!(status(&service, &token).await, 401);
}

#[tokio::test]
async fn who_never_answers_delays_nobody_who_has_keys() {
    let server = Seen::start().await;
    let (issuer, signer) = (Issuer::default(), Signer::ec());
    let service = issuer.gateway(&server);
    let token = signer.token("a", &claims());
    issuer.set(Some(set(&[signer.jwk("a")])));
    assert_eq!(status(&service, &token).await, 200);
    issuer.hangs.store(true, SeqCst);
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    // Nobody knows yet that it does not answer.
    pass(601).await;
    assert_eq!(status(&service, &token).await, 200);
    assert_eq!((started.elapsed().as_secs(), issuer.asked()), (606, 2));
    // Five seconds of rest begin when asking has ended.
    for (seconds, asked) in [(0, 2), (4, 2), (2, 3), (4, 3), (2, 3), (4, 3), (2, 4)] {
        pass(seconds).await;
        settle().await;
        let now = tokio::time::Instant::now();
        assert_eq!(status(&service, &token).await, 200);
        assert!(now.elapsed() < Duration::from_millis(100), "{:?}", now.elapsed());
        settle().await;
        assert_eq!(issuer.asked(), asked, "{:?}", started.elapsed());
    }
    issuer.hangs.store(false, SeqCst);
}

#[tokio::test]
async fn without_keys_nobody_gets_past() {
    let server = Seen::start().await;
    let (issuer, signer) = (Issuer::default(), Signer::ec());
    let service = issuer.gateway(&server);
    let token = signer.token("a", &claims());
    tokio::time::pause();
    for (answer, seconds) in
        [(None, 0), (None, 1), (Some("nothing".into()), 5), (Some("x".repeat(1 << 20)), 5)]
    {
        pass(seconds).await;
        issuer.set(answer);
        let answer = ask(&service, &[("authorization", &format!("Bearer {token}"))]).await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.extensions().get::<Error>().map(Error::reason), Some("auth_failed"));
    }
    assert_eq!(issuer.asked(), 3);
    // Without a token there is nothing to check.
    assert_eq!(ask(&service, &[]).await.status(), 401);
    pass(5).await;
    issuer.set(Some(set(&[signer.jwk("a")])));
    assert_eq!(server.take().len(), 0);
    assert_eq!(status(&service, &token).await, 200);
}

#[tokio::test]
async fn keys_of_a_server_and_of_a_backend() {
    let server = Seen::start().await;
    let signer = Signer::ec();
    let keys = set(&[signer.jwk("a")]);
    let app = axum::Router::new().route("/jwks", axum::routing::get(move || async move { keys }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let url = CalleeAddress::Url(Endpoint::new(addr).address().clone(), ingress_core::Protocol::Http1);
    let backend = CalleeAddress::Backend("default/issuer:80".parse().unwrap());
    for (to, path, want) in [(url.clone(), "/jwks", 200), (backend, "/jwks", 200), (url, "/other", 503)] {
        let jwt = needed(JwtKeys::At(Callee::new(to, path.parse().unwrap())));
        let service = layer(&server, jwt, &[("default/issuer:80", vec![Endpoint::new(addr)])]).into_service();
        assert_eq!(within("answer", status(&service, &signer.token("a", &claims()))).await, want, "{path}");
        assert_eq!(server.take().len(), usize::from(want == 200));
    }
}
