//! Answers that are compressed.

/// How answers are compressed for clients that can read it (RFC 9110 section 8.4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Compression {}
