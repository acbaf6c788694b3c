//! Secrets that hold a certificate.

use std::error::Error;
use std::fmt;

use ingress_core::{Certificate, Trust};
use k8s_openapi::api::core::v1::Secret;

/// The fields of a Secret of type `kubernetes.io/tls`, and one for an OCSP answer that Istio and kgateway know.
const CHAIN: &str = "tls.crt";
const KEY: &str = "tls.key";
const OCSP: &str = "tls.ocsp-staple";
/// The certificates of authorities, in Secrets of this type and in others.
const AUTHORITIES: &str = "ca.crt";
/// Names and hashes of passwords, as `htpasswd` writes them.
const USERS: &str = "auth";
/// A JSON Web Key Set.
const KEYS: &str = "jwks.json";

/// What a Secret of type `kubernetes.io/tls` holds.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct TlsData<'a> {
    /// `tls.crt`: the certificate and those that lead from it to its issuer, as PEM.
    pub chain: &'a [u8],
    /// `tls.key`: the private key, as PEM.
    pub key: &'a [u8],
    /// `tls.ocsp-staple`: what an OCSP responder said of the certificate, as DER (RFC 6960).
    pub ocsp: Option<&'a [u8]>,
}

/// Makes what the program's TLS library presents, or says why it cannot; the text must not show the key.
/// `ingress_tower::tls::certificate` does it for rustls.
pub type LoadCertificate = fn(&TlsData<'_>) -> Result<Certificate, Box<dyn Error + Send + Sync>>;

/// Makes of the certificates of authorities, as PEM, what the program's TLS library checks endpoints with, or says why it
/// cannot. `ingress_tower::tls::trust` does it for rustls.
pub type LoadTrust = fn(&[u8]) -> Result<Trust, Box<dyn Error + Send + Sync>>;

/// Says what is wrong with a JSON Web Key Set, if anything is. `ingress_tower::check_key_set` does it.
pub type CheckKeys = fn(&[u8]) -> Result<(), Box<dyn Error + Send + Sync>>;

/// Names and hashes of passwords in a Secret.
pub(crate) fn users(secret: &Secret) -> Option<&[u8]> {
    Some(secret.data.as_ref()?.get(USERS)?.0.as_slice())
}

/// The JSON Web Key Set in a Secret.
pub(crate) fn keys(secret: &Secret) -> Option<&[u8]> {
    Some(secret.data.as_ref()?.get(KEYS)?.0.as_slice())
}

/// The certificates of authorities in a Secret, as PEM.
pub(crate) fn authorities(secret: &Secret) -> Option<&[u8]> {
    Some(secret.data.as_ref()?.get(AUTHORITIES)?.0.as_slice())
}

impl<'a> TlsData<'a> {
    /// The fields, or the name of the one that is missing.
    pub(crate) fn of(secret: &'a Secret) -> Result<Self, &'static str> {
        let data = secret.data.as_ref();
        let field = |name: &str| data.and_then(|data| Some(data.get(name)?.0.as_slice()));
        Ok(Self { chain: field(CHAIN).ok_or(CHAIN)?, key: field(KEY).ok_or(KEY)?, ocsp: field(OCSP) })
    }
}

/// Never shows the key.
impl fmt::Debug for TlsData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsData").field("chain", &self.chain.len()).finish_non_exhaustive()
    }
}

/// Keeps of a Secret what is read: nothing, if there is no certificate in it. `stringData`, which an API server writes
/// into `data`, goes there.
pub(crate) fn drop_unread(secret: &mut Secret) {
    let written = secret.string_data.take().unwrap_or_default();
    let data = secret.data.get_or_insert_default();
    data.extend(written.into_iter().map(|(name, text)| (name, k8s_openapi::ByteString(text.into_bytes()))));
    data.retain(|name, _| [CHAIN, KEY, OCSP, AUTHORITIES, USERS, KEYS].contains(&name.as_str()));
    secret.immutable = None;
}
