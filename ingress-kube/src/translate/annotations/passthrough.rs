//! TLS that is not ended here.

use super::Fault;
use super::list::{Annotation, Scope, Unreadable, ValueKind};

pub(in crate::translate) const NAME: &str = "tls-passthrough";

pub(super) const ANNOTATIONS: &[Annotation] = &[Annotation {
    name: NAME,
    policy: "TLS passthrough",
    meaning: "whether connections of clients that ask for a host of the rules are carried to the endpoints of its path / without being decrypted: true or false",
    default: "`false`",
    value: ValueKind::Switch,
    scope: Scope::Ingress,
    unreadable: Unreadable::Closed,
    read: |settings, text, report| match switch(text) {
        Ok(passes) => settings.passes_tls = passes,
        // Whoever wants it may not want anybody to read along.
        Err(fault) => {
            report(fault.closing());
            settings.treatment.policy.access.closed = true;
        }
    },
}];

fn switch(text: &str) -> Result<bool, Fault> {
    text.trim()
        .parse()
        .map_err(|_| Fault::new(format!("{text:?} is neither true nor false"), "write true or false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches() {
        let read = |text| switch(text).ok();
        assert_eq!(
            ["true", " false\n", "True", "yes", ""].map(read),
            [Some(true), Some(false), None, None, None]
        );
    }
}
