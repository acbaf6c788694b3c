//! Requests that go to a new version of a Service: a share of them, and those that ask for it.

use std::sync::Arc;

use ingress_core::{Canary, CanaryHeader, Policy};

use super::list::{Annotation, Scope, Unreadable, ValueKind, treat};
use super::policy::Treatment;
use super::{Fault, Settings, Vain, values};

/// The annotation that names the Service.
pub(in crate::translate) const SERVICE: &str = "canary-service";

pub(super) const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: SERVICE,
        policy: "canary",
        meaning: "the Service of this namespace that takes a part of the requests in place of the backend of each path, on the same port",
        default: "there is no canary",
        value: ValueKind::Text,
        scope: Scope::Ingress,
        unreadable: Unreadable::LeftOut,
        read: treat!(canary.service, service),
    },
    Annotation {
        name: "canary-weight",
        policy: "canary",
        meaning: "the percentage of the requests that go to the canary where neither header nor cookie says anything, such as 10%",
        default: "`0%`",
        value: ValueKind::Percent,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(canary.weight, values::percent),
    },
    Annotation {
        name: "canary-header",
        policy: "canary",
        meaning: "the header field that leads to the canary with the value always and away from it with never, or NAME=VALUE, which leads to it with that value",
        default: "no field decides",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(canary.header, header),
    },
    Annotation {
        name: "canary-cookie",
        policy: "canary",
        meaning: "the cookie that leads to the canary with the value always and away from it with never",
        default: "no cookie decides",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(canary.cookie, cookie),
    },
];

/// What is said of a canary.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    service: Option<Box<str>>,
    weight: Option<u8>,
    header: Option<CanaryHeader>,
    cookie: Option<Box<str>>,
}

/// The canary beside a backend, and its share of one hundred.
#[derive(Clone, Copy, Debug)]
pub(in crate::translate) struct Share<'s> {
    pub(in crate::translate) service: &'s str,
    pub(in crate::translate) weight: u8,
}

impl Parts {
    pub(super) fn share(&self) -> Option<Share<'_>> {
        Some(Share { service: self.service.as_deref()?, weight: self.weight.unwrap_or_default() })
    }

    /// The policy of paths whose backend has the canary.
    pub(super) fn policy(&self, mut policy: Policy) -> Option<Arc<Policy>> {
        let mut canary = Canary::new(self.service.clone()?);
        (canary.header, canary.cookie) = (self.header.clone(), self.cookie.clone());
        policy.canary = Some(canary);
        Some(Arc::new(policy))
    }
}

// ===== impl Settings =====

impl Settings<'_> {
    /// The canary beside the backends of paths, if there is one.
    pub(in crate::translate) fn canary(&self) -> Option<Share<'_>> {
        self.treatment.canary.share()
    }

    /// How requests are treated on paths whose backend has the canary.
    pub(in crate::translate) fn canary_policy(&self) -> Option<Arc<Policy>> {
        self.treatment.canary.policy(self.treatment.policy(self.splits()))
    }
}

/// What has no effect for want of something else.
pub(super) fn in_vain(treatment: &Treatment) -> Vec<Vain> {
    let Parts { service, weight, header, cookie } = &treatment.canary;
    if service.is_some() {
        let idle = Vain {
            name: SERVICE,
            why: "nothing says which requests go to it".into(),
            write: "canary-weight, canary-header or canary-cookie, too",
        };
        let is_idle = weight.is_none() && header.is_none() && cookie.is_none();
        return Vec::from_iter(is_idle.then_some(idle));
    }
    let given = [
        ("canary-weight", weight.is_some()),
        ("canary-header", header.is_some()),
        ("canary-cookie", cookie.is_some()),
    ];
    let vain = |(name, _)| Vain { name, why: "there is no canary".into(), write: "canary-service, too" };
    given.into_iter().filter(|(_, given)| *given).map(vain).collect()
}

fn service(text: &str) -> Result<Box<str>, Fault> {
    let help = "write the name of a Service of this namespace; the port is that of each path's backend";
    match text.trim() {
        "" => Err(Fault::new("no Service is named, so there is no canary", help)),
        name if name.contains(['/', ':', ',', '=']) || name.contains(char::is_whitespace) => {
            Err(Fault::new(format!("{name:?} is no name of a Service, so there is no canary"), help))
        }
        name => Ok(name.into()),
    }
}

fn header(text: &str) -> Result<CanaryHeader, Fault> {
    text.parse().map_err(|error| {
        Fault::new(
            format!("{error}, so no field leads to the canary"),
            "write a name, such as X-Canary, or a name and a value, such as X-Canary=next",
        )
    })
}

fn cookie(text: &str) -> Result<Box<str>, Fault> {
    let name = text.trim();
    values::is_token(name).then(|| name.into()).ok_or_else(|| {
        let message = format!("{text:?} is no name of a cookie, so no cookie leads to the canary");
        Fault::new(message, "write just its name, such as canary")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        for (text, want) in [
            ("web-next", Some("web-next")),
            (" web-next\n", Some("web-next")),
            ("", None),
            ("other/web-next", None),
            ("web-next:80", None),
            ("web=1, next=2", None),
        ] {
            assert_eq!(service(text).ok().as_deref(), want, "{text:?}");
        }
        for (text, want) in [("X-Canary", true), ("X-Canary = next", true), ("", false), ("X Canary", false)]
        {
            assert_eq!(header(text).is_ok(), want, "{text:?}");
        }
        for (text, want) in [("canary", Some("canary")), ("", None), ("a=b", None), ("a;b", None)] {
            assert_eq!(cookie(text).ok().as_deref(), want, "{text:?}");
        }
    }
}
