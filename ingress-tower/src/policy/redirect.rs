//! `https_redirect`, `www` and `redirect`: clients that are sent elsewhere.
//!
//! A `Location` always has scheme and host, so that a path with two slashes in front is never read as a host, and has
//! nothing in it but what a target may have.

use std::borrow::Cow;

use http::header::{CONTENT_LENGTH, HeaderValue, LOCATION};
use http::uri::PathAndQuery;
use http::{Response, StatusCode};
use ingress_core::{HttpsRedirect, Policy, Redirect, RedirectScheme, RedirectStatus, RequestHost, Www};

use super::rewrite::{Facts, is_plain, push_escaped, unusable};
use crate::error::Kind;
use crate::{Body, Error};

/// Where the tokens of a challenge lie (RFC 8555 section 8.3). Who asks for one has no certificate yet.
const ACME: &str = "/.well-known/acme-challenge/";
const WWW: &str = "www.";

/// A place that a client is sent to.
struct Place<'r> {
    scheme: &'static str,
    host: Cow<'r, str>,
    port: Option<u16>,
    target: Cow<'r, PathAndQuery>,
}

/// The answer that sends the client to `https`, or to the other name of the host, if it is sent.
pub(super) fn to_other_name(policy: &Policy, facts: &Facts<'_>) -> Result<Option<Response<Body>>, Error> {
    if let Some(HttpsRedirect::With(status)) = policy.https_redirect {
        if facts.scheme() == "http" && !is_challenge(facts.path.path()) {
            let place = Place { scheme: "https", port: None, ..Place::asked(facts) };
            return place.answer(status).map(Some);
        }
    }
    if let Some(host) = policy.www.and_then(|www| other_name(www, facts)) {
        let place = Place { host: host.into(), ..Place::asked(facts) };
        return place.answer(RedirectStatus::PermanentRedirect).map(Some);
    }
    Ok(None)
}

/// The answer that [`Policy::redirect`] asks for.
pub(super) fn elsewhere(policy: &Policy, facts: &Facts<'_>) -> Result<Option<Response<Body>>, Error> {
    policy.redirect.leads_elsewhere().then(|| sent(&policy.redirect, facts)).transpose()
}

fn sent(redirect: &Redirect, facts: &Facts<'_>) -> Result<Response<Body>, Error> {
    let asked = Place::asked(facts);
    let here = asked.location()?;
    let mut place = asked;
    if let Some(scheme) = redirect.scheme {
        (place.scheme, place.port) = (RedirectScheme::as_str(scheme), None);
    }
    if let Some(host) = &redirect.host {
        let host = facts.host_of(host)?;
        place.host = RequestHost::parse(&host).map_err(unusable)?.as_str().to_owned().into();
    }
    place.port = redirect.port.or(place.port);
    if let Some(path) = &redirect.path {
        place.target = Cow::Owned(facts.target(path)?);
    }
    if place.location()? == here {
        return Err(Error::new(Kind::RedirectLoop));
    }
    place.answer(redirect.status.unwrap_or_default())
}

/// Whether the path is that of one token, and can be read as nothing else.
fn is_challenge(path: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    path.strip_prefix(ACME).is_some_and(|token| !token.is_empty() && token.bytes().all(is_token))
}

/// The name that the host should have been asked for by, if it has two.
fn other_name(www: Www, facts: &Facts<'_>) -> Option<String> {
    let host = facts.host();
    let host = host.as_str();
    let is_name = |host: &str| {
        host.contains('.') && !host.ends_with(|last: char| last.is_ascii_digit()) && !host.starts_with('[')
    };
    match (www, host.strip_prefix(WWW)) {
        (Www::Remove, Some(bare)) if is_name(bare) => Some(bare.into()),
        (Www::Add, None) if is_name(host) => Some(format!("{WWW}{host}")),
        _ => None,
    }
}

// ===== impl Place =====

impl<'r> Place<'r> {
    /// What was asked for.
    fn asked(facts: &Facts<'r>) -> Self {
        let port = facts.authority().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let host = facts.host().as_str().to_owned().into();
        Self { scheme: facts.scheme(), host, port, target: Cow::Borrowed(facts.path) }
    }

    fn location(&self) -> Result<HeaderValue, Error> {
        let Self { scheme, host, port, target } = self;
        if host.is_empty() {
            return Err(unusable("the request has no host to which its client could be sent"));
        }
        let usual = if *scheme == "https" { 443 } else { 80 };
        let port = port.filter(|port| *port != usual).map(|port| format!(":{port}")).unwrap_or_default();
        let mut text = format!("{scheme}://{host}{port}");
        push_escaped(&mut text, target.as_str(), is_plain);
        HeaderValue::try_from(text).map_err(unusable)
    }

    fn answer(&self, status: RedirectStatus) -> Result<Response<Body>, Error> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::from_u16(status.code()).map_err(unusable)?;
        response.headers_mut().insert(LOCATION, self.location()?);
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http::header::HOST;
    use ingress_core::PathRewrite;

    use super::*;

    /// Status and `Location`, or the reason why there is none, for what comes with this scheme, host and target.
    fn sent(policy: &Policy, scheme: &str, host: &str, target: &str) -> String {
        let path: PathAndQuery = target.parse().unwrap();
        let request = Request::get("/").header(HOST, host).header("x-forwarded-proto", scheme);
        let request = request.body(Body::empty()).unwrap();
        let facts = Facts { request: &request, client: None, path: &path, prefix: None };
        match to_other_name(policy, &facts).and_then(|answer| match answer {
            Some(answer) => Ok(Some(answer)),
            None => elsewhere(policy, &facts),
        }) {
            Ok(None) => "passed".into(),
            Ok(Some(answer)) => {
                format!("{} {}", answer.status().as_u16(), answer.headers()[LOCATION].to_str().unwrap())
            }
            Err(error) => error.reason().into(),
        }
    }

    fn policy(write: impl FnOnce(&mut Policy)) -> Policy {
        let mut policy = Policy::default();
        write(&mut policy);
        policy
    }

    #[test]
    fn clients_without_tls_are_sent_to_https() {
        let https = policy(|policy| {
            policy.https_redirect = Some(HttpsRedirect::With(RedirectStatus::PermanentRedirect));
        });
        for (scheme, host, target, want) in [
            ("http", "shop.example", "/a?b=%20", "308 https://shop.example/a?b=%20"),
            ("http", "Shop.Example:8080", "/", "308 https://shop.example/"),
            ("http", "[2001:db8::1]:80", "/", "308 https://[2001:db8::1]/"),
            ("https", "shop.example", "/a", "passed"),
            ("http", "", "/a", "bad_rewrite"),
            ("http", "shop.example", "/.well-known/acme-challenge/a-B_9", "passed"),
            (
                "http",
                "shop.example",
                "/.well-known/acme-challenge/",
                "308 https://shop.example/.well-known/acme-challenge/",
            ),
            (
                "http",
                "shop.example",
                "/.well-known/acme-challenge/..%2F..%2Fadmin",
                "308 https://shop.example/.well-known/acme-challenge/..%2F..%2Fadmin",
            ),
            ("http", "shop.example", "//evil.example/", "308 https://shop.example//evil.example/"),
            ("http", "shop.example", "/\\evil.example", "308 https://shop.example/%5Cevil.example"),
        ] {
            assert_eq!(sent(&https, scheme, host, target), want, "{scheme} {host} {target}");
        }
        let off = policy(|policy| policy.https_redirect = Some(HttpsRedirect::Off));
        assert_eq!(sent(&off, "http", "shop.example", "/"), "passed");
    }

    #[test]
    fn a_host_has_two_names() {
        for (www, host, want) in [
            (Www::Add, "shop.example:8080", "308 http://www.shop.example:8080/a?b"),
            (Www::Add, "www.shop.example", "passed"),
            (Www::Add, "localhost", "passed"),
            (Www::Add, "192.0.2.1", "passed"),
            (Www::Add, "[2001:db8::1.2.3.4]", "passed"),
            (Www::Add, "", "passed"),
            (Www::Remove, "WWW.shop.example", "308 http://shop.example/a?b"),
            (Www::Remove, "shop.example", "passed"),
            (Www::Remove, "www.example", "passed"),
        ] {
            let policy = policy(|policy| policy.www = Some(www));
            assert_eq!(sent(&policy, "http", host, "/a?b"), want, "{www:?} {host}");
        }
    }

    #[test]
    fn parts_of_the_place_are_replaced() {
        let redirect = |write: fn(&mut Redirect)| policy(|policy| write(&mut policy.redirect));
        let full = |text: &str| Some(PathRewrite::Full(text.parse().unwrap()));
        let path = policy(|policy| policy.redirect.path = full("/new{path}?from={host}"));
        for (policy, want) in [
            (redirect(|to| to.scheme = Some(RedirectScheme::Https)), "302 https://shop.example/a?b"),
            (redirect(|to| to.scheme = Some(RedirectScheme::Http)), "302 http://shop.example/a?b"),
            (redirect(|to| to.host = "next.{host}".parse().ok()), "302 http://next.shop.example:8080/a?b"),
            (redirect(|to| to.port = Some(81)), "302 http://shop.example:81/a?b"),
            (redirect(|to| to.port = Some(80)), "302 http://shop.example/a?b"),
            (redirect(|to| to.port = Some(8080)), "redirect_loop"),
            (redirect(|to| to.host = "{path}".parse().ok()), "bad_rewrite"),
            (redirect(|to| to.status = Some(RedirectStatus::SeeOther)), "passed"),
            (path, "302 http://shop.example:8080/new/a?from=shop.example"),
        ] {
            assert_eq!(sent(&policy, "http", "shop.example:8080", "/a?b"), want, "{:?}", policy.redirect);
        }
        let both = policy(|policy| {
            (policy.www, policy.redirect.port) = (Some(Www::Add), Some(81));
            policy.redirect.status = Some(RedirectStatus::SeeOther);
        });
        assert_eq!(sent(&both, "http", "shop.example", "/"), "308 http://www.shop.example/");
        assert_eq!(sent(&both, "http", "www.shop.example", "/"), "303 http://www.shop.example:81/");
    }
}
