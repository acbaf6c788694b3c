//! `authentication.basic`: names and passwords.

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Request};
use ingress_core::BasicAuth;

use super::authentication::Verdict;
use super::{Call, challenge, own_fields};
use crate::error::Kind;
use crate::layer::State;
use crate::{Body, Error};

/// What is made of it once.
#[derive(Debug)]
pub(super) struct Gatekeeper {
    challenge: HeaderValue,
    user_field: Option<HeaderName>,
    #[cfg(feature = "auth")]
    gate: std::sync::Arc<super::passwords::Gate>,
}

impl Gatekeeper {
    #[cfg_attr(not(feature = "auth"), allow(unused_variables, reason = "nobody is let in"))]
    pub(super) fn new(needed: &BasicAuth, state: &State) -> Self {
        Self {
            challenge: challenge::basic(&needed.realm),
            user_field: needed.user_field.as_ref().and_then(own_fields::name),
            #[cfg(feature = "auth")]
            gate: state.passwords.of(&needed.users),
        }
    }

    /// The field in which the endpoint is told who it is.
    pub(super) fn own_field(&self) -> Option<&HeaderName> {
        self.user_field.as_ref()
    }
}

/// Whether the request proves what it must.
#[cfg(feature = "auth")]
pub(super) async fn check<C>(call: &Call<C>, request: &mut Request<Body>) -> Verdict {
    let Some(keeper) = &call.treated.prepared.basic_auth else {
        return Verdict::Refused(Error::new(Kind::Closed));
    };
    let refused = || {
        let error = Error::new(Kind::Unauthorized);
        Verdict::Refused(error.with_field(http::header::WWW_AUTHENTICATE, keeper.challenge.clone()))
    };
    let Some(credentials) = credentials::Credentials::of(request.headers()) else { return refused() };
    match keeper.gate.admits(credentials.name(), credentials.password()).await {
        Ok(true) => {
            if let Some(field) = &keeper.user_field {
                own_fields::write(request.headers_mut(), field, credentials.name());
            }
            Verdict::Proved
        }
        Ok(false) => refused(),
        Err(busy) => Verdict::Refused(Error::with_source(Kind::AuthFailed, busy)),
    }
}

/// Without the feature nobody can prove anything.
#[cfg(not(feature = "auth"))]
pub(super) async fn check<C>(call: &Call<C>, _request: &mut Request<Body>) -> Verdict {
    let _ = call.treated.prepared.basic_auth.as_ref().map(|keeper| &keeper.challenge);
    Verdict::Refused(Error::new(Kind::Closed))
}

/// Takes the password out of a request that may pass, whoever let it pass.
pub(super) fn conceal(needed: &BasicAuth, request: &mut Request<Body>) {
    let is_basic = |value: &HeaderValue| challenge::parameters(value, "basic").is_some();
    if !needed.forward && request.headers().get_all(AUTHORIZATION).iter().any(is_basic) {
        request.headers_mut().remove(AUTHORIZATION);
    }
}

#[cfg(feature = "auth")]
mod credentials {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use http::HeaderMap;
    use http::header::AUTHORIZATION;

    use crate::policy::challenge;

    /// How many bytes a password may have. What hashing costs grows with it.
    const MAX_PASSWORD_LEN: usize = 256;

    /// A name and a password (RFC 7617 section 2).
    pub(super) struct Credentials {
        text: String,
        colon: usize,
    }

    impl Credentials {
        /// Those that a request has, once.
        pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
            let value = challenge::only(headers, AUTHORIZATION)?;
            let encoded = challenge::parameters(value, "basic")?;
            let text = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
            let colon = text.find(':')?;
            let too_long = text.len() - colon - 1 > MAX_PASSWORD_LEN;
            (!too_long && !text.chars().any(char::is_control)).then_some(Self { text, colon })
        }

        pub(super) fn name(&self) -> &str {
            self.text.get(..self.colon).unwrap_or_default()
        }

        pub(super) fn password(&self) -> &[u8] {
            self.text.as_bytes().get(self.colon + 1..).unwrap_or_default()
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn names_and_passwords() {
            let long = BASE64_STANDARD.encode(format!("a:{}", "x".repeat(257)));
            let most = BASE64_STANDARD.encode(format!("a:{}", "x".repeat(256)));
            let table = [
                // RFC 7617 section 2.
                ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Some(("Aladdin", "open sesame"))),
                ("basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ== ", Some(("Aladdin", "open sesame"))),
                // RFC 7617 section 2.1.
                ("Basic dGVzdDoxMjPCow==", Some(("test", "123£"))),
                ("Basic YTpiOmM=", Some(("a", "b:c"))),
                ("Basic Og==", Some(("", ""))),
                ("Basic YTpiAA==", None),
                ("Basic YQ==", None),
                ("Basic dGVzdDoxMjOj", None),
                ("Basic YTpi, Basic YTpi", None),
                ("Basic !", None),
                ("Basic", None),
                ("BasicYTpi", None),
                ("Bearer YTpi", None),
                ("", None),
                (&format!("Basic {long}"), None),
            ];
            for (value, want) in table {
                let headers = [(AUTHORIZATION, value.parse().unwrap())].into_iter().collect();
                let found = Credentials::of(&headers);
                let found = found.as_ref().map(|found| (found.name(), found.password()));
                assert_eq!(found, want.map(|(name, password)| (name, password.as_bytes())), "{value}");
            }
            let headers = [(AUTHORIZATION, format!("Basic {most}").parse().unwrap())].into_iter().collect();
            assert!(Credentials::of(&headers).is_some());
            let twice = [(AUTHORIZATION, "Basic YTpi".parse().unwrap())];
            let mut twice: HeaderMap = twice.into_iter().collect();
            twice.append(AUTHORIZATION, "Basic YTpi".parse().unwrap());
            assert!(Credentials::of(&twice).is_none());
        }
    }
}
