//! Events on Ingresses: what was found about them, for `kubectl describe`.
//!
//! Ingress has no conditions, so Events are the only way to tell the author of an Ingress that a rule of it is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use ingress_core::{Diagnostic, Diagnostics};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::watched::explain;

/// How many Events may be written at once, and how many a second in the long run.
const BURST: f64 = 50.0;
const RATE: f64 = 2.0;
/// How long one write may take.
const WRITE: Duration = Duration::from_secs(10);
/// The longest text that an Event may have.
const NOTE: usize = 1024;

/// What was found about an Ingress, and the Ingress's own identity.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) diagnostic: Diagnostic,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: Option<String>,
}

/// What is found about Ingresses now, where the table before did not have it.
pub(super) fn news(
    now: &Diagnostics,
    before: &Diagnostics,
    uid: impl Fn(&str, &str) -> Option<String>,
) -> Vec<Finding> {
    let of_ingress = now.since(before).filter_map(|diagnostic| {
        let object = diagnostic.source.as_ref().map(|source| &source.object)?;
        (&*object.kind == "Ingress").then(|| Finding {
            diagnostic: diagnostic.clone(),
            namespace: object.namespace.to_string(),
            name: object.name.to_string(),
            uid: uid(&object.namespace, &object.name),
        })
    });
    of_ingress.collect()
}

/// Writes Events while this process leads, until nobody has anything to say. A storm of findings does not become one of
/// Events: what is beyond the rate is left out, and counted.
pub(super) async fn run(
    client: Client,
    instance: String,
    leading: watch::Receiver<bool>,
    mut findings: mpsc::UnboundedReceiver<Vec<Finding>>,
    mut failed: impl FnMut(String),
) {
    let reporter = Reporter { controller: super::MANAGER.into(), instance: Some(instance) };
    let recorder = Recorder::new(client, reporter);
    let (mut tokens, mut since, mut left_out) = (BURST, Instant::now(), 0_u64);
    // What was found before this process led is said once it does.
    let mut unsaid: BTreeMap<String, Finding> = BTreeMap::new();
    let mut leading = leading;
    loop {
        tokio::select! {
            news = findings.recv() => match news {
                Some(news) => unsaid.extend(news.into_iter().map(|one| (one.diagnostic.to_string(), one))),
                None => return,
            },
            Ok(()) = leading.changed() => {}
        }
        while unsaid.len() > 1000 {
            unsaid.pop_last();
            left_out += 1;
        }
        if !*leading.borrow_and_update() {
            continue;
        }
        for finding in std::mem::take(&mut unsaid).into_values() {
            tokens = (tokens + since.elapsed().as_secs_f64() * RATE).min(BURST);
            since = Instant::now();
            if tokens < 1.0 {
                left_out += 1;
                continue;
            }
            tokens -= 1.0;
            let (event, reference) = (event(&finding), reference(&finding));
            let written = recorder.publish(&event, &reference);
            let why = match tokio::time::timeout(WRITE, written).await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => {
                    explain(&error, "create and patch", "events.events.k8s.io", Some(&finding.namespace))
                }
                Err(_) => format!("no answer within {} s", WRITE.as_secs()),
            };
            failed(format!(
                "an Event on Ingress {}/{} is not written: {why}",
                finding.namespace, finding.name
            ));
        }
        if left_out > 0 {
            failed(format!("{left_out} Events are left out, for there are too many at once"));
            left_out = 0;
        }
    }
}

fn event(finding: &Finding) -> Event {
    let Diagnostic { code, .. } = finding.diagnostic;
    let text = finding.diagnostic.to_string();
    // The object is in the Event already.
    let named = format!("Ingress {}/{} ", finding.namespace, finding.name);
    let mut note = text.replacen(&named, "", 1);
    let end = (0..=NOTE.min(note.len())).rev().find(|&end| note.is_char_boundary(end));
    note.truncate(end.unwrap_or(0));
    Event {
        type_: EventType::Warning,
        reason: format!("{code:?}"),
        note: Some(note),
        action: "Translate".into(),
        secondary: None,
    }
}

fn reference(finding: &Finding) -> ObjectReference {
    ObjectReference {
        api_version: Some("networking.k8s.io/v1".into()),
        kind: Some("Ingress".into()),
        namespace: Some(finding.namespace.clone()),
        name: Some(finding.name.clone()),
        uid: finding.uid.clone(),
        ..ObjectReference::default()
    }
}
