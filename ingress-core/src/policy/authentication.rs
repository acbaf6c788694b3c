//! Who may send requests, by what they prove.

use super::{BasicAuth, ClientCertificate, ExternalAuth, Jwt};
use crate::BackendRef;

/// What a client has to prove before its requests are served. All that is named must be proved, unless `any` says that
/// one is enough; where nothing is named, everybody may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Authentication {
    /// A certificate of its own.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub certificate: Option<ClientCertificate>,
    /// A name and its password.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub basic: Option<BasicAuth>,
    /// A token that somebody has signed.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub jwt: Option<Jwt>,
    /// That a service of yours lets it pass.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub external: Option<ExternalAuth>,
    /// Whether one of these is enough, or an address in [`Access::allow`](crate::Access::allow); `None` is no. Who is in
    /// [`Access::deny`](crate::Access::deny) is refused in any case.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub any: Option<bool>,
}

impl Authentication {
    /// Whether anything is to be proved.
    pub fn is_needed(&self) -> bool {
        self.certificate.is_some() || self.basic.is_some() || self.jwt.is_some() || self.external.is_some()
    }

    /// The backends that are asked.
    pub(super) fn backends(&self) -> impl Iterator<Item = &BackendRef> {
        let external = self.external.as_ref().map(|external| &external.callee);
        let keys = self.jwt.as_ref().and_then(Jwt::callee);
        external.into_iter().chain(keys).filter_map(super::Callee::backend)
    }

    /// What it says, and what it leaves open as `other` says it.
    pub(super) fn or(&self, other: &Self) -> Self {
        Self {
            certificate: self.certificate.as_ref().or(other.certificate.as_ref()).cloned(),
            basic: self.basic.as_ref().or(other.basic.as_ref()).cloned(),
            jwt: self.jwt.as_ref().or(other.jwt.as_ref()).cloned(),
            external: self.external.as_ref().or(other.external.as_ref()).cloned(),
            any: self.any.or(other.any),
        }
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
