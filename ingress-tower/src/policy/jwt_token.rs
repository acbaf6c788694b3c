//! Signed tokens (RFC 7515, RFC 7519), read with the care of RFC 8725.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use ingress_core::{Jwt, TokenSource};
use serde_json::{Map, Value};

use super::challenge;
use super::jwt_keys::{KeySet, Signed};
use crate::spread::cookies;

/// What a token says.
pub(super) type Claims = Map<String, Value>;

/// Why a token is not accepted, in the words that its sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unaccepted(&'static str);

/// A token of which nothing is known to be true.
#[derive(Debug)]
pub(super) struct Token<'t> {
    algorithm: String,
    id: Option<String>,
    signed: &'t str,
    payload: &'t str,
    signature: Vec<u8>,
}

const MALFORMED: Unaccepted = Unaccepted("the token is malformed");
/// No server that is in front of this takes longer fields.
const MAX_LEN: usize = 16 * 1024;

/// The token of a request, if it has one.
pub(super) fn find<'h>(source: &TokenSource, headers: &'h HeaderMap) -> Option<Result<&'h str, Unaccepted>> {
    match source {
        TokenSource::Authorization => {
            if headers.get_all(AUTHORIZATION).iter().nth(1).is_some() {
                return Some(Err(MALFORMED));
            }
            challenge::parameters(headers.get(AUTHORIZATION)?, "bearer").map(Ok)
        }
        TokenSource::Cookie(name) => {
            let mut found = cookies(headers, name);
            let token = found.next()?;
            // Whoever reads the cookies again might take the other one.
            let only = if found.next().is_some() { None } else { std::str::from_utf8(token).ok() };
            Some(only.ok_or(MALFORMED))
        }
        TokenSource::Field(field) => {
            let name: HeaderName = field.as_str().parse().ok()?;
            let value = headers.get(&name)?;
            let text = challenge::only(headers, name).and_then(|value| value.to_str().ok());
            Some(text.map(|text| challenge::parameters(value, "bearer").unwrap_or(text)).ok_or(MALFORMED))
        }
        _ => None,
    }
}

impl<'t> Token<'t> {
    pub(super) fn parse(text: &'t str) -> Result<Self, Unaccepted> {
        let parts = || {
            let (signed, signature) = text.rsplit_once('.').filter(|_| text.len() <= MAX_LEN)?;
            let (header, payload) = signed.split_once('.').filter(|(_, payload)| !payload.contains('.'))?;
            let header: Claims = object(header)?;
            let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
            let algorithm = header.get("alg")?.as_str()?.to_owned();
            // What must be understood and is not here (RFC 7515 section 4.1.11).
            let understood = !header.contains_key("crit");
            let id = header.get("kid").map(|id| id.as_str().map(str::to_owned));
            let id = if let Some(id) = id { Some(id?) } else { None };
            understood.then_some(Self { algorithm, id, signed, payload, signature })
        };
        parts().ok_or(MALFORMED)
    }

    /// Whether it is signed with one of the keys.
    pub(super) fn is_signed(&self, keys: &KeySet) -> Signed {
        keys.verify(&self.algorithm, self.id.as_deref(), self.signed.as_bytes(), &self.signature)
    }

    /// What it says, once it is known to be signed, and if it is for us and for now.
    pub(super) fn claims(&self, signed: Signed, needed: &Jwt) -> Result<Claims, Unaccepted> {
        if signed != Signed::Well {
            return Err(Unaccepted("the token is not signed with a key that is known"));
        }
        let claims = object(self.payload).ok_or(MALFORMED)?;
        accept(&claims, needed, SystemTime::now())?;
        Ok(claims)
    }
}

fn object(part: &str) -> Option<Claims> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Checks the claims that are registered (RFC 7519 section 4.1).
fn accept(claims: &Claims, needed: &Jwt, now: SystemTime) -> Result<(), Unaccepted> {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let leeway = needed.leeway.as_secs_f64();
    let time = |name: &str| claims.get(name).map(|time| time.as_f64().ok_or(MALFORMED)).transpose();
    let end = time("exp")?.ok_or(Unaccepted("the token does not say until when it is valid"))?;
    if now >= end + leeway {
        return Err(Unaccepted("the token has expired"));
    }
    if time("nbf")?.is_some_and(|begin| now < begin - leeway) {
        return Err(Unaccepted("the token is not valid yet"));
    }
    let issued =
        needed.issuer.as_deref().is_none_or(|issuer| claims.get("iss").is_some_and(|iss| iss == issuer));
    if !issued {
        return Err(Unaccepted("the token is from another issuer"));
    }
    let named: &[Value] = match claims.get("aud") {
        Some(Value::Array(list)) => list,
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let is_ours = |audience: &Value| needed.audiences.iter().any(|ours| audience == &**ours);
    let fits = match needed.audiences.is_empty() {
        true => !claims.contains_key("aud"),
        false => named.iter().any(is_ours),
    };
    if fits || needed.any_audience { Ok(()) } else { Err(Unaccepted("the token is for another audience")) }
}

/// A claim as it is written into a field.
pub(super) fn shown(claim: &Value) -> Option<String> {
    match claim {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::header::COOKIE;
    use ingress_core::JwtKeys;
    use serde_json::json;

    use super::*;

    fn encode(json: &Value) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(json.to_string())
    }

    #[test]
    fn forms() {
        let good = encode(&json!({"alg": "ES256", "kid": "a", "typ": "JWT"}));
        let part = |header: Value| format!("{}.e30.AAAA", encode(&header));
        let table = [
            (format!("{good}.e30.AAAA"), true),
            (format!("{good}.e30."), true),
            (part(json!({"alg": "none"})), true),
            (part(json!({"typ": "JWT"})), false),
            (part(json!({"alg": 1})), false),
            (part(json!({"alg": "ES256", "kid": 1})), false),
            (part(json!({"alg": "ES256", "crit": ["b64"], "b64": false})), false),
            (part(json!({"alg": "ES256", "crit": []})), false),
            (part(json!(["alg"])), false),
            (format!("{good}.e30"), false),
            (format!("{good}.e30.AAAA.AAAA"), false),
            (format!("{good}.e30.AAAA.AAAA.AAAA"), false),
            (format!("{good}.e30.AAAA="), false),
            (format!("{good}.e30.A+/A"), false),
            (format!("{good}=.e30.AAAA"), false),
            (format!("{good}.e30.{}", "A".repeat(MAX_LEN)), false),
            ("..".to_owned(), false),
            (String::new(), false),
        ];
        for (text, want) in table {
            assert_eq!(Token::parse(&text).is_ok(), want, "{text:.80}");
        }
    }

    #[test]
    fn who_has_signed_decides_whether_it_is_read() {
        let text =
            format!("{}.{}.", encode(&json!({"alg": "none"})), encode(&json!({"exp": 99_999_999_999_u64})));
        let token = Token::parse(&text).unwrap();
        let needed = Jwt::new(JwtKeys::Set("".into()));
        for signed in [Signed::Badly, Signed::Unknown] {
            token.claims(signed, &needed).unwrap_err();
        }
        token.claims(Signed::Well, &needed).unwrap();
    }

    #[test]
    fn claims() {
        let mut strict = Jwt::new(JwtKeys::Set("".into()));
        strict.issuer = Some("https://issuer.example".into());
        strict.audiences = vec!["shop".into(), "api".into()];
        let open = Jwt::new(JwtKeys::Set("".into()));
        let mut any = open.clone();
        any.any_audience = true;
        let (iss, now) = ("https://issuer.example", UNIX_EPOCH + Duration::from_secs(1_000_000));
        let table = [
            (&strict, json!({"iss": iss, "aud": "shop", "exp": 1_000_001}), true),
            (&strict, json!({"iss": iss, "aud": ["x", "api"], "exp": 1_000_001.5}), true),
            (&strict, json!({"iss": iss, "aud": "shop", "exp": 999_941}), true),
            (&strict, json!({"iss": iss, "aud": "shop", "exp": 999_940}), false),
            (&strict, json!({"iss": iss, "aud": "shop"}), false),
            (&strict, json!({"iss": iss, "aud": "shop", "exp": "1000001"}), false),
            (&strict, json!({"iss": iss, "aud": "shop", "exp": null}), false),
            (&strict, json!({"iss": iss, "aud": "shop", "exp": 1_000_001, "nbf": 1_000_060}), true),
            (&strict, json!({"iss": iss, "aud": "shop", "exp": 1_000_001, "nbf": 1_000_061}), false),
            (&strict, json!({"iss": iss, "aud": "shop", "exp": 1_000_001, "nbf": "soon"}), false),
            (&strict, json!({"iss": "https://issuer.example/", "aud": "shop", "exp": 1_000_001}), false),
            (&strict, json!({"iss": [iss], "aud": "shop", "exp": 1_000_001}), false),
            (&strict, json!({"aud": "shop", "exp": 1_000_001}), false),
            (&strict, json!({"iss": iss, "aud": "other", "exp": 1_000_001}), false),
            (&strict, json!({"iss": iss, "aud": [], "exp": 1_000_001}), false),
            (&strict, json!({"iss": iss, "aud": {"shop": 1}, "exp": 1_000_001}), false),
            (&strict, json!({"iss": iss, "exp": 1_000_001}), false),
            (&open, json!({"exp": 1_000_001}), true),
            (&open, json!({"iss": "x", "exp": 1_000_001}), true),
            (&open, json!({"aud": "x", "exp": 1_000_001}), false),
            (&any, json!({"aud": "x", "exp": 1_000_001}), true),
            (&any, json!({"exp": 1_000_001}), true),
        ];
        for (needed, claims, want) in table {
            let found = accept(claims.as_object().unwrap(), needed, now);
            assert_eq!(found.is_ok(), want, "{claims}: {found:?}");
        }
    }

    #[test]
    fn places() {
        let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            let pairs =
                pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
            let mut headers = HeaderMap::new();
            pairs.for_each(|(name, value)| _ = headers.append(name, value));
            headers
        };
        let authorization = TokenSource::Authorization;
        let cookie = TokenSource::Cookie("token".into());
        let field = TokenSource::Field("X-Token".parse().unwrap());
        let twice = [("authorization", "Bearer a.b.c"), ("authorization", "Bearer a.b.c")];
        let table: [(&TokenSource, &[_], _); 17] = [
            (&authorization, &[("authorization", "Bearer a.b.c")], Some(Ok("a.b.c"))),
            (&authorization, &[("authorization", "bearer  a.b.c")], Some(Ok("a.b.c"))),
            (&authorization, &[("authorization", "Basic YTpi")], None),
            (&authorization, &[("authorization", "Bearer")], None),
            (&authorization, &[("cookie", "token=a.b.c")], None),
            (&authorization, &twice, Some(Err(MALFORMED))),
            (&cookie, &[("cookie", "x=y; token=a.b.c; z=1")], Some(Ok("a.b.c"))),
            (&cookie, &[("cookie", "x=y"), ("cookie", "token=a.b.c")], Some(Ok("a.b.c"))),
            (&cookie, &[("cookie", "token=a.b.c; token=d.e.f")], Some(Err(MALFORMED))),
            (&cookie, &[("cookie", "token=a.b.c"), ("cookie", "token=d.e.f")], Some(Err(MALFORMED))),
            (&cookie, &[("cookie", "token =d.e.f; token=a.b.c")], Some(Err(MALFORMED))),
            (&cookie, &[("cookie", "token\t = a.b.c ;x")], Some(Ok("a.b.c"))),
            (&cookie, &[("cookie", "tokens=d.e.f; token; xtoken=d.e.f; token=a.b.c")], Some(Ok("a.b.c"))),
            (&cookie, &[("cookie", "Token=a.b.c")], None),
            (&field, &[("x-token", "a.b.c")], Some(Ok("a.b.c"))),
            (&field, &[("x-token", "Bearer a.b.c")], Some(Ok("a.b.c"))),
            (&field, &[("x-token", "a.b.c"), ("x-token", "a.b.c")], Some(Err(MALFORMED))),
        ];
        for (source, pairs, want) in table {
            assert_eq!(find(source, &headers(pairs)), want, "{source:?} {pairs:?}");
        }
    }

    #[test]
    fn cookies_of_any_bytes_count() {
        let cookie = TokenSource::Cookie("token".into());
        let table: [(&[&[u8]], _); 4] = [
            (&[b"token=d.e.f; x=\xff", b"token=a.b.c"], Some(Err(MALFORMED))),
            (&[b"x=\xff; token=a.b.c"], Some(Ok("a.b.c"))),
            (&[b"x=\xc3\xbc", b"token=a.b.c"], Some(Ok("a.b.c"))),
            (&[b"token=a.b.c\xff"], Some(Err(MALFORMED))),
        ];
        for (lines, want) in table {
            let lines = lines.iter().map(|line| (COOKIE, http::HeaderValue::from_bytes(line).unwrap()));
            let mut headers = HeaderMap::new();
            lines.for_each(|(name, value)| _ = headers.append(name, value));
            assert_eq!(find(&cookie, &headers), want, "{headers:?}");
        }
    }

    #[test]
    fn values_in_fields() {
        for (claim, want) in [
            (json!("ada"), Some("ada")),
            (json!(7), Some("7")),
            (json!(true), Some("true")),
            (json!(null), None),
            (json!(["a", "b,c"]), Some(r#"["a","b,c"]"#)),
            (json!({"roles": ["x"]}), Some(r#"{"roles":["x"]}"#)),
        ] {
            assert_eq!(shown(&claim).as_deref(), want);
        }
    }
}
