//! Who may send requests. What cannot be read closes the paths: nobody may then.

use ingress_core::Networks;

use super::list::{Annotation, Report, Scope, Unreadable, ValueKind};
use super::policy::Treatment;
use super::{Fault, values};

pub(super) const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: "allow-source-range",
        policy: "access",
        meaning: "the addresses and ranges of the clients that may send requests, such as 10.0.0.0/8, 192.0.2.1",
        default: "everybody",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::Closed,
        read: |settings, text, report| {
            let networks = read(&mut settings.treatment, text, report);
            settings.treatment.policy.access.allow = networks;
        },
    },
    Annotation {
        name: "deny-source-range",
        policy: "access",
        meaning: "the addresses and ranges of the clients that may not send requests, whatever else is said",
        default: "nobody",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::Closed,
        read: |settings, text, report| {
            let networks = read(&mut settings.treatment, text, report);
            settings.treatment.policy.access.deny = networks;
        },
    },
    Annotation {
        name: "access-require",
        policy: "access",
        meaning: "whether a client must be let in by everything that is said of who may send requests, all, or by one of it, any",
        default: "`all`",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::Strictest,
        read: |settings, text, report| {
            let any = require(text).unwrap_or_else(|fault| {
                report(fault);
                false
            });
            settings.treatment.policy.authentication.any = Some(any);
        },
    },
];

/// The ranges; without any, nobody may send requests.
fn read(treatment: &mut Treatment, text: &str, report: Report<'_>) -> Option<Networks> {
    match networks(text) {
        Ok(networks) => Some(networks),
        Err(fault) => {
            report(fault.closing());
            treatment.policy.access.closed = true;
            None
        }
    }
}

/// What cannot be read is taken for the stricter word.
fn require(text: &str) -> Result<bool, Fault> {
    match values::keyword(text).as_str() {
        "any" => Ok(true),
        "all" => Ok(false),
        _ => Err(Fault::new(
            format!("{text:?} is neither all nor any, so all is required"),
            "write all or any",
        )),
    }
}

fn networks(text: &str) -> Result<Networks, Fault> {
    let help = "write IP addresses and ranges, such as 10.0.0.0/8, 192.0.2.1";
    match text.parse::<Networks>() {
        Ok(networks) if networks.is_empty() => Err(Fault::new("no address is named", help)),
        Ok(networks) => Ok(networks),
        Err(error) => Err(Fault::new(error.to_string(), help)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (text, want) in [
            ("10.0.0.0/8, 192.0.2.1", true),
            ("2001:db8::/32\n10.0.0.1", true),
            ("", false),
            (" , ", false),
            ("10.0.0.0/33", false),
            ("office.example", false),
            ("0.0.0.0/0; drop", false),
        ] {
            assert_eq!(networks(text).is_ok(), want, "{text:?}");
        }
    }
}
