//! `authentication`: what a client has to prove.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, Request, Response};

use super::{Call, basic_auth, client_certificate, external_auth, jwt};
use crate::bounds::{Client, UpstreamBody};
use crate::error::Kind;
use crate::proxy::headers;
use crate::{Body, Error};

/// What a check comes to.
pub(super) enum Verdict {
    /// It is proved.
    Proved,
    /// It is not; the client is answered this.
    Answer(Box<Response<Body>>),
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
    // Whoever lets a request pass, what it says in these fields is not the client's word.
    for field in treated.prepared.own_fields() {
        headers::remove_with_twins(request.headers_mut(), field);
    }
    let external = treated.authentication.external.as_ref();
    if let Some(external) = external {
        // Also where something else proves enough, nobody may say himself what the service is to say.
        call.said.withhold(external, request.headers_mut());
    }
    let answer = prove(call, request).await?;
    if let (None, Some(basic)) = (&answer, &treated.authentication.basic) {
        basic_auth::conceal(basic, request);
    }
    if let Some(external) = external {
        call.said.write(external, request.headers_mut());
    }
    Ok(answer)
}

async fn prove<C, B>(call: &mut Call<C>, request: &mut Request<Body>) -> Result<Option<Response<Body>>, Error>
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
    // Of what is not proved the client is told one thing, with all the ways to prove who it is.
    let mut missing = None;
    macro_rules! step {
        ($value:expr, $check:expr) => {
            if let Some(value) = $value {
                match $check(value).await {
                    Verdict::Proved if any => return Ok(None),
                    Verdict::Proved => {}
                    other if any => missing = Some(Verdict::either(missing, other)),
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
    step!(&needed.basic, async |_| basic_auth::check(call, request).await);
    step!(&needed.external, async |value| external_auth::check(value, call, request).await);
    match missing {
        Some(missing) => missing.into_answer(),
        // Only an address would have been enough.
        None if any && treated.access.allow.is_some() => Err(Error::new(Kind::Forbidden)),
        None => Ok(None),
    }
}

impl Verdict {
    /// What is told where neither is proved: what stands first, but that a client without a certificate is rather told what
    /// it can do about it. A browser asks for a password, and never again for a certificate.
    fn either(first: Option<Self>, other: Self) -> Self {
        match (first, other) {
            (Some(Self::Refused(first)), other)
                if first.kind() == Kind::NoCertificate && other.is_something_to_do() =>
            {
                other
            }
            // A browser that is sent to sign in can do more about it than one that is told a scheme.
            (Some(Self::Refused(_)), Self::Answer(other)) if other.status().is_redirection() => {
                Self::Answer(other)
            }
            (Some(Self::Refused(first)), Self::Refused(other)) => {
                let is_asked = first.kind() == Kind::Unauthorized && other.kind() == Kind::Unauthorized;
                let fields = other.fields().filter(|_| is_asked);
                let challenges = fields.into_iter().flat_map(|fields| fields.get_all(WWW_AUTHENTICATE));
                let add = |error: Error, challenge: &HeaderValue| {
                    error.with_field(WWW_AUTHENTICATE, challenge.clone())
                };
                Self::Refused(challenges.fold(first, add))
            }
            (Some(first), _) => first,
            (None, other) => other,
        }
    }

    /// Whether it challenges the client, or is what a service says about it.
    fn is_something_to_do(&self) -> bool {
        match self {
            Self::Refused(error) => error.kind() == Kind::Unauthorized,
            Self::Answer(_) => true,
            Self::Proved => false,
        }
    }

    fn into_answer(self) -> Result<Option<Response<Body>>, Error> {
        match self {
            Self::Proved => Ok(None),
            Self::Answer(answer) => Ok(Some(*answer)),
            Self::Refused(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_can_do_about_it_is_told_first() {
        let refused = |kind| Verdict::Refused(Error::new(kind));
        let answer = |status: u16| {
            let answer = Response::builder().status(status).body(Body::empty());
            Verdict::Answer(Box::new(answer.unwrap()))
        };
        let status = |verdict: Verdict| match verdict.into_answer() {
            Ok(answer) => answer.unwrap().status().as_u16(),
            Err(error) => error.status().as_u16(),
        };
        for (first, other, want) in [
            (refused(Kind::NoCertificate), refused(Kind::Unauthorized), 401),
            (refused(Kind::NoCertificate), answer(302), 302),
            (refused(Kind::Unauthorized), answer(302), 302),
            (refused(Kind::Unauthorized), answer(403), 401),
            (refused(Kind::AuthFailed), answer(403), 503),
            (answer(302), refused(Kind::Unauthorized), 302),
            (refused(Kind::Unauthorized), refused(Kind::AuthFailed), 401),
        ] {
            assert_eq!(status(Verdict::either(Some(first), other)), want);
        }
    }
}
