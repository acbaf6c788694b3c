//! `access`: who may send requests.

use std::net::IpAddr;

use ingress_core::Access;

use crate::Error;
use crate::error::Kind;

/// Refuses a client that may not send requests.
pub(super) fn check(access: &Access, client: impl FnOnce() -> Option<IpAddr>) -> Result<(), Error> {
    match access {
        Access { closed: true, .. } => Err(Error::new(Kind::Closed)),
        Access { allow: None, deny: None, .. } => Ok(()),
        access if access.admits(client()) => Ok(()),
        _ => Err(Error::new(Kind::Forbidden)),
    }
}
