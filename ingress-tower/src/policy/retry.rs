//! `retries`: another endpoint where one failed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::UPGRADE;
use http::request::Parts;
use http::{Request, StatusCode};
use http_body::Body as _;
use ingress_core::{Backend, BackendRef, Policy, Retries};
use tower::retry::budget::{Budget, TpsBudget};

use crate::error::Kind;
use crate::{Body, Error};

/// Of the requests of this time a backend's retries may be so many, lest they finish off what is failing; this many a
/// second are free.
const BUDGET_TIME: Duration = Duration::from_secs(10);
const BUDGET_PERCENT: u8 = 20;
const BUDGET_FREE: u32 = 10;
/// Budgets of so many backends are kept.
const MAX_BUDGETS: usize = 4096;

/// The budget of each backend that was asked for with retries.
#[derive(Debug, Default)]
pub(crate) struct Budgets(Mutex<HashMap<(BackendRef, u8), Arc<TpsBudget>>>);

/// What is left of a request's retries.
pub(crate) struct Retry<'p> {
    retries: &'p Retries,
    left: u32,
    budget: Arc<TpsBudget>,
    /// The request, which has no body.
    parts: Parts,
}

impl Budgets {
    /// Of each percentage that routes say there is another one.
    fn of(&self, backend: &BackendRef, percent: u8) -> Arc<TpsBudget> {
        let mut budgets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (backend.clone(), percent);
        if let Some(budget) = budgets.get(&key) {
            return budget.clone();
        }
        if budgets.len() >= MAX_BUDGETS {
            budgets.clear();
        }
        let budget = Arc::new(TpsBudget::new(BUDGET_TIME, BUDGET_FREE, f32::from(percent) / 100.0));
        budgets.insert(key, budget.clone());
        budget
    }
}

impl<'p> Retry<'p> {
    /// Nothing for a request that must not or cannot be sent twice.
    pub(super) fn new(
        policy: &'p Policy,
        request: &Request<Body>,
        budgets: &Budgets,
        backend: &Backend,
    ) -> Option<Self> {
        let retries = policy.retries.as_ref()?;
        let may = request.method().is_idempotent() || retries.non_idempotent;
        let leaves_http = request.headers().contains_key(UPGRADE);
        if retries.attempts == 0 || !may || leaves_http || !request.body().is_end_stream() {
            return None;
        }
        let percent = policy.limits.retry_budget.unwrap_or(BUDGET_PERCENT).min(100);
        let budget = budgets.of(backend.reference(), percent);
        budget.deposit();
        let mut parts = Request::new(()).into_parts().0;
        parts.method = request.method().clone();
        parts.headers = request.headers().clone();
        parts.extensions = request.extensions().clone();
        Some(Self { retries, left: retries.attempts, budget, parts })
    }

    /// The request once more, and to whom it goes, if this answer is not good enough.
    pub(crate) fn after_status(
        &mut self,
        status: StatusCode,
        other: impl FnOnce() -> Option<usize>,
    ) -> Option<(Request<Body>, usize)> {
        self.again(self.retries.is_for_status(status.as_u16()), other)
    }

    /// The same after an endpoint that did not answer.
    pub(crate) fn after_error(
        &mut self,
        error: &Error,
        other: impl FnOnce() -> Option<usize>,
    ) -> Option<(Request<Body>, usize)> {
        let wanted = match error.kind() {
            Kind::Upstream => self.retries.reset,
            Kind::Timeout => self.retries.timeout,
            _ => false,
        };
        self.again(wanted, other)
    }

    fn again(
        &mut self,
        wanted: bool,
        other: impl FnOnce() -> Option<usize>,
    ) -> Option<(Request<Body>, usize)> {
        if !wanted || self.left == 0 {
            return None;
        }
        if !self.budget.withdraw() {
            return None;
        }
        let place = other()?;
        self.left -= 1;
        Some((Request::from_parts(self.parts.clone(), Body::empty()), place))
    }
}
