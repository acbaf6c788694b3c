//! `client_limits`: how much each client may ask for.
//!
//! What is left of a client's rate is told in `RateLimit-Policy` and `RateLimit`, as
//! draft-ietf-httpapi-ratelimit-headers-10 has them: `q` requests in `w` seconds are the burst and the time in which it may
//! come again, `r` is how many may come at once now, and `t` after how many seconds all of the burst may, or the next one
//! where none may.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use http::header::{HeaderName, HeaderValue, RETRY_AFTER, UPGRADE};
use http::{HeaderMap, Request, Response};
use ingress_core::{ClientKey, ClientLimits, Networks, Policy};

use super::open::{Open, Permit};
use super::rated::{self, Rated, Rates};
use super::{Facts, Treated};
use crate::error::Kind;
use crate::layer::State;
use crate::registry::Registry;
use crate::spread::cookies;
use crate::{Body, Error};

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Whose limits they are, and what clients are told apart by.
pub(super) type Owner = (Option<Box<str>>, ClientKey);

/// What is counted, whatever thread serves a request and however often tables change.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    rates: Rates,
    open: Registry<Owner, Open>,
}

/// What is made of the limits once.
#[derive(Debug)]
pub(super) struct Limits {
    rate: Option<Rated>,
    open: Option<(u32, Arc<Open>)>,
    key: ClientKey,
    exempt: Option<Networks>,
}

/// What a request that was let in holds until its answer is sent, and what the answer tells of it.
#[derive(Default)]
pub(super) struct Pass {
    told: Option<Told>,
    permit: Option<Permit>,
}

/// What is left of a rate, as fields.
pub(super) struct Told {
    pub(super) policy: HeaderValue,
    pub(super) state: HeaderValue,
}

/// Who a client is.
pub(super) enum Client<'r> {
    Unknown,
    Address(IpAddr),
    /// What it says in the header or the cookie that counts.
    Word(&'r [u8]),
}

/// Lets a request in, or refuses it.
pub(super) fn admit(treated: &Treated, facts: &Facts<'_>) -> Result<Pass, Error> {
    let Some(limits) = &treated.prepared.client_limits else { return Ok(Pass::default()) };
    if rated::CLOSED && limits.rate.is_some() {
        return Err(Error::new(Kind::Closed));
    }
    if facts.client.is_some_and(|client| limits.exempts(client)) {
        return Ok(Pass::default());
    }
    let client = Client::of(&limits.key, facts.request.headers(), facts.client);
    let told = match &limits.rate {
        Some(rate) => Some(rate.count(&client)?),
        None => None,
    };
    let mut pass = Pass { told, permit: None };
    if let Some((max, open)) = &limits.open {
        pass.permit = open.enter(&client, *max);
        if pass.permit.is_none() {
            // Nobody knows when one of them ends.
            let error = Error::new(Kind::TooManyRequests).with_field(RETRY_AFTER, HeaderValue::from(1));
            return Err(match pass.told {
                Some(told) => told.tell(error),
                None => error,
            });
        }
    }
    Ok(pass)
}

// ===== impl Limits =====

impl Limits {
    /// Nothing where nothing is counted.
    pub(super) fn new(policy: &Policy, state: &State) -> Option<Self> {
        let ClientLimits { name, rate, burst, concurrency, key, exempt, .. } = &policy.client_limits;
        let key = key.clone().unwrap_or(ClientKey::SourceAddress);
        let owner = || (name.clone(), key.clone());
        let rate = rate.and_then(|rate| rate.rate());
        let rate = rate.map(|rate| {
            let burst = burst.unwrap_or_else(|| rate.default_burst());
            state.counts.rates.get(owner(), rate, burst)
        });
        let open = concurrency.filter(|max| *max > 0);
        let open = open.map(|max| (max, state.counts.open.get(owner(), Open::default, Open::is_idle)));
        let exempt = exempt.clone();
        (rate.is_some() || open.is_some()).then_some(Self { rate, open, key, exempt })
    }

    fn exempts(&self, client: IpAddr) -> bool {
        self.exempt.as_ref().is_some_and(|exempt| exempt.contains(client))
    }
}

// ===== impl Pass =====

impl Pass {
    /// Has a tunnel, if one comes of the request, held by it, too.
    pub(super) fn attend(&self, request: &mut Request<Body>) {
        if let Some(permit) = self.permit.as_ref().filter(|_| request.headers().contains_key(UPGRADE)) {
            request.extensions_mut().insert(permit.clone());
        }
    }

    /// Tells the client, and is held until the body of the answer is sent.
    pub(super) fn write(self, mut answer: Response<Body>) -> Response<Body> {
        if let Some(Told { policy, state }) = self.told {
            // Endpoints may have limits of their own, which stand beside.
            answer.headers_mut().append(RATELIMIT_POLICY, policy);
            answer.headers_mut().append(RATELIMIT, state);
        }
        match self.permit {
            Some(permit) => answer.map(|body| body.with_permit(permit)),
            None => answer,
        }
    }
}

impl Told {
    pub(super) fn tell(&self, error: Error) -> Error {
        let Self { policy, state } = self;
        error.with_field(RATELIMIT_POLICY, policy.clone()).with_field(RATELIMIT, state.clone())
    }
}

// ===== impl Client =====

impl<'r> Client<'r> {
    fn of(key: &ClientKey, headers: &'r HeaderMap, address: Option<IpAddr>) -> Self {
        let word = match key {
            ClientKey::Header(name) => headers.get(&**name).map(HeaderValue::as_bytes),
            ClientKey::Cookie(name) => cookies(headers, name).next(),
            _ => None,
        };
        match (word.filter(|word| !word.is_empty()), address) {
            (Some(word), _) => Self::Word(word),
            (None, Some(address)) => Self::Address(address),
            (None, None) => Self::Unknown,
        }
    }
}

impl Hash for Client<'_> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match self {
            Self::Unknown => 0_u8.hash(hasher),
            Self::Address(address) => match address.to_canonical() {
                IpAddr::V4(address) => (4_u8, address.to_bits()).hash(hasher),
                IpAddr::V6(address) => (6_u8, (address.to_bits() >> 64) as u64).hash(hasher),
            },
            Self::Word(word) => (1_u8, word).hash(hasher),
        }
    }
}
