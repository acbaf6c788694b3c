//! Answers that are compressed.

use std::fmt;
use std::str::FromStr;

/// How answers are compressed for clients that can read it (RFC 9110 section 8.4). Without [`Compression::codings`] they are
/// not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Compression {
    /// The codings that may be used, none of them where there are none. Of those that a client likes equally it is
    /// [`Coding::Brotli`].
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub codings: Option<Vec<Coding>>,
    /// How many bytes an answer must have, if that is known; `None` is [`Compression::MIN_SIZE`].
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub min_size: Option<u64>,
    /// Which answers, by their `Content-Type`; `None` are texts of all kinds, such as HTML, JSON and SVG.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub types: Option<MediaTypes>,
}

/// A coding of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Coding {
    /// `br` (RFC 7932).
    Brotli,
    /// `gzip` (RFC 1952).
    Gzip,
}

/// Media types: a list of those such as `text/html`, and of `text/*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MediaTypes(Box<[Box<str>]>);

/// A text that is no list of media types.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MediaTypesError {
    /// Something that is no media type.
    #[error("{0:?} is no media type such as text/html or text/*")]
    Type(Box<str>),
    /// One whose answers are sent piece by piece.
    #[error("{0} is sent piece by piece, and never compressed")]
    Stream(Box<str>),
    /// There is none.
    #[error("no media type is named")]
    Empty,
}

/// What is text, besides `text/` and what ends in `+json`, `+xml` or `+text`.
const TEXTS: [&str; 14] = [
    "application/javascript",
    "application/json",
    "application/ld+json",
    "application/rtf",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-javascript",
    "application/x-ndjson",
    "application/x-yaml",
    "application/xml",
    "application/yaml",
    "font/collection",
    "font/otf",
    "font/ttf",
];

// ===== impl Compression =====

impl Compression {
    /// How many bytes an answer must have where nothing else is said: about what fits in one packet anyway.
    pub const MIN_SIZE: u64 = 1024;

    /// What it says, and what it leaves open as `other` says it.
    pub(super) fn or(&self, other: &Self) -> Self {
        Self {
            codings: self.codings.as_ref().or(other.codings.as_ref()).cloned(),
            min_size: self.min_size.or(other.min_size),
            types: self.types.as_ref().or(other.types.as_ref()).cloned(),
        }
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether answers with this `Content-Type` are compressed. What is sent piece by piece never is: streams of events, and
    /// calls of gRPC.
    ///
    /// ```
    /// use ingress_core::Compression;
    ///
    /// let compression = Compression::default();
    /// assert!(compression.takes("text/html; charset=utf-8"));
    /// assert!(!compression.takes("image/png") && !compression.takes("text/event-stream"));
    /// ```
    pub fn takes(&self, content_type: &str) -> bool {
        let of_type = content_type.split(';').next().unwrap_or_default().trim();
        if is_stream(of_type) {
            return false;
        }
        match &self.types {
            Some(types) => types.0.iter().any(|own| match own.strip_suffix('*') {
                Some(start) => starts_with(of_type, start),
                None => own.eq_ignore_ascii_case(of_type),
            }),
            None => {
                let ends = ["+json", "+xml", "+text"];
                starts_with(of_type, "text/")
                    || TEXTS.iter().any(|text| text.eq_ignore_ascii_case(of_type))
                    || ends.iter().any(|end| ends_with(of_type, end))
            }
        }
    }
}

fn is_stream(of_type: &str) -> bool {
    of_type.eq_ignore_ascii_case("text/event-stream") || starts_with(of_type, "application/grpc")
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
}

fn ends_with(text: &str, end: &str) -> bool {
    let at = text.len().checked_sub(end.len());
    at.and_then(|at| text.get(at..)).is_some_and(|found| found.eq_ignore_ascii_case(end))
}

// ===== impl MediaTypes =====

impl FromStr for MediaTypes {
    type Err = MediaTypesError;

    fn from_str(text: &str) -> Result<Self, MediaTypesError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        // RFC 6838 section 4.2.
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(is_plain);
        let read = |word: &str| match word.split_once('/') {
            Some((main, sub)) if is_name(main) && (sub == "*" || is_name(sub)) => match is_stream(word) {
                true => Err(MediaTypesError::Stream(word.into())),
                false => Ok(word.to_ascii_lowercase().into()),
            },
            _ => Err(MediaTypesError::Type(word.into())),
        };
        let words = text.split(|sign: char| sign == ',' || sign.is_ascii_whitespace());
        let types = words.filter(|word| !word.is_empty()).map(read).collect::<Result<Vec<_>, _>>()?;
        match types.is_empty() {
            true => Err(MediaTypesError::Empty),
            false => Ok(Self(types.into())),
        }
    }
}

impl fmt::Display for MediaTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for MediaTypes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_types() {
        for (text, want) in [
            ("text/html", Ok("text/html")),
            ("Text/HTML,application/json\ntext/*", Ok("text/html, application/json, text/*")),
            ("image/svg+xml", Ok("image/svg+xml")),
            ("", Err(MediaTypesError::Empty)),
            ("text", Err(MediaTypesError::Type("text".into()))),
            ("*/*", Err(MediaTypesError::Type("*/*".into()))),
            ("text/", Err(MediaTypesError::Type("text/".into()))),
            ("text/h*", Err(MediaTypesError::Type("text/h*".into()))),
            ("text/html;q=1", Err(MediaTypesError::Type("text/html;q=1".into()))),
            ("text/event-stream", Err(MediaTypesError::Stream("text/event-stream".into()))),
            ("application/grpc+proto", Err(MediaTypesError::Stream("application/grpc+proto".into()))),
        ] {
            let read = text.parse::<MediaTypes>().map(|types| types.to_string());
            assert_eq!(read, want.map(str::to_owned), "{text:?}");
        }
    }

    #[test]
    fn which_answers_are_compressed() {
        let all = Compression::default();
        let own = Compression { types: Some("text/*, image/bmp".parse().unwrap()), ..Compression::default() };
        for (content_type, by_default, by_list) in [
            ("text/html", true, true),
            ("TEXT/HTML ; charset=utf-8", true, true),
            ("text/event-stream", false, false),
            ("Text/Event-Stream; charset=utf-8", false, false),
            ("application/json", true, false),
            ("application/problem+JSON", true, false),
            ("image/svg+xml", true, false),
            ("image/png", false, false),
            ("image/bmp", false, true),
            ("application/grpc", false, false),
            ("application/grpc-web+proto", false, false),
            ("application/octet-stream", false, false),
            ("application/zip", false, false),
            ("font/woff2", false, false),
            ("video/mp4", false, false),
            ("", false, false),
            ("ä", false, false),
        ] {
            assert_eq!(
                (all.takes(content_type), own.takes(content_type)),
                (by_default, by_list),
                "{content_type}"
            );
        }
    }
}
