//! A service that says who may pass. What cannot be read closes the paths that ask one.

use http::{HeaderName, Method};
use ingress_core::{AuthMethod, ExternalAuth, ExternalAuthOptions, FieldNames, FieldUse, Policy, SignIn};

use super::list::{Annotation, Report, Scope, Unreadable, ValueKind};
use super::{Fault, Settings, Vain, callee, values};

const SIGN_IN_HELP: &str = "write a URL such as https://login.example/start or a path such as /oauth2/start; in a host only {host} may stand for something";

/// Reads a value into a place of the settings' [`Asked`]; what cannot be read is remembered.
macro_rules! ask {
    ($($field:ident).+, $parse:expr) => {
        |settings, text, report| {
            let read = $parse(text);
            if let Some(value) = settings.treatment.asked.take(read, report) {
                settings.treatment.asked.$($field).+ = Some(value);
            }
        }
    };
}

pub(super) const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: "external-auth",
        policy: "external authentication",
        meaning: "who is asked about each request: SERVICE:PORT and perhaps a path, such as auth:80/check, or a URL",
        default: "nobody",
        value: ValueKind::Text,
        scope: Scope::Ingress,
        unreadable: Unreadable::Closed,
        read: who,
    },
    Annotation {
        name: "external-auth-method",
        policy: "external authentication",
        meaning: "with which method it is asked, such as GET, or request for that of the request",
        default: "`GET`",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::Closed,
        read: ask!(options.method, method),
    },
    Annotation {
        name: "external-auth-request-headers",
        policy: "external authentication",
        meaning: "the header fields of the request that it is shown",
        default: "`Accept, Accept-Language, Authorization, Cookie, Origin, Referer, User-Agent, X-Requested-With`",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::Closed,
        read: ask!(options.request_fields, request_fields),
    },
    Annotation {
        name: "external-auth-response-headers",
        policy: "external authentication",
        meaning: "the header fields of its answer that endpoints get, and never from a client; Set-Cookie goes to the client",
        default: "none",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::Closed,
        read: |settings, text, report| {
            let read = response_fields(text);
            if let Some((fields, cookies)) = settings.treatment.asked.take(read, report) {
                let options = &mut settings.treatment.asked.options;
                (options.response_fields, options.cookies) = (Some(fields), Some(cookies));
            }
        },
    },
    Annotation {
        name: "external-auth-sign-in",
        policy: "external authentication",
        meaning: "where browsers are sent that would be answered 401: a URL, or a path of the same host",
        default: "nowhere",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::Closed,
        read: ask!(options.sign_in, sign_in),
    },
    Annotation {
        name: "external-auth-sign-in-parameter",
        policy: "external authentication",
        meaning: "the parameter that tells the page to sign in what was asked for; empty for none",
        default: "`rd`",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::Closed,
        read: ask!(parameter, parameter),
    },
    Annotation {
        name: "external-auth-timeout",
        policy: "external authentication",
        meaning: "how long its answer may take, from 10ms to 1m",
        default: "`5s`",
        value: ValueKind::Duration,
        scope: Scope::Class,
        unreadable: Unreadable::Closed,
        read: ask!(options.timeout, |text| closing(values::time(
            text,
            values::SECOND / 100..=values::SECOND * 60
        ))),
    },
    Annotation {
        name: "external-auth-cache",
        policy: "external authentication",
        meaning: "for how long a yes holds for the same client, fields, method, host and path, up to 1h, or 0",
        default: "`0`: each request is asked about",
        value: ValueKind::Duration,
        scope: Scope::Class,
        unreadable: Unreadable::Closed,
        read: ask!(options.cache, |text| closing(values::time(
            text,
            std::time::Duration::ZERO..=values::HOUR
        ))),
    },
];

/// What the annotations say of how somebody is asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// Somebody is named, if not one who can be asked.
    named: bool,
    /// Something of it cannot be read.
    faulty: bool,
    options: ExternalAuthOptions,
    parameter: Option<Box<str>>,
}

impl Asked {
    fn take<T>(&mut self, read: Result<T, Fault>, report: Report<'_>) -> Option<T> {
        read.map_err(|fault| {
            report(fault);
            self.faulty = true;
        })
        .ok()
    }

    /// Says in a policy which asks somebody how that is done, or closes it where nobody knows.
    pub(super) fn complete(&self, policy: &mut Policy) {
        if self.named && self.faulty {
            policy.access.closed = true;
        }
        let Some(external) = &mut policy.authentication.external else { return };
        external.options = self.options.clone();
        external.options.cache = self.options.cache.filter(|cache| !cache.is_zero());
        if let (Some(page), Some(name)) = (&self.options.sign_in, &self.parameter) {
            match page.clone().with_parameter(name) {
                Ok(page) => external.options.sign_in = Some(page),
                Err(_) => policy.access.closed = true,
            }
        }
    }

    /// What has no effect for want of something else.
    pub(super) fn in_vain(&self) -> impl Iterator<Item = Vain> {
        let Self { named, options, parameter, .. } = self;
        let written = [
            ("external-auth-method", options.method.is_some()),
            ("external-auth-request-headers", options.request_fields.is_some()),
            ("external-auth-response-headers", options.response_fields.is_some()),
            ("external-auth-sign-in", options.sign_in.is_some()),
            ("external-auth-sign-in-parameter", parameter.is_some()),
            ("external-auth-timeout", options.timeout.is_some()),
            ("external-auth-cache", options.cache.is_some()),
        ];
        let nobody = written.into_iter().filter(move |(_, written)| *written && !named);
        let nobody =
            nobody.map(|(name, _)| Vain { name, why: "nobody is asked".into(), write: "external-auth, too" });
        let nowhere = (*named && parameter.is_some() && options.sign_in.is_none()).then(|| Vain {
            name: "external-auth-sign-in-parameter",
            why: "there is no page to sign in".into(),
            write: "external-auth-sign-in, too",
        });
        nobody.chain(nowhere)
    }
}

fn who(settings: &mut Settings<'_>, text: &str, report: Report<'_>) {
    settings.treatment.asked.named = true;
    let put = |policy: &mut Policy, callee| policy.authentication.external = Some(ExternalAuth::new(callee));
    match callee::named("external-auth", text, put) {
        Ok(named) => settings.treatment.callees.push(named),
        Err(fault) => {
            report(fault);
            settings.treatment.policy.access.closed = true;
        }
    }
}

/// What is wrong keeps everybody out.
fn closing<T>(read: Result<T, Fault>) -> Result<T, Fault> {
    read.map_err(Fault::closing)
}

fn method(text: &str) -> Result<AuthMethod, Fault> {
    let text = text.trim();
    if values::keyword(text) == "request" {
        return Ok(AuthMethod::OfRequest);
    }
    let is_known = |method: &&Method| method.as_str() == text.to_ascii_uppercase();
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::OPTIONS,
        Method::PATCH,
        Method::DELETE,
    ];
    let known = known.iter().find(is_known).cloned().map(AuthMethod::Always);
    let help = "write GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, or request for that of the request";
    closing(known.ok_or_else(|| Fault::new(format!("{text:?} is no method to ask with"), help)))
}

/// The names of fields, none of which may be one of `not`.
fn fields(text: &str) -> Result<Vec<HeaderName>, Fault> {
    let help = "write names of header fields, such as X-User, X-Groups; none that frames a message or is the gateway's to say";
    let of = |why: &str, word: &str| Fault::new(format!("{why}: {word:?}"), help);
    let name = |word: &str| {
        let name = word.parse::<HeaderName>().map_err(|_| of("it is no name of a header field", word))?;
        match FieldUse::of(&name) {
            FieldUse::Free | FieldUse::Cookie => Ok(name),
            _ => Err(of("this field cannot be taken over", word)),
        }
    };
    let names: Vec<_> = values::words(text).map(name).collect::<Result<_, _>>()?;
    if names.is_empty() { Err(Fault::new("no header field is named", help)) } else { Ok(names) }
}

fn request_fields(text: &str) -> Result<FieldNames, Fault> {
    closing(fields(text).map(FieldNames::from_iter))
}

/// The fields for endpoints, and whether cookies are for clients.
fn response_fields(text: &str) -> Result<(FieldNames, bool), Fault> {
    let names = closing(fields(text))?;
    let (cookies, names): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| name == http::header::SET_COOKIE);
    Ok((names.into_iter().collect(), !cookies.is_empty()))
}

fn sign_in(text: &str) -> Result<SignIn, Fault> {
    let text = text.trim();
    closing(text.parse().map_err(|error| Fault::new(format!("{error}: {text:?}"), SIGN_IN_HELP)))
}

fn parameter(text: &str) -> Result<Box<str>, Fault> {
    let text = text.trim();
    let any: SignIn = "/".parse().map_err(|_| Fault::new("no page", SIGN_IN_HELP))?;
    let read = any.with_parameter(text).map(|_| text.into());
    closing(read.map_err(|error| Fault::new(error.to_string(), "write a name such as rd, or nothing")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods() {
        for (text, want) in [
            ("get", Some(AuthMethod::Always(Method::GET))),
            (" HEAD\n", Some(AuthMethod::Always(Method::HEAD))),
            ("Request", Some(AuthMethod::OfRequest)),
            ("CONNECT", None),
            ("TRACE", None),
            ("", None),
            ("G E T", None),
        ] {
            assert_eq!(method(text).ok(), want, "{text:?}");
        }
    }

    #[test]
    fn names_of_fields() {
        for (text, want) in [
            ("X-User, x-groups", Some(vec!["x-groups", "x-user"])),
            ("X-Forwarded-User", Some(vec!["x-forwarded-user"])),
            ("X_Real_IP", None),
            ("content_length", None),
            ("X-Client-Cert-Subject", None),
            ("Cookie\nCookie", Some(vec!["cookie"])),
            ("", None),
            ("x y:", None),
            ("X-User, Content-Length", None),
            ("Transfer-Encoding", None),
            ("Connection", None),
            ("Host", None),
            ("X-Forwarded-For", None),
            ("X-Real-IP", None),
        ] {
            let read = request_fields(text).ok();
            let names = read.as_ref().map(|names| names.iter().map(HeaderName::as_str).collect::<Vec<_>>());
            assert_eq!(names, want, "{text:?}");
        }
        let (names, cookies) = response_fields("Set-Cookie, X-User").unwrap();
        assert_eq!((names.iter().count(), cookies), (1, true));
        assert!(!response_fields("X-User").unwrap().1);
    }

    #[test]
    fn pages_to_sign_in() {
        for (text, want) in [
            (" https://login.example/start\n", true),
            ("/oauth2/start", true),
            ("https://login.{host}/", true),
            ("https://{query}/", false),
            ("//login.example/", false),
            ("javascript:alert(1)", false),
            ("", false),
        ] {
            assert_eq!(sign_in(text).is_ok(), want, "{text:?}");
        }
        assert_eq!(["rd", "", "a=b"].map(|text| parameter(text).is_ok()), [true, true, false]);
        assert!(sign_in("x").unwrap_err().help.ends_with("until then these paths answer 503"));
    }
}
