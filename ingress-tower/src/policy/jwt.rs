//! `authentication.jwt`.

use http::Request;
use ingress_core::Jwt;

use super::Call;
use super::authentication::Verdict;
use crate::bounds::{Client, UpstreamBody};
use crate::error::Kind;
use crate::{Body, Error};

/// Whether the request proves what it must.
pub(super) async fn check<C, B>(_needed: &Jwt, _call: &Call<C>, _request: &mut Request<Body>) -> Verdict
where
    C: Client<B>,
    B: UpstreamBody,
{
    Verdict::Refused(Error::new(Kind::Closed))
}
