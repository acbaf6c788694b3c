//! `authentication`: what a client has to prove.

use http::{Request, Response};

use super::{Call, basic_auth, client_certificate, external_auth, jwt};
use crate::bounds::{Client, UpstreamBody};
use crate::error::Kind;
use crate::{Body, Error};

/// What a check comes to.
pub(super) enum Verdict {
    /// It is proved.
    Proved,
    /// It is not; the client is answered this.
    Answer(Response<Body>),
    /// It is not, and the client is told why.
    Refused(Error),
}

/// Lets a request pass that proves what it must. The answer is there where the client is told something else than an error.
pub(super) async fn check<C, B>(
    call: &mut Call<C>,
    request: &mut Request<Body>,
) -> Result<Option<Response<Body>>, Error>
where
    C: Client<B>,
    B: UpstreamBody,
{
    let treated = call.treated.clone();
    let needed = &treated.authentication;
    let any = needed.any == Some(true);
    if any && treated.access.allow.is_some() && treated.access.admits(call.client) {
        return Ok(None);
    }
    // The first that is not proved is what the client is told.
    let mut missing = None;
    macro_rules! step {
        ($value:expr, $check:expr) => {
            if let Some(value) = $value {
                match $check(value).await {
                    Verdict::Proved if any => return Ok(None),
                    Verdict::Proved => {}
                    other if any => missing = missing.or(Some(other)),
                    other => return other.into_answer(),
                }
            }
        };
    }
    step!(&needed.certificate, async |value| {
        // Where one proof is enough, nothing is none.
        client_certificate::check(value, value.optional && !any, request)
    });
    step!(&needed.jwt, async |value| jwt::check(value, call, request).await);
    step!(&needed.basic, async |value| basic_auth::check(value, call, request).await);
    step!(&needed.external, async |value| external_auth::check(value, call, request).await);
    match missing {
        Some(missing) => missing.into_answer(),
        // Only an address would have been enough.
        None if any && treated.access.allow.is_some() => Err(Error::new(Kind::Forbidden)),
        None => Ok(None),
    }
}

impl Verdict {
    fn into_answer(self) -> Result<Option<Response<Body>>, Error> {
        match self {
            Self::Proved => Ok(None),
            Self::Answer(answer) => Ok(Some(answer)),
            Self::Refused(error) => Err(error),
        }
    }
}
