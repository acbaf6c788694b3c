//! What the data plane says in the log while a backend is down.
#![cfg(feature = "tracing")]
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use ingress_core::{BackendRef, Endpoint, PathMatch, Policy, RouteTable, Rule};
use ingress_tower::{Body, HealthChecker, IngressService};
use support::*;
use tower::ServiceExt;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// The fields of one line, but for the message.
type Line = BTreeMap<&'static str, String>;

/// Keeps the warnings of this crate.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<Line>>>);

struct Fields(Line);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN && metadata.target().starts_with("ingress_tower")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(Line::new());
        event.record(&mut fields);
        fields.0.remove("message");
        self.0.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Defends against an outage that floods the log, one line for each failed request.
#[tokio::test]
async fn an_outage_is_a_line_a_second() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let (down, empty) = (refusing(), IngressService::new(table(&[])));
    let service = IngressService::new(table(&[down]));
    let began = std::time::Instant::now();
    for _ in 0..200 {
        let request = || Request::get("/").header("host", HOST).body(Body::empty()).unwrap();
        assert_eq!(service.clone().oneshot(request()).await.unwrap().status(), 502);
        assert_eq!(empty.clone().oneshot(request()).await.unwrap().status(), 503);
    }
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    let lines = lines.0.lock().unwrap();
    assert!(lines.len() >= 2 && lines.len() <= 2 * (1 + seconds), "{} lines", lines.len());
    let line = |reason: &'static str, status: &str, more: &[(&'static str, String)]| {
        let fixed = [("reason", reason.to_owned()), ("status", status.to_owned())];
        let backend = ("backend", "default/shop:80".to_owned());
        fixed.into_iter().chain([backend]).chain(more.iter().cloned()).collect::<Line>()
    };
    let mut first = lines[0].clone();
    assert!(first.remove("source").unwrap().contains("refused"));
    assert_eq!(first, line("connect_failed", "502", &[("endpoint", down.to_string())]));
    assert_eq!(lines[1], line("no_endpoint", "503", &[]));
}

#[tokio::test]
async fn health_checks_say_whom_they_leave_out_and_why() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let backend: BackendRef = "default/shop:80".parse().unwrap();
    let (down, frozen) = (refusing(), Upstream::bind().await);
    let failing = Upstream::bind().await.always(b"HTTP/1.1 503 -\r\nContent-Length: 0\r\n\r\n");
    let mut policy = Policy::default();
    let check = &mut policy.health_check;
    (check.path, check.failures) = (Some("/".into()), Some(1));
    check.timeout = Some(Duration::from_millis(100));
    let mut rules = RouteTable::builder();
    rules.rule(Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend.clone()));
    rules.endpoints(backend.clone(), [down, failing, frozen.addr].map(Endpoint::new));
    rules.backend_policy(backend, policy);
    let checks = tokio::spawn(HealthChecker::new(ingress_core::table(rules.build().0).0).run());
    let all = async {
        while lines.0.lock().unwrap().len() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within("three lines", all).await;
    checks.abort();
    let said = lines.0.lock().unwrap();
    for (endpoint, source) in
        [(down, "refused"), (failing, "status 503"), (frozen.addr, "no answer within 100ms")]
    {
        let line = said.iter().find(|line| line["endpoint"] == endpoint.to_string()).unwrap();
        assert!(line["backend"] == "default/shop:80" && line["source"].contains(source), "{line:?}");
    }
}
