//! Signed tokens. What cannot be read closes the paths, and so does what needs keys where none are named: nobody may send
//! requests then.

use std::collections::BTreeSet;

use ingress_core::{Jwt, JwtKeySet, JwtKeys, OwnField, Policy, TokenSource};
use k8s_openapi::api::core::v1::Secret;

use super::callee::{self, NamedCallee};
use super::list::{Annotation, Report, Scope, Unreadable, ValueKind};
use super::named::{self, NamedSecret};
use super::policy::Treatment;
use super::{CLOSED, Fault, Vain, values};
use crate::{Config, secret};

const KEYS_SECRET: &str = "jwt-keys-secret";
const KEYS_URL: &str = "jwt-keys-url";

pub(super) const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: KEYS_SECRET,
        policy: "token authentication",
        meaning: "the Secret whose key jwks.json has the keys that tokens are signed with, a JSON Web Key Set",
        default: "nobody needs a token",
        value: ValueKind::Text,
        scope: Scope::Ingress,
        unreadable: Unreadable::Closed,
        read: |settings, text, report| {
            settings.treatment.jwt.has_keys = true;
            if let Some(name) = read(&mut settings.treatment, text, named::secret_name, report) {
                settings.treatment.secrets.push(keys_secret(name));
            }
        },
    },
    Annotation {
        name: KEYS_URL,
        policy: "token authentication",
        meaning: "who is asked every few minutes for the keys that tokens are signed with: SERVICE:PORT and a path, such as issuer:80/keys, or a URL",
        default: "nobody needs a token",
        value: ValueKind::Text,
        scope: Scope::Ingress,
        unreadable: Unreadable::Closed,
        read: |settings, text, report| {
            // The annotations are read in the order of their names.
            let parse = match settings.treatment.jwt.has_keys {
                true => {
                    |_: &str| Err(Fault::new("jwt-keys-secret is written, too", "leave one of the two out"))
                }
                false => keys_url,
            };
            settings.treatment.jwt.has_keys = true;
            if let Some(named) = read(&mut settings.treatment, text, parse, report) {
                settings.treatment.callees.push(named);
            }
        },
    },
    Annotation {
        name: "jwt-issuer",
        policy: "token authentication",
        meaning: "who must have issued a token, as its claim iss has it, such as https://issuer.example",
        default: "whoever has the keys",
        value: ValueKind::Text,
        scope: Scope::Ingress,
        unreadable: Unreadable::Closed,
        read: |settings, text, report| {
            settings.treatment.jwt.issuer = read(&mut settings.treatment, text, issuer, report);
        },
    },
    Annotation {
        name: "jwt-audience",
        policy: "token authentication",
        meaning: "for whom a token must be, for one of a list, as its claim aud has it; * is for anybody",
        default: "tokens that are for nobody in particular",
        value: ValueKind::Text,
        scope: Scope::Ingress,
        unreadable: Unreadable::Closed,
        read: |settings, text, report| {
            settings.treatment.jwt.audiences = read(&mut settings.treatment, text, audiences, report);
        },
    },
    Annotation {
        name: "jwt-token-from",
        policy: "token authentication",
        meaning: "where a request has its token: authorization, cookie NAME or header NAME",
        default: "`authorization`, as `Bearer TOKEN`",
        value: ValueKind::Text,
        scope: Scope::Ingress,
        unreadable: Unreadable::Closed,
        read: |settings, text, report| {
            settings.treatment.jwt.source = read(&mut settings.treatment, text, source, report);
        },
    },
    Annotation {
        name: "jwt-claim-headers",
        policy: "token authentication",
        meaning: "the header fields in which the endpoint is told what a token says, such as sub=X-User, email=X-Email; what clients write there is taken out",
        default: "it is told nothing but the token",
        value: ValueKind::Text,
        scope: Scope::Ingress,
        unreadable: Unreadable::Closed,
        read: |settings, text, report| {
            settings.treatment.jwt.claims = read(&mut settings.treatment, text, claims, report);
        },
    },
];

/// What is said besides the keys.
#[derive(Clone, Debug, Default)]
pub(super) struct JwtParts {
    /// Whether keys are named, be it that they can be used or not.
    has_keys: bool,
    issuer: Option<Box<str>>,
    audiences: Option<Vec<Box<str>>>,
    source: Option<TokenSource>,
    claims: Option<Vec<(Box<str>, OwnField)>>,
}

impl JwtParts {
    /// Puts it beside the keys. Where there are none, whoever wrote it does not mean everybody.
    pub(super) fn complete(&self, policy: &mut Policy) {
        let Some(jwt) = &mut policy.authentication.jwt else {
            policy.access.closed |= self.said().next().is_some();
            return;
        };
        jwt.issuer = self.issuer.clone();
        let audiences = self.audiences.as_deref().unwrap_or_default();
        jwt.any_audience = audiences.iter().any(|audience| **audience == *"*");
        jwt.audiences = if jwt.any_audience { Vec::new() } else { audiences.to_vec() };
        jwt.source = self.source.clone().unwrap_or_default();
        jwt.claims = self.claims.clone().unwrap_or_default();
    }

    pub(super) fn in_vain(&self) -> impl Iterator<Item = Vain> {
        let vain = |name| Vain {
            name,
            why: format!("nothing says which keys tokens are signed with, so {CLOSED}").into(),
            write: "jwt-keys-secret or ingress.gateway/jwt-keys-url, too",
        };
        let has_keys = self.has_keys;
        self.said().filter(move |_| !has_keys).map(vain)
    }

    fn said(&self) -> impl Iterator<Item = &'static str> + use<> {
        let said = [
            ("jwt-issuer", self.issuer.is_some()),
            ("jwt-audience", self.audiences.is_some()),
            ("jwt-token-from", self.source.is_some()),
            ("jwt-claim-headers", self.claims.is_some()),
        ];
        said.into_iter().filter(|(_, said)| *said).map(|(name, _)| name)
    }
}

/// The value; without any, nobody may send requests.
fn read<T>(
    treatment: &mut Treatment,
    text: &str,
    parse: fn(&str) -> Result<T, Fault>,
    report: Report<'_>,
) -> Option<T> {
    parse(text)
        .map_err(|fault| {
            report(fault.closing());
            treatment.policy.access.closed = true;
        })
        .ok()
}

fn keys_secret(name: Box<str>) -> NamedSecret {
    NamedSecret {
        annotation: KEYS_SECRET,
        name,
        content: "jwks.json",
        load: |secret, config, policy| {
            policy.authentication.jwt = Some(Jwt::new(JwtKeys::Set(keys(secret, config)?)));
            Ok(())
        },
        without: |policy| policy.access.closed = true,
        consequence: CLOSED,
    }
}

fn keys_url(text: &str) -> Result<NamedCallee, Fault> {
    if text.contains(['{', '}']) {
        let help = "write a path that is the same for all requests";
        return Err(Fault::new(
            "keys are asked for on no request's behalf, so there is nothing for braces",
            help,
        ));
    }
    let named = callee::named(KEYS_URL, text, |policy, callee| {
        policy.authentication.jwt = Some(Jwt::new(JwtKeys::At(callee)));
    });
    named.map(NamedCallee::secure_elsewhere)
}

fn keys(secret: &Secret, config: &Config) -> Result<JwtKeySet, (String, String)> {
    let help = || "write the public keys into jwks.json, a JSON Web Key Set".to_owned();
    let json = secret::keys(secret).ok_or_else(|| ("there is no jwks.json in it".into(), help()))?;
    if let Some(check) = config.check_keys {
        check(json).map_err(|error| (crate::translate::causes(&*error), help()))?;
    }
    let text = std::str::from_utf8(json).map_err(|_| ("jwks.json is no text".into(), help()))?;
    Ok(text.into())
}

fn issuer(text: &str) -> Result<Box<str>, Fault> {
    let text = text.trim();
    match text.is_empty() || text.contains(char::is_whitespace) {
        false => Ok(text.into()),
        true => Err(Fault::new(
            format!("the issuer cannot be used: {text:?}"),
            "write what the claim iss of its tokens is, such as https://issuer.example",
        )),
    }
}

fn audiences(text: &str) -> Result<Vec<Box<str>>, Fault> {
    let audiences: Vec<Box<str>> = values::words(text).map(Into::into).collect();
    let has_any = audiences.iter().any(|audience| **audience == *"*");
    match audiences.len() {
        0 => Err(Fault::new(
            "no audience is named",
            "write what the claim aud of the tokens is, or * for anything",
        )),
        count if has_any && count > 1 => Err(Fault::new(
            "* is everybody, and there are others beside it",
            "write either * or a list of audiences",
        )),
        _ => Ok(audiences),
    }
}

fn source(text: &str) -> Result<TokenSource, Fault> {
    let fault = |why: String| Fault::new(why, "write authorization, cookie NAME or header NAME");
    match values::keyword_and_rest(text) {
        (word, "") if word == "authorization" => Ok(TokenSource::Authorization),
        (word, name) if word == "cookie" && values::is_token(name) => Ok(TokenSource::Cookie(name.into())),
        (word, name) if word == "header" => {
            let field = name.parse::<OwnField>();
            field.map(TokenSource::Field).map_err(|error| fault(error.to_string()))
        }
        _ => Err(fault(format!("{text:?} is no place of a token"))),
    }
}

fn claims(text: &str) -> Result<Vec<(Box<str>, OwnField)>, Fault> {
    let fault = |why: String| Fault::new(why, "write pairs such as sub=X-User, email=X-Email");
    let mut claims = Vec::new();
    for pair in values::words(text) {
        let parts = pair.split_once('=').filter(|(claim, _)| !claim.is_empty());
        let (claim, field) = parts.ok_or_else(|| fault(format!("{pair:?} is no claim and a field")))?;
        let field = field.parse::<OwnField>().map_err(|error| fault(error.to_string()))?;
        claims.push((claim.into(), field));
    }
    let fields: BTreeSet<_> = claims.iter().map(|(_, field)| field.as_str().replace('_', "-")).collect();
    if claims.is_empty() {
        return Err(fault("no claim is named".into()));
    }
    if fields.len() < claims.len() {
        return Err(fault("two claims go into the same field".into()));
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_can_be_read() {
        let pair = |claim: &str, field: &str| (claim.into(), field.parse().unwrap());
        for (text, want) in [
            ("sub=X-User", Some(vec![pair("sub", "x-user")])),
            (
                "sub=X-User, https://a.example/roles=X-Roles\nemail=x_email",
                Some(vec![
                    pair("sub", "x-user"),
                    pair("https://a.example/roles", "x-roles"),
                    pair("email", "x_email"),
                ]),
            ),
            ("sub=X-User, email=X_User", None),
            ("sub=Host", None),
            ("sub=", None),
            ("=X-User", None),
            ("sub", None),
            ("", None),
        ] {
            assert_eq!(claims(text).ok(), want, "{text:?}");
        }
        for (text, want) in [
            ("authorization", Some(TokenSource::Authorization)),
            (" Cookie  session ", Some(TokenSource::Cookie("session".into()))),
            ("header X-Token", Some(TokenSource::Field("x-token".parse().unwrap()))),
            ("header Cookie", None),
            ("cookie", None),
            ("cookie a=b", None),
            ("query token", None),
            ("", None),
        ] {
            assert_eq!(source(text).ok(), want, "{text:?}");
        }
        for (text, want) in [("shop, api", 2), ("*", 1), ("*, shop", 0), ("", 0), (" , ", 0)] {
            assert_eq!(audiences(text).map_or(0, |audiences| audiences.len()), want, "{text:?}");
        }
        for (text, want) in [("https://issuer.example", true), ("", false), ("a b", false)] {
            assert_eq!(issuer(text).is_ok(), want, "{text:?}");
        }
    }
}
