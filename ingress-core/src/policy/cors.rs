//! Scripts of other sites.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::CorsOrigins;

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

/// Names of methods or of header fields: all of them, or a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CorsNames(Option<Box<[Box<str>]>>);

/// Scripts of all sites would have the credentials of everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("with credentials neither origins, methods nor fields may be *")]
#[non_exhaustive]
pub struct CorsError;

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
impl serde::Serialize for CorsNames {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The words of a list.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|sign: char| sign == ',' || sign.is_ascii_whitespace()).filter(|word| !word.is_empty())
}

/// All, or a list.
pub(super) fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: Option<&[T]>) -> fmt::Result {
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
