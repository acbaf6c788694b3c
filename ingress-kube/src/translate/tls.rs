//! `spec.tls` of one Ingress: which hosts want the certificate of which Secret.

use std::sync::Arc;

use ingress_core::{Code, Diagnostic, HostMatch, Source};
use k8s_openapi::api::networking::v1::{Ingress, IngressSpec, IngressTLS};

use super::key::Key;
use super::{Output, hints, ownership};
use crate::Config;
use crate::store::Stored;

/// A host that wants the certificate of a Secret. The order is that in which the wants of one host are satisfied: the
/// oldest Ingress first (ruling R10), and of one Ingress what names the host before what may cover it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Want {
    pub(super) host: Arc<HostMatch>,
    /// The Ingress, without a field.
    pub(super) ingress: Source,
    /// The entry of `spec.tls` does not name the host, which counts only if the certificate does.
    pub(super) unnamed: bool,
    /// Which entry it is.
    pub(super) entry: usize,
    pub(super) secret: Key,
}

impl Want {
    /// The field that names the Secret.
    pub(super) fn source(&self) -> Source {
        Source::new(self.ingress.object.clone(), format!("spec.tls[{}].secretName", self.entry))
    }
}

/// Adds what `spec.tls` wants for the hosts of the Ingress's rules. Hosts that no rule of the Ingress takes get
/// nothing: whoever serves a host presents its certificate.
pub(super) fn read(
    stored: &Stored<Ingress>,
    spec: &IngressSpec,
    served: &[HostMatch],
    config: &Config,
    out: &mut Output,
) {
    let entries = spec.tls.as_deref().unwrap_or_default();
    if entries.is_empty() {
        return;
    }
    if config.load_certificate.is_none() {
        let help = "HTTPS is not served here; end it in front of the gateway, or leave the field out";
        return out.find(Code::IgnoredField, &stored.source, "spec.tls", "the field has no effect", help);
    }
    for (number, entry) in entries.iter().enumerate() {
        let named = named(stored, number, entry, served, config, out);
        // Without a Secret the default certificate is meant.
        let Some(secret) = entry.secret_name.as_deref().filter(|name| !name.is_empty()) else { continue };
        let secret = Key::new(stored.namespace.clone(), secret);
        let mut want = |host: HostMatch, unnamed: bool| {
            let ingress = Source::new(stored.source.clone(), "");
            out.wants.push(Want {
                host: host.into(),
                ingress,
                unnamed,
                entry: number,
                secret: secret.clone(),
            });
        };
        let unnamed = served.iter().filter(|host| **host != HostMatch::Any && !named.contains(host));
        unnamed.for_each(|host| want(host.clone(), true));
        named.into_iter().for_each(|host| want(host, false));
    }
    out.wants.sort();
    out.wants.dedup();
}

/// The hosts that an entry names, as far as rules take them.
fn named(
    stored: &Stored<Ingress>,
    number: usize,
    entry: &IngressTLS,
    served: &[HostMatch],
    config: &Config,
    out: &mut Output,
) -> Vec<HostMatch> {
    let mut named = Vec::new();
    for (index, text) in entry.hosts.iter().flatten().enumerate() {
        let field = format!("spec.tls[{number}].hosts[{index}]");
        let host = match text.parse() {
            Ok(HostMatch::Any) => {
                let help = "write a host of a rule, or leave the item out";
                out.find(Code::InvalidHost, &stored.source, field, "the host is empty", help);
                continue;
            }
            Ok(host) => host,
            Err(error) => {
                let (message, help) = (format!("{error}: {text:?}"), hints::host(text, error));
                out.find(Code::InvalidHost, &stored.source, field, message, help);
                continue;
            }
        };
        // A rule for all hosts below takes it, too.
        let taken = served.iter().any(|served| served.takes_all(&host));
        if taken {
            match ownership::refusal(stored, &field, &host, config) {
                Some(finding) => out.findings.push(finding),
                None => named.push(host),
            }
            continue;
        }
        let below = served.iter().filter(|served| host.takes_all(served));
        let before = named.len();
        named.extend(below.cloned());
        if named.len() == before {
            let message =
                format!("no rule of the Ingress takes {text:?}, so no certificate is presented for it");
            let help = "write a rule with this host, or a host of a rule here";
            out.find(Code::IgnoredField, &stored.source, field, message, help);
        }
    }
    named.sort();
    named.dedup();
    named
}

/// What is said of a certificate that is presented for hosts which it does not name.
pub(super) fn uncovered(source: Source, hosts: &[&HostMatch], names: &[HostMatch]) -> Diagnostic {
    let hosts = hints::list(hosts.iter()).unwrap_or_default();
    let message = match hints::list(names.iter()) {
        Some(names) => format!("the certificate is for {names}, and not for {hosts}, so clients refuse it"),
        None => format!("the certificate is not for {hosts}, so clients refuse it"),
    };
    let help = "name the Secret of another certificate, or have this one issued with the names of the hosts";
    Diagnostic::new(Code::CertificateNames, source, message, help)
}
