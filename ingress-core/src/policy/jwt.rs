//! Signed tokens.

use super::Callee;

/// That a client sends a token that somebody has signed (RFC 7519, RFC 6750).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Jwt {
    /// Who must have issued it (`iss`).
    pub issuer: Option<Box<str>>,
    /// For whom it must be, for one of these (`aud`); nothing is anybody.
    pub audiences: Vec<Box<str>>,
    /// The keys it may be signed with.
    pub keys: JwtKeys,
}

/// Where the keys are by which tokens are checked, a JSON Web Key Set (RFC 7517).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum JwtKeys {
    /// These, as JSON.
    Set(Box<str>),
    /// Those that somebody is asked for now and then.
    At(Callee),
}

impl Jwt {
    pub(super) fn callee(&self) -> Option<&Callee> {
        match &self.keys {
            JwtKeys::At(callee) => Some(callee),
            JwtKeys::Set(_) => None,
        }
    }
}
