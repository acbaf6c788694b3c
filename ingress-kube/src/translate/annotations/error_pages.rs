//! What clients see in place of errors.

use ingress_core::Policy;

use super::list::{Annotation, Scope, Unreadable, ValueKind, treat};
use super::{Fault, Vain, callee, values};

pub(super) const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: "error-pages",
        policy: "error pages",
        meaning: "the statuses of answers that are replaced, of endpoints and of the gateway: a list such as 404, 5xx",
        default: "none",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: |settings, text, report| match statuses(text) {
            Ok(statuses) => settings.treatment.policy.error_pages.statuses = statuses,
            Err(fault) => _ = report(fault),
        },
    },
    Annotation {
        name: "error-pages-service",
        policy: "error pages",
        meaning: "the Service that is asked for what clients see in place of an error: SERVICE:PORT",
        default: "none",
        value: ValueKind::Text,
        scope: Scope::Ingress,
        unreadable: Unreadable::LeftOut,
        read: |settings, text, report| {
            let put = |policy: &mut Policy, backend| policy.error_pages.backend = Some(backend);
            let help = "write a Service and its port, such as errors:80";
            match callee::named_service("error-pages-service", text, help, put) {
                Ok(named) => settings.treatment.services.push(named),
                Err(fault) => _ = report(fault),
            }
        },
    },
    Annotation {
        name: "error-pages-body",
        policy: "error pages",
        meaning: "the text that clients see in place of an error, also where the Service fails",
        default: "none",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.error_pages.body, body),
    },
    Annotation {
        name: "error-pages-content-type",
        policy: "error pages",
        meaning: "what kind of text error-pages-body is, such as application/json",
        default: "`text/html; charset=utf-8`",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.error_pages.content_type, values::media_type),
    },
];

/// What has no effect for want of something else.
pub(super) fn in_vain(policy: &Policy) -> impl Iterator<Item = Vain> {
    let pages = &policy.error_pages;
    let statuses = "error-pages, too, with the statuses that are replaced";
    let (asks, says) = (pages.backend.is_some(), pages.body.is_some());
    let none = pages.statuses.is_empty();
    let vain = |name, why: &str, write| Vain { name, why: why.into(), write };
    let unnamed = "no status is named";
    [
        (none && asks).then(|| vain("error-pages-service", unnamed, statuses)),
        (none && says).then(|| vain("error-pages-body", unnamed, statuses)),
        (pages.content_type.is_some() && !says)
            .then(|| vain("error-pages-content-type", "there is no text", "error-pages-body, too")),
        (!none && !asks && !says).then(|| {
            vain(
                "error-pages",
                "nothing is named to replace them",
                "error-pages-body or error-pages-service, too",
            )
        }),
    ]
    .into_iter()
    .flatten()
}

fn statuses(text: &str) -> Result<Vec<(u16, u16)>, Fault> {
    let help = "write a list of statuses from 400 to 599, such as 404, 500-504, 5xx";
    let of = |word: &str| {
        let read = values::statuses(word, 400..=599);
        read.ok_or_else(|| Fault::new(format!("{word:?} is no status of an error"), help))
    };
    match values::joined(values::words(text).map(of).collect::<Result<_, _>>()?) {
        statuses if statuses.is_empty() => Err(Fault::new("no status is named", help)),
        statuses => Ok(statuses),
    }
}

fn body(text: &str) -> Result<Box<str>, Fault> {
    match text.trim() {
        "" => Err(Fault::new("the text is empty", "write what clients are to see")),
        _ => Ok(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_statuses() {
        for (text, want) in [
            ("404, 5xx", Some(vec![(404, 404), (500, 599)])),
            ("500-504 502\n401", Some(vec![(401, 401), (500, 504)])),
            ("", None),
            ("200", None),
            ("3xx", None),
            ("600", None),
            ("404, teapot", None),
        ] {
            assert_eq!(statuses(text).ok(), want, "{text:?}");
        }
    }

    #[test]
    fn texts() {
        assert_eq!(["<h1>Sorry</h1>\n", " ", ""].map(|text| body(text).is_ok()), [true, false, false]);
        assert_eq!(["application/json", "json"].map(|text| values::media_type(text).is_ok()), [true, false]);
    }
}
