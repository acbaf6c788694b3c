//! Events on Ingresses: what was found about them, for `kubectl describe`.
//!
//! Ingress has no conditions, so Events are the only way to tell the author of an Ingress that a rule of it is refused.

use std::collections::{BTreeMap, BTreeSet};
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
/// After how long what could not be written is tried again, and what is left out is reported.
const AGAIN: Duration = Duration::from_secs(5);
/// How many findings wait to be said.
const UNSAID: usize = 1000;
/// The longest text that an Event may have.
const NOTE: usize = 1024;

/// What was found about an Ingress, and the Ingress's own identity.
#[derive(Debug)]
pub(super) struct Finding {
    diagnostic: Diagnostic,
    namespace: String,
    name: String,
    field: String,
    uid: Option<String>,
}

/// What one table changed in the findings, by their [identities](identity).
#[derive(Debug)]
pub(super) struct Findings {
    new: BTreeMap<String, Finding>,
    gone: BTreeSet<String>,
}

/// What is found about Ingresses now, where the table before did not have it, and the other way round.
pub(super) fn news(
    now: &Diagnostics,
    before: &Diagnostics,
    uid: impl Fn(&str, &str) -> Option<String>,
) -> Findings {
    let gone: BTreeSet<String> = before.since(now).filter_map(identity).collect();
    let (mut new, mut stays) = (BTreeMap::new(), BTreeSet::new());
    for diagnostic in now.since(before) {
        let (Some(identity), Some(source)) = (identity(diagnostic), &diagnostic.source) else { continue };
        if gone.contains(&identity) {
            stays.insert(identity);
            continue;
        }
        let (namespace, name) = (&source.object.namespace, &source.object.name);
        let finding = Finding {
            diagnostic: diagnostic.clone(),
            namespace: namespace.to_string(),
            name: name.to_string(),
            field: source.field.to_string(),
            uid: uid(namespace, name),
        };
        new.insert(identity, finding);
    }
    Findings { new, gone: &gone - &stays }
}

/// What makes a finding about an Ingress another one. Its help does not: it names what else there is.
fn identity(diagnostic: &Diagnostic) -> Option<String> {
    let source = diagnostic.source.as_ref().filter(|source| &*source.object.kind == "Ingress")?;
    let (namespace, name) = (&source.object.namespace, &source.object.name);
    Some(format!("{namespace}/{name} {} {:?} {}", source.field, diagnostic.code, diagnostic.message))
}

/// Writes Events while this process leads, until nobody has anything to say. A storm of findings does not become one of
/// Events: what is beyond the rate is left out, and counted.
pub(super) async fn run(
    client: Client,
    instance: String,
    mut leading: watch::Receiver<bool>,
    mut findings: mpsc::UnboundedReceiver<Findings>,
    mut failed: impl FnMut(String),
) {
    let reporter = Reporter { controller: super::REPORTER.into(), instance: Some(instance) };
    let mut writer = EventWriter {
        recorder: Recorder::new(client, reporter),
        unsaid: BTreeMap::new(),
        tokens: BURST,
        since: Instant::now(),
        left_out: 0,
        failing: false,
    };
    let mut report: Option<Instant> = None;
    loop {
        let again = *leading.borrow() && !writer.unsaid.is_empty();
        tokio::select! {
            news = findings.recv() => match news {
                Some(news) => writer.learn(news, *leading.borrow()),
                None => break,
            },
            Ok(()) = leading.changed() => {}
            () = tokio::time::sleep(AGAIN), if again => {}
            () = tokio::time::sleep_until(report.unwrap_or_else(Instant::now)), if report.is_some() => {
                writer.report(&mut failed);
                report = None;
            }
        }
        writer.write(&leading, &mut failed).await;
        if writer.left_out > 0 {
            report.get_or_insert_with(|| Instant::now() + AGAIN);
        }
    }
    writer.report(&mut failed);
}

struct EventWriter {
    recorder: Recorder,
    /// What was found and is not said, such as before this process led.
    unsaid: BTreeMap<String, Finding>,
    tokens: f64,
    since: Instant,
    left_out: u64,
    /// Whether a failure was reported, and nothing was written since.
    failing: bool,
}

impl EventWriter {
    fn learn(&mut self, findings: Findings, leads: bool) {
        findings.gone.iter().for_each(|identity| drop(self.unsaid.remove(identity)));
        self.unsaid.extend(findings.new);
        while self.unsaid.len() > UNSAID {
            self.unsaid.pop_last();
            self.left_out += u64::from(leads);
        }
    }

    async fn write(&mut self, leading: &watch::Receiver<bool>, failed: &mut impl FnMut(String)) {
        while *leading.borrow() {
            let Some((identity, finding)) = self.unsaid.pop_first() else { return };
            self.tokens = (self.tokens + self.since.elapsed().as_secs_f64() * RATE).min(BURST);
            self.since = Instant::now();
            if self.tokens < 1.0 {
                self.left_out += 1;
                continue;
            }
            self.tokens -= 1.0;
            let (event, reference) = (event(&finding), reference(&finding));
            let written = tokio::time::timeout(WRITE, self.recorder.publish(&event, &reference)).await;
            let (why, is_refused) = match written {
                Ok(Ok(())) => {
                    self.failing = false;
                    continue;
                }
                Ok(Err(error)) => {
                    let is_refused = matches!(&error, kube::Error::Api(status) if [400, 404, 409, 422].contains(&status.code));
                    let resource = "events.events.k8s.io";
                    (explain(&error, "create and patch", resource, Some(&finding.namespace)), is_refused)
                }
                Err(_) => (format!("no answer within {} s", WRITE.as_secs()), false),
            };
            if !std::mem::replace(&mut self.failing, true) {
                let Finding { namespace, name, .. } = &finding;
                failed(format!("an Event on Ingress {namespace}/{name} is not written: {why}"));
            }
            if !is_refused {
                self.unsaid.insert(identity, finding);
                return;
            }
        }
    }

    fn report(&mut self, failed: &mut impl FnMut(String)) {
        match std::mem::take(&mut self.left_out) {
            0 => {}
            count => failed(format!("{count} Events are left out, for there are too many at once")),
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
        // Two of one kind are two Events only where they are about different fields.
        field_path: Some(finding.field.clone()).filter(|field| !field.is_empty()),
        ..ObjectReference::default()
    }
}
