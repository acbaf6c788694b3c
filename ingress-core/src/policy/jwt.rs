//! Signed tokens.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Callee, OwnField};

/// That a client sends a token that somebody has signed (RFC 7519, RFC 6750). Without one, and with one that is not
/// accepted, it is answered with 401.
///
/// A token must say until when it is valid (`exp`), and is signed with a key of its issuer's of which only the public half
/// is known here: RSA (`RS256` to `RS512`, `PS256` to `PS512`), `ES256`, `ES384` or `EdDSA`. The kind of the key says
/// which of them are accepted, not the token (RFC 8725 section 3.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Jwt {
    /// What clients are told that the token is for.
    pub realm: Box<str>,
    /// Who must have issued it (`iss`); `None` is whoever has the keys.
    pub issuer: Option<Box<str>>,
    /// For whom it must be, for one of these (`aud`). Without any, a token that is for somebody is refused (RFC 7519
    /// section 4.1.3) unless [`any_audience`](Self::any_audience) says otherwise.
    pub audiences: Vec<Box<str>>,
    /// Whether it does not matter for whom it is.
    pub any_audience: bool,
    /// The keys it may be signed with.
    pub keys: JwtKeys,
    /// By how much the clocks of issuer and gateway may differ, for `exp` and `nbf`.
    pub leeway: Duration,
    /// Where in a request it is.
    pub source: TokenSource,
    /// What endpoints are told of it: the names of claims, each with the field that its value goes into. Texts, numbers and
    /// booleans are written as they are, lists and objects as JSON. What is not in the token, or cannot stand in a field, is
    /// left out.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub claims: Vec<(Box<str>, OwnField)>,
}

/// Where the keys are by which tokens are checked, a JSON Web Key Set (RFC 7517). Of a set up to
/// [`MAX_KEYS`](Jwt::MAX_KEYS) may be usable. No more than four are tried for one token, the first of those of its algorithm
/// that have the name it has (`kid`); without a name, the first four of its algorithm. An issuer with more of them at once must
/// name the key in its tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum JwtKeys {
    /// These.
    Set(JwtKeySet),
    /// Those that somebody is asked for now and then. The path may have nothing of a request in it. If nobody answers, those
    /// that came last count.
    At(Callee),
}

/// A JSON Web Key Set. Only public keys belong into it; since others may be in it by mistake, it is neither shown by `Debug`
/// nor written out.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JwtKeySet(Arc<str>);

/// Where in a request a token is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum TokenSource {
    /// `Authorization: Bearer TOKEN` (RFC 6750 section 2.1).
    #[default]
    Authorization,
    /// A cookie of this name; a request with several is refused. Browsers send cookies also with requests that other sites
    /// make.
    Cookie(Box<str>),
    /// A field of its own, with `Bearer` in front or without. One whose name has `_` where this has `-`, or the other way round,
    /// does not reach the endpoint.
    Field(OwnField),
}

impl Jwt {
    /// What clients are told where nothing else is said.
    pub const REALM: &'static str = "Restricted";
    /// By how much clocks may differ where nothing else is said.
    pub const LEEWAY: Duration = Duration::from_secs(60);
    /// The most keys of a set.
    pub const MAX_KEYS: usize = 32;
    /// How many bytes a key set may have.
    pub const MAX_KEYS_LEN: usize = 256 * 1024;

    /// For tokens of anybody who has these keys, and for nobody in particular.
    pub fn new(keys: JwtKeys) -> Self {
        Self {
            realm: Self::REALM.into(),
            issuer: None,
            audiences: Vec::new(),
            any_audience: false,
            keys,
            leeway: Self::LEEWAY,
            source: TokenSource::default(),
            claims: Vec::new(),
        }
    }

    pub(super) fn callee(&self) -> Option<&Callee> {
        match &self.keys {
            JwtKeys::At(callee) => Some(callee),
            JwtKeys::Set(_) => None,
        }
    }
}

impl JwtKeySet {
    /// The JSON.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'t> From<&'t str> for JwtKeySet {
    fn from(json: &'t str) -> Self {
        Self(json.into())
    }
}

impl From<String> for JwtKeySet {
    fn from(json: String) -> Self {
        Self(json.into())
    }
}

impl fmt::Debug for JwtKeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtKeySet").field("bytes", &self.0.len()).finish_non_exhaustive()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for JwtKeySet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{} bytes of keys", self.0.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_keys() {
        let jwt = Jwt::new(JwtKeys::Set(r#"{"keys":[{"d":"private"}]}"#.into()));
        assert!(!format!("{jwt:?}").contains("private"));
    }
}
