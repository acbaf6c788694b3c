//! `access`: who may send requests.

use std::net::IpAddr;

use ingress_core::Policy;

use crate::Error;
use crate::error::Kind;

/// Refuses a client that may not send requests. Where its address or something that it proves is enough, only those are
/// refused here that may not whatever they prove.
pub(super) fn check(policy: &Policy, client: Option<IpAddr>) -> Result<(), Error> {
    let access = &policy.access;
    if access.closed {
        return Err(Error::new(Kind::Closed));
    }
    let any = policy.authentication.any == Some(true) && policy.authentication.is_needed();
    if access.denies(client) || (!any && !access.admits(client)) {
        return Err(Error::new(Kind::Forbidden));
    }
    Ok(())
}
