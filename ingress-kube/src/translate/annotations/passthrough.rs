//! TLS that is not ended here.

use super::list::{Annotation, Scope, Unreadable, ValueKind};
use super::values;

pub(in crate::translate) const NAME: &str = "tls-passthrough";

pub(super) const ANNOTATIONS: &[Annotation] = &[Annotation {
    name: NAME,
    policy: "TLS passthrough",
    meaning: "whether connections of clients that ask for a host of the rules are carried to the endpoints of its path / without being decrypted: true or false",
    default: "`false`",
    value: ValueKind::Switch,
    scope: Scope::Ingress,
    unreadable: Unreadable::Closed,
    read: |settings, text, report| match values::switch(text, "") {
        Ok(passes) => settings.passes_tls = passes,
        // Whoever wants it may not want anybody to read along.
        Err(fault) => {
            report(fault.closing());
            settings.treatment.policy.access.closed = true;
        }
    },
}];
