//! Names of fields that mean nothing to HTTP.

use std::str::FromStr;

use http::HeaderName;

use super::FieldUse;

/// The name of a field that means nothing to HTTP itself nor to the gateway, in lower case. Where a policy says that the
/// gateway writes it, those of clients are taken out of requests, also where they are spelled with `_` in place of `-`.
///
/// ```
/// use ingress_core::OwnField;
///
/// assert_eq!("X-User".parse::<OwnField>()?.as_str(), "x-user");
/// assert!("Content-Length".parse::<OwnField>().is_err());
/// # Ok::<(), ingress_core::OwnFieldError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct OwnField(Box<str>);

/// A text that is no [`OwnField`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OwnFieldError {
    /// A name has letters, digits and a few signs (RFC 9110 section 5.1).
    #[error("{0:?} is no name of a field")]
    Name(Box<str>),
    /// It means something already.
    #[error("the field {0} has a meaning already")]
    Taken(Box<str>),
}

/// What HTTP makes something of, besides what no policy may touch.
const TAKEN: [&str; 7] =
    ["accept-encoding", "authorization", "content-encoding", "content-type", "date", "range", "if-range"];

impl OwnField {
    /// The name, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OwnField {
    type Err = OwnFieldError;

    fn from_str(text: &str) -> Result<Self, OwnFieldError> {
        let name = HeaderName::from_str(text.trim()).map_err(|_| OwnFieldError::Name(text.into()))?;
        let spelled = name.as_str().replace('_', "-");
        match FieldUse::of(&name) != FieldUse::Free || TAKEN.contains(&&*spelled) {
            true => Err(OwnFieldError::Taken(name.as_str().into())),
            false => Ok(Self(name.as_str().into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, want) in [
            ("X-User", Some("x-user")),
            (" x_groups\n", Some("x_groups")),
            ("", None),
            ("X User", None),
            ("X-User:", None),
            ("Ä", None),
            ("Host", None),
            ("X_Forwarded_For", None),
            ("Authorization", None),
            ("Sec-WebSocket-Key", None),
            ("X-Client-Cert-Subject", None),
            ("X-Forwarded-Prefix", None),
            ("X-Forwarded-User", Some("x-forwarded-user")),
        ] {
            assert_eq!(text.parse::<OwnField>().ok().as_ref().map(OwnField::as_str), want, "{text:?}");
        }
    }
}
