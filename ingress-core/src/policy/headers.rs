//! Fields of requests and answers that are set, added or taken out.

use std::fmt;
use std::str::FromStr;

use http::HeaderName;

use super::{FieldUse, Template};

/// What is changed in the fields of requests and answers.
///
/// In each message fields are first taken out, then set, then added. A value in which a request leaves nothing, or which
/// is none that a field may have (RFC 9110 section 5.5), leaves its field out: no request puts a line end into one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Headers {
    /// What endpoints are sent in place of what clients sent.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "FieldEdits::is_default"))]
    pub request: FieldEdits,
    /// What clients are sent in place of what endpoints sent, and what the gateway's own answers have besides.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "FieldEdits::is_default"))]
    pub response: FieldEdits,
    /// Values of `Set-Cookie` that answers have besides (RFC 6265 section 4.1).
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub response_cookies: Vec<Template>,
}

/// What is changed in the fields of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FieldEdits {
    /// Fields that are taken out.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub remove: Vec<FieldName>,
    /// Fields that have this value and no other. Where there is no value, there is no such field.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub set: Vec<(FieldName, Template)>,
    /// Fields that have this value besides others.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub add: Vec<(FieldName, Template)>,
}

/// The name of a field that may be changed. It is none that frames a message or is about one connection (RFC 9110 section
/// 7.6.1), none that only the gateway may say, not `Host`, which a [`Rewrite`](crate::Rewrite) changes, and neither
/// `Cookie` nor `Set-Cookie`, by which clients stay with endpoints; with `_` for `-` neither, since some servers take the
/// one for the other.
///
/// ```
/// use ingress_core::FieldName;
///
/// let name: FieldName = "X-Frame-Options".parse()?;
/// assert_eq!(name.to_string(), "x-frame-options");
/// assert!("X_Forwarded_For".parse::<FieldName>().is_err());
/// # Ok::<(), ingress_core::FieldNameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FieldName(HeaderName);

/// A text that is no name of a field that may be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldNameError {
    /// It is no token (RFC 9110 section 5.6.2).
    #[error("{0:?} is no name of a header field")]
    Invalid(Box<str>),
    /// It frames messages, or is about one connection.
    #[error("{0} is about a connection or frames messages, and cannot be changed")]
    Connection(Box<str>),
    /// Nobody but the gateway may say it.
    #[error("{0} is the gateway's to say, and cannot be changed")]
    Gateway(Box<str>),
    /// It says which host is asked for.
    #[error("{0} is changed by a rewrite only")]
    Host(Box<str>),
    /// It holds cookies.
    #[error("{0} holds all cookies, those of the gateway, too, and cannot be changed")]
    Cookie(Box<str>),
}

// ===== impl Headers =====

impl Headers {
    /// What it says, and what `other` says of fields that it does not name. The cookies are those of both.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            request: self.request.or(&other.request),
            response: self.response.or(&other.response),
            response_cookies: [&self.response_cookies[..], &other.response_cookies[..]].concat(),
        }
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

// ===== impl FieldEdits =====

impl FieldEdits {
    /// What it says, and what `other` says of fields that it does not name.
    pub(super) fn or(&self, other: &Self) -> Self {
        let pairs = |own: &[(FieldName, Template)], others: &[(FieldName, Template)]| {
            own.iter().chain(others.iter().filter(|(name, _)| !self.names(name))).cloned().collect()
        };
        let others = other.remove.iter().filter(|name| !self.names(name));
        Self {
            remove: self.remove.iter().chain(others).cloned().collect(),
            set: pairs(&self.set, &other.set),
            add: pairs(&self.add, &other.add),
        }
    }

    /// Whether it says anything of a field.
    fn names(&self, name: &FieldName) -> bool {
        let pairs = self.set.iter().chain(&self.add).map(|(name, _)| name);
        self.remove.iter().chain(pairs).any(|own| own == name)
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

// ===== impl FieldName =====

impl FieldName {
    /// The name, lower-case.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name.
    pub fn as_name(&self) -> &HeaderName {
        &self.0
    }
}

impl FromStr for FieldName {
    type Err = FieldNameError;

    fn from_str(text: &str) -> Result<Self, FieldNameError> {
        let name =
            HeaderName::from_bytes(text.as_bytes()).map_err(|_| FieldNameError::Invalid(text.into()))?;
        match FieldUse::of(&name) {
            FieldUse::Connection => Err(FieldNameError::Connection(text.into())),
            FieldUse::Gateway => Err(FieldNameError::Gateway(text.into())),
            FieldUse::Host => Err(FieldNameError::Host(text.into())),
            FieldUse::Cookie => Err(FieldNameError::Cookie(text.into())),
            FieldUse::Free => Ok(Self(name)),
        }
    }
}

impl PartialOrd for FieldName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FieldName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl fmt::Debug for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for FieldName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> FieldName {
        text.parse().unwrap()
    }

    #[test]
    fn names_that_may_be_changed() {
        for text in [
            "x-frame-options",
            "Strict-Transport-Security",
            "Authorization",
            "Accept-Encoding",
            "Access-Control-Allow-Origin",
            "X-Env",
            "x_env",
            "proxied",
            "x-forward",
            "hosts",
        ] {
            assert!(text.parse::<FieldName>().is_ok(), "{text:?}");
        }
        for text in [
            "Content-Length",
            "content_length",
            "Transfer-Encoding",
            "Trailer",
            "TE",
            "Connection",
            "Keep-Alive",
            "Proxy",
            "Proxy-Authorization",
            "Proxy-Connection",
            "proxy_anything",
            "Upgrade",
            "HTTP2-Settings",
            "Expect",
            "Host",
            "X-Forwarded-For",
            "X-Forwarded-Anything",
            "x_forwarded_for",
            "X-Forwarded_For",
            "X-Real-IP",
            "Forwarded",
            "X-Request-ID",
            "x_request_id",
            "Via",
            "Cookie",
            "Set-Cookie",
            "set_cookie",
            "",
            "a b",
            "a:",
            ":path",
            "ä",
            "a\r\nb",
        ] {
            assert!(text.parse::<FieldName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn who_names_a_field_first_decides_about_it() {
        let edits = |remove: &[&str], set: &[&str], add: &[&str]| {
            let pair = |text: &&str| {
                let (name, value) = text.split_once('=').unwrap();
                (self::name(name), value.parse().unwrap())
            };
            FieldEdits {
                remove: remove.iter().map(|text| name(text)).collect(),
                set: set.iter().map(pair).collect(),
                add: add.iter().map(pair).collect(),
            }
        };
        let own = edits(&["a"], &["b=1"], &["c=1"]);
        let other = edits(&["b", "x"], &["a=2", "c=2", "y=2"], &["c=2", "z=2", "z=3"]);
        assert_eq!(own.or(&other), edits(&["a", "x"], &["b=1", "y=2"], &["c=1", "z=2", "z=3"]));
        let cookies =
            |text: &str| Headers { response_cookies: vec![text.parse().unwrap()], ..Headers::default() };
        assert_eq!(cookies("a=1").or(&cookies("b=1")).response_cookies.len(), 2);
    }
}
