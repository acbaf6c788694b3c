//! Hosts: what a rule asks for, and what a request says.
//!
//! Ruling R4 of the crate documentation: lower-case, no port, no trailing dot; anything else that is
//! not a host is refused rather than repaired.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// Longest DNS name in text form, in bytes (RFC 1035 section 2.3.4, without the root's dot).
pub const MAX_HOST_LEN: usize = 253;
/// Longest label of a DNS name, in bytes (RFC 1035 section 2.3.4).
const MAX_LABEL_LEN: usize = 63;

/// A valid, lower-case DNS name (RFC 1123 section 2.1), such as `shop.example.com`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(Box<str>);

/// The host of a rule: `spec.rules[].host` of an Ingress.
///
/// The order of the variants is their precedence: an exact host beats a wildcard, a wildcard beats a
/// rule without a host (ruling R3).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostMatch {
    /// Just this host.
    Exact(HostName),
    /// `*.` and this name: exactly one more label in front (KEP-1453, "Hostname wildcards").
    Wildcard(HostName),
    /// A rule without a host: every request whose host no other rule names.
    Any,
}

/// The host of one request, normalised. It borrows the request's text, unless that has capital letters.
#[derive(Clone)]
pub struct RequestHost<'a> {
    text: Cow<'a, str>,
    name: bool,
}

/// Why a text is not a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// Longer than [`MAX_HOST_LEN`] bytes, or a label longer than 63.
    #[error("the host is too long")]
    TooLong,
    /// A label is empty, or begins or ends with `-`.
    #[error("a label of the host is empty or begins or ends with '-'")]
    Label,
    /// A byte that no host has.
    #[error("the host holds a character that no DNS name has")]
    Character,
    /// A rule names an IP address; Ingress hosts are names.
    #[error("the host is an IP address")]
    Address,
    /// A rule names a port; Ingress hosts have none.
    #[error("the host names a port")]
    Port,
    /// `*` anywhere but as the whole first label in front of a name.
    #[error("'*' is only allowed as the whole first label, in front of a name")]
    Wildcard,
    /// What follows the colon of a request's authority is not a port number.
    #[error("the port after the host is not a number up to 65535")]
    BadPort,
}

// ===== impl HostName =====

impl HostName {
    /// The name, lower-case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name that was read before.
    pub(crate) fn known(name: &str) -> Self {
        Self(name.into())
    }

    fn parse(text: &str) -> Result<Self, HostError> {
        if text.contains(':') {
            return Err(if text.parse::<std::net::Ipv6Addr>().is_ok() || text.starts_with('[') {
                HostError::Address
            } else {
                HostError::Port
            });
        }
        if text.contains('*') {
            return Err(HostError::Wildcard);
        }
        check_labels(text.as_bytes())?;
        if text.parse::<Ipv4Addr>().is_ok() {
            return Err(HostError::Address);
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }
}

impl FromStr for HostName {
    type Err = HostError;

    /// Reads a DNS name; letters become lower case.
    fn from_str(text: &str) -> Result<Self, HostError> {
        Self::parse(text)
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// ===== impl HostMatch =====

impl FromStr for HostMatch {
    type Err = HostError;

    /// Reads `spec.rules[].host`: a DNS name, `*.` and a DNS name, or nothing at all.
    fn from_str(text: &str) -> Result<Self, HostError> {
        if text.is_empty() {
            return Ok(Self::Any);
        }
        match text.strip_prefix("*.") {
            Some(suffix) => Ok(Self::Wildcard(HostName::parse(suffix)?)),
            None => Ok(Self::Exact(HostName::parse(text)?)),
        }
    }
}

impl HostMatch {
    /// Whether it takes a request's host, seen alone: a stronger match may own the request.
    pub fn takes(&self, host: &RequestHost) -> bool {
        match self {
            Self::Exact(name) => name.as_str().as_bytes() == host.as_bytes(),
            Self::Wildcard(suffix) => host.parent() == Some(suffix.as_str().as_bytes()),
            Self::Any => true,
        }
    }

    /// Whether it takes every host that `other` takes.
    pub fn takes_all(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Wildcard(suffix), Self::Exact(name)) => {
                name.as_str().split_once('.').is_some_and(|(_, parent)| parent == suffix.as_str())
            }
            (own, other) => own == other,
        }
    }
}

impl fmt::Display for HostMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => write!(f, "{name}"),
            Self::Wildcard(suffix) => write!(f, "*.{suffix}"),
            Self::Any => f.write_str("*"),
        }
    }
}

// ===== impl RequestHost =====

impl<'a> RequestHost<'a> {
    /// A request without a host: HTTP/1.0, or an empty `Host` field (RFC 9112 section 3.2). Only rules
    /// without a host take it.
    pub const ABSENT: Self = Self { text: Cow::Borrowed(""), name: false };

    /// Reads `uri-host [":" port]`: the `Host` field of HTTP/1.1 or the `:authority` of HTTP/2.
    ///
    /// Underscores are accepted although DNS host names have none, because names like `my_app.internal`
    /// are in use. User information, percent escapes and empty labels are refused.
    ///
    /// # Errors
    ///
    /// Whatever is not a host name, an IPv4 address or a bracketed IPv6 address, with or without a port.
    pub fn parse(authority: &'a str) -> Result<Self, HostError> {
        let bytes = authority.as_bytes();
        if bytes.is_empty() {
            return Ok(Self::ABSENT);
        }
        if bytes[0] == b'[' {
            return Self::parse_ipv6(authority);
        }
        let end = memchr::memchr(b':', bytes).unwrap_or(bytes.len());
        check_port(&bytes[end..])?;
        let host = authority[..end].strip_suffix('.').unwrap_or(&authority[..end]);
        let has_capitals = check_name(host.as_bytes())?;
        Ok(Self { text: lower(host, has_capitals), name: !is_ipv4(host) })
    }

    fn parse_ipv6(authority: &'a str) -> Result<Self, HostError> {
        let end = authority.find(']').ok_or(HostError::Character)?;
        check_port(&authority.as_bytes()[end + 1..])?;
        authority[1..end].parse::<std::net::Ipv6Addr>().map_err(|_| HostError::Character)?;
        Ok(Self { text: lower(&authority[..=end], true), name: false })
    }

    /// The host, lower-case, without port and trailing dot; empty when the request had none.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// What a wildcard rule has to name to take this host: all but the first label. An address has none.
    #[inline]
    pub(crate) fn parent(&self) -> Option<&[u8]> {
        let bytes = self.as_bytes();
        let dot = memchr::memchr(b'.', bytes).filter(|_| self.name)?;
        Some(&bytes[dot + 1..])
    }
}

impl fmt::Debug for RequestHost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestHost").field(&self.as_str()).finish()
    }
}

impl fmt::Display for RequestHost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// ===== helpers =====

fn check_labels(host: &[u8]) -> Result<(), HostError> {
    if host.len() > MAX_HOST_LEN {
        return Err(HostError::TooLong);
    }
    host.split(|&byte| byte == b'.').try_for_each(check_label)?;
    let allowed = |&byte: &u8| byte == b'.' || byte.is_ascii_alphanumeric() || byte == b'-';
    if host.iter().all(allowed) { Ok(()) } else { Err(HostError::Character) }
}

#[inline]
fn check_label(label: &[u8]) -> Result<(), HostError> {
    match label {
        [] | [b'-', ..] | [.., b'-'] => Err(HostError::Label),
        _ if label.len() > MAX_LABEL_LEN => Err(HostError::TooLong),
        _ => Ok(()),
    }
}

/// `after` is what follows the host: nothing, or a colon and a possibly empty port (RFC 3986 section 3.2.3).
fn check_port(after: &[u8]) -> Result<(), HostError> {
    match after {
        [] | [b':'] => Ok(()),
        [b':', digits @ ..] if digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit) => {
            let port = digits.iter().fold(0u32, |port, digit| port * 10 + u32::from(digit - b'0'));
            if port <= u32::from(u16::MAX) { Ok(()) } else { Err(HostError::BadPort) }
        }
        [b':', ..] => Err(HostError::BadPort),
        _ => Err(HostError::Character),
    }
}

fn is_ipv4(host: &str) -> bool {
    // Only a name whose last byte is a digit can be one; that spares nearly every host the parser.
    host.as_bytes().last().is_some_and(u8::is_ascii_digit) && host.parse::<Ipv4Addr>().is_ok()
}

fn lower(text: &str, has_capitals: bool) -> Cow<'_, str> {
    if has_capitals { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) }
}

/// Bits for what a byte may be in a request's host: part of a label, but not at its border; in capitals; a dot; the rest.
const INNER: u8 = 1;
const CAPITAL: u8 = 2;
const DOT: u8 = 4;
const OTHER: u8 = 8;

const CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'0'..=b'9' | b'_' => 0,
            b'A'..=b'Z' => CAPITAL,
            b'-' => INNER,
            b'.' => DOT,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
};

/// Checks the labels of a request's host in one pass without branches, and says whether there are capital letters.
fn check_name(host: &[u8]) -> Result<bool, HostError> {
    if host.len() > MAX_HOST_LEN {
        return Err(HostError::TooLong);
    }
    // Next to a dot, or to an end, which counts as one, are neither dots nor hyphens.
    let (mut all, mut wrong, mut before) = (0, 0, DOT);
    for class in host.iter().map(|&byte| CLASSES[usize::from(byte)]).chain([DOT]) {
        all |= class;
        wrong |= class & before & DOT;
        wrong |= (class | before) & INNER & ((class | before) >> 2 & 1).wrapping_neg();
        before = class;
    }
    if all & OTHER != 0 {
        return Err(HostError::Character);
    }
    if wrong != 0 || host.len() > MAX_LABEL_LEN {
        // A label is wrong, or may be too long: say what.
        host.split(|&byte| byte == b'.').try_for_each(check_label)?;
    }
    Ok(all & CAPITAL != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_hosts() {
        let accepted = [
            ("", "*"),
            ("Shop.Example", "shop.example"),
            ("*.Example.com", "*.example.com"),
            ("localhost", "localhost"),
            ("1.2.3.4.nip.io", "1.2.3.4.nip.io"),
        ];
        for (text, want) in accepted {
            assert_eq!(text.parse::<HostMatch>().map(|h| h.to_string()), Ok(want.into()), "{text:?}");
        }
        let refused = [
            ("*", HostError::Wildcard),
            ("*.", HostError::Label),
            ("a.*.b", HostError::Wildcard),
            ("*a.b", HostError::Wildcard),
            ("*.*.b", HostError::Wildcard),
            ("10.0.0.1", HostError::Address),
            ("::1", HostError::Address),
            ("[::1]", HostError::Address),
            ("a.b:80", HostError::Port),
            ("a..b", HostError::Label),
            ("a.b.", HostError::Label),
            ("-a.b", HostError::Label),
            ("a_b", HostError::Character),
            ("ä.example", HostError::Character),
        ];
        for (text, want) in refused {
            assert_eq!(text.parse::<HostMatch>(), Err(want), "{text:?}");
        }
        assert_eq!("a".repeat(64).parse::<HostMatch>(), Err(HostError::TooLong));
        assert_eq!(["abcd"; 60].join(".").parse::<HostMatch>(), Err(HostError::TooLong));
    }

    #[test]
    fn request_hosts_are_normalised() {
        let accepted = [
            ("Shop.EXAMPLE:8080", "shop.example"),
            ("shop.example.", "shop.example"),
            ("shop.example.:80", "shop.example"),
            ("shop.example:", "shop.example"),
            ("my_app.internal", "my_app.internal"),
            ("10.0.0.1:80", "10.0.0.1"),
            ("[::1]:8080", "[::1]"),
            ("[2001:DB8::1]", "[2001:db8::1]"),
            ("", ""),
        ];
        for (text, want) in accepted {
            assert_eq!(RequestHost::parse(text).map(|h| h.as_str().to_owned()), Ok(want.into()), "{text:?}");
        }
        for text in [
            "a b", "a..b", ".a", "a:b", "a:99999", "a:123456", "u@a", "a%20b", "[::1", "[x]", "[::1]x", ".",
            "a/b", "a,b", ":80",
        ] {
            assert!(RequestHost::parse(text).is_err(), "{text:?}");
        }
        assert!(RequestHost::parse(&"a.".repeat(200)).is_err());
    }

    #[test]
    fn only_names_have_a_parent() {
        let parent = |host: &str| {
            let host = RequestHost::parse(host).unwrap();
            host.parent().map(|p| String::from_utf8(p.to_vec()).unwrap())
        };
        assert_eq!(parent("a.b.c"), Some("b.c".into()));
        assert_eq!(parent("localhost"), None);
        assert_eq!(parent("10.0.0.1"), None);
        assert_eq!(parent("[::1]"), None);
        assert_eq!(parent(""), None);
    }
}
