//! `client_limits.rate`: how many requests a client may send.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderValue, RETRY_AFTER};
use ingress_core::Rate;

use super::client_limits::{Client, Owner, Told};
use crate::error::Kind;
use crate::rate_limiter::{RateLimiter, Room};
use crate::registry::Registry;
use crate::{Allowed, Error, Refused};

/// Whether rates close their routes.
pub(super) const CLOSED: bool = false;

/// The limiters of all rates.
#[derive(Debug, Default)]
pub(super) struct Rates {
    limiters: Registry<(Owner, Rate, NonZeroU32), RateLimiter>,
    room: Arc<Room>,
}

/// A rate, and its limiter.
#[derive(Debug)]
pub(super) struct Rated {
    limiter: Arc<RateLimiter>,
    /// The rate as a field.
    policy: HeaderValue,
}

impl Rates {
    pub(super) fn get(&self, owner: Owner, rate: Rate, burst: NonZeroU32) -> Rated {
        let make = || RateLimiter::with_room(rate, burst, self.room.clone());
        let limiter = self.limiters.get((owner, rate, burst), make, RateLimiter::is_idle);
        let (burst, window) = (limiter.burst(), seconds(limiter.window()));
        Rated { limiter, policy: field(format!(r#""gateway";q={burst};w={window}"#)) }
    }
}

impl Rated {
    /// Counts a request of a client, or refuses it.
    pub(super) fn count(&self, client: &Client<'_>) -> Result<Told, Error> {
        let (remaining, after) = match self.limiter.check(client) {
            Ok(Allowed { remaining, whole_after, .. }) => (Some(remaining), seconds(whole_after)),
            Err(Refused { retry_after, .. }) => (None, seconds(retry_after).max(1)),
        };
        let state = field(format!(r#""gateway";r={};t={after}"#, remaining.unwrap_or(0)));
        let told = Told { policy: self.policy.clone(), state };
        match remaining {
            Some(_) => Ok(told),
            None => {
                let error = Error::new(Kind::RateLimited).with_field(RETRY_AFTER, HeaderValue::from(after));
                Err(told.tell(error))
            }
        }
    }
}

/// Whole seconds, and never too few.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// A value of our own, which is plain text.
fn field(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
