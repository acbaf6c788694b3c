//! What a content is.

use std::fmt;
use std::str::FromStr;

/// What a content is, as `Content-Type` says it (RFC 9110 section 8.3.1): `text/html; charset=utf-8`. The default is
/// `text/plain; charset=utf-8`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MediaType(Box<str>);

/// A text that is no [`MediaType`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no media type such as text/html; charset=utf-8")]
pub struct MediaTypeError(Box<str>);

impl MediaType {
    /// As `Content-Type` has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for MediaType {
    fn default() -> Self {
        Self("text/plain; charset=utf-8".into())
    }
}

impl FromStr for MediaType {
    type Err = MediaTypeError;

    fn from_str(text: &str) -> Result<Self, MediaTypeError> {
        let text = text.trim();
        let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
        let is_one =
            essence.trim_end().split_once('/').is_some_and(|(kind, sub)| is_token(kind) && is_token(sub));
        let is_plain = parameters.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if is_one && is_plain { Ok(Self(text.into())) } else { Err(MediaTypeError(text.into())) }
    }
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for MediaType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types() {
        for (text, want) in [
            ("text/html", true),
            (" application/problem+json; charset=utf-8\n", true),
            ("text/html ;charset=\"utf-8\"", true),
            ("", false),
            ("text", false),
            ("text/", false),
            ("/html", false),
            ("text/html/x", false),
            ("text /html", false),
            ("text/html; a=\r\nX: y", false),
            ("text/html; ä", false),
        ] {
            assert_eq!(text.parse::<MediaType>().is_ok(), want, "{text:?}");
        }
        assert_eq!(MediaType::default().as_str().parse(), Ok(MediaType::default()));
    }
}
