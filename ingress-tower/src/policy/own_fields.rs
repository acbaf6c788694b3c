//! Fields that the gateway writes, and clients cannot.

use http::HeaderName;
#[cfg(any(feature = "auth", feature = "jwt"))]
use http::{HeaderMap, HeaderValue};
use ingress_core::OwnField;

/// The name of such a field.
pub(super) fn name(field: &OwnField) -> Option<HeaderName> {
    field.as_str().parse().ok()
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

#[cfg(all(test, any(feature = "auth", feature = "jwt")))]
mod tests {
    use super::*;

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
