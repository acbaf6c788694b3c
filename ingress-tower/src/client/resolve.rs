//! From an endpoint's name to the addresses that may be dialled.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::uri::Authority;

/// Where to connect to. An address stands for itself; a name is looked up, and stands for those of its
/// addresses that a name may have.
pub(crate) async fn resolve(endpoint: &Authority, local: bool) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = endpoint.as_str().parse() {
        return Ok(vec![address]);
    }
    let found = tokio::net::lookup_host(endpoint.as_str()).await?;
    let allowed: Vec<_> = found.filter(|address| local || !is_local(address.ip())).collect();
    if allowed.is_empty() {
        let text = "the name has only addresses that a name may not have: loopback, link-local or metadata";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(allowed)
}

/// Addresses that lead to the gateway itself, its node or the cloud's instance metadata. Whoever controls a
/// name could otherwise have the gateway ask there for them.
fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_local_v4(ip),
        IpAddr::V6(ip) => match ip.segments() {
            // NAT64 (RFC 6052) and 6to4 (RFC 3056) lead to the IPv4 address inside.
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_local_v4(embedded(high, low)),
            [0x2002, high, low, ..] => is_local_v4(embedded(high, low)),
            _ => {
                ip.is_loopback()
                    || ip.is_unspecified()
                    || ip.is_multicast()
                    || ip.is_unicast_link_local()
                    || METADATA_V6.contains(&ip)
            }
        },
    }
}

fn is_local_v4(ip: Ipv4Addr) -> bool {
    let this_network = ip.octets()[0] == 0;
    this_network
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || METADATA_V4.contains(&ip)
}

/// Instance metadata outside of the link-local range: Alibaba Cloud, and Oracle Cloud's older address.
const METADATA_V4: [Ipv4Addr; 2] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
/// Instance metadata of EC2 and of Google Cloud over IPv6.
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_a_name_may_not_have() {
        let local = [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "100.100.100.200",
            "192.0.0.192",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:7f00:1::1",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd20:ce::254",
        ];
        for ip in local {
            assert!(is_local(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "10.0.0.1",
            "192.168.1.1",
            "93.184.216.34",
            "100.64.0.1",
            "fd00::1",
            "2001:db8::1",
            "64:ff9b::1.2.3.4",
        ] {
            assert!(!is_local(ip.parse().unwrap()), "{ip}");
        }
    }

    #[tokio::test]
    async fn names_of_this_machine_need_leave() {
        let name: Authority = "localhost:80".parse().unwrap();
        assert_eq!(resolve(&name, false).await.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert!(resolve(&name, true).await.unwrap().iter().all(|address| address.ip().is_loopback()));
        let address: Authority = "127.0.0.1:80".parse().unwrap();
        assert_eq!(resolve(&address, false).await.unwrap(), ["127.0.0.1:80".parse().unwrap()]);
    }
}
