//! Which header fields policies must leave alone.

use http::HeaderName;

/// What a header field is for, as far as that keeps policies from touching it. A name with `_` in place of `-` is for the same,
/// since some servers take the one for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldUse {
    /// It frames messages, or is about one connection (RFC 9110 section 7.6.1).
    Connection,
    /// Nobody but the gateway may say it: where a request comes from, and by whom.
    Gateway,
    /// `Host`.
    Host,
    /// `Cookie` and `Set-Cookie`, which hold those of the gateway, too.
    Cookie,
    /// Anything else.
    Free,
}

/// So is all that begins with `proxy-` or `sec-websocket-`. `expect` is answered by the gateway.
const CONNECTION: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// So is all that begins with `x-forwarded-`, `client-cert` or `x-client-cert`.
const GATEWAY: [&str; 5] = ["forwarded", "via", "x-forwarded", "x-real-ip", "x-request-id"];

/// By these names services say whom they let pass.
const IDENTITY: [&str; 5] = [
    "x-forwarded-access-token",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-user",
];

impl FieldUse {
    /// What the field with this name is for.
    ///
    /// ```
    /// use http::HeaderName;
    /// use ingress_core::FieldUse;
    ///
    /// assert_eq!(FieldUse::of(&HeaderName::from_static("x_forwarded_for")), FieldUse::Gateway);
    /// assert_eq!(FieldUse::of(&HeaderName::from_static("x-user")), FieldUse::Free);
    /// ```
    pub fn of(name: &HeaderName) -> Self {
        let plain = name.as_str().replace('_', "-");
        let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| plain.starts_with(beginning));
        match &*plain {
            "host" => Self::Host,
            "cookie" | "set-cookie" => Self::Cookie,
            name if IDENTITY.contains(&name) => Self::Free,
            name if CONNECTION.contains(&name) || begins(&["proxy-", "sec-websocket-"]) => Self::Connection,
            name if GATEWAY.contains(&name) || begins(&["x-forwarded-", "client-cert", "x-client-cert"]) => {
                Self::Gateway
            }
            _ => Self::Free,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses() {
        for (name, want) in [
            ("connection", FieldUse::Connection),
            ("transfer_encoding", FieldUse::Connection),
            ("proxy-authorization", FieldUse::Connection),
            ("sec-websocket-key", FieldUse::Connection),
            ("x-forwarded-prefix", FieldUse::Gateway),
            ("x_real_ip", FieldUse::Gateway),
            ("client-cert-chain", FieldUse::Gateway),
            ("x-client-cert-subject", FieldUse::Gateway),
            ("via", FieldUse::Gateway),
            ("host", FieldUse::Host),
            ("set_cookie", FieldUse::Cookie),
            ("x-forwarded-user", FieldUse::Free),
            ("authorization", FieldUse::Free),
            ("x-user", FieldUse::Free),
        ] {
            assert_eq!(FieldUse::of(&HeaderName::from_static(name)), want, "{name}");
        }
    }
}
