//! The sites whose scripts are let in.

use std::fmt;
use std::str::FromStr;

use http::uri::Scheme;

use super::cors::{list, words};
use crate::{HostName, RequestHost};

/// Origins (RFC 6454): all of them, or a list of those such as `https://shop.example`, with a port if it is not the usual
/// one. `https://*.shop.example` are those whose host has exactly one label more, as with a wildcard host of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CorsOrigins(Option<Box<[Origin]>>);

/// A text that is no list of origins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CorsOriginsError {
    /// Something that is no origin.
    #[error("{0:?} is no origin such as https://shop.example")]
    Origin(Box<str>),
    /// The origin of what has none, which any page can give itself.
    #[error("any page can have the origin null")]
    Null,
    /// `*` beside others.
    #[error("* is every origin, so it stands alone")]
    Any,
    /// There is none.
    #[error("no origin is named")]
    Empty,
}

/// An origin as browsers write it, or one in front of whose host a label stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Origin {
    Exact(Box<str>),
    /// What stands before the label, and what stands behind it, from its dot.
    Below(Box<str>, Box<str>),
}

// ===== impl CorsOrigins, Origin =====

impl CorsOrigins {
    /// Whether these are all origins.
    pub fn is_any(&self) -> bool {
        self.0.is_none()
    }

    /// Whether this is one of them: what a browser writes into `Origin`.
    pub fn contains(&self, origin: &str) -> bool {
        self.0.as_ref().is_none_or(|origins| origins.iter().any(|known| known.is(origin)))
    }
}

impl FromStr for CorsOrigins {
    type Err = CorsOriginsError;

    fn from_str(text: &str) -> Result<Self, CorsOriginsError> {
        let words: Vec<_> = words(text).collect();
        if *words == ["*"] {
            return Ok(Self(None));
        }
        let mut origins = words.into_iter().map(Origin::parse).collect::<Result<Vec<_>, _>>()?;
        origins.sort_unstable();
        origins.dedup();
        match origins.is_empty() {
            true => Err(CorsOriginsError::Empty),
            false => Ok(Self(Some(origins.into()))),
        }
    }
}

impl fmt::Display for CorsOrigins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, self.0.as_deref())
    }
}

impl Origin {
    fn parse(text: &str) -> Result<Self, CorsOriginsError> {
        match text {
            "*" => return Err(CorsOriginsError::Any),
            "null" => return Err(CorsOriginsError::Null),
            _ => {}
        }
        let parse = || {
            let lower = text.to_ascii_lowercase();
            let (scheme, authority) = lower.split_once("://")?;
            let scheme: Scheme = scheme.parse().ok()?;
            let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
                Some((host, port)) => (host, Some(port.parse::<u16>().ok().filter(|port| *port != 0)?)),
                None => (authority, None),
            };
            let usual = match scheme.as_str() {
                "http" => Some(80),
                "https" => Some(443),
                _ => None,
            };
            let port = port.filter(|port| Some(*port) != usual);
            let port = port.map_or(String::new(), |port| format!(":{port}"));
            if let Some(name) = host.strip_prefix("*.") {
                // A page below a name of one label may be anybody's.
                let name = name.parse::<HostName>().ok().filter(|name| name.as_str().contains('.'))?;
                return Some(Self::Below(
                    format!("{scheme}://").into(),
                    format!(".{}{port}", name.as_str()).into(),
                ));
            }
            let host = RequestHost::parse(host).ok().filter(|host| !host.as_str().is_empty())?;
            Some(Self::Exact(format!("{scheme}://{}{port}", host.as_str()).into()))
        };
        parse().ok_or_else(|| CorsOriginsError::Origin(text.into()))
    }

    fn is(&self, origin: &str) -> bool {
        match self {
            Self::Exact(own) => **own == *origin,
            Self::Below(before, behind) => {
                let label = origin.strip_prefix(&**before).and_then(|rest| rest.strip_suffix(&**behind));
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                label.is_some_and(|label| !label.is_empty() && label.bytes().all(is_plain))
            }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(origin) => f.write_str(origin),
            Self::Below(before, behind) => write!(f, "{before}*{behind}"),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for CorsOrigins {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_read_as_they_are_written() {
        for (text, want) in [
            ("*", Ok("*")),
            ("https://shop.example", Ok("https://shop.example")),
            ("HTTPS://Shop.Example:443,http://a.example:80", Ok("http://a.example, https://shop.example")),
            ("https://b.example:8443\nhttps://a.example", Ok("https://a.example, https://b.example:8443")),
            ("https://*.shop.example:8443", Ok("https://*.shop.example:8443")),
            ("http://[2001:db8::1]:8080 http://192.0.2.1", Ok("http://192.0.2.1, http://[2001:db8::1]:8080")),
            ("http://localhost:3000", Ok("http://localhost:3000")),
            ("capacitor://localhost", Ok("capacitor://localhost")),
            ("https://a.example https://a.example:443", Ok("https://a.example")),
            ("", Err(CorsOriginsError::Empty)),
            ("*, https://a.example", Err(CorsOriginsError::Any)),
            ("null", Err(CorsOriginsError::Null)),
        ] {
            let read = text.parse::<CorsOrigins>().map(|origins| origins.to_string());
            assert_eq!(read, want.map(str::to_owned), "{text:?}");
        }
        for text in [
            "shop.example",
            "https://",
            "https://a.example/",
            "https://a.example/path",
            "https://user@a.example",
            "https://a.example:0",
            "https://a.example:x",
            "https://*.example",
            "https://*",
            "https://a.*.example",
            "https://a*.shop.example",
            "*://a.example",
            "https://ä.example",
            "https://a.example;x",
        ] {
            assert!(text.parse::<CorsOrigins>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_origin_is_compared_as_a_whole() {
        let origins: CorsOrigins =
            "https://shop.example https://*.shop.example http://*.dev.example:8080".parse().unwrap();
        for (origin, want) in [
            ("https://shop.example", true),
            ("https://www.shop.example", true),
            ("http://a.dev.example:8080", true),
            ("https://a.b.shop.example", false),
            ("https://.shop.example", false),
            ("https://shop.example.evil", false),
            ("https://evilshop.example", false),
            ("https://evil.example?.shop.example", false),
            ("https://evil.example/.shop.example", false),
            ("https://user@x.shop.example", false),
            ("http://shop.example", false),
            ("https://shop.example:8443", false),
            ("http://a.dev.example", false),
            ("HTTPS://SHOP.EXAMPLE", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(origins.contains(origin), want, "{origin:?}");
        }
        assert!("*".parse::<CorsOrigins>().unwrap().contains("null"));
    }
}
