//! Copies of requests for another Service.

use ingress_core::{Mirror, MirrorShare, Policy};

use super::list::{Annotation, Scope, Unreadable, ValueKind};
use super::{Fault, Vain, callee, values};

pub(super) const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: "mirror",
        policy: "mirror",
        meaning: "the Service that gets copies of requests, and whose answers nobody sees: SERVICE:PORT",
        default: "none",
        value: ValueKind::Text,
        scope: Scope::Ingress,
        unreadable: Unreadable::LeftOut,
        read: |settings, text, report| {
            settings.treatment.copied.named = true;
            let put = |policy: &mut Policy, backend| policy.mirror = Some(Mirror::to(backend));
            match callee::named_service("mirror", text, "write a Service and its port, such as next:80", put)
            {
                Ok(named) => settings.treatment.services.push(named),
                Err(fault) => _ = report(fault),
            }
        },
    },
    Annotation {
        name: "mirror-share",
        policy: "mirror",
        meaning: "how many of the requests are copied, such as 10% or 0.5%",
        default: "`100%`",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::Strictest,
        read: |settings, text, report| {
            let share = share(text).unwrap_or_else(|fault| {
                report(fault);
                MirrorShare::NONE
            });
            settings.treatment.copied.share = Some(share);
        },
    },
];

/// What the annotations say of copies.
#[derive(Clone, Debug, Default)]
pub(super) struct Copied {
    named: bool,
    share: Option<MirrorShare>,
}

impl Copied {
    /// Says in a policy that copies requests how many.
    pub(super) fn complete(&self, policy: &mut Policy) {
        if self.share == Some(MirrorShare::NONE) {
            policy.mirror = None;
        }
        if let (Some(mirror), Some(share)) = (&mut policy.mirror, self.share) {
            mirror.share = share;
        }
    }

    /// What has no effect for want of something else.
    pub(super) fn in_vain(&self) -> Option<Vain> {
        (self.share.is_some() && !self.named).then(|| Vain {
            name: "mirror-share",
            why: "no Service gets copies".into(),
            write: "mirror, too",
        })
    }
}

/// What cannot be read is none: who wants a few copies must not get all of them.
fn share(text: &str) -> Result<MirrorShare, Fault> {
    let trimmed = text.trim();
    let number = trimmed.strip_suffix('%').unwrap_or(trimmed).trim_end();
    let share = values::thousandths(number, 100).ok().and_then(MirrorShare::of_thousandths);
    share.ok_or_else(|| {
        let message = format!("the share cannot be used, so nothing is copied: {text:?}");
        Fault::new(message, "write a number from 0% to 100% with at most three decimals, such as 10% or 0.5%")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        for (text, want) in [
            ("10%", Some("10%")),
            (" 0.5 %\n", Some("0.5%")),
            ("100", Some("100%")),
            ("0", Some("0%")),
            ("33.333%", Some("33.333%")),
            ("100.001%", None),
            ("101", None),
            ("-1%", None),
            ("1/2", None),
            ("%", None),
            ("", None),
        ] {
            assert_eq!(share(text).ok().map(|share| share.to_string()).as_deref(), want, "{text:?}");
        }
    }
}
