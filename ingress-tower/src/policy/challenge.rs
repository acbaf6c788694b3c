//! `Authorization` and `WWW-Authenticate` (RFC 9110 section 11).

use http::HeaderValue;
#[cfg(any(feature = "auth", feature = "jwt"))]
use http::{HeaderMap, HeaderName};

/// The value of a field that a request has once.
#[cfg(any(feature = "auth", feature = "jwt"))]
pub(super) fn only(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// What stands behind a scheme, if it is this one.
pub(super) fn parameters<'v>(value: &'v HeaderValue, scheme: &str) -> Option<&'v str> {
    let (name, rest) = value.to_str().ok()?.trim().split_once(' ')?;
    name.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// That a name and its password are wanted.
pub(super) fn basic(realm: &str) -> HeaderValue {
    value(format!("Basic realm={}, charset=\"UTF-8\"", quoted(realm)))
}

/// That a token is wanted, and perhaps why the one that came is none (RFC 6750 section 3).
pub(super) fn bearer(realm: &str, why: Option<&str>) -> HeaderValue {
    let mut text = format!("Bearer realm={}", quoted(realm));
    if let Some(why) = why {
        text.push_str(&format!(", error=\"invalid_token\", error_description={}", quoted(why)));
    }
    value(text)
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars().filter(|character| !character.is_control()) {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted + "\""
}

fn value(text: String) -> HeaderValue {
    // Without control characters every text is a value.
    HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).unwrap_or(HeaderValue::from_static("Basic"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn realms_are_quoted() {
        for (realm, want) in [
            ("shop", r#"Basic realm="shop", charset="UTF-8""#),
            ("off", r#"Basic realm="off", charset="UTF-8""#),
            ("", r#"Basic realm="", charset="UTF-8""#),
            (r#"a"b\c", x="y"#, r#"Basic realm="a\"b\\c\", x=\"y", charset="UTF-8""#),
            ("a\r\nSet-Cookie: x=y\u{85}", r#"Basic realm="aSet-Cookie: x=y", charset="UTF-8""#),
            ("Läden", r#"Basic realm="Läden", charset="UTF-8""#),
        ] {
            assert_eq!(basic(realm).as_bytes(), want.as_bytes());
        }
        assert_eq!(bearer("shop", None), r#"Bearer realm="shop""#);
        let why = r#"Bearer realm="shop", error="invalid_token", error_description="it has expired""#;
        assert_eq!(bearer("shop", Some("it has expired")), why);
    }
}
