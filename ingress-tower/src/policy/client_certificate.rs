//! `authentication.certificate`: certificates of clients.

use http::Request;
use ingress_core::ClientCertificate;

use super::authentication::Verdict;
use crate::error::Kind;
use crate::{Body, Error};

/// Whether the client has the certificate that it needs.
pub(super) fn check(_needed: &ClientCertificate, _request: &mut Request<Body>) -> Verdict {
    Verdict::Refused(Error::new(Kind::Closed))
}
