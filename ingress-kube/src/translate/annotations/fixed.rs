//! Answers that no endpoint is asked for: while a service is being worked on, and those that are always the same.

use std::str::FromStr;
use std::time::Duration;

use ingress_core::{FixedAnswer, MediaType, Networks, Policy};

use super::list::{Annotation, Scope, Unreadable, ValueKind, treat};
use super::policy::Treatment;
use super::values::{DAY, SECOND};
use super::{Fault, Vain, values};

pub(super) const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: "maintenance",
        policy: "maintenance",
        meaning: "whether clients are told that the service is being worked on, with 503, and no endpoint is asked: true, or false",
        default: "`false`",
        value: ValueKind::Switch,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.maintenance.on, switch),
    },
    Annotation {
        name: "maintenance-retry-after",
        policy: "maintenance",
        meaning: "after what time clients are told in maintenance to ask again (Retry-After), such as 10m",
        default: "they are not told",
        value: ValueKind::Duration,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.maintenance.retry_after, retry_after),
    },
    Annotation {
        name: "maintenance-body",
        policy: "maintenance",
        meaning: "what clients are told in maintenance, as it is",
        default: "`503 Service Unavailable`",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::Never,
        read: treat!(policy.maintenance.body, body),
    },
    Annotation {
        name: "maintenance-content-type",
        policy: "maintenance",
        meaning: "what kind of text maintenance-body is, such as text/html; charset=utf-8",
        default: "`text/plain; charset=utf-8`",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.maintenance.content_type, values::media_type),
    },
    Annotation {
        name: "maintenance-exempt",
        policy: "maintenance",
        meaning: "the addresses and ranges of the clients that are served in spite of maintenance, such as 10.0.0.0/8, 192.0.2.1",
        default: "nobody",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.maintenance.exempt, networks),
    },
    Annotation {
        name: "respond-status",
        policy: "static answers",
        meaning: "the status with which the paths answer themselves, without asking an endpoint, such as 410",
        default: "`200` where there is a `respond-body`; else endpoints answer",
        value: ValueKind::Count,
        scope: Scope::Class,
        unreadable: Unreadable::Closed,
        read: |settings, text, report| match status(text) {
            Ok(status) => settings.treatment.fixed.status = Some(status),
            Err(fault) => {
                report(fault.closing());
                // Endpoints are not asked for what they were not to be asked.
                settings.treatment.policy.access.closed = true;
            }
        },
    },
    Annotation {
        name: "respond-body",
        policy: "static answers",
        meaning: "the body with which the paths answer themselves, as it is",
        default: "nothing",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::Never,
        read: treat!(fixed.body, body),
    },
    Annotation {
        name: "respond-content-type",
        policy: "static answers",
        meaning: "what kind of text respond-body is, such as application/json",
        default: "`text/plain; charset=utf-8`",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(fixed.content_type, values::media_type),
    },
];

/// What is said of an answer that is always the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    status: Option<u16>,
    body: Option<Box<str>>,
    content_type: Option<MediaType>,
}

impl Parts {
    /// Puts the answer into the policy, if there is one.
    pub(super) fn complete(&self, policy: &mut Policy) {
        if self.status.is_none() && self.body.is_none() {
            return;
        }
        let status = self.status();
        let body = self.body.as_deref().filter(|_| FixedAnswer::may_have_body(status));
        let kind = self.content_type.clone().unwrap_or_default();
        policy.answer = FixedAnswer::new(status, kind, body.unwrap_or_default()).ok();
    }

    fn status(&self) -> u16 {
        self.status.unwrap_or(200)
    }
}

/// What has no effect for want of something else.
pub(super) fn in_vain(treatment: &Treatment) -> Vec<Vain> {
    let (fixed, maintenance) = (&treatment.fixed, &treatment.policy.maintenance);
    let mut vain = Vec::new();
    if maintenance.on.is_none() {
        let given = [
            ("maintenance-retry-after", maintenance.retry_after.is_some()),
            ("maintenance-body", maintenance.body.is_some()),
            ("maintenance-content-type", maintenance.content_type.is_some()),
            ("maintenance-exempt", maintenance.exempt.is_some()),
        ];
        let unsaid = |(name, _)| Vain {
            name,
            why: "nothing says whether there is maintenance".into(),
            write: "maintenance: \"true\", or \"false\" until then",
        };
        vain.extend(given.into_iter().filter(|(_, given)| *given).map(unsaid));
    } else if maintenance.content_type.is_some() && maintenance.body.is_none() {
        let (name, write) = ("maintenance-content-type", "maintenance-body, too");
        vain.push(Vain { name, why: "there is no body of one's own".into(), write });
    }
    if fixed.body.is_some() && !FixedAnswer::may_have_body(fixed.status()) {
        let why = format!("an answer with status {} has no body", fixed.status()).into();
        vain.push(Vain {
            name: "respond-body",
            why,
            write: "respond-status with a status that has one, such as 200",
        });
    }
    if fixed.content_type.is_some() && fixed.body.is_none() {
        let (name, write) = ("respond-content-type", "respond-body, too");
        vain.push(Vain { name, why: "there is no body".into(), write });
    }
    vain
}

fn switch(text: &str) -> Result<bool, Fault> {
    values::switch(text, ", so it has no effect")
}

fn retry_after(text: &str) -> Result<Duration, Fault> {
    values::time(text, SECOND..=DAY)
}

fn body(text: &str) -> Result<Box<str>, Fault> {
    Ok(text.into())
}

fn networks(text: &str) -> Result<Networks, Fault> {
    let help = "write IP addresses and ranges, such as 10.0.0.0/8, 192.0.2.1";
    match text.parse::<Networks>() {
        Ok(networks) if networks.is_empty() => {
            Err(Fault::new("no address is named, so nobody is exempt", help))
        }
        Ok(networks) => Ok(networks),
        Err(error) => Err(Fault::new(format!("{error}, so nobody is exempt"), help)),
    }
}

fn status(text: &str) -> Result<u16, Fault> {
    let text = text.trim();
    let status = u16::from_str(text).ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    status.filter(|status| (200..=599).contains(status)).ok_or_else(|| {
        Fault::new(
            format!("{text:?} is no status of an answer"),
            "write a number from 200 to 599, such as 410",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        for (text, want) in [
            ("200", Some(200)),
            (" 410\n", Some(410)),
            ("599", Some(599)),
            ("100", None),
            ("101", None),
            ("600", None),
            ("+200", None),
            ("2xx", None),
            ("", None),
            ("99999", None),
        ] {
            assert_eq!(status(text).ok(), want, "{text:?}");
        }
    }

    #[test]
    fn switches_times_and_ranges() {
        let table = [("true", Some(true)), (" False ", Some(false)), ("on", None), ("", None)];
        for (text, want) in table {
            assert_eq!(switch(text).ok(), want, "{text:?}");
        }
        for (text, want) in [("10m", Some(600)), ("1s", Some(1)), ("0", None), ("2d", None), ("10", None)] {
            assert_eq!(retry_after(text).ok().map(|after| after.as_secs()), want, "{text:?}");
        }
        for (text, want) in [("10.0.0.0/8", true), ("", false), ("office", false)] {
            assert_eq!(networks(text).is_ok(), want, "{text:?}");
        }
        assert_eq!(["text/html", "html"].map(|text| values::media_type(text).is_ok()), [true, false]);
    }
}
