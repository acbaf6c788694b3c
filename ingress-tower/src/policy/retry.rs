//! `retries`: another endpoint where one failed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::UPGRADE;
use http::request::Parts;
use http::{Request, StatusCode};
use http_body::Body as _;
use ingress_core::{Backend, BackendRef, Endpoint, Retries};
use tower::retry::budget::{Budget, TpsBudget};

use crate::error::Kind;
use crate::{Body, Error};

/// Of the requests of this time a backend's retries may be so many, lest they finish off what is failing; this many a
/// second are free.
const BUDGET_TIME: Duration = Duration::from_secs(10);
const BUDGET_SHARE: f32 = 0.2;
const BUDGET_FREE: u32 = 10;
/// Budgets of so many backends are kept.
const MAX_BUDGETS: usize = 4096;

/// The budget of each backend that was asked for with retries.
#[derive(Debug, Default)]
pub(crate) struct Budgets(Mutex<HashMap<BackendRef, Arc<TpsBudget>>>);

/// What is left of a request's retries.
pub(crate) struct Retry<'p> {
    retries: &'p Retries,
    left: u32,
    budget: Arc<TpsBudget>,
    /// The request, which has no body.
    parts: Parts,
}

impl Budgets {
    fn of(&self, backend: &BackendRef) -> Arc<TpsBudget> {
        let mut budgets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(budget) = budgets.get(backend) {
            return budget.clone();
        }
        if budgets.len() >= MAX_BUDGETS {
            budgets.clear();
        }
        let budget = Arc::new(TpsBudget::new(BUDGET_TIME, BUDGET_FREE, BUDGET_SHARE));
        budgets.insert(backend.clone(), budget.clone());
        budget
    }
}

impl<'p> Retry<'p> {
    /// Nothing for a request that must not or cannot be sent twice.
    pub(super) fn new(
        retries: &'p Retries,
        request: &Request<Body>,
        budgets: &Budgets,
        backend: &Backend,
    ) -> Option<Self> {
        let may = request.method().is_idempotent() || retries.non_idempotent;
        let leaves_http = request.headers().contains_key(UPGRADE);
        if retries.attempts == 0 || !may || leaves_http || !request.body().is_end_stream() {
            return None;
        }
        let budget = budgets.of(backend.reference());
        budget.deposit();
        let mut parts = Request::new(()).into_parts().0;
        parts.method = request.method().clone();
        parts.headers = request.headers().clone();
        parts.extensions = request.extensions().clone();
        Some(Self { retries, left: retries.attempts, budget, parts })
    }

    /// The request once more, and to whom it goes, if this answer is not good enough.
    pub(crate) fn after_status<'e>(
        &mut self,
        status: StatusCode,
        other: impl FnOnce() -> Option<&'e Endpoint>,
    ) -> Option<(Request<Body>, &'e Endpoint)> {
        self.again(self.retries.is_for_status(status.as_u16()), other)
    }

    /// The same after an endpoint that did not answer.
    pub(crate) fn after_error<'e>(
        &mut self,
        error: &Error,
        other: impl FnOnce() -> Option<&'e Endpoint>,
    ) -> Option<(Request<Body>, &'e Endpoint)> {
        let wanted = match error.kind() {
            Kind::Upstream => self.retries.reset,
            Kind::Timeout => self.retries.timeout,
            _ => false,
        };
        self.again(wanted, other)
    }

    fn again<'e>(
        &mut self,
        wanted: bool,
        other: impl FnOnce() -> Option<&'e Endpoint>,
    ) -> Option<(Request<Body>, &'e Endpoint)> {
        if !wanted || self.left == 0 {
            return None;
        }
        let endpoint = other()?;
        self.budget.withdraw().then(|| {
            self.left -= 1;
            (Request::from_parts(self.parts.clone(), Body::empty()), endpoint)
        })
    }
}
