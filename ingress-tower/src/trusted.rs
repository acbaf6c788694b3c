//! Whose word about a client counts.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;

/// The proxies in front of this server that say in `X-Forwarded-For` and the like who their clients are: their
/// addresses, and ranges of them. Nobody by default.
///
/// ```
/// use ingress_tower::TrustedProxies;
///
/// let proxies: TrustedProxies = "10.0.0.0/8, 2001:db8::/32, 192.0.2.1".parse()?;
/// assert!(proxies.trusts([10, 1, 2, 3].into()));
/// assert!(!proxies.trusts([192, 0, 2, 2].into()));
/// # Ok::<(), ingress_tower::TrustedProxiesError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Arc<[IpNet]>);

/// A text that is no list of addresses and ranges.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an IP address nor a range such as 10.0.0.0/8")]
pub struct TrustedProxiesError(String);

impl TrustedProxies {
    /// Whether this is the address of a trusted proxy. An IPv4 address that is written as one of IPv6 is the same.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|range| range.contains(&address))
    }
}

/// Addresses and ranges with commas between them. The bits of an address beyond those of its range do not count; an
/// empty text is nobody.
impl FromStr for TrustedProxies {
    type Err = TrustedProxiesError;

    fn from_str(text: &str) -> Result<Self, TrustedProxiesError> {
        let ranges = text.split(',').map(str::trim).filter(|range| !range.is_empty());
        let range = |text: &str| {
            let address =
                |text: &str| text.parse().ok().map(|address: IpAddr| IpNet::from(address.to_canonical()));
            let range: Option<IpNet> = text.parse().ok().or_else(|| address(text));
            range.map(|range| range.trunc()).ok_or_else(|| TrustedProxiesError(text.into()))
        };
        ranges.map(range).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_addresses_and_ranges() {
        let table = [
            ("", "10.0.0.1", false),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.9.9.9/8", "10.0.0.2", true),
            (" 192.0.2.0/24 , fd00::/8,", "fd12::1", true),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
        ];
        for (list, address, want) in table {
            let list: TrustedProxies = list.parse().unwrap();
            assert_eq!(list.trusts(address.parse().unwrap()), want, "{list:?} {address}");
        }
        for wrong in ["10.0.0.0/33", "proxy.example", "10.0.0", "10.0.0.1-10.0.0.9"] {
            assert_eq!(wrong.parse::<TrustedProxies>(), Err(TrustedProxiesError(wrong.into())));
        }
    }
}
