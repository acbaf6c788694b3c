//! Whether endpoints are asked how they are, and how. All routes to a Service share its endpoints, so that an Ingress
//! cannot say this.

use std::time::Duration;

use http::uri::PathAndQuery;
use ingress_core::HealthProtocol;

use super::Fault;
use super::list::{Annotation, Scope, Unreadable, ValueKind, treat};
use super::values::{self, HOUR, SECOND, keyword};

/// The shortest time in which an endpoint is asked to answer.
const MIN_TIMEOUT: Duration = Duration::from_millis(100);
const MAX_TIMEOUT: Duration = Duration::from_secs(60);
/// The most answers in a row that decide.
const MAX_IN_A_ROW: u32 = 100;

const STATUS_HELP: &str = "write a list of statuses from 200 to 599, such as 200, 204, 300-399";

pub(super) const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: "health-check-protocol",
        policy: "health check",
        meaning: "in what endpoints are asked how they are: off, http, tcp or grpc",
        default: "`http` with a path, else `off`",
        value: ValueKind::Text,
        scope: Scope::Endpoints,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.health_check.protocol, protocol),
    },
    Annotation {
        name: "health-check-path",
        policy: "health check",
        meaning: "the path that endpoints are asked for, such as /healthz; without health-check-protocol in http",
        default: "`/`",
        value: ValueKind::Text,
        scope: Scope::Endpoints,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.health_check.path, path),
    },
    Annotation {
        name: "health-check-service",
        policy: "health check",
        meaning: "the gRPC service that endpoints are asked about; empty is the server as a whole",
        default: "the server as a whole",
        value: ValueKind::Text,
        scope: Scope::Endpoints,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.health_check.service, service),
    },
    Annotation {
        name: "health-check-status",
        policy: "health check",
        meaning: "the statuses of an endpoint that is well, such as 200, 204, 300-399",
        default: "`2xx`",
        value: ValueKind::Text,
        scope: Scope::Endpoints,
        unreadable: Unreadable::LeftOut,
        read: |settings, text, report| match statuses(text) {
            Ok(statuses) => settings.treatment.policy.health_check.statuses = statuses,
            Err(fault) => _ = report(fault),
        },
    },
    Annotation {
        name: "health-check-interval",
        policy: "health check",
        meaning: "how long after one question endpoints are asked the next, such as 10s",
        default: "`10s`",
        value: ValueKind::Duration,
        scope: Scope::Endpoints,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.health_check.interval, |text| values::time(text, SECOND..=HOUR)),
    },
    Annotation {
        name: "health-check-timeout",
        policy: "health check",
        meaning: "how long an answer may take, such as 2s",
        default: "`2s`",
        value: ValueKind::Duration,
        scope: Scope::Endpoints,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.health_check.timeout, |text| values::time(text, MIN_TIMEOUT..=MAX_TIMEOUT)),
    },
    Annotation {
        name: "health-check-failures",
        policy: "health check",
        meaning: "after how many failures in a row an endpoint counts as unwell",
        default: "`3`",
        value: ValueKind::Count,
        scope: Scope::Endpoints,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.health_check.failures, in_a_row),
    },
    Annotation {
        name: "health-check-successes",
        policy: "health check",
        meaning: "after how many successes in a row it counts as well again",
        default: "`2`",
        value: ValueKind::Count,
        scope: Scope::Endpoints,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.health_check.successes, in_a_row),
    },
];

fn protocol(text: &str) -> Result<HealthProtocol, Fault> {
    match keyword(text).as_str() {
        "off" => Ok(HealthProtocol::Off),
        "http" => Ok(HealthProtocol::Http),
        "tcp" => Ok(HealthProtocol::Tcp),
        "grpc" => Ok(HealthProtocol::Grpc),
        _ => {
            Err(Fault::new(format!("endpoints cannot be asked in {text:?}"), "write off, http, tcp or grpc"))
        }
    }
}

/// A path, with a query if one is written.
fn path(text: &str) -> Result<Box<str>, Fault> {
    let text = text.trim();
    let is_sound = text.starts_with('/') && !text.contains('#') && text.parse::<PathAndQuery>().is_ok();
    is_sound.then(|| text.into()).ok_or_else(|| {
        Fault::new(
            format!("it is no path of a request: {text:?}"),
            "write a path that begins with /, such as /healthz",
        )
    })
}

/// Servers choose the names themselves; the empty one is the server as a whole (gRPC health checking protocol).
fn service(text: &str) -> Result<Box<str>, Fault> {
    let text = text.trim();
    if text.len() > 255 || text.contains(|char: char| char.is_whitespace() || char.is_control()) {
        let message = format!("it is no name of a gRPC service: {text:?}");
        return Err(Fault::new(message, "write a name without white space, such as shop.Cart"));
    }
    Ok(text.into())
}

fn statuses(text: &str) -> Result<Vec<(u16, u16)>, Fault> {
    let read = |word| {
        values::statuses(word, 200..=599)
            .ok_or_else(|| Fault::new(format!("it is no status of an answer: {word:?}"), STATUS_HELP))
    };
    let statuses = values::words(text).map(read).collect::<Result<Vec<_>, _>>()?;
    match statuses.is_empty() {
        true => Err(Fault::new("there is no status", STATUS_HELP)),
        false => Ok(values::joined(statuses)),
    }
}

fn in_a_row(text: &str) -> Result<u32, Fault> {
    values::count(text, 1..=MAX_IN_A_ROW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols() {
        for (text, want) in [
            ("off", Some(HealthProtocol::Off)),
            (" HTTP ", Some(HealthProtocol::Http)),
            ("tcp", Some(HealthProtocol::Tcp)),
            ("gRPC", Some(HealthProtocol::Grpc)),
            ("https", None),
            ("", None),
        ] {
            assert_eq!(protocol(text).ok(), want, "{text:?}");
        }
    }

    #[test]
    fn what_is_asked_for() {
        for (text, want) in [
            ("/", true),
            ("/healthz?full=1", true),
            ("healthz", false),
            ("/a b", false),
            ("/a#b", false),
            ("http://a/", false),
            ("*", false),
            ("", false),
        ] {
            assert_eq!(path(text).is_ok(), want, "{text:?}");
        }
        for (text, want) in [("shop.Cart", true), ("", true), ("a b", false), (&"a".repeat(256), false)] {
            assert_eq!(service(text).is_ok(), want, "{text:?}");
        }
    }

    #[test]
    fn answers() {
        for (text, want) in [
            ("200, 204, 300-399", Ok(vec![(200, 200), (204, 204), (300, 399)])),
            ("2xx 299-301", Ok(vec![(200, 301)])),
            ("100", Err("it is no status of an answer: \"100\"")),
            ("200-", Err("it is no status of an answer: \"200-\"")),
            ("ok", Err("it is no status of an answer: \"ok\"")),
            (" , ", Err("there is no status")),
        ] {
            assert_eq!(
                statuses(text).map_err(|fault| fault.message),
                want.map_err(str::to_owned),
                "{text:?}"
            );
        }
        for (text, want) in [("1", Some(1)), ("100", Some(100)), ("0", None), ("101", None)] {
            assert_eq!(in_a_row(text).ok(), want, "{text:?}");
        }
    }

    #[test]
    fn bounds_are_said() {
        let help = |name: &str, text: &str| {
            let known = ANNOTATIONS.iter().find(|known| known.name == name).unwrap();
            let mut help = None;
            (known.read)(&mut crate::translate::Settings::default(), text, &mut |fault: Fault| {
                help = Some(fault.help);
                ingress_core::Diagnostic::new(ingress_core::Code::InvalidAnnotation, None, "", "")
            });
            help
        };
        for (name, text, want) in [
            ("health-check-interval", "0", Some("write a time from 1s to 1h, such as 10s")),
            ("health-check-interval", "500ms", Some("write a time from 1s to 1h, such as 10s")),
            ("health-check-interval", "1s", None),
            ("health-check-timeout", "0", Some("write a time from 100ms to 1m, such as 10s")),
            ("health-check-timeout", "2m", Some("write a time from 100ms to 1m, such as 10s")),
            ("health-check-timeout", "2s", None),
            ("health-check-failures", "0", Some("write a whole number from 1 to 100")),
        ] {
            assert_eq!(help(name, text).as_deref(), want, "{name} {text}");
        }
    }
}
