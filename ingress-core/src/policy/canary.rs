//! Requests that go to a new version of a Service.

use std::fmt;
use std::str::FromStr;

use http::HeaderName;

use crate::BackendRef;

/// Which of the backends that share a route's requests ([`Backends::split`](crate::Backends::split)) is the canary, and
/// which requests go to it, or do not, whatever the weights say. It counts for a rule, not for a backend.
///
/// What decides first is the header field, then the cookie, then the weights. Where the canary has no endpoint that can be
/// used, all requests go to the other backend; of several others, to the one with the greatest weight.
///
/// ```
/// use ingress_core::Canary;
///
/// let mut canary = Canary::new("web-next");
/// canary.header = Some("X-Canary".parse()?);
/// canary.cookie = Some("canary".into());
/// assert_eq!(canary.decide(|_| Some(b"never"), |_| Some(b"always")), Some(false));
/// assert_eq!(canary.decide(|_| Some(b"perhaps"), |_| Some(b"always")), Some(true));
/// assert_eq!(canary.decide(|_| None, |_| None), None);
/// # Ok::<(), ingress_core::CanaryHeaderError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Canary {
    /// The name of the Service that is the canary, one of those that share the route's requests. Where it is none of them,
    /// nothing is decided.
    pub service: Box<str>,
    /// The header field that decides.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub header: Option<CanaryHeader>,
    /// The name of the cookie that decides: for the canary with the value `always`, for the other with `never`.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub cookie: Option<Box<str>>,
}

/// A header field that decides whether a request goes to the canary: `NAME`, which does with the value `always` and does
/// not with `never`, or `NAME=VALUE`, which does with exactly that value. Any other value leaves it to the cookie and the
/// weights. The first field with the name counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CanaryHeader {
    name: Box<str>,
    value: Option<Box<str>>,
}

/// A text that is no [`CanaryHeader`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither the name of a header field nor NAME=VALUE")]
pub struct CanaryHeaderError(Box<str>);

const ALWAYS: &[u8] = b"always";
const NEVER: &[u8] = b"never";

// ===== impl Canary =====

impl Canary {
    /// This Service, to which nothing but the weights leads.
    pub fn new(service: impl Into<Box<str>>) -> Self {
        Self { service: service.into(), header: None, cookie: None }
    }

    /// Whether a backend is the canary.
    pub fn is(&self, backend: &BackendRef) -> bool {
        matches!(backend, BackendRef::Service(service) if *service.name == *self.service)
    }

    /// Whether a request is for the canary by what it says itself; `None` leaves it to the weights. Both functions tell the
    /// first value of the field, or of the cookie, with a name.
    pub fn decide<'r>(
        &self,
        field: impl FnOnce(&str) -> Option<&'r [u8]>,
        cookie: impl FnOnce(&str) -> Option<&'r [u8]>,
    ) -> Option<bool> {
        let by_field = self.header.as_ref().and_then(|header| header.decide(field(&header.name)?));
        by_field.or_else(|| word(cookie(self.cookie.as_deref()?)?))
    }
}

fn word(value: &[u8]) -> Option<bool> {
    match value {
        ALWAYS => Some(true),
        NEVER => Some(false),
        _ => None,
    }
}

// ===== impl CanaryHeader =====

impl CanaryHeader {
    /// Its name, in lower case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value with which requests go to the canary, if it is not `always`.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    fn decide(&self, value: &[u8]) -> Option<bool> {
        match &self.value {
            Some(own) => (value == own.as_bytes()).then_some(true),
            None => word(value),
        }
    }
}

impl FromStr for CanaryHeader {
    type Err = CanaryHeaderError;

    fn from_str(text: &str) -> Result<Self, CanaryHeaderError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (text.trim(), None),
        };
        let is_value = |value: &str| {
            !value.is_empty() && value.chars().all(|c| !c.is_control() || c == '\t') && value.len() <= 1024
        };
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) if value.is_none_or(is_value) => {
                Ok(Self { name: name.as_str().into(), value: value.map(Into::into) })
            }
            _ => Err(CanaryHeaderError(text.into())),
        }
    }
}

impl fmt::Display for CanaryHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.value.iter().try_for_each(|value| write!(f, "={value}"))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for CanaryHeader {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_decide() {
        for (text, want) in [
            ("X-Canary", Some("x-canary")),
            (" x-canary ", Some("x-canary")),
            ("X-Canary = next", Some("x-canary=next")),
            ("x=a=b", Some("x=a=b")),
            ("x=ä", Some("x=ä")),
            ("", None),
            ("x=", None),
            ("=x", None),
            ("x y", None),
            ("x: always", None),
            ("x=a\nb", None),
        ] {
            let header = text.parse::<CanaryHeader>().ok().map(|header| header.to_string());
            assert_eq!(header.as_deref(), want, "{text:?}");
        }
    }

    #[test]
    fn the_field_comes_before_the_cookie() {
        let (plain, own) = (Some("x-canary"), Some("x-canary=next"));
        let table = [
            (plain, "always", "never", Some(true)),
            (plain, "never", "always", Some(false)),
            (plain, "Always", "always", Some(true)),
            (plain, "", "never", Some(false)),
            (plain, "next", "", None),
            (own, "next", "never", Some(true)),
            (own, "always", "never", Some(false)),
            (own, "never", "", None),
            (None, "always", "", None),
            (None, "never", "always", Some(true)),
        ];
        for (header, field, cookie, want) in table {
            let mut canary = Canary::new("next");
            canary.header = header.map(|header| header.parse().unwrap());
            canary.cookie = Some("c".into());
            let decided = canary.decide(
                |name| (name == "x-canary").then_some(field.as_bytes()),
                |name| (name == "c").then_some(cookie.as_bytes()),
            );
            assert_eq!(decided, want, "{header:?} {field:?} {cookie:?}");
            canary.cookie = None;
            let without = canary.decide(|_| None, |_| Some(b"always"));
            assert_eq!(without, None, "no cookie is asked for");
        }
    }

    #[test]
    fn a_service_is_the_canary_on_any_port() {
        let canary = Canary::new("next");
        for (backend, want) in [("a/next:80", true), ("b/next:http", true), ("a/web:80", false)] {
            assert_eq!(canary.is(&backend.parse().unwrap()), want, "{backend}");
        }
        assert!(!canary.is(&BackendRef::resource("a", "example.com", "Site", "next")));
    }
}
