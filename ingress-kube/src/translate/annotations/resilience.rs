//! What becomes of endpoints that fail, and how much a backend may have to do at a time.

use ingress_core::Failures;

use super::Fault;
use super::list::{Annotation, Scope, Unreadable, ValueKind, treat};
use super::values;

const FAILURES_HELP: &str = "write a list of reset, timeout, 5xx, and statuses such as 503";
/// How many standard deviations an endpoint may be worse than the mean: no set of endpoints has one beyond.
const MAX_DEVIATIONS: u32 = 10;

pub(super) const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: "outlier-failures",
        policy: "resilience",
        meaning: "after how many failures in a row an endpoint is left out for a while; 0 is never",
        default: "`5`",
        value: ValueKind::Count,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.outlier.failures, values::any_count),
    },
    Annotation {
        name: "outlier-on",
        policy: "resilience",
        meaning: "what a failure is, besides that no connection can be made: a list of reset, timeout, 5xx, and statuses such as 503",
        default: "`reset, timeout, 502-504`",
        value: ValueKind::Text,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.outlier.on, failures),
    },
    Annotation {
        name: "outlier-time",
        policy: "resilience",
        meaning: "for how long an endpoint is left out at first, and for twice as long each further time, such as 5s",
        default: "`5s`",
        value: ValueKind::Duration,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.outlier.time, values::ejection),
    },
    Annotation {
        name: "outlier-max-time",
        policy: "resilience",
        meaning: "for how long an endpoint is left out at most, such as 5m",
        default: "`5m`",
        value: ValueKind::Duration,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.outlier.max_time, values::ejection),
    },
    Annotation {
        name: "outlier-max-ejected",
        policy: "resilience",
        meaning: "the part of a backend's endpoints that may be left out at a time, such as 50%",
        default: "`50%`",
        value: ValueKind::Percent,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.outlier.max_ejected, values::percent),
    },
    Annotation {
        name: "outlier-panic",
        policy: "resilience",
        meaning: "the part of a backend's endpoints that must be left, or all are used, such as 25%",
        default: "`25%`",
        value: ValueKind::Percent,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.outlier.panic, values::percent),
    },
    Annotation {
        name: "outlier-success-rate",
        policy: "resilience",
        meaning: "how many standard deviations fewer of an endpoint's requests than of the others may succeed, such as 1.9; 0 is any number",
        default: "`0`",
        value: ValueKind::Decimal,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.outlier.success_rate, |text| values::thousandths(text, MAX_DEVIATIONS)),
    },
    Annotation {
        name: "max-connections",
        policy: "resilience",
        meaning: "how many requests an endpoint works on at a time, each over HTTP/1.1 on a connection of its own; 0 is any number",
        default: "`0`",
        value: ValueKind::Count,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.limits.max_connections, values::any_count),
    },
    Annotation {
        name: "max-requests",
        policy: "resilience",
        meaning: "how many requests all endpoints of a backend work on together; 0 is any number",
        default: "`0`",
        value: ValueKind::Count,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.limits.max_requests, values::any_count),
    },
    Annotation {
        name: "max-pending",
        policy: "resilience",
        meaning: "how many requests for a backend wait where these numbers are reached; more are answered with 503",
        default: "`1024`",
        value: ValueKind::Count,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.limits.max_pending, values::any_count),
    },
    Annotation {
        name: "retry-budget",
        policy: "resilience",
        meaning: "what part of a backend's requests its retries may be, besides ten a second, such as 20%",
        default: "`20%`",
        value: ValueKind::Percent,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.limits.retry_budget, values::percent),
    },
];

fn failures(text: &str) -> Result<Failures, Fault> {
    let outcomes = values::outcomes(text, |_| false)
        .map_err(|word| Fault::new(format!("there is no failure that is called {word:?}"), FAILURES_HELP))?;
    if outcomes == values::Outcomes::default() {
        return Err(Fault::new("it does not say what a failure is", FAILURES_HELP));
    }
    Ok(Failures::new(outcomes.reset, outcomes.timeout, outcomes.statuses))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failure_is() {
        for (text, want) in [
            ("reset", Some(Failures::new(true, false, vec![]))),
            ("timeout, 5xx 429", Some(Failures::new(false, true, vec![(429, 429), (500, 599)]))),
            ("500-502\n503", Some(Failures::new(false, false, vec![(500, 503)]))),
            ("non-idempotent", None),
            ("200", None),
            ("Reset", None),
            ("", None),
        ] {
            assert_eq!(failures(text).ok(), want, "{text:?}");
        }
    }
}
