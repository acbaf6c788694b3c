//! `authentication.jwt`: signed tokens.

use http::{HeaderName, HeaderValue, Request};
use ingress_core::{Jwt, TokenSource};

use super::authentication::Verdict;
use super::{Call, challenge, own_fields};
use crate::bounds::{Client, UpstreamBody};
use crate::error::Kind;
use crate::layer::State;
use crate::{Body, Error};

/// What is made of it once.
#[derive(Debug)]
pub(super) struct Gatekeeper {
    /// What is said where there is no token.
    challenge: HeaderValue,
    /// Claims, and the fields that they go into.
    fields: Vec<(Box<str>, HeaderName)>,
    /// Where the token is in a field of its own.
    #[cfg_attr(not(feature = "jwt"), allow(dead_code, reason = "no token is looked for"))]
    field: Option<HeaderName>,
    #[cfg(feature = "jwt")]
    keys: signed::Keys,
}

impl Gatekeeper {
    #[cfg_attr(not(feature = "jwt"), allow(unused_variables, reason = "nobody is let in"))]
    pub(super) fn new(needed: &Jwt, state: &State) -> Self {
        let claims = needed.claims.iter();
        let field = match &needed.source {
            TokenSource::Field(field) => own_fields::name(field),
            _ => None,
        };
        Self {
            challenge: challenge::bearer(&needed.realm, None),
            fields: claims
                .filter_map(|(claim, field)| Some((claim.clone(), own_fields::name(field)?)))
                .collect(),
            field,
            #[cfg(feature = "jwt")]
            keys: signed::Keys::new(&needed.keys, state),
        }
    }

    /// The fields in which the endpoint is told what the token says.
    pub(super) fn own_fields(&self) -> impl Iterator<Item = &HeaderName> {
        self.fields.iter().map(|(_, field)| field)
    }
}

/// Whether the request proves what it must.
#[cfg(feature = "jwt")]
pub(super) async fn check<C, B>(needed: &Jwt, call: &Call<C>, request: &mut Request<Body>) -> Verdict
where
    C: Client<B>,
    B: UpstreamBody,
{
    use super::jwt_token;
    use crate::proxy::headers;
    use http::header::WWW_AUTHENTICATE;

    let Some(keeper) = &call.treated.prepared.jwt else {
        return Verdict::Refused(Error::new(Kind::Closed));
    };
    if let Some(field) = &keeper.field {
        // A server that takes `_` for `-` might read another token than the one that is checked here.
        headers::remove_twins_of(request.headers_mut(), field);
    }
    let claims = match jwt_token::find(&needed.source, request.headers()) {
        Some(Ok(token)) => keeper.keys.claims(token, needed, call).await,
        Some(Err(why)) => Err(why.into()),
        None => {
            let error = Error::new(Kind::Unauthorized);
            return Verdict::Refused(error.with_field(WWW_AUTHENTICATE, keeper.challenge.clone()));
        }
    };
    match claims {
        Ok(claims) => {
            for (claim, field) in &keeper.fields {
                if let Some(text) = claims.get(&**claim).and_then(jwt_token::shown) {
                    own_fields::write(request.headers_mut(), field, &text);
                }
            }
            Verdict::Proved
        }
        Err(signed::Refusal::Token(why)) => {
            let challenge = challenge::bearer(&needed.realm, Some(&why.to_string()));
            let error = Error::with_source(Kind::Unauthorized, why);
            Verdict::Refused(error.with_field(WWW_AUTHENTICATE, challenge))
        }
        Err(signed::Refusal::Keys(error)) => Verdict::Refused(error),
    }
}

/// Without the feature nobody can prove anything.
#[cfg(not(feature = "jwt"))]
pub(super) async fn check<C, B>(_needed: &Jwt, call: &Call<C>, _request: &mut Request<Body>) -> Verdict
where
    C: Client<B>,
    B: UpstreamBody,
{
    let _ = call.treated.prepared.jwt.as_ref().map(|keeper| &keeper.challenge);
    Verdict::Refused(Error::new(Kind::Closed))
}

#[cfg(feature = "jwt")]
mod signed {
    use std::sync::Arc;

    use ingress_core::{Jwt, JwtKeys};

    use crate::Error;
    use crate::bounds::{Client, UpstreamBody};
    use crate::error::Kind;
    use crate::layer::State;
    use crate::policy::Call;
    use crate::policy::jwt_keys::{KeySet, KeySetError, Signed};
    use crate::policy::jwt_source::{NoKeys, Source};
    use crate::policy::jwt_token::{Claims, Token, Unaccepted};

    /// Where the keys are.
    #[derive(Debug)]
    pub(super) enum Keys {
        Here(Arc<Result<KeySet, KeySetError>>),
        There(Arc<Source>),
    }

    /// Why a request may not pass.
    pub(super) enum Refusal {
        Token(Unaccepted),
        Keys(Error),
    }

    impl Keys {
        pub(super) fn new(keys: &JwtKeys, state: &State) -> Self {
            match keys {
                JwtKeys::Set(json) => {
                    Self::Here(state.key_sets.get(json, || KeySet::parse(json.as_str().as_bytes())))
                }
                JwtKeys::At(callee) => Self::There(state.key_sources.of(callee)),
                _ => Self::Here(Arc::new(Err(KeySetError::Form))),
            }
        }

        /// What the token says, if it is to be believed.
        pub(super) async fn claims<C, B>(
            &self,
            token: &str,
            needed: &Jwt,
            call: &Call<C>,
        ) -> Result<Claims, Refusal>
        where
            C: Client<B>,
            B: UpstreamBody,
        {
            let token = Token::parse(token)?;
            let signed = match self {
                Self::Here(keys) => match &**keys {
                    Ok(keys) => token.is_signed(keys),
                    Err(error) => {
                        return Err(Refusal::Keys(Error::with_source(Kind::Closed, error.clone())));
                    }
                },
                Self::There(source) => {
                    let (shared, others) = (&call.shared, &call.matched.others);
                    let signed = token.is_signed(&*source.keys(shared, others, false).await?);
                    match signed {
                        // There may be new keys.
                        Signed::Unknown => token.is_signed(&*source.keys(shared, others, true).await?),
                        signed => signed,
                    }
                }
            };
            Ok(token.claims(signed, needed)?)
        }
    }

    impl From<Unaccepted> for Refusal {
        fn from(why: Unaccepted) -> Self {
            Self::Token(why)
        }
    }

    impl From<NoKeys> for Refusal {
        fn from(why: NoKeys) -> Self {
            Self::Keys(Error::with_source(Kind::AuthFailed, why))
        }
    }
}
