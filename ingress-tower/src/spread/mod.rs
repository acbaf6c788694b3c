//! Which backend and endpoint a request goes to, and that it is counted there.

mod affinity;
mod canary;
mod choose;
mod chosen;
mod flight;
mod key;
mod queue;

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use ingress_core::{Algorithm, Backend, EndpointIdKey, Policy, RequestHost, RequestPath, RouteMatch, Turn};

use crate::ResourceRegistry;
use crate::layer::State;
use crate::policy::{self, Treated};
use crate::proxy::tickets;

pub(crate) use affinity::Session;
use canary::Canary;
pub(crate) use choose::Chooser;
pub use chosen::Chosen;
pub(crate) use chosen::Recording;
pub(crate) use flight::Flight;
pub(crate) use key::cookies;
#[cfg(feature = "tls")]
pub(crate) use key::of_connection;
pub(crate) use queue::Queues;

/// What of a request endpoints may be chosen by.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'r> {
    pub(crate) parts: &'r Parts,
    pub(crate) host: &'r RequestHost<'r>,
    pub(crate) path: &'r RequestPath<'r>,
    /// As trusted proxies tell it.
    pub(crate) client: Option<IpAddr>,
}

/// Where a request goes.
pub(crate) struct Spread<'t> {
    pub(crate) backend: &'t Arc<Backend>,
    /// Whether it is one of several none of which has any weight: then nobody answers.
    pub(crate) is_idle: bool,
    pub(crate) policy: Option<Arc<Treated>>,
    /// What endpoints are told apart by.
    pub(crate) key: Option<u64>,
    /// Whose client it is, where clients stay with an endpoint.
    pub(crate) session: Option<Session>,
}

impl<'t> Spread<'t> {
    /// The backend of a route that a request goes to: which it asks for where there is a canary, where the client has been
    /// before, or whose turn it is. Where several share the requests and none of them has any weight, it is one that is not to be
    /// asked; nothing where there is none at all.
    pub(crate) fn new(
        found: &RouteMatch<'t>,
        (own, state): (Option<&Arc<Policy>>, &Arc<State>),
        resources: &ResourceRegistry,
        ids: &EndpointIdKey,
        asked: impl FnOnce() -> Asked<'t>,
    ) -> Option<Self> {
        let route = found.route.policy();
        let of = |backend: &Backend| policy::of(state, [route, backend.policy(), own]);
        let is_plain = route.is_none() && own.is_none();
        if is_plain && found.backends().all(|(backend, _)| backend.policy().is_none()) {
            return match found.backend(|split| Turn::Ticket(tickets::next(split))) {
                Some(backend) => {
                    Some(Self { backend, is_idle: false, policy: None, key: None, session: None })
                }
                None => Self::idle(found, None),
            };
        }
        let asked = asked();
        let session = |backend: &Backend| Session::of(backend, &*of(backend)?, ids, asked.parts);
        let known = |backend: &&Arc<Backend>| session(backend).is_some_and(|session| session.is_known());
        let shares = found.backends().filter(|(_, weight)| *weight > 0).map(|(backend, _)| backend);
        let turn = |split| turn(policy::of(state, [route, None, own]).as_deref(), split, asked);
        let canary = Canary::of(found, resources);
        let backend = match canary.and_then(|canary| canary.asked(asked.parts)) {
            Some(backend) => backend,
            None => {
                let mut homes = shares.filter(known);
                let home = match canary {
                    Some(canary) => canary.home(&mut homes),
                    None => homes.next(),
                };
                let Some(backend) = home.or_else(|| found.backend(turn)) else {
                    return Self::idle(found, policy::of(state, [route, None, own]));
                };
                canary.map_or(backend, |canary| canary.unless_deserted(backend))
            }
        };
        let policy = of(backend);
        let key = policy.as_ref().and_then(|policy| key::of(policy, asked));
        Some(Self { backend, is_idle: false, policy, key, session: session(backend) })
    }

    /// What is said of backends that are not asked does not count.
    fn idle(found: &RouteMatch<'t>, policy: Option<Arc<Treated>>) -> Option<Self> {
        let (backend, _) = found.backends().next()?;
        Some(Self { backend, is_idle: true, policy, key: None, session: None })
    }
}

/// By what one of several backends is chosen.
fn turn(policy: Option<&Treated>, split: u32, asked: Asked<'_>) -> Turn {
    let key = policy.filter(|policy| policy.key().is_some()).and_then(|policy| key::of(policy, asked));
    match key {
        Some(key) => Turn::Key(key),
        None if policy.is_some_and(|policy| *policy.algorithm() == Algorithm::Random) => {
            Turn::Random(fastrand::u64(..))
        }
        None => Turn::Ticket(tickets::next(split)),
    }
}
