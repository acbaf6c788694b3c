//! Certificates for HTTPS, and of authorities that endpoints are trusted for.

use std::error::Error;

use ingress_core::{Certificate, TableReader, Trust};
use ingress_kube::TlsData;
use ingress_tower::tls::{self, Tls, TlsVersion};

use crate::Failure;
use crate::args::TlsVersionArg;

/// What clients see where there is no certificate at all.
const NAME: &str = "no-certificate-for-this-host.invalid";

/// Makes a certificate of what is in a Secret.
pub(crate) fn load(data: &TlsData<'_>) -> Result<Certificate, Box<dyn Error + Send + Sync>> {
    Ok(tls::certificate(data.chain, data.key, data.ocsp)?)
}

/// Makes of the certificates of authorities whom to trust.
pub(crate) fn load_trust(pem: &[u8]) -> Result<Trust, Box<dyn Error + Send + Sync>> {
    Ok(tls::trust(pem)?)
}

/// TLS with the certificates of the table, and one that is made now for all other hosts. No client trusts that one.
pub(crate) fn tls(reader: TableReader, min_version: TlsVersionArg) -> Result<Tls, Failure> {
    let made = self_signed()
        .map_err(|error| Failure::System(format!("cannot make a default certificate: {error}")))?;
    let version = match min_version {
        TlsVersionArg::Tls12 => TlsVersion::Tls12,
        TlsVersionArg::Tls13 => TlsVersion::Tls13,
    };
    Ok(Tls::new(reader).default_certificate(made).min_version(version))
}

fn self_signed() -> Result<Certificate, Box<dyn Error + Send + Sync>> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    Ok(tls::certificate(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes(), None)?)
}
