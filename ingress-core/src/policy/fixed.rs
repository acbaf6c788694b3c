//! Answers that no endpoint is asked for.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::Networks;

/// An answer that is always the same, to every method; to HEAD without its body (RFC 9110 section 9.3.2).
///
/// ```
/// use ingress_core::{ContentType, FixedAnswer, FixedAnswerError};
///
/// let robots = FixedAnswer::new(200, ContentType::default(), "User-agent: *\nDisallow: /\n")?;
/// assert_eq!(robots.content_type().as_str(), "text/plain; charset=utf-8");
/// assert_eq!(FixedAnswer::new(101, ContentType::default(), ""), Err(FixedAnswerError::Status(101)));
/// # Ok::<(), FixedAnswerError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FixedAnswer {
    status: u16,
    content_type: ContentType,
    body: Box<str>,
}

/// Why something is no [`FixedAnswer`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FixedAnswerError {
    /// Its status is none of the final ones, 200 to 599.
    #[error("{0} is no status of an answer: these are from 200 to 599")]
    Status(u16),
    /// An answer with this status has no content (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5).
    #[error("an answer with status {0} has no body")]
    Content(u16),
}

/// What a body is, as in `Content-Type` (RFC 9110 section 8.3.1): `type/subtype`, and parameters behind it. The default is
/// `text/plain; charset=utf-8`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct ContentType(Box<str>);

/// A text that is no [`ContentType`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no content type such as text/html; charset=utf-8")]
pub struct ContentTypeError(Box<str>);

/// Whether clients are told that the service is being worked on: 503, without asking an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Maintenance {
    /// Whether it is; `None` is no.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub on: Option<bool>,
    /// After what time clients may ask again: `Retry-After` (RFC 9110 section 10.2.3), in seconds, rounded up. `None` does
    /// not say it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub retry_after: Option<Duration>,
    /// The body of the answer; `None` is a line with the status. gRPC calls get their own answer, without it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub body: Option<Box<str>>,
    /// What that body is.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub content_type: Option<ContentType>,
    /// The clients that are served nevertheless, by their address as trusted proxies tell it; `None` is nobody.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub exempt: Option<Networks>,
}

// ===== impl FixedAnswer =====

impl FixedAnswer {
    /// An answer.
    ///
    /// # Errors
    ///
    /// See [`FixedAnswerError`].
    pub fn new(
        status: u16,
        content_type: ContentType,
        body: impl Into<Box<str>>,
    ) -> Result<Self, FixedAnswerError> {
        let body = body.into();
        if !(200..=599).contains(&status) {
            return Err(FixedAnswerError::Status(status));
        }
        if !body.is_empty() && !Self::may_have_body(status) {
            return Err(FixedAnswerError::Content(status));
        }
        Ok(Self { status, content_type, body })
    }

    /// Whether an answer with this status may have a body.
    pub fn may_have_body(status: u16) -> bool {
        !matches!(status, 100..=199 | 204 | 205 | 304)
    }

    /// Its status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What its body is.
    pub fn content_type(&self) -> &ContentType {
        &self.content_type
    }

    /// Its body; it is sent as it is.
    pub fn body(&self) -> &str {
        &self.body
    }
}

// ===== impl ContentType =====

impl ContentType {
    /// As it stands in the field.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ContentType {
    fn default() -> Self {
        Self("text/plain; charset=utf-8".into())
    }
}

impl FromStr for ContentType {
    type Err = ContentTypeError;

    fn from_str(text: &str) -> Result<Self, ContentTypeError> {
        let trimmed = text.trim();
        let (essence, parameters) = match trimmed.split_once(';') {
            Some((essence, parameters)) => (essence.trim_end(), Some(parameters)),
            None => (trimmed, None),
        };
        let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let is_token = |text: &str| !text.is_empty() && text.bytes().all(is_tchar);
        let is_type = essence.split_once('/').is_some_and(|(kind, sub)| is_token(kind) && is_token(sub));
        let is_visible = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte) || byte == b'\t');
        match is_type && parameters.is_none_or(is_visible) {
            true => Ok(Self(trimmed.into())),
            false => Err(ContentTypeError(text.into())),
        }
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// ===== impl Maintenance =====

impl Maintenance {
    /// What it says, and what it leaves open as `other` says it.
    pub(super) fn or(&self, other: &Self) -> Self {
        Self {
            on: self.on.or(other.on),
            retry_after: self.retry_after.or(other.retry_after),
            body: self.body.as_ref().or(other.body.as_ref()).cloned(),
            content_type: self.content_type.as_ref().or(other.content_type.as_ref()).cloned(),
            exempt: self.exempt.as_ref().or(other.exempt.as_ref()).cloned(),
        }
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types() {
        for (text, want) in [
            ("text/html", true),
            (" application/problem+json; charset=utf-8 ", true),
            ("text/plain;charset=\"utf-8\"", true),
            ("", false),
            ("html", false),
            ("text/", false),
            ("/html", false),
            ("text/html charset", false),
            ("text/html\r\nx: y", false),
            ("text/html; a=\u{e4}", false),
            ("text/html; a=\nb", false),
        ] {
            assert_eq!(text.parse::<ContentType>().is_ok(), want, "{text:?}");
        }
        assert_eq!(ContentType::default().as_str().parse(), Ok(ContentType::default()));
    }

    #[test]
    fn statuses_and_bodies() {
        let make = |status, body: &str| FixedAnswer::new(status, ContentType::default(), body).err();
        for (status, body, want) in [
            (200, "x", None),
            (204, "", None),
            (410, "", None),
            (599, "x", None),
            (204, "x", Some(FixedAnswerError::Content(204))),
            (205, "x", Some(FixedAnswerError::Content(205))),
            (304, "x", Some(FixedAnswerError::Content(304))),
            (0, "", Some(FixedAnswerError::Status(0))),
            (103, "", Some(FixedAnswerError::Status(103))),
            (600, "", Some(FixedAnswerError::Status(600))),
        ] {
            assert_eq!(make(status, body), want, "{status} {body:?}");
        }
    }

    #[test]
    fn maintenance_is_completed_part_by_part() {
        let (mut own, mut other) = (Maintenance::default(), Maintenance::default());
        (own.on, other.on) = (Some(false), Some(true));
        (own.body, other.retry_after) = (Some("own".into()), Some(Duration::from_secs(9)));
        (other.body, other.exempt) = (Some("other".into()), "10.0.0.0/8".parse().ok());
        let both = own.or(&other);
        assert_eq!((both.on, both.body.as_deref()), (Some(false), Some("own")));
        assert_eq!((both.retry_after, &both.exempt), (other.retry_after, &other.exempt));
        assert!(Maintenance::default().is_default() && !both.is_default());
    }
}
