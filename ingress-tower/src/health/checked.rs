//! An endpoint that is asked.

use std::sync::Arc;
use std::time::Duration;

use ingress_core::{Backend, Endpoint, HealthCheck, Policy, Vitals};
use tokio::task::{AbortHandle, Id};

use super::ask::Failure;
use super::verdict::Verdict;

const INTERVAL: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(2);
/// Whatever is said, nobody is asked more often.
const MIN_INTERVAL: Duration = Duration::from_millis(10);
/// Longer ones could not be added to every moment.
const MAX_INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// Tells the endpoints that are asked apart; no two ever have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct CheckedId(pub(super) u64);

/// What is asked of whom.
#[derive(Clone, Debug)]
pub(super) struct Question {
    backend: Arc<Backend>,
    place: usize,
    policy: Arc<Policy>,
}

/// An endpoint that is asked, until it is dropped.
#[derive(Debug)]
pub(super) struct Checked {
    question: Question,
    verdict: Verdict,
    running: Option<AbortHandle>,
}

/// What another question means for who was asked before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing: it goes on.
    Nothing,
    /// It is asked something else.
    Check,
    /// It is another endpoint with the same address.
    Endpoint,
}

// ===== impl Question =====

impl Question {
    pub(super) fn new(backend: Arc<Backend>, place: usize, policy: Arc<Policy>) -> Self {
        Self { backend, place, policy }
    }

    pub(super) fn backend(&self) -> &Backend {
        &self.backend
    }

    pub(super) fn endpoint(&self) -> Option<&Endpoint> {
        self.backend.endpoints().get(self.place)
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(super) fn check(&self) -> &HealthCheck {
        &self.policy.health_check
    }

    /// From one question to the next.
    pub(super) fn interval(&self) -> Duration {
        self.check().interval.unwrap_or(INTERVAL).clamp(MIN_INTERVAL, MAX_INTERVAL)
    }

    /// How long an answer may take.
    pub(super) fn timeout(&self) -> Duration {
        self.check().timeout.unwrap_or(TIMEOUT)
    }

    fn vitals(&self) -> Option<&Vitals> {
        self.backend.endpoints().vitals(self.place)
    }
}

// ===== impl Checked =====

impl Checked {
    pub(super) fn new(question: Question) -> Self {
        Self { question, verdict: Verdict::default(), running: None }
    }

    pub(super) fn question(&self) -> &Question {
        &self.question
    }

    /// Asks this from now on, if it is asked of the same endpoint.
    pub(super) fn follow(&mut self, question: Question) -> Change {
        let same = match (self.question.vitals(), question.vitals()) {
            (Some(own), Some(other)) => std::ptr::eq(own, other),
            _ => false,
        };
        if !same {
            return Change::Endpoint;
        }
        let before = std::mem::replace(&mut self.question, question);
        if before.check() == self.question.check() {
            return Change::Nothing;
        }
        self.cancel();
        self.verdict.restart();
        Change::Check
    }

    /// Notes by which task it is asked.
    pub(super) fn begin(&mut self, task: AbortHandle) {
        self.running = Some(task);
    }

    /// Whether this task asks what is to be known.
    pub(super) fn is_asked_by(&self, task: Id) -> bool {
        self.running.as_ref().is_some_and(|running| running.id() == task)
    }

    /// Takes in an answer.
    pub(super) fn note(&mut self, answer: &Result<(), Failure>) {
        self.running = None;
        if !self.verdict.note(answer.is_ok(), self.question.check()) {
            return;
        }
        if let Some(vitals) = self.question.vitals() {
            vitals.set_unhealthy(self.verdict.is_unhealthy());
        }
        #[cfg(feature = "tracing")]
        if let Some(endpoint) = self.question.endpoint() {
            let failure = answer.as_ref().err().map(|failure| failure as _);
            crate::log::health_changed(self.question.backend.reference(), endpoint, failure);
        }
    }

    fn cancel(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
        }
    }
}

/// Of whom nobody asks any more, nothing is held against.
impl Drop for Checked {
    fn drop(&mut self) {
        self.cancel();
        if let Some(vitals) = self.question.vitals() {
            vitals.set_unhealthy(false);
        }
    }
}
