//! Whose word about a client counts.

use std::net::IpAddr;
use std::str::FromStr;

use ingress_core::{Networks, NetworksError};

/// The proxies in front of this server that say in `X-Forwarded-For` and the like who their clients are: their
/// addresses, and ranges of them. Nobody by default.
///
/// ```
/// use ingress_tower::TrustedProxies;
///
/// let proxies: TrustedProxies = "10.0.0.0/8, 2001:db8::/32, 192.0.2.1".parse()?;
/// assert!(proxies.trusts([10, 1, 2, 3].into()));
/// assert!(!proxies.trusts([192, 0, 2, 2].into()));
/// # Ok::<(), ingress_core::NetworksError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Networks);

impl TrustedProxies {
    /// Whether this is the address of a trusted proxy. An IPv4 address that is written as one of IPv6 is the same.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.contains(address)
    }
}

impl From<Networks> for TrustedProxies {
    fn from(networks: Networks) -> Self {
        Self(networks)
    }
}

/// Addresses and ranges, as those of [`Networks`]; an empty text is nobody.
impl FromStr for TrustedProxies {
    type Err = NetworksError;

    fn from_str(text: &str) -> Result<Self, NetworksError> {
        text.parse().map(Self)
    }
}
