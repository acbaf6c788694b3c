//! PEM to a certificate.

use std::sync::Arc;

use ingress_core::{Certificate, HostMatch};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use webpki::EndEntityCert;

use super::provider;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The chain is not PEM.
    #[error("the certificate is not PEM")]
    Chain(#[source] pem::Error),
    /// There is no `CERTIFICATE` in the chain.
    #[error("there is no CERTIFICATE in the PEM")]
    Empty,
    /// The first certificate of the chain is not X.509 as RFC 5280 has it.
    #[error("the certificate cannot be read")]
    Malformed(#[source] webpki::Error),
    /// A certificate of an authority that cannot be trusted.
    #[error("the certificate of an authority cannot be used")]
    Authority(#[source] rustls::Error),
    /// The private key is not PEM, or none of `PRIVATE KEY`, `RSA PRIVATE KEY` and `EC PRIVATE KEY`.
    #[error("there is no private key in the PEM")]
    Key(#[source] pem::Error),
    /// The key is of a kind that is not supported (RSA, ECDSA on P-256 and P-384 and Ed25519 are), or it is not that of the
    /// certificate.
    #[error("the private key cannot be used with the certificate")]
    Mismatch(#[source] rustls::Error),
}

/// Reads a certificate chain, the server's own certificate first, and its private key, both as PEM, and the answer of an
/// OCSP responder as DER (RFC 6960), if there is one to be presented with it (RFC 6066 section 8).
///
/// # Errors
///
/// What cannot be presented: see [`CertificateError`]. Dates and issuers are not looked at.
pub fn certificate(chain: &[u8], key: &[u8], ocsp: Option<&[u8]>) -> Result<Certificate, CertificateError> {
    let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(CertificateError::Chain)?;
    let own = chain.first().ok_or(CertificateError::Empty)?;
    let names = names(own).map_err(CertificateError::Malformed)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(CertificateError::Key)?;
    let id: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).chain(ocsp).collect();
    let id = id.concat();
    let mut certified =
        CertifiedKey::from_der(chain, key, &provider()).map_err(CertificateError::Mismatch)?;
    certified.ocsp = ocsp.map(<[u8]>::to_vec);
    Ok(Certificate::new(id, names, Arc::new(certified)))
}

/// Its DNS names (RFC 5280 section 4.2.1.6). The common name is none of them (RFC 9525).
fn names(certificate: &CertificateDer<'_>) -> Result<Vec<HostMatch>, webpki::Error> {
    let certificate = EndEntityCert::try_from(certificate)?;
    Ok(certificate.valid_dns_names().filter_map(|name| name.parse().ok()).collect())
}
