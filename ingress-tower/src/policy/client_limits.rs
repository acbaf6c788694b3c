//! `client_limits`: how much each client may ask for.

use http::Response;

use super::{Facts, Treated};
use crate::{Body, Error};

/// What a request that was let in holds until its answer is sent, and what the answer tells of it.
#[derive(Default)]
pub(super) struct Pass {}

/// Lets a request in, or refuses it.
pub(super) fn admit(_treated: &Treated, _facts: &Facts<'_>) -> Result<Pass, Error> {
    Ok(Pass::default())
}

impl Pass {
    /// Tells the client, and is held until the body of the answer is sent.
    pub(super) fn write(self, answer: Response<Body>) -> Response<Body> {
        answer
    }
}
