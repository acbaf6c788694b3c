//! How much each client may ask for. What of a limit cannot be read closes the paths, for a limit protects what is behind
//! them; only who is exempt is nobody then, and answers that are sent at any rate harm nobody else.

use std::num::{NonZeroU32, NonZeroU64};

use http::HeaderName;
use ingress_core::{ClientKey, ClientLimits, Networks, RateLimit};

use super::list::{Annotation, Report, Scope, Unreadable, ValueKind, treat};
use super::policy::{Treatment, size};
use super::{Fault, Vain, values};

/// More at once is no limit for one client.
const MAX_BURST: u32 = 1_000_000;

pub(super) const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: "rate-limit",
        policy: "client limits",
        meaning: "how many requests a client may send a second, a minute or an hour, such as 10/s, 600/m or 5000/h; 0 is any number",
        default: "any number",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::Closed,
        read: |settings, text, report| {
            let read = |limits: &mut ClientLimits, rate| limits.rate = Some(rate);
            read_or_close(&mut settings.treatment, text, rate, read, report);
        },
    },
    Annotation {
        name: "rate-limit-burst",
        policy: "client limits",
        meaning: "how many requests of rate-limit may come at once",
        default: "what a second has of the rate, rounded up",
        value: ValueKind::Count,
        scope: Scope::Gateway,
        unreadable: Unreadable::Closed,
        read: |settings, text, report| {
            let read = |limits: &mut ClientLimits, burst| limits.burst = NonZeroU32::new(burst);
            let burst = |text: &str| values::count(text, 1..=MAX_BURST);
            read_or_close(&mut settings.treatment, text, burst, read, report);
        },
    },
    Annotation {
        name: "concurrency-limit",
        policy: "client limits",
        meaning: "how many requests of a client may be open at a time, tunnels included; 0 is any number",
        default: "any number",
        value: ValueKind::Count,
        scope: Scope::Gateway,
        unreadable: Unreadable::Closed,
        read: |settings, text, report| {
            let read = |limits: &mut ClientLimits, count| limits.concurrency = Some(count);
            read_or_close(&mut settings.treatment, text, values::any_count, read, report);
        },
    },
    Annotation {
        name: "rate-limit-key",
        policy: "client limits",
        meaning: "what clients are told apart by, for rate-limit and concurrency-limit: source-address, header NAME or cookie NAME",
        default: "`source-address`",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::Closed,
        read: |settings, text, report| {
            let read = |limits: &mut ClientLimits, key| limits.key = Some(key);
            read_or_close(&mut settings.treatment, text, key, read, report);
        },
    },
    Annotation {
        name: "rate-limit-exempt",
        policy: "client limits",
        meaning: "the addresses and ranges of the clients that have neither rate-limit nor concurrency-limit, such as 10.0.0.0/8, 192.0.2.1",
        default: "nobody",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::Strictest,
        read: |settings, text, report| {
            let exempt = exempt(text).unwrap_or_else(|fault| {
                report(fault);
                Networks::default()
            });
            settings.treatment.policy.client_limits.exempt = Some(exempt);
        },
    },
    Annotation {
        name: "bandwidth-limit",
        policy: "client limits",
        meaning: "how many bytes of an answer's body are sent a second, such as 1MiB, each answer by itself; 0 is any number",
        default: "any number",
        value: ValueKind::Size,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.client_limits.bandwidth, bandwidth),
    },
    Annotation {
        name: "bandwidth-limit-after",
        policy: "client limits",
        meaning: "how many bytes of a body are sent before bandwidth-limit counts, such as 10MiB",
        default: "`0`",
        value: ValueKind::Size,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.client_limits.bandwidth_after, first_amount),
    },
];

/// Reads a value into a place of the limits; what cannot be read closes the paths.
fn read_or_close<T>(
    treatment: &mut Treatment,
    text: &str,
    parse: impl Fn(&str) -> Result<T, Fault>,
    put: impl Fn(&mut ClientLimits, T),
    report: Report<'_>,
) {
    match parse(text) {
        Ok(value) => put(&mut treatment.policy.client_limits, value),
        Err(fault) => {
            report(fault.closing());
            treatment.policy.access.closed = true;
        }
    }
}

/// Says whose the limits are, where something is counted.
pub(super) fn name(limits: &mut ClientLimits, name: impl FnOnce() -> Box<str>) {
    if limits.counts() {
        limits.name = Some(name());
    }
}

/// What has no effect for want of a limit, on an Ingress. A gateway may say it for the limits of its Ingresses.
pub(super) fn in_vain(limits: &ClientLimits) -> impl Iterator<Item = Vain> + use<> {
    let rate = limits.rate.is_some_and(|rate| rate != RateLimit::Unlimited);
    let any = rate || limits.concurrency.is_some_and(|max| max > 0);
    let bandwidth = limits.bandwidth.is_some_and(|rate| rate < NonZeroU64::MAX);
    let neither = "there is neither a rate-limit nor a concurrency-limit, unless the whole gateway has one";
    let table = [
        (
            rate,
            limits.burst.is_some(),
            "rate-limit-burst",
            "there is no rate-limit, unless the whole gateway has one",
            "rate-limit, too",
        ),
        (any, limits.key.is_some(), "rate-limit-key", neither, "rate-limit or concurrency-limit, too"),
        (any, limits.exempt.is_some(), "rate-limit-exempt", neither, "rate-limit or concurrency-limit, too"),
        (
            bandwidth,
            limits.bandwidth_after.is_some(),
            "bandwidth-limit-after",
            "there is no bandwidth-limit, unless the whole gateway has one",
            "bandwidth-limit, too",
        ),
    ];
    let vain = table.into_iter().filter(|(has_effect, is_said, ..)| !has_effect && *is_said);
    vain.map(|(_, _, name, why, write)| Vain { name, why: why.into(), write })
}

fn rate(text: &str) -> Result<RateLimit, Fault> {
    text.parse().map_err(|_| {
        Fault::new(
            format!("the rate cannot be used: {text:?}"),
            "write a number from 1 to 1000000 and /s, /m or /h, such as 10/s, or 0 for any number",
        )
    })
}

fn key(text: &str) -> Result<ClientKey, Fault> {
    match values::keyword_and_rest(text) {
        (word, "") if word == "source-address" => Ok(ClientKey::SourceAddress),
        (word, name) if word == "header" => match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => Ok(ClientKey::Header(name.as_str().into())),
            Err(_) => Err(Fault::new(
                format!("{name:?} is no name of a header field"),
                "write header NAME, such as header X-User",
            )),
        },
        (word, name) if word == "cookie" && values::is_token(name) => Ok(ClientKey::Cookie(name.into())),
        (word, name) if word == "cookie" => {
            Err(Fault::new(format!("{name:?} is no name of a cookie"), "write cookie NAME"))
        }
        _ => Err(Fault::new(
            format!("clients are not told apart by {:?}", text.trim()),
            "write source-address, header NAME or cookie NAME",
        )),
    }
}

fn exempt(text: &str) -> Result<Networks, Fault> {
    text.parse::<Networks>().map_err(|error| {
        Fault::new(
            format!("{error}, so nobody is exempt"),
            "write IP addresses and ranges, such as 10.0.0.0/8, 192.0.2.1",
        )
    })
}

fn bandwidth(text: &str) -> Result<NonZeroU64, Fault> {
    let help = "write bytes, or a number with a unit, such as 512KiB or 1MiB, or 0 for any number";
    let bytes = size(text).map_err(|Fault { message, .. }| Fault::new(message, help))?;
    Ok(NonZeroU64::new(bytes).unwrap_or(NonZeroU64::MAX))
}

/// Here 0 is no byte, and not any number.
fn first_amount(text: &str) -> Result<u64, Fault> {
    let bytes = size(text).map_err(|Fault { message, .. }| {
        Fault::new(message, "write bytes, or a number with a unit, such as 512KiB or 10MiB")
    });
    bytes.map(|bytes| if bytes == u64::MAX { 0 } else { bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, want) in [
            ("10/s", Some("10/s")),
            (" 600 / m\n", Some("600/m")),
            ("5000/h", Some("5000/h")),
            ("0", Some("0")),
            ("0/s", None),
            ("10", None),
            ("10r/s", None),
            ("10/s; 5/m", None),
            ("ten/s", None),
            ("", None),
        ] {
            assert_eq!(rate(text).ok().map(|rate| rate.to_string()).as_deref(), want, "{text:?}");
        }
    }

    #[test]
    fn keys() {
        let (header, cookie) =
            (|name: &str| ClientKey::Header(name.into()), |name: &str| ClientKey::Cookie(name.into()));
        for (text, want) in [
            ("source-address", Some(ClientKey::SourceAddress)),
            (" Source_Address ", Some(ClientKey::SourceAddress)),
            ("header X-User", Some(header("x-user"))),
            ("cookie SID", Some(cookie("SID"))),
            ("cookie a=b", None),
            ("cookie", None),
            ("header", None),
            ("header a b", None),
            ("source-address x", None),
            ("host", None),
            ("", None),
        ] {
            assert_eq!(key(text).ok(), want, "{text:?}");
        }
    }

    #[test]
    fn sizes_a_second() {
        for (text, want) in
            [("1MiB", Some(1 << 20)), ("1", Some(1)), ("0", Some(u64::MAX)), ("1MiB/s", None), ("", None)]
        {
            assert_eq!(bandwidth(text).ok().map(NonZeroU64::get), want, "{text:?}");
        }
        for (text, want) in [("10MB", Some(10_000_000)), ("0", Some(0)), ("-1", None), ("", None)] {
            assert_eq!(first_amount(text).ok(), want, "{text:?}");
        }
    }

    #[test]
    fn nobody_may_be_exempt() {
        assert!(exempt("").unwrap().is_empty());
        assert!(exempt("10.0.0.0/8").is_ok() && exempt("office").is_err());
    }
}
