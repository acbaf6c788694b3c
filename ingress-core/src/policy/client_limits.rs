//! How much each client may ask for.

use std::num::{NonZeroU32, NonZeroU64};

use super::Networks;
use super::rate::RateLimit;

/// How much each client may ask for. What is `None` has no limit.
///
/// What of it an object says is taken over one by one: a burst that a gateway says holds for the rate that a rule says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClientLimits {
    /// Whose limits these are, such as the namespace and the name of an Ingress. Requests are counted together where the
    /// limits have one name and are equal, and apart where they have not; `None` is a name like any other.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub name: Option<Box<str>>,
    /// How many requests a client may send; 429 beyond (RFC 6585 section 4). Those that are refused do not count.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub rate: Option<RateLimit>,
    /// How many of them may come at once; at most a million. `None` is what a second has of the rate, at least one
    /// ([`Rate::default_burst`](crate::Rate::default_burst)).
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub burst: Option<NonZeroU32>,
    /// How many requests of a client may be open at a time, from their heads to the last byte of their answers, and tunnels
    /// until they end; 429 beyond. 0 is any number.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub concurrency: Option<u32>,
    /// What clients are told apart by, for the rate and for the requests that are open; `None` is
    /// [`ClientKey::SourceAddress`].
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub key: Option<ClientKey>,
    /// Clients that have neither a rate nor a number of open requests, by their address as trusted proxies tell it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub exempt: Option<Networks>,
    /// How many bytes of an answer's body are sent a second, each answer by itself and whoever made it; [`NonZeroU64::MAX`] is any number. No
    /// tunnel has this limit.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub bandwidth: Option<NonZeroU64>,
    /// How many bytes of a body are sent before that counts; `None` is none.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub bandwidth_after: Option<u64>,
}

/// What clients are told apart by. Who has no such header or cookie is told apart by the address.
///
/// A header and a cookie are what the client writes: whoever makes up a new value each time has no limit. They are for what
/// somebody has checked, or for clients that behind one address have a name each.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ClientKey {
    /// The client's address, as trusted proxies tell it; of an IPv6 address the first 64 bits, since one subscriber has all
    /// addresses of such a range. All clients whose address is not known are one.
    SourceAddress,
    /// The first value of the header field with this name, in lower case.
    Header(Box<str>),
    /// The first value of a cookie.
    Cookie(Box<str>),
}

impl ClientLimits {
    /// What it says, and what it leaves open as `other` says it.
    pub(super) fn or(&self, other: &Self) -> Self {
        Self {
            name: self.name.as_ref().or(other.name.as_ref()).cloned(),
            rate: self.rate.or(other.rate),
            burst: self.burst.or(other.burst),
            concurrency: self.concurrency.or(other.concurrency),
            key: self.key.as_ref().or(other.key.as_ref()).cloned(),
            exempt: self.exempt.as_ref().or(other.exempt.as_ref()).cloned(),
            bandwidth: self.bandwidth.or(other.bandwidth),
            bandwidth_after: self.bandwidth_after.or(other.bandwidth_after),
        }
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether requests may be refused for being too many: there is a rate, or a number of open requests.
    pub fn limits_requests(&self) -> bool {
        self.rate.is_some_and(|rate| rate.rate().is_some()) || self.concurrency.is_some_and(|max| max > 0)
    }

    /// Whether anything is counted that a name is for.
    pub fn counts(&self) -> bool {
        let Self { rate, burst, concurrency, key, exempt, .. } = self;
        rate.is_some() || burst.is_some() || concurrency.is_some() || key.is_some() || exempt.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_rate_and_a_number_refuse_requests() {
        for (rate, concurrency, want) in [
            (None, None, false),
            (Some(RateLimit::Unlimited), Some(0), false),
            ("1/h".parse().ok(), None, true),
            (None, Some(1), true),
        ] {
            let mut limits = ClientLimits::default();
            (limits.rate, limits.concurrency) = (rate, concurrency);
            (limits.bandwidth, limits.exempt) = (NonZeroU64::new(1), "10.0.0.0/8".parse().ok());
            assert_eq!(limits.limits_requests(), want);
        }
    }

    #[test]
    fn each_limit_is_taken_over_by_itself() {
        let mut own = ClientLimits::default();
        assert!(own.is_default() && !own.counts());
        own.bandwidth = NonZeroU64::new(1000);
        assert!(!own.is_default() && !own.counts());
        own.rate = Some("10/s".parse().unwrap());
        own.name = Some("default/web".into());
        let mut other = ClientLimits::default();
        (other.rate, other.burst) = (Some("1/h".parse().unwrap()), NonZeroU32::new(7));
        (other.concurrency, other.key) = (Some(3), Some(ClientKey::Header("x-key".into())));
        (other.name, other.bandwidth_after) = (Some("gateway".into()), Some(5));
        other.exempt = Some("10.0.0.0/8".parse().unwrap());
        assert!(other.counts());
        let both = own.or(&other);
        let want = ClientLimits {
            rate: own.rate,
            name: own.name.clone(),
            bandwidth: own.bandwidth,
            ..other.clone()
        };
        assert_eq!(both, want);
        assert_eq!(ClientLimits::default().or(&other), other);
    }
}
