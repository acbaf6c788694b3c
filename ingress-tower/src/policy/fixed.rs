//! `maintenance` and `answer`: answers that no endpoint is asked for.

use http::{Request, Response};
use ingress_core::Policy;

use super::Facts;
use crate::{Body, Error};

/// The answer while the service is being worked on.
pub(super) fn maintenance(_policy: &Policy, _facts: &Facts<'_>) -> Result<Option<Response<Body>>, Error> {
    Ok(None)
}

/// The answer that is always the same.
pub(super) fn answer(_policy: &Policy, _request: &Request<Body>) -> Option<Response<Body>> {
    None
}
