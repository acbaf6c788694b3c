//! A canary: which of the backends that share a route's requests it is, and which requests are for it.

use std::sync::Arc;

use http::request::Parts;
use ingress_core::{Backend, Policy, RouteMatch};

use super::key::cookies;
use crate::ResourceRegistry;

/// The canary of a route, and the backend beside it.
#[derive(Clone, Copy)]
pub(super) struct Canary<'t> {
    policy: &'t ingress_core::Canary,
    own: &'t Arc<Backend>,
    other: &'t Arc<Backend>,
    /// Whether the canary can answer at all.
    answers: bool,
}

impl<'t> Canary<'t> {
    /// That of a route, if its policy names one of its backends.
    pub(super) fn of(found: &RouteMatch<'t>, resources: &ResourceRegistry) -> Option<Self> {
        let policy = found.route.policy().and_then(|policy: &Arc<Policy>| policy.canary.as_ref())?;
        let (own, _) = found.backends().find(|(backend, _)| policy.is(backend.reference()))?;
        let others = found.backends().filter(|(backend, _)| !Arc::ptr_eq(backend, own));
        // The first of those with the greatest weight.
        let other = others.reduce(|best, other| if other.1 > best.1 { other } else { best });
        let (other, _) = other?;
        let mut endpoints = own.endpoints().as_slice().iter().chain(own.endpoints().elsewhere());
        let answers =
            endpoints.any(|endpoint| endpoint.weight() > 0) || resources.get(own.reference()).is_some();
        Some(Self { policy, own, other, answers })
    }

    /// The backend that a request asks for itself.
    pub(super) fn asked(self, parts: &Parts) -> Option<&'t Arc<Backend>> {
        let is_asked = self.policy.decide(
            |name| parts.headers.get(name).map(|value| value.as_bytes()),
            |name| cookies(&parts.headers, name).next(),
        )?;
        Some(if is_asked { self.unless_deserted(self.own) } else { self.other })
    }

    /// Of the backends that a client has met, the canary last: who only once asked for it goes back to the other.
    pub(super) fn home(self, homes: &mut dyn Iterator<Item = &'t Arc<Backend>>) -> Option<&'t Arc<Backend>> {
        let first = homes.next()?;
        if Arc::ptr_eq(first, self.own) { homes.next().or(Some(first)) } else { Some(first) }
    }

    /// The backend, unless it is a canary that cannot answer.
    pub(super) fn unless_deserted(self, backend: &'t Arc<Backend>) -> &'t Arc<Backend> {
        match self.answers || !Arc::ptr_eq(backend, self.own) {
            true => backend,
            false => self.other,
        }
    }
}
