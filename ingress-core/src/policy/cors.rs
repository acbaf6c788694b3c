//! Scripts of other sites.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::uri::Scheme;

use crate::{HostName, RequestHost};

/// What scripts of other sites may do (<https://fetch.spec.whatwg.org/#http-cors-protocol>). With credentials nothing in it
/// is `*`, so that no site may do anything with the cookies of everybody.
///
/// ```
/// use ingress_core::Cors;
///
/// let cors = Cors::new("https://shop.example".parse()?).allow_credentials(true)?;
/// assert!(cors.clone().allow_headers("*".parse()?).is_err());
/// assert!(Cors::new("*".parse()?).allow_credentials(true).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Cors {
    origins: CorsOrigins,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    methods: Option<CorsNames>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    headers: Option<CorsNames>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    expose: Option<CorsNames>,
    credentials: bool,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    max_age: Option<Duration>,
}

/// Origins (RFC 6454): all of them, or a list of those such as `https://shop.example`, with a port if it is not the usual
/// one. `https://*.shop.example` are those whose host has exactly one label more, as with a wildcard host of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CorsOrigins(Option<Box<[Origin]>>);

/// Names of methods or of header fields: all of them, or a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CorsNames(Option<Box<[Box<str>]>>);

/// Scripts of all sites would have the credentials of everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("with credentials neither origins, methods nor fields may be *")]
#[non_exhaustive]
pub struct CorsError;

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

/// A text that is no list of names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CorsNamesError {
    /// Something that is no token (RFC 9110 section 5.6.2).
    #[error("{0:?} is no name")]
    Name(Box<str>),
    /// `*` beside others.
    #[error("* is every name, so it stands alone")]
    Any,
    /// There is none.
    #[error("nothing is named")]
    Empty,
}

/// An origin as browsers write it, or one in front of whose host a label stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Origin {
    Exact(Box<str>),
    /// What stands before the label, and what stands behind it, from its dot.
    Below(Box<str>, Box<str>),
}

// ===== impl Cors =====

impl Cors {
    /// Scripts of these origins may send the requests that any page could send, and read the answers.
    pub fn new(origins: CorsOrigins) -> Self {
        let (methods, headers, expose, credentials, max_age) = Default::default();
        Self { origins, methods, headers, expose, credentials, max_age }
    }

    /// Which methods they may use besides GET, HEAD and POST.
    pub fn allow_methods(self, methods: CorsNames) -> Result<Self, CorsError> {
        Self { methods: Some(methods), ..self }.checked()
    }

    /// Which fields they may send besides those that any page can send. `*` does not include `Authorization`.
    pub fn allow_headers(self, names: CorsNames) -> Result<Self, CorsError> {
        Self { headers: Some(names), ..self }.checked()
    }

    /// Which fields of answers they may read besides those that any page can read.
    pub fn expose_headers(self, names: CorsNames) -> Result<Self, CorsError> {
        Self { expose: Some(names), ..self }.checked()
    }

    /// Whether browsers send cookies and client certificates along. Default: they do not.
    pub fn allow_credentials(self, allow: bool) -> Result<Self, CorsError> {
        Self { credentials: allow, ..self }.checked()
    }

    /// For how long browsers may remember what they were told, in whole seconds. Default: as long as each does, mostly 5
    /// seconds.
    #[must_use]
    pub fn max_age(self, max_age: Duration) -> Self {
        Self { max_age: Some(max_age), ..self }
    }

    fn checked(self) -> Result<Self, CorsError> {
        let is_any = |names: &Option<CorsNames>| names.as_ref().is_some_and(CorsNames::is_any);
        let any =
            self.origins.is_any() || [&self.methods, &self.headers, &self.expose].into_iter().any(is_any);
        if self.credentials && any { Err(CorsError) } else { Ok(self) }
    }

    /// The origins.
    pub fn origins(&self) -> &CorsOrigins {
        &self.origins
    }

    /// The methods, if any are named.
    pub fn methods(&self) -> Option<&CorsNames> {
        self.methods.as_ref()
    }

    /// The fields of requests, if any are named.
    pub fn headers(&self) -> Option<&CorsNames> {
        self.headers.as_ref()
    }

    /// The fields of answers, if any are named.
    pub fn exposed(&self) -> Option<&CorsNames> {
        self.expose.as_ref()
    }

    /// Whether credentials are sent along.
    pub fn credentials(&self) -> bool {
        self.credentials
    }

    /// For how long it is remembered, if that is said.
    pub fn remembered(&self) -> Option<Duration> {
        self.max_age
    }
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

// ===== impl CorsNames =====

impl CorsNames {
    /// Whether these are all names.
    pub fn is_any(&self) -> bool {
        self.0.is_none()
    }

    /// The names; none where these are all.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().map(|name| &**name)
    }
}

impl FromStr for CorsNames {
    type Err = CorsNamesError;

    fn from_str(text: &str) -> Result<Self, CorsNamesError> {
        let words: Vec<_> = words(text).collect();
        if *words == ["*"] {
            return Ok(Self(None));
        }
        let name = |word: &str| match word {
            "*" => Err(CorsNamesError::Any),
            _ if http::Method::from_bytes(word.as_bytes()).is_err() => Err(CorsNamesError::Name(word.into())),
            _ => Ok(Box::from(word)),
        };
        let names = words.into_iter().map(name).collect::<Result<Vec<_>, _>>()?;
        match names.is_empty() {
            true => Err(CorsNamesError::Empty),
            false => Ok(Self(Some(names.into()))),
        }
    }
}

impl fmt::Display for CorsNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, self.0.as_deref())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for CorsOrigins {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for CorsNames {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The words of a list.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|sign: char| sign == ',' || sign.is_ascii_whitespace()).filter(|word| !word.is_empty())
}

/// All, or a list.
fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: Option<&[T]>) -> fmt::Result {
    let Some(items) = items else { return f.write_str("*") };
    items.iter().enumerate().try_for_each(|(index, item)| {
        f.write_str(if index == 0 { "" } else { ", " })?;
        item.fmt(f)
    })
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

    #[test]
    fn names_read_as_they_are_written() {
        for (text, want) in [
            ("*", Some("*")),
            ("GET, PUT", Some("GET, PUT")),
            ("x-a\nX-B", Some("x-a, X-B")),
            ("", None),
            ("GET, *", None),
            ("a:b", None),
            ("ä", None),
        ] {
            let read = text.parse::<CorsNames>().ok().map(|names| names.to_string());
            assert_eq!(read.as_deref(), want, "{text:?}");
        }
    }

    #[test]
    fn credentials_are_never_everybodys() {
        let of = |text: &str| Cors::new(text.parse().unwrap());
        let any: CorsNames = "*".parse().unwrap();
        assert_eq!(of("*").allow_credentials(true), Err(CorsError));
        assert!(of("*").allow_credentials(false).is_ok());
        for set in [Cors::allow_methods, Cors::allow_headers, Cors::expose_headers] {
            let with = of("https://a.example").allow_credentials(true).unwrap();
            assert_eq!(set(with, any.clone()), Err(CorsError));
            let first = set(of("https://a.example"), any.clone()).unwrap();
            assert_eq!(first.allow_credentials(true), Err(CorsError));
        }
    }
}
