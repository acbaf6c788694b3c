//! What says how requests are treated and not where they go, so that the oracle need not know it: policies by
//! annotation, their defaults, and Secrets.

use std::collections::BTreeMap;
use std::error::Error;

use arbitrary::{Result, Unstructured};
use ingress_core::{Certificate, HostMatch, Trust};
use ingress_kube::{Config, TlsData};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::choose::{any_text, choose, list, option, text};
use super::make::{NAMES, metadata};

const VALUES: [&str; 12] =
    ["2s", "0", "30", "1MiB", "3", "reset, 503", "non-idempotent", "https", "a.x", "false", "a", "b/a"];
const FIELDS: [&str; 4] = ["tls.crt", "tls.key", "ca.crt", "tls.ocsp-staple"];
/// A certificate is the hosts that it is for.
const CONTENTS: [&str; 5] = ["a.x", "*.x", "", "x *.a.x", "a_b!"];

/// A configuration in which certificates and authorities are read.
pub(super) fn config() -> Config {
    Config::default().load_certificate(certificate).load_trust(trust).default_certificate("default", "a")
}

fn certificate(data: &TlsData<'_>) -> std::result::Result<Certificate, Box<dyn Error + Send + Sync>> {
    let names = std::str::from_utf8(data.chain)?.split(' ');
    let names: Vec<HostMatch> = names.map(str::parse).collect::<std::result::Result<_, _>>()?;
    Ok(Certificate::new([data.chain, data.key, data.ocsp.unwrap_or_default()].concat(), names, ()))
}

fn trust(pem: &[u8]) -> std::result::Result<Trust, Box<dyn Error + Send + Sync>> {
    if pem.is_empty() { Err("it is empty".into()) } else { Ok(Trust::new(pem, ())) }
}

/// An annotation of a policy, under its name in `domain`.
pub(super) fn policy(data: &mut Unstructured<'_>, domain: &str) -> Result<(String, String)> {
    let known = ingress_kube::annotations().iter();
    let known = known.filter(|known| known.scope.has_gateways() || known.scope.has_services());
    let names: Vec<_> = known.map(|known| known.name).collect();
    Ok((format!("{domain}{}", choose(data, &names)?), text(data, &VALUES)?))
}

pub(super) fn secret(data: &mut Unstructured<'_>) -> Result<Secret> {
    let types = ["kubernetes.io/tls", "kubernetes.io/tls", "Opaque"];
    let metadata = metadata(data, &NAMES)?;
    let fields = list(data, 4, |data| Ok((text(data, &FIELDS)?, text(data, &CONTENTS)?)))?;
    let written = option(data, |data| Ok((text(data, &FIELDS)?, text(data, &CONTENTS)?)))?;
    let bytes = |(name, text): (String, String)| (name, ByteString(text.into_bytes()));
    Ok(Secret {
        metadata,
        type_: option(data, |data| text(data, &types))?,
        data: Some(fields.into_iter().map(bytes).collect()),
        string_data: written.map(|written| [written].into()),
        ..Secret::default()
    })
}

pub(super) fn config_map(data: &mut Unstructured<'_>) -> Result<ConfigMap> {
    let metadata = metadata(data, &NAMES)?;
    let mut parameters: BTreeMap<_, _> = list(data, 3, |data| policy(data, ""))?.into_iter().collect();
    if choose(data, &[false, false, false, true])? {
        // No name of a condition, which would say where requests go.
        parameters.insert(format!("x-{}", any_text(data)?), any_text(data)?);
    }
    Ok(ConfigMap { metadata, data: Some(parameters), ..ConfigMap::default() })
}
