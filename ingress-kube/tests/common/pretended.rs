//! Certificates that are none: what matters here is which Secret is read and who gets it.

use ingress_core::{Certificate, HostMatch};
use ingress_kube::TlsData;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

#[allow(dead_code, reason = "some tests write them out")]
/// A chain whose only content are these names.
pub(crate) fn chain(names: &str) -> String {
    format!("{BEGIN} {names}")
}

/// Reads what [`chain`] wrote, and the examples of `DIAGNOSTICS.md`. The key is `key`, or PEM.
pub(crate) fn load(data: &TlsData<'_>) -> Result<Certificate, Box<dyn std::error::Error + Send + Sync>> {
    let text = std::str::from_utf8(data.chain)?;
    let names = text.strip_prefix(BEGIN).ok_or("there is no CERTIFICATE in the PEM")?;
    if data.key != b"key" && !data.key.starts_with(b"-----BEGIN PRIVATE KEY-----") {
        return Err("there is no private key in the PEM".into());
    }
    let names = names.split_whitespace().take_while(|name| !name.starts_with('-'));
    let names: Vec<HostMatch> = names.map(str::parse).collect::<Result<_, _>>()?;
    let id = [data.chain, data.ocsp.unwrap_or_default()].concat();
    Ok(Certificate::new(id, names, text.to_owned()))
}
