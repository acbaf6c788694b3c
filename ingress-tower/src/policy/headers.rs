//! `headers`: fields that are set, added or taken out.

use http::HeaderMap;
use ingress_core::Policy;

use super::Facts;

/// What is done to the fields of one message.
pub(super) struct Edits;

/// What is done to the answer of a request.
pub(super) fn of_answer(_policy: &Policy, _facts: &Facts<'_>) -> Option<Edits> {
    None
}

/// What is done to a request on its way to an endpoint.
pub(super) fn of_request(_policy: &Policy, _facts: &Facts<'_>) -> Option<Edits> {
    None
}

impl Edits {
    pub(super) fn apply(self, _headers: &mut HeaderMap) {}
}
