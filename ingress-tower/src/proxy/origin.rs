//! Where a request comes from, in the words of whoever may be believed.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use ingress_core::RequestHost;

use super::headers::{
    X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO, X_REAL_IP, X_REQUEST_ID,
};
use crate::TrustedProxies;

/// How many addresses of `X-Forwarded-For` are looked at. No request comes over so many proxies.
const MAX_PROXIES: usize = 32;
/// The longest id that is kept.
const MAX_ID: usize = 128;

/// What is known of the connection that a request came on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Peer {
    pub(crate) address: Option<IpAddr>,
    pub(crate) tls: bool,
    /// The port that it was made to.
    pub(crate) port: Option<u16>,
}

/// What the endpoint is told.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    forwarded_for: Option<HeaderValue>,
    real_ip: Option<HeaderValue>,
    proto: Option<HeaderValue>,
    host: Option<HeaderValue>,
    port: Option<HeaderValue>,
    id: Option<HeaderValue>,
}

/// Whose word counts, and what else the endpoint is told.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    pub(crate) trusted: TrustedProxies,
    pub(crate) request_ids: bool,
}

impl Default for Origins {
    fn default() -> Self {
        Self { trusted: TrustedProxies::default(), request_ids: true }
    }
}

impl Origins {
    /// The origin of a request with these fields and this host. What the fields say counts only where a trusted proxy
    /// sent them, and never for the route.
    pub(crate) fn of(&self, headers: &HeaderMap, peer: Peer, host: Option<&HeaderValue>) -> Origin {
        let own = Origin {
            forwarded_for: peer.address.map(text),
            proto: Some(HeaderValue::from_static(if peer.tls { "https" } else { "http" })),
            host: host.cloned(),
            port: peer.port.map(HeaderValue::from),
            ..Origin::default()
        };
        let address = peer.address.filter(|&address| self.trusted.trusts(address));
        let mut origin = match address {
            Some(address) => self.told(headers, address, own),
            None => Origin { real_ip: own.forwarded_for.clone(), ..own },
        };
        if self.request_ids && origin.id.is_none() {
            origin.id = Some(new_id());
        }
        origin
    }

    /// What a trusted proxy with this address says, and what it leaves out.
    fn told(&self, headers: &HeaderMap, proxy: IpAddr, own: Origin) -> Origin {
        let proto = one(headers, &X_FORWARDED_PROTO).and_then(scheme);
        let port = one(headers, &X_FORWARDED_PORT)
            .filter(|port| port.to_str().is_ok_and(|port| port.parse::<u16>().is_ok()))
            .cloned();
        // Who ends TLS in front of this server often says no more than that.
        let usual_port = proto.map(|(_, port)| HeaderValue::from(port));
        let host = one(headers, &X_FORWARDED_HOST).filter(|host| is_host(host)).cloned();
        Origin {
            forwarded_for: Some(append(headers, proxy)),
            real_ip: Some(text(self.client(headers, proxy))),
            proto: proto.map(|(scheme, _)| HeaderValue::from_static(scheme)).or(own.proto),
            host: host.or(own.host),
            port: port.or(usual_port).or(own.port),
            id: one(headers, &X_REQUEST_ID).filter(|id| is_id(id)).cloned(),
        }
    }

    /// The nearest address that is no trusted proxy's. Who stands behind an address that cannot be read is not known.
    fn client(&self, headers: &HeaderMap, proxy: IpAddr) -> IpAddr {
        let lines = headers.get_all(&X_FORWARDED_FOR).iter().rev();
        let addresses = lines.flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b','));
        let mut client = proxy;
        for address in addresses.take(MAX_PROXIES).map_while(address) {
            client = address;
            if !self.trusted.trusts(address) {
                break;
            }
        }
        client
    }
}

impl Origin {
    /// Writes the fields, of which none is there.
    pub(super) fn write(self, headers: &mut HeaderMap) {
        let fields = [
            (X_FORWARDED_FOR, self.forwarded_for),
            (X_REAL_IP, self.real_ip),
            (X_FORWARDED_PROTO, self.proto),
            (X_FORWARDED_HOST, self.host),
            (X_FORWARDED_PORT, self.port),
            (X_REQUEST_ID, self.id),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
    }
}

/// The value of a field that stands there once.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// A scheme, and its usual port.
fn scheme(text: &HeaderValue) -> Option<(&'static str, u16)> {
    match text.as_bytes() {
        text if text.eq_ignore_ascii_case(b"https") => Some(("https", 443)),
        text if text.eq_ignore_ascii_case(b"http") => Some(("http", 80)),
        _ => None,
    }
}

fn is_host(text: &HeaderValue) -> bool {
    text.to_str().is_ok_and(|text| !text.is_empty() && RequestHost::parse(text).is_ok())
}

fn is_id(text: &HeaderValue) -> bool {
    let bytes = text.as_bytes();
    !bytes.is_empty() && bytes.len() <= MAX_ID && bytes.iter().all(u8::is_ascii_graphic)
}

/// An address in a list, with a port or without.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse().ok().map(|address: std::net::SocketAddr| address.ip());
    bare.parse().ok().or_else(with_port)
}

/// The list as it came, and who sent it.
fn append(headers: &HeaderMap, proxy: IpAddr) -> HeaderValue {
    let mut list = Vec::new();
    for line in headers.get_all(&X_FORWARDED_FOR) {
        list.extend_from_slice(line.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(proxy.to_canonical().to_string().as_bytes());
    value(list)
}

/// An IPv4 client on a dual-stack listener is still an IPv4 client.
fn text(address: IpAddr) -> HeaderValue {
    value(address.to_canonical().to_string())
}

/// 128 bits that no other request is likely to have. They keep no secret.
fn new_id() -> HeaderValue {
    value(format!("{:032x}", fastrand::u128(..)))
}

fn value(text: impl Into<Bytes>) -> HeaderValue {
    HeaderValue::from_maybe_shared(text.into()).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Address, scheme, host and port that the endpoint is told, and the list.
    fn told(peer: &str, fields: &[(&'static str, &'static str)]) -> [String; 5] {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let origins =
            Origins { trusted: "10.0.0.0/8, fd00::/8, 192.0.2.1".parse().unwrap(), request_ids: true };
        let peer = Peer { address: peer.parse().ok(), tls: false, port: Some(8080) };
        let mut out = HeaderMap::new();
        origins.of(&headers, peer, Some(&HeaderValue::from_static("own.example"))).write(&mut out);
        let names = [X_REAL_IP, X_FORWARDED_PROTO, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_FOR];
        names.map(|name| out.get(name).map_or("-", |value| value.to_str().unwrap()).into())
    }

    #[test]
    fn who_is_believed_and_what() {
        let all = [
            ("x-forwarded-for", "198.51.100.7"),
            ("x-forwarded-proto", "HTTPS"),
            ("x-forwarded-host", "shop.example"),
            ("x-forwarded-port", "8443"),
        ];
        type Fields = [(&'static str, &'static str)];
        let table: [(&str, &Fields, [&str; 5]); 16] = [
            ("", &[], ["-", "http", "own.example", "8080", "-"]),
            ("203.0.113.9", &all, ["203.0.113.9", "http", "own.example", "8080", "203.0.113.9"]),
            ("10.1.1.1", &[], ["10.1.1.1", "http", "own.example", "8080", "10.1.1.1"]),
            ("10.1.1.1", &all, ["198.51.100.7", "https", "shop.example", "8443", "198.51.100.7, 10.1.1.1"]),
            (
                "::ffff:10.1.1.1",
                &all[..1],
                ["198.51.100.7", "http", "own.example", "8080", "198.51.100.7, 10.1.1.1"],
            ),
            ("fd00::1", &all[..2], ["198.51.100.7", "https", "own.example", "443", "198.51.100.7, fd00::1"]),
            // The client wrote the first address itself.
            (
                "10.1.1.1",
                &[("x-forwarded-for", "1.1.1.1, 198.51.100.7"), ("x-forwarded-for", "10.2.2.2, 192.0.2.1")],
                [
                    "198.51.100.7",
                    "http",
                    "own.example",
                    "8080",
                    "1.1.1.1, 198.51.100.7, 10.2.2.2, 192.0.2.1, 10.1.1.1",
                ],
            ),
            // All are proxies: the first of them asks for itself.
            (
                "10.1.1.1",
                &[("x-forwarded-for", "10.3.3.3,10.2.2.2")],
                ["10.3.3.3", "http", "own.example", "8080", "10.3.3.3,10.2.2.2, 10.1.1.1"],
            ),
            // Nobody knows who stands behind an address that cannot be read.
            (
                "10.1.1.1",
                &[("x-forwarded-for", "1.1.1.1, unknown, 10.2.2.2")],
                ["10.2.2.2", "http", "own.example", "8080", "1.1.1.1, unknown, 10.2.2.2, 10.1.1.1"],
            ),
            (
                "10.1.1.1",
                &[("x-forwarded-for", "198.51.100.7:4711")],
                ["198.51.100.7", "http", "own.example", "8080", "198.51.100.7:4711, 10.1.1.1"],
            ),
            (
                "10.1.1.1",
                &[("x-forwarded-for", "[2001:db8::7]:4711")],
                ["2001:db8::7", "http", "own.example", "8080", "[2001:db8::7]:4711, 10.1.1.1"],
            ),
            (
                "10.1.1.1",
                &[("x-forwarded-for", "[2001:db8::7]")],
                ["2001:db8::7", "http", "own.example", "8080", "[2001:db8::7], 10.1.1.1"],
            ),
            (
                "10.1.1.1",
                &[("x-forwarded-proto", "ftp")],
                ["10.1.1.1", "http", "own.example", "8080", "10.1.1.1"],
            ),
            (
                "10.1.1.1",
                &[("x-forwarded-proto", "https"), ("x-forwarded-proto", "http")],
                ["10.1.1.1", "http", "own.example", "8080", "10.1.1.1"],
            ),
            (
                "10.1.1.1",
                &[("x-forwarded-host", "a b")],
                ["10.1.1.1", "http", "own.example", "8080", "10.1.1.1"],
            ),
            (
                "10.1.1.1",
                &[("x-forwarded-port", "70000")],
                ["10.1.1.1", "http", "own.example", "8080", "10.1.1.1"],
            ),
        ];
        for (peer, fields, want) in table {
            assert_eq!(told(peer, fields), want, "{peer} {fields:?}");
        }
    }

    #[test]
    fn ids_are_kept_from_trusted_proxies_and_made_for_all_others() {
        let id = |peer: &str, id: &'static str| {
            let headers = HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_static(id))]);
            let origins = Origins { trusted: "10.0.0.0/8".parse().unwrap(), request_ids: true };
            let peer = Peer { address: peer.parse().ok(), ..Peer::default() };
            origins.of(&headers, peer, None).id.unwrap().to_str().unwrap().to_owned()
        };
        let long = "x".repeat(MAX_ID + 1).leak();
        assert_eq!(id("10.0.0.1", "an-id"), "an-id");
        assert_eq!(id("10.0.0.1", &long[1..]), &long[1..]);
        let mut made: Vec<_> = [
            ("192.0.2.7", "an-id"),
            ("", "an-id"),
            ("10.0.0.1", ""),
            ("10.0.0.1", "a b"),
            ("10.0.0.1", long),
        ]
        .map(|(peer, text)| id(peer, text))
        .into();
        assert!(
            made.iter().all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())),
            "{made:?}"
        );
        made.sort();
        made.dedup();
        assert_eq!(made.len(), 5);
        let none = Origins { request_ids: false, ..Origins::default() };
        assert!(none.of(&HeaderMap::new(), Peer::default(), None).id.is_none());
    }
}
