//! Fields that the gateway writes, and clients cannot.

use http::{HeaderMap, HeaderName, HeaderValue};
use ingress_core::OwnField;

/// The name of such a field.
pub(super) fn name(field: &OwnField) -> Option<HeaderName> {
    field.as_str().parse().ok()
}

/// Takes out what a client wrote into a field, also where `_` stands for `-`: to many programs behind a gateway that is
/// the same name.
pub(super) fn clear(headers: &mut HeaderMap, own: &HeaderName) {
    headers.remove(own);
    let same = |name: &&HeaderName| is_same(name.as_str(), own.as_str());
    while let Some(name) = headers.keys().find(same).cloned() {
        headers.remove(name);
    }
}

/// Writes a value. One that cannot stand in a field, or would be another once it is read, is left out.
#[cfg(any(feature = "auth", feature = "jwt"))]
pub(super) fn write(headers: &mut HeaderMap, name: &HeaderName, value: &str) {
    if value.trim() != value || value.chars().any(char::is_control) {
        return;
    }
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(name.clone(), value);
    }
}

fn is_same(one: &str, other: &str) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte };
    one.len() == other.len() && one.bytes().map(plain).eq(other.bytes().map(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_cannot_write_them() {
        let own = HeaderName::from_static("x-user-id");
        let mut headers = HeaderMap::new();
        for name in ["x-user-id", "x_user-id", "x-user_id", "x_user_id", "x-user-id2", "x-user"] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("eve"));
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("mallory"));
        }
        clear(&mut headers, &own);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["x-user", "x-user-id2"]);
    }

    #[cfg(any(feature = "auth", feature = "jwt"))]
    #[test]
    fn values_that_would_be_others_are_left_out() {
        let own = HeaderName::from_static("x-user");
        for (value, want) in [
            ("ada", Some("ada")),
            ("Jürgen", Some("Jürgen")),
            ("", Some("")),
            (" ada", None),
            ("a\r\nx-admin: 1", None),
            ("a\0", None),
        ] {
            let mut headers = HeaderMap::new();
            write(&mut headers, &own, value);
            assert_eq!(headers.get(&own).map(HeaderValue::as_bytes), want.map(str::as_bytes), "{value:?}");
        }
    }
}
