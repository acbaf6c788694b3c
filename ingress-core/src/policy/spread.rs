//! Which endpoint of a backend a request goes to: by what it is chosen, and to whom clients stay loyal.

use std::time::Duration;

use super::Policy;
use crate::Algorithm;

/// The part of a request that consistent hashing goes by. Requests with the same value go to the same endpoint; one
/// without a value goes to any.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum HashKey {
    /// The client's address, as a trusted proxy tells it.
    SourceAddress,
    /// The host that is asked for.
    Host,
    /// The path, without the query.
    Path,
    /// The first value of the header field with this name, in lower case.
    Header(Box<str>),
    /// The value of a cookie.
    Cookie(Box<str>),
    /// The first value of a query parameter, as it is written.
    Query(Box<str>),
}

/// How clients stay with the endpoint that they met first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Affinity {
    /// They do not.
    None,
    /// By a cookie of the gateway's own, which names the endpoint without telling its address. It outlives any change of
    /// the other endpoints, and is followed as long as its endpoint still serves, even where that is terminating.
    Cookie(AffinityCookie),
    /// By a part of the request, so that nothing is stored; a changed set of endpoints moves a share of the clients.
    Key(HashKey),
}

/// The cookie that names an endpoint (RFC 6265).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AffinityCookie {
    /// Its name; a token.
    pub name: Box<str>,
    /// Whether `-` and eight hexadecimal digits of the backend's own are added to the name, so that a client may have an
    /// endpoint of each of several backends of a host.
    pub of_backend: bool,
    /// What stands behind its value in `Set-Cookie`, such as `; Path=/; HttpOnly; SameSite=Lax`. `Secure` is added to
    /// answers over TLS.
    pub attributes: Box<str>,
    /// Whether the client is given another endpoint for good where its own is ejected, unhealthy or cannot be reached.
    /// Otherwise others answer until it is back.
    pub moves_on_failure: bool,
}

/// For how long a new endpoint gets less than its share of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SlowStart {
    /// From its first chance to its full share, which grows evenly in between; zero, or `None`, is at once.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub window: Option<Duration>,
    /// The percentage of its share that it begins with; `None` is 10.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub minimum: Option<u8>,
}

// ===== impl Policy =====

impl Policy {
    /// How endpoints are chosen: as [`Policy::load_balance`] says, but by a key where an affinity goes by one.
    #[inline]
    pub fn algorithm(&self) -> &Algorithm {
        match (&self.load_balance, &self.affinity) {
            (Some(algorithm), Some(Affinity::Key(_))) if !algorithm.is_by_key() => &Algorithm::Maglev,
            (None, Some(Affinity::Key(_))) => &Algorithm::Maglev,
            (Some(algorithm), _) => algorithm,
            (None, _) => &Algorithm::RoundRobin,
        }
    }

    /// What part of a request it is chosen by, if it is by any.
    pub fn key(&self) -> Option<&HashKey> {
        match &self.affinity {
            Some(Affinity::Key(key)) => Some(key),
            _ if self.hash_key.is_some() => self.hash_key.as_ref(),
            _ => self.algorithm().is_by_key().then_some(&HashKey::SourceAddress),
        }
    }
}

// ===== impl AffinityCookie =====

impl AffinityCookie {
    /// A cookie of this name for the whole host, kept until the browser ends and seen by no script.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        let attributes = "; Path=/; HttpOnly; SameSite=Lax".into();
        Self { name: name.into(), of_backend: false, attributes, moves_on_failure: false }
    }
}

// ===== impl SlowStart =====

impl SlowStart {
    /// What it says, and what it leaves open as `other` says it.
    pub(super) fn or(&self, other: &Self) -> Self {
        Self { window: self.window.or(other.window), minimum: self.minimum.or(other.minimum) }
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
