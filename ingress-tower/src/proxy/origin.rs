//! Where a request comes from, in the words of whoever may be believed.

use std::net::IpAddr;

use bytes::Bytes;
use http::Version;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::Authority;
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
    /// Of the request.
    pub(crate) version: Version,
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
    forwarded: Option<HeaderValue>,
    via: Option<HeaderValue>,
}

/// Whose word counts, and what else the endpoint is told.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    pub(crate) trusted: TrustedProxies,
    pub(crate) request_ids: bool,
    pub(crate) forwarded: bool,
    pub(crate) via: Option<Via>,
}

/// How this gateway signs requests of each version.
#[derive(Clone, Debug)]
pub(crate) struct Via {
    http10: HeaderValue,
    http11: HeaderValue,
    http2: HeaderValue,
}

impl Default for Origins {
    fn default() -> Self {
        Self { trusted: TrustedProxies::default(), request_ids: true, forwarded: false, via: None }
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
        if self.forwarded {
            let told = headers.get_all(header::FORWARDED).iter().filter(|_| address.is_some());
            origin.forwarded = Some(forwarded(told, peer, host));
        }
        origin.via = self.via.as_ref().map(|via| via.of(peer.version).clone());
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
            ..Origin::default()
        }
    }

    /// The address of the client, as far as whoever sent the request is believed.
    pub(crate) fn client_of(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        if self.trusted.trusts(peer) { self.client(headers, peer) } else { peer }
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
    /// Writes the fields, of which none but `Via` is there.
    pub(super) fn write(self, headers: &mut HeaderMap) {
        let fields = [
            (X_FORWARDED_FOR, self.forwarded_for),
            (X_REAL_IP, self.real_ip),
            (X_FORWARDED_PROTO, self.proto),
            (X_FORWARDED_HOST, self.host),
            (X_FORWARDED_PORT, self.port),
            (X_REQUEST_ID, self.id),
            (header::FORWARDED, self.forwarded),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
        if let Some(via) = self.via {
            headers.append(header::VIA, via);
        }
    }
}

impl Via {
    /// Signs by host and port.
    pub(crate) fn new(name: &Authority) -> Self {
        let port = name.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        let of = |version| value(format!("{version} {}{port}", name.host()));
        Self { http10: of("1.0"), http11: of("1.1"), http2: of("2.0") }
    }

    fn of(&self, version: Version) -> &HeaderValue {
        match version {
            Version::HTTP_10 => &self.http10,
            Version::HTTP_2 => &self.http2,
            _ => &self.http11,
        }
    }
}

/// The list of proxies as it came, and who sent it (RFC 7239 section 4).
fn forwarded<'h>(
    told: impl Iterator<Item = &'h HeaderValue>,
    peer: Peer,
    host: Option<&HeaderValue>,
) -> HeaderValue {
    let mut list = Vec::new();
    for line in told {
        list.extend_from_slice(line.as_bytes());
        list.extend_from_slice(b", ");
    }
    let node = match peer.address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => format!("for={address}"),
        Some(IpAddr::V6(address)) => format!("for=\"[{address}]\""),
        None => "for=unknown".into(),
    };
    list.extend_from_slice(node.as_bytes());
    if let Some(host) = host {
        list.extend_from_slice(b";host=\"");
        list.extend_from_slice(host.as_bytes());
        list.push(b'"');
    }
    list.extend_from_slice(if peer.tls { b";proto=https" } else { b";proto=http" });
    value(list)
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
mod tests;
