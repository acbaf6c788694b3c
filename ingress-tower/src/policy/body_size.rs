//! `max_body_size`: how much a client may send.

use http::Request;
use http_body::Body as _;
use http_body_util::Limited;

use crate::error::Kind;
use crate::{Body, Error};

/// Refuses a request whose body is known to be larger, and breaks any other off where it becomes so.
pub(crate) fn limit(max: u64, request: &mut Request<Body>) -> Result<(), Error> {
    let size = request.body().size_hint();
    if size.lower() > max {
        return Err(Error::new(Kind::LargeBody));
    }
    if size.upper().is_none_or(|most| most > max) {
        let body = std::mem::take(request.body_mut());
        *request.body_mut() = Body::new(Limited::new(body, usize::try_from(max).unwrap_or(usize::MAX)));
    }
    Ok(())
}
