//! Scripts of other sites. What cannot be read allows nothing.

use std::time::Duration;

use ingress_core::{Cors, CorsNames, CorsOrigins, Policy};

use super::list::{Annotation, Scope, Unreadable, ValueKind, treat};
use super::values::{self, DAY};
use super::{Fault, Vain};

const ORIGIN_HELP: &str =
    "write origins, such as https://shop.example, https://*.shop.example (one label in front), or * for all";

pub(super) const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: "cors-allow-origin",
        policy: "cors",
        meaning: "the sites whose scripts may send requests and read answers, such as https://shop.example, https://*.shop.example, or * for all",
        default: "none: there is no CORS",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::Strictest,
        read: |settings, text, report| {
            // What cannot be read is not what the class says either.
            let origins = origins(text).map_err(report).ok();
            settings.treatment.cors.origins = Some(origins);
        },
    },
    Annotation {
        name: "cors-allow-methods",
        policy: "cors",
        meaning: "the methods that scripts may use, such as PUT, DELETE, or * for all",
        default: "`GET, HEAD, POST`",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(cors.methods, methods),
    },
    Annotation {
        name: "cors-allow-headers",
        policy: "cors",
        meaning: "the fields that scripts may send, such as Authorization, Content-Type, or * for all but Authorization",
        default: "those that every site may send",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(cors.headers, names),
    },
    Annotation {
        name: "cors-expose-headers",
        policy: "cors",
        meaning: "the fields of answers that scripts may read, such as X-Request-ID, or * for all",
        default: "those that every site may read",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(cors.expose, names),
    },
    Annotation {
        name: "cors-allow-credentials",
        policy: "cors",
        meaning: "whether browsers send cookies and client certificates along: true or false",
        default: "`false`",
        value: ValueKind::Switch,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(cors.credentials, credentials),
    },
    Annotation {
        name: "cors-max-age",
        policy: "cors",
        meaning: "for how long browsers may remember what scripts may do, such as 1h",
        default: "as long as each browser does, mostly `5s`",
        value: ValueKind::Duration,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(cors.max_age, max_age),
    },
];

/// What the annotations say, each for itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    /// Nothing where that cannot be read.
    origins: Option<Option<CorsOrigins>>,
    methods: Option<CorsNames>,
    headers: Option<CorsNames>,
    expose: Option<CorsNames>,
    credentials: Option<bool>,
    max_age: Option<Duration>,
}

impl Parts {
    /// Puts together what is said. Where something is `*`, there are no credentials.
    pub(super) fn complete(&self, policy: &mut Policy) {
        policy.cors = self.whole();
    }

    fn whole(&self) -> Option<Cors> {
        let mut cors = Cors::new(self.origins.clone()??);
        if let Some(methods) = &self.methods {
            cors = cors.allow_methods(methods.clone()).ok()?;
        }
        if let Some(headers) = &self.headers {
            cors = cors.allow_headers(headers.clone()).ok()?;
        }
        if let Some(expose) = &self.expose {
            cors = cors.expose_headers(expose.clone()).ok()?;
        }
        if let Some(max_age) = self.max_age {
            cors = cors.max_age(max_age);
        }
        let with = cors.clone().allow_credentials(self.credentials == Some(true));
        Some(with.unwrap_or(cors))
    }

    /// What has no effect for want of something else.
    pub(super) fn in_vain(&self) -> Vec<Vain> {
        if self.origins.is_none() {
            let said = [
                ("cors-allow-methods", self.methods.is_some()),
                ("cors-allow-headers", self.headers.is_some()),
                ("cors-expose-headers", self.expose.is_some()),
                ("cors-allow-credentials", self.credentials.is_some()),
                ("cors-max-age", self.max_age.is_some()),
            ];
            let vain = |(name, _)| Vain {
                name,
                why: "nothing says whose scripts".into(),
                write: "cors-allow-origin, too",
            };
            return said.into_iter().filter(|(_, is_said)| *is_said).map(vain).collect();
        }
        let refused = self.credentials == Some(true) && self.whole().is_some_and(|cors| !cors.credentials());
        let vain = Vain {
            name: "cors-allow-credentials",
            why: "every site would have the credentials of everybody where something else of CORS is *"
                .into(),
            write: "cors-allow-origin and the other cors-* with lists in place of *",
        };
        refused.then_some(vain).into_iter().collect()
    }
}

fn origins(text: &str) -> Result<CorsOrigins, Fault> {
    text.parse().map_err(|error| Fault::new(format!("{error}, so there is no CORS"), ORIGIN_HELP))
}

fn methods(text: &str) -> Result<CorsNames, Fault> {
    let help = "write methods with commas between them, such as PUT, DELETE, or * for all";
    let methods: CorsNames = text.parse().map_err(|error| Fault::new(format!("{error}"), help))?;
    let lower = methods.iter().find(|name| name.bytes().any(|byte| byte.is_ascii_lowercase()));
    if let Some(name) = lower {
        let message = format!("methods are case-sensitive: {name:?}");
        return Err(Fault::new(message, format!("write {}", name.to_ascii_uppercase())));
    }
    Ok(methods)
}

fn names(text: &str) -> Result<CorsNames, Fault> {
    let help = "write names of fields with commas between them, such as X-Request-ID, or * for all";
    text.parse().map_err(|error| Fault::new(format!("{error}"), help))
}

/// What cannot be read is taken for the stricter word.
fn credentials(text: &str) -> Result<bool, Fault> {
    values::switch(text, ", so it has no effect")
}

fn max_age(text: &str) -> Result<Duration, Fault> {
    values::time(text, Duration::ZERO..=DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        for (text, want) in [
            ("https://a.example", true),
            ("*", true),
            ("https://*.a.example, http://b.example:81", true),
            ("", false),
            ("a.example", false),
            ("null", false),
            ("https://a.example *", false),
            ("https://a.example/x", false),
        ] {
            assert_eq!(origins(text).is_ok(), want, "{text:?}");
        }
        assert_eq!(["GET", "PUT, DELETE", "*"].map(|text| methods(text).is_ok()), [true; 3]);
        assert_eq!(["", "get", "a b:", "GET, *"].map(|text| methods(text).is_ok()), [false; 4]);
        assert_eq!(methods("put").unwrap_err().help, "write PUT");
        assert_eq!(
            ["x-a", "A, b", "*", "", "a:"].map(|text| names(text).is_ok()),
            [true, true, true, false, false]
        );
        assert_eq!(
            ["true", " False", "yes"].map(|text| credentials(text).ok()),
            [Some(true), Some(false), None]
        );
        assert_eq!(["0", "24h", "25h", "60"].map(|text| max_age(text).is_ok()), [true, true, false, false]);
    }
}
