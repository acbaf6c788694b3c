//! Answers that no endpoint is asked for.

use std::time::Duration;

use super::{MediaType, Networks};

/// An answer that is always the same, to every method; to HEAD without its body (RFC 9110 section 9.3.2).
///
/// ```
/// use ingress_core::{MediaType, FixedAnswer, FixedAnswerError};
///
/// let robots = FixedAnswer::new(200, MediaType::default(), "User-agent: *\nDisallow: /\n")?;
/// assert_eq!(robots.content_type().as_str(), "text/plain; charset=utf-8");
/// assert_eq!(FixedAnswer::new(101, MediaType::default(), ""), Err(FixedAnswerError::Status(101)));
/// # Ok::<(), FixedAnswerError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FixedAnswer {
    status: u16,
    content_type: MediaType,
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
    pub content_type: Option<MediaType>,
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
        content_type: MediaType,
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
    pub fn content_type(&self) -> &MediaType {
        &self.content_type
    }

    /// Its body; it is sent as it is.
    pub fn body(&self) -> &str {
        &self.body
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
    fn statuses_and_bodies() {
        let make = |status, body: &str| FixedAnswer::new(status, MediaType::default(), body).err();
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
