//! Who may send requests, by address.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;

/// Ranges of addresses. An IPv4 address that is written as one of IPv6 is the same.
///
/// ```
/// use ingress_core::Networks;
///
/// let networks: Networks = "10.0.0.0/8, 2001:db8::/32, 192.0.2.1".parse()?;
/// assert!(networks.contains([10, 1, 2, 3].into()));
/// assert!(!networks.contains([192, 0, 2, 2].into()));
/// # Ok::<(), ingress_core::NetworksError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Networks(Arc<[IpNet]>);

/// A text that is no list of addresses and ranges.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an IP address nor a range such as 10.0.0.0/8")]
pub struct NetworksError(String);

/// Who may send requests, by the client's address as trusted proxies tell it. A client whose address is not known is in no
/// range.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Access {
    /// Who may; `None` is everybody. 403 for others.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub allow: Option<Networks>,
    /// Who may not, even if `allow` has them; a client whose address is not known may not either. 403.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub deny: Option<Networks>,
    /// Nobody may, since what is said of this cannot be used; 503.
    pub closed: bool,
}

// ===== impl Networks =====

impl Networks {
    /// Whether the address is in one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|range| range.contains(&address))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Addresses and ranges with commas, spaces or line feeds between them. The bits of an address beyond those of its range do
/// not count; an empty text is no range.
impl FromStr for Networks {
    type Err = NetworksError;

    fn from_str(text: &str) -> Result<Self, NetworksError> {
        let is_between = |c: char| c == ',' || c.is_ascii_whitespace();
        let ranges = text.split(is_between).filter(|range| !range.is_empty());
        let range = |text: &str| {
            let address =
                |text: &str| text.parse().ok().map(|address: IpAddr| IpNet::from(address.to_canonical()));
            let range: Option<IpNet> = text.parse().ok().or_else(|| address(text));
            range.map(|range| range.trunc()).ok_or_else(|| NetworksError(text.into()))
        };
        ranges.map(range).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, range) in self.0.iter().enumerate() {
            write!(f, "{}{range}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Networks {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

// ===== impl Access =====

impl Access {
    /// Whether a client with this address may send requests.
    pub fn admits(&self, client: Option<IpAddr>) -> bool {
        let allowed =
            self.allow.as_ref().is_none_or(|allow| client.is_some_and(|client| allow.contains(client)));
        allowed && !self.denies(client)
    }

    /// Whether a client with this address may send no requests, whatever else it proves.
    pub fn denies(&self, client: Option<IpAddr>) -> bool {
        let denied = self.deny.as_ref().is_some_and(|deny| client.is_none_or(|client| deny.contains(client)));
        denied || self.closed
    }

    /// What it says, and what it leaves open as `other` says it. What is closed stays closed.
    pub(super) fn or(&self, other: &Self) -> Self {
        Self {
            allow: self.allow.as_ref().or(other.allow.as_ref()).cloned(),
            deny: self.deny.as_ref().or(other.deny.as_ref()).cloned(),
            closed: self.closed || other.closed,
        }
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_addresses_and_ranges() {
        let table = [
            ("", "10.0.0.1", false),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.9.9.9/8", "10.1.1.1", true),
            ("192.0.2.1, 2001:db8::/32", "2001:db8:7::1", true),
            ("192.0.2.1\n198.51.100.0/24", "198.51.100.200", true),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
        ];
        for (text, address, want) in table {
            let networks: Networks = text.parse().unwrap();
            assert_eq!(networks.contains(address.parse().unwrap()), want, "{address} in {text:?}");
        }
        for text in ["10.0.0.0/33", "localhost", "10.0.0", "10.0.0.0/8/8", "10.0.0.0-10.0.0.9"] {
            assert!(text.parse::<Networks>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn who_may_send_requests() {
        let networks = |text: &str| Some(text.parse().unwrap());
        let (ours, other) = (Some([10, 1, 1, 1].into()), Some([192, 0, 2, 1].into()));
        let table = [
            (None, None, [true, true, true]),
            (networks("10.0.0.0/8"), None, [true, false, false]),
            (networks(""), None, [false, false, false]),
            (None, networks("10.0.0.0/8"), [false, true, false]),
            (networks("0.0.0.0/0"), networks("10.0.0.0/8"), [false, true, false]),
        ];
        for (allow, deny, want) in table {
            let access = Access { allow, deny, closed: false };
            assert_eq!([ours, other, None].map(|client| access.admits(client)), want, "{access:?}");
            assert!(!Access { closed: true, ..access }.admits(ours));
        }
        let open = Access::default();
        assert!(!open.or(&Access { closed: true, ..Access::default() }).admits(ours));
    }
}
