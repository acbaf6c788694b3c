//! How requests are treated: timeouts, retries, and how large bodies may be.
//!
//! Durations have a unit (`500ms`, `2s`, `1m 30s`), sizes may have one (`1MiB` is 1,048,576 bytes, `1MB` a million).
//! What is `0` has no limit.

use std::str::FromStr;

use bytesize::ByteSize;
use ingress_core::{HostName, Policy, Protocol, Retries, Timeout, Trust};

use super::balance::Balancing;
use super::basic_auth::BasicParts;
use super::callee::NamedCallee;
use super::client_certificate::Wanted;
use super::jwt::JwtParts;
use super::list::{Annotation, Scope, Unreadable, ValueKind, treat};
use super::named::{self, NamedSecret, NamedService};
use super::{
    Fault, Vain, canary, compression, cors, error_pages, external_auth, fixed, mirror, rewrite, values,
};
use crate::translate::protocol as spoken;

/// The most endpoints that one request may ask beyond the first.
const MAX_RETRIES: u32 = 10;

const RETRY_HELP: &str = "write a list of reset, timeout, 5xx, statuses such as 503, and non-idempotent";

pub(super) const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: "connect-timeout",
        policy: "timeouts",
        meaning: "how long a connection to an endpoint may take to be made, such as 2s",
        default: "`5s`",
        value: ValueKind::Duration,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.connect_timeout, timeout),
    },
    Annotation {
        name: "response-timeout",
        policy: "timeouts",
        meaning: "how long an endpoint may take to begin its answer, such as 30s",
        default: "`60s`",
        value: ValueKind::Duration,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.response_timeout, timeout),
    },
    Annotation {
        name: "idle-timeout",
        policy: "timeouts",
        meaning: "how long an endpoint may say nothing in the middle of its answer, and both sides of a tunnel, such as 5m",
        default: "`5m`, of tunnels `1h`",
        value: ValueKind::Duration,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.idle_timeout, timeout),
    },
    Annotation {
        name: "request-timeout",
        policy: "timeouts",
        meaning: "how long the whole exchange may take, retries included, such as 1m",
        default: "any time",
        value: ValueKind::Duration,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.request_timeout, timeout),
    },
    Annotation {
        name: "retries",
        policy: "retries",
        meaning: "how many more endpoints a request asks where one failed, up to 10",
        default: "`0`",
        value: ValueKind::Count,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: treat!(retries, attempts),
    },
    Annotation {
        name: "retry-on",
        policy: "retries",
        meaning: "after what: a list of reset, timeout, 5xx, statuses such as 503, and non-idempotent",
        default: "`reset, timeout`",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: treat!(retry_on, retry_on),
    },
    Annotation {
        name: "max-body-size",
        policy: "body size",
        meaning: "how large the body of a request may be, such as 10MiB",
        default: "any size",
        value: ValueKind::Size,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.max_body_size, size),
    },
    Annotation {
        name: "backend-protocol",
        policy: "backend",
        meaning: "what endpoints are spoken to in: http, https, h2c, grpc, grpcs, ws or wss",
        default: "what the Service's `appProtocol` says, or `http`",
        value: ValueKind::Text,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.protocol, protocol),
    },
    Annotation {
        name: "backend-server-name",
        policy: "backend",
        meaning: "the name that is asked for (SNI) and that the certificate of an endpoint must have",
        default: "`SERVICE.NAMESPACE.svc`",
        value: ValueKind::Text,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.tls.server_name, server_name),
    },
    Annotation {
        name: "backend-verify",
        policy: "backend",
        meaning: "whether certificates of endpoints are checked: true, or false",
        default: "`true`",
        value: ValueKind::Switch,
        scope: Scope::Service,
        unreadable: Unreadable::Strictest,
        read: |settings, text, report| {
            let verify = verify(text).unwrap_or_else(|fault| {
                report(fault);
                true
            });
            settings.treatment.policy.tls.verify = Some(verify);
        },
    },
    Annotation {
        name: "backend-ca-secret",
        policy: "backend",
        meaning: "the Secret whose ca.crt says who may have issued the certificates of endpoints",
        default: "whom the system trusts",
        value: ValueKind::Text,
        scope: Scope::ServiceOnly,
        unreadable: Unreadable::Strictest,
        read: |settings, text, report| match named::secret_name(text) {
            Ok(name) => settings.treatment.secrets.push(named::backend_ca(name)),
            Err(fault) => {
                report(Fault { message: format!("{}, so {}", fault.message, named::UNTRUSTED), ..fault });
                settings.treatment.policy.tls.trust = Some(Trust::none());
            }
        },
    },
];

/// What the annotations say of requests; what is put together of several of them in its parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Treatment {
    pub(super) policy: Policy,
    pub(super) retries: Option<u32>,
    pub(super) retry_on: Option<Retries>,
    pub(super) secrets: Vec<NamedSecret>,
    pub(super) services: Vec<NamedService>,
    pub(super) callees: Vec<NamedCallee>,
    pub(super) asked: external_auth::Asked,
    pub(super) copied: mirror::Copied,
    pub(super) balancing: Balancing,
    pub(super) cors: cors::Parts,
    pub(super) fixed: fixed::Parts,
    pub(super) canary: canary::Parts,
    pub(super) basic: BasicParts,
    pub(super) jwt: JwtParts,
    pub(super) client_certificate: Wanted,
}

impl Treatment {
    /// The policy; `splits` says whether the shares of a split may go by its key.
    pub(super) fn policy(&self, splits: bool) -> Policy {
        let mut policy = self.policy.clone();
        policy.retries = self.retries.map(|attempts| {
            let mut retries = self.retry_on.clone().unwrap_or_else(|| Retries::up_to(0));
            retries.attempts = attempts;
            retries
        });
        self.asked.complete(&mut policy);
        self.copied.complete(&mut policy);
        self.balancing.complete(&mut policy, splits);
        self.cors.complete(&mut policy);
        self.fixed.complete(&mut policy);
        self.basic.complete(&mut policy);
        self.jwt.complete(&mut policy);
        self.client_certificate.complete(&mut policy);
        policy
    }

    /// What has no effect for want of something else.
    pub(super) fn in_vain(&self, splits: bool) -> Vec<Vain> {
        let retries = self.retry_on.is_some() && self.retries.is_none_or(|retries| retries == 0);
        let retry_on = Vain { name: "retry-on", why: "there are no retries".into(), write: "retries, too" };
        let redirect = rewrite::in_vain(&self.policy);
        self.balancing
            .in_vain(splits)
            .into_iter()
            .chain(retries.then_some(retry_on))
            .chain(redirect)
            .chain(self.cors.in_vain())
            .chain(compression::in_vain(&self.policy))
            .chain(fixed::in_vain(self))
            .chain(canary::in_vain(self))
            .chain(self.basic.in_vain())
            .chain(self.jwt.in_vain())
            .chain(self.asked.in_vain())
            .chain(self.copied.in_vain())
            .chain(error_pages::in_vain(&self.policy))
            .chain(self.client_certificate.in_vain())
            .collect()
    }
}

pub(super) fn timeout(text: &str) -> Result<Timeout, Fault> {
    let help = "write a number with a unit, such as 500ms, 2s or 1m, or 0 for any time";
    let time = values::duration(text, help)?;
    Ok(if time.is_zero() { Timeout::Never } else { Timeout::After(time) })
}

pub(super) fn attempts(text: &str) -> Result<u32, Fault> {
    let attempts = u32::from_str(text.trim()).ok().filter(|attempts| *attempts <= MAX_RETRIES);
    attempts.ok_or_else(|| {
        Fault::new(
            format!("the number of retries cannot be used: {text:?}"),
            format!("write a number from 0 to {MAX_RETRIES}"),
        )
    })
}

pub(super) fn retry_on(text: &str) -> Result<Retries, Fault> {
    let mut non_idempotent = false;
    let outcomes = values::outcomes(text, |word| {
        let is_word = word == "non-idempotent";
        non_idempotent |= is_word;
        is_word
    });
    let outcomes = outcomes.map_err(|word| {
        Fault::new(format!("there is nothing to retry on that is called {word:?}"), RETRY_HELP)
    })?;
    if !outcomes.reset && !outcomes.timeout && outcomes.statuses.is_empty() {
        return Err(Fault::new("it does not say after what to retry", RETRY_HELP));
    }
    let mut on = Retries::up_to(0);
    (on.reset, on.timeout, on.statuses) = (outcomes.reset, outcomes.timeout, outcomes.statuses);
    on.non_idempotent = non_idempotent;
    Ok(on)
}

pub(super) fn size(text: &str) -> Result<u64, Fault> {
    match ByteSize::from_str(text.trim()) {
        Ok(size) if size.as_u64() == 0 => Ok(u64::MAX),
        Ok(size) => Ok(size.as_u64()),
        Err(_) => Err(Fault::new(
            format!("the size cannot be read: {text:?}"),
            "write bytes, or a number with a unit, such as 512KiB or 10MiB, or 0 for any size",
        )),
    }
}

pub(super) fn protocol(text: &str) -> Result<Protocol, Fault> {
    let named = spoken::named(&text.trim().to_ascii_lowercase());
    named.ok_or_else(|| {
        let message = format!("{text:?} is no protocol, so it has no effect");
        Fault::new(message, format!("write {}", spoken::NAMES))
    })
}

pub(super) fn server_name(text: &str) -> Result<Box<str>, Fault> {
    match text.trim().parse::<HostName>() {
        Ok(name) => Ok(name.as_str().into()),
        Err(error) => Err(Fault::new(
            format!("{error}: {text:?}"),
            "write a DNS name that the certificates of the endpoints have",
        )),
    }
}

/// What cannot be read leaves certificates checked.
pub(super) fn verify(text: &str) -> Result<bool, Fault> {
    values::switch(text, ", so certificates are checked")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn durations() {
        let after = |millis| Some(Timeout::After(Duration::from_millis(millis)));
        for (text, want) in [
            ("2s", after(2000)),
            (" 500ms\n", after(500)),
            ("1m 30s", after(90_000)),
            ("0", Some(Timeout::Never)),
            ("0s", Some(Timeout::Never)),
            ("30", None),
            ("-1s", None),
            ("soon", None),
            ("", None),
            ("99999999999999999999s", None),
        ] {
            assert_eq!(timeout(text).ok(), want, "{text:?}");
        }
        assert_eq!(timeout("30").unwrap_err().help, "write 30s for seconds, or 30ms for milliseconds");
    }

    #[test]
    fn sizes() {
        for (text, want) in [
            ("1MiB", Some(1 << 20)),
            ("1 MB", Some(1_000_000)),
            ("512", Some(512)),
            ("0", Some(u64::MAX)),
            ("8m", Some(8_000_000)),
            ("8 lots", None),
            ("1.5KiB", Some(1536)),
            ("-1", None),
            ("big", None),
            ("", None),
        ] {
            assert_eq!(size(text).ok(), want, "{text:?}");
        }
    }

    #[test]
    fn endpoints() {
        for (text, want) in [
            ("HTTPS", Some(Protocol::Https)),
            ("http", Some(Protocol::Http1)),
            ("GRPC", Some(Protocol::H2c)),
            ("grpcs", Some(Protocol::H2)),
            ("wss", Some(Protocol::Https)),
            ("FCGI", None),
            ("", None),
        ] {
            assert_eq!(protocol(text).ok(), want, "{text:?}");
        }
        for (text, want) in [("own.example", true), ("10.0.0.1", false), ("*.x", false), ("", false)] {
            assert_eq!(server_name(text).is_ok(), want, "{text:?}");
        }
        assert_eq!([" false", "true"].map(|text| verify(text).ok()), [Some(false), Some(true)]);
        assert_eq!(["", "off", "False"].map(|text| verify(text).ok()), [None, None, Some(false)]);
        let secret = |text| named::secret_name(text).is_ok();
        assert_eq!(["ca", "a/ca", " "].map(secret), [true, false, false]);
    }

    #[test]
    fn retries() {
        for (text, want) in [("0", Some(0)), (" 3 ", Some(3)), ("10", Some(10)), ("11", None), ("x", None)] {
            assert_eq!(attempts(text).ok(), want, "{text:?}");
        }
        let on = retry_on("reset, 5xx 429,non-idempotent").unwrap();
        assert_eq!(on.statuses, [(429, 429), (500, 599)]);
        assert_eq!((on.reset, on.timeout, on.non_idempotent), (true, false, true));
        for text in ["", "non-idempotent", "6xx", "200", "Reset", "503;504"] {
            assert!(retry_on(text).is_err(), "{text:?}");
        }
    }
}
