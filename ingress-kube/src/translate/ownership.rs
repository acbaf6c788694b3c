//! Rules for hosts that their namespace may not claim.

use ingress_core::{Code, Diagnostic, HostMatch, Source};
use k8s_openapi::api::networking::v1::Ingress;

use super::hints;
use crate::Config;
use crate::ownership::HostPattern;
use crate::store::Stored;

/// Why the Ingress may not have a rule for this host, unless it may.
pub(super) fn refusal(
    stored: &Stored<Ingress>,
    field: &str,
    host: &HostMatch,
    config: &Config,
) -> Option<Diagnostic> {
    let policy =
        config.host_ownership.as_ref().filter(|policy| !policy.may_claim(&stored.namespace, host))?;
    let (pattern, owners) = policy.deciding(host)?;
    let namespace = &stored.namespace;
    let what = match host {
        HostMatch::Any => "all hosts, as a rule without a host does".into(),
        host => format!("host {:?}", host.to_string()),
    };
    let whose = match (pattern, hints::list(owners.namespaces.iter())) {
        (HostPattern::All, Some(list)) => format!("what nobody else owns belongs to {list}"),
        (pattern, Some(list)) => format!("{pattern} belongs to {list}"),
        (pattern, None) => format!("{pattern} may be claimed by nobody"),
    };
    let message = format!("namespace {namespace} may not claim {what}; {whose}");
    let help = format!("name another host, or have {namespace} added to the owners of {pattern}");
    let source = Source::new(stored.source.clone(), field);
    Some(Diagnostic::new(Code::HostNotOwned, source, message, help))
}

/// The hosts that are kept from rules for wider hosts.
pub(super) fn reserved(config: &Config) -> impl Iterator<Item = HostMatch> {
    config.host_ownership.iter().flat_map(|policy| policy.reserved())
}
