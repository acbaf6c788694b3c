//! `error_pages`: what clients see in place of errors.

use http::{Request, Response};

use super::Call;
use crate::Body;

/// What is needed to replace the answer of one request.
pub(super) struct Pages;

/// The pages for the answer of a request, if its policy has any.
pub(super) fn of<C>(_call: &Call<C>, _request: &Request<Body>) -> Option<Pages> {
    None
}

impl Pages {
    /// The answer, or a page in its place.
    pub(super) async fn replace(self, answer: Response<Body>) -> Response<Body> {
        answer
    }
}
