//! Layers of the embedding program that send requests themselves, where nobody expects it.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use http::{Request, StatusCode};
use ingress_core::{BackendRef, FixedAnswer, PathMatch, Policy, RouteTable, Rule};
use ingress_tower::{Body, IngressLayer, IngressService, Next, PolicyRegistry};
use support::*;
use tower::ServiceExt;

/// Sends a request where nobody can wait for its answer.
fn ask_now(service: &OnceLock<IngressService>, path: &str) -> Option<StatusCode> {
    let request = Request::get(path).header("host", HOST).body(Body::empty()).unwrap();
    let answer = service.get()?.clone().oneshot(request).now_or_never();
    Some(answer.unwrap().unwrap().status())
}

/// A layer that sends a request as it is dropped.
struct Last(Arc<OnceLock<IngressService>>, Arc<AtomicUsize>);

impl Drop for Last {
    fn drop(&mut self) {
        let status = ask_now(&self.0, "/plain");
        self.1.fetch_add(usize::from(status == Some(StatusCode::NO_CONTENT)), SeqCst);
    }
}

impl tower::Layer<Next> for Last {
    type Service = Next;

    fn layer(&self, next: Next) -> Next {
        next
    }
}

#[tokio::test(start_paused = true)]
async fn what_reads_a_text_or_is_dropped_may_send_a_request_itself() {
    const TEXTS: usize = 1100;
    let (service, served) = (Arc::<OnceLock<IngressService>>::default(), Arc::<AtomicUsize>::default());
    let (own, count) = (service.clone(), served.clone());
    let policies = PolicyRegistry::new().with("example.com/last", move |_| {
        drop(Last(own.clone(), count.clone()));
        Ok(Last(own.clone(), count.clone()))
    });
    let mut rules = RouteTable::builder();
    let mut add = |path: &str, text: Option<&str>| {
        let backend: BackendRef = "default/shop:80".parse().unwrap();
        let mut policy = Policy::default();
        text.iter().for_each(|text| policy.custom.set("example.com/last", *text));
        policy.answer = FixedAnswer::new(204, Default::default(), "").ok();
        let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix(path).unwrap(), backend);
        rules.rule(rule.with_policy(policy));
    };
    add("/plain", None);
    (0..=TEXTS).for_each(|number| add(&format!("/{number}"), Some(&number.to_string())));
    let layer = IngressLayer::new(ingress_core::table(rules.build().0).0).policies(policies);
    service.set(layer.into_service()).unwrap();
    let ask = |path: &str| assert_eq!(ask_now(&service, path), Some(StatusCode::NO_CONTENT), "{path}");
    (0..TEXTS).for_each(|number| ask(&format!("/{number}")));
    assert_eq!(served.load(SeqCst), TEXTS);
    // After a while nobody remembers them; the next text has them dropped.
    for _ in 0..3 {
        tokio::time::advance(Duration::from_secs(10 * 60)).await;
        (0..1024).for_each(|_| ask("/plain"));
    }
    ask(&format!("/{TEXTS}"));
    assert_eq!(served.load(SeqCst), 2 * TEXTS + 1);
}
