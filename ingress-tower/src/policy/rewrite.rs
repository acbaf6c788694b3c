//! `rewrite`: what an endpoint is asked for in place of what the client asked for.

use std::borrow::Cow;
use std::net::IpAddr;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request};
use ingress_core::{Part, PathMatch, PathRewrite, Policy, RequestHost, RequestPath, Rewrite, Route};
use ingress_core::{Template, Variable};

use crate::error::Kind;
use crate::proxy::headers::{X_FORWARDED_PROTO, X_REQUEST_ID};
use crate::{Body, BoxError, Captures, Error, ServerName};

/// What is known of a request that templates are filled with. Its own fields about its origin are the gateway's.
pub(super) struct Facts<'r> {
    pub(super) request: &'r Request<Body>,
    pub(super) client: Option<IpAddr>,
    /// Normalised.
    pub(super) path: &'r PathAndQuery,
    /// How many bytes of the path the elements are that the route names, if it is for a prefix.
    pub(super) prefix: Option<usize>,
}

/// How many bytes of a request's path are the elements that its route names. Only where that matters is the route's path
/// looked at.
pub(crate) fn prefix(policy: Option<&Policy>, route: Route<'_>) -> Option<usize> {
    let policy = policy?;
    let replaces = |path: &Option<PathRewrite>| matches!(path, Some(PathRewrite::Prefix(_)));
    if !replaces(&policy.rewrite.path) && !replaces(&policy.redirect.path) {
        return None;
    }
    match route.path() {
        PathMatch::Prefix(path) => Some(path.as_str().strip_suffix('/').unwrap_or(path.as_str()).len()),
        _ => None,
    }
}

/// The path and the host that an endpoint is asked for, where they are others.
pub(super) fn apply(
    rewrite: &Rewrite,
    facts: &Facts<'_>,
) -> Result<(Option<PathAndQuery>, Option<HeaderValue>), Error> {
    let path = rewrite.path.as_ref().map(|path| facts.target(path)).transpose()?;
    let host = rewrite.host.as_ref().map(|host| facts.host_of(host)).transpose()?;
    let host = host.map(HeaderValue::try_from).transpose().map_err(unusable)?;
    Ok((path, host))
}

/// What came out cannot be asked for.
pub(super) fn unusable(why: impl Into<BoxError>) -> Error {
    Error::with_source(Kind::Rewrite, why)
}

// ===== impl Facts =====

impl<'r> Facts<'r> {
    fn headers(&self) -> &'r HeaderMap {
        self.request.headers()
    }

    /// `http` or `https`.
    pub(super) fn scheme(&self) -> &'static str {
        match self.headers().get(X_FORWARDED_PROTO) {
            Some(scheme) if scheme == "https" => "https",
            _ => "http",
        }
    }

    /// The host that was asked for, with its port.
    pub(super) fn authority(&self) -> &'r str {
        self.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
    }

    /// The host that was asked for, if there was any.
    pub(super) fn host(&self) -> RequestHost<'r> {
        RequestHost::parse(self.authority()).unwrap_or(RequestHost::ABSENT)
    }

    /// Path and query after a rewrite.
    pub(super) fn target(&self, rewrite: &PathRewrite) -> Result<PathAndQuery, Error> {
        let mut target = Target::default();
        match rewrite {
            PathRewrite::Prefix(path) => {
                let rest = self.prefix.and_then(|len| self.path.path().get(len..)).unwrap_or_default();
                let path = if rest.is_empty() { path } else { path.strip_suffix('/').unwrap_or(path) };
                push_escaped(&mut target.text, path, is_plain_in_path);
                target.text.push_str(rest);
                if target.text.is_empty() {
                    target.text.push('/');
                }
            }
            PathRewrite::Full(template) => {
                template.parts().iter().for_each(|part| target.push(part, self));
                target.check()?;
            }
        }
        target.finish(self.path.query())
    }

    /// Path and query that a template makes, without the query of the request where it has none of its own.
    pub(super) fn target_alone(&self, template: &Template) -> Result<PathAndQuery, Error> {
        let mut target = Target::default();
        template.parts().iter().for_each(|part| target.push(part, self));
        target.check()?;
        target.finish(None)
    }

    /// What was asked for, as a URL; nothing is in it but what a URL may have.
    pub(super) fn url(&self) -> String {
        let mut url = format!("{}://", self.scheme());
        url.push_str(self.authority());
        push_escaped(&mut url, self.path.as_str(), is_plain);
        url
    }

    /// The host, and the port if there is one, that a template makes.
    pub(super) fn host_of(&self, template: &Template) -> Result<String, Error> {
        let mut text = String::new();
        template.expand(&mut text, |part| self.value(part));
        match RequestHost::parse(&text) {
            Ok(host) if host.as_str().is_empty() => Err(unusable("there is no host")),
            Ok(_) => Ok(text),
            Err(error) => Err(unusable(error)),
        }
    }

    fn value(&self, part: &Part) -> Option<Cow<'r, str>> {
        let field = |name| self.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let extensions = self.request.extensions();
        match part {
            Part::Capture(name) => extensions.get::<Captures>()?.get(name).map(Cow::Borrowed),
            Part::Variable(variable) => match variable {
                Variable::Client => self.client.map(|client| client.to_canonical().to_string().into()),
                Variable::Host => Some(self.host().as_str().to_owned().into()),
                Variable::Method => Some(self.request.method().as_str().into()),
                Variable::Path => Some(self.path.path().into()),
                Variable::Query => self.path.query().map(Cow::Borrowed),
                Variable::RequestId => field(X_REQUEST_ID).map(Cow::Borrowed),
                Variable::Scheme => Some(self.scheme().into()),
                Variable::TlsServerName => extensions.get::<ServerName>().map(|name| name.as_str().into()),
                _ => None,
            },
            _ => None,
        }
    }
}

// ===== Target =====

/// A path, and a query once there was a `?` in the template.
#[derive(Default)]
struct Target {
    text: String,
    /// Where the query begins, behind its `?`.
    query: Option<usize>,
}

impl Target {
    fn push(&mut self, part: &Part, facts: &Facts<'_>) {
        if let Part::Text(text) = part {
            match text.split_once('?').filter(|_| self.query.is_none()) {
                Some((path, query)) => {
                    push_escaped(&mut self.text, path, is_plain);
                    self.text.push('?');
                    self.query = Some(self.text.len());
                    push_escaped(&mut self.text, query, is_plain);
                }
                None => push_escaped(&mut self.text, text, is_plain),
            }
            return;
        }
        let Some(value) = facts.value(part) else { return };
        // Escapes of what was part of the target stand for the same there.
        let of_target = matches!(part, Part::Capture(_) | Part::Variable(Variable::Path));
        match (self.query, part) {
            (Some(_), Part::Variable(Variable::Query)) => push_escaped(&mut self.text, &value, is_plain),
            (Some(_), _) => {
                let plain = |byte| is_plain_in_value(byte) || (of_target && byte == b'%');
                push_escaped(&mut self.text, &value, plain);
            }
            (None, _) => {
                let twice = self.text.ends_with('/') && matches!(part, Part::Variable(Variable::Path));
                let value = if twice { value.strip_prefix('/').unwrap_or(&value) } else { &value };
                push_escaped(&mut self.text, value, |byte| {
                    is_plain_in_path(byte) && (of_target || byte != b'%')
                });
            }
        }
    }

    /// A path that the template does not say itself must not come of what stands side by side in it: `/pub/{1}` is no way
    /// out of `/pub`, in no reading.
    fn check(&self) -> Result<(), Error> {
        let path = &self.text[..self.query.map_or(self.text.len(), |query| query - 1)];
        let mut path = path.to_ascii_lowercase();
        for (escaped, plain) in [("%2e", "."), ("%2f", "/"), ("%5c", "/"), ("\\", "/"), ("%3b", ";")] {
            path = path.replace(escaped, plain);
        }
        let mut elements = path.split('/').map(|element| element.split(';').next().unwrap_or_default());
        match elements.any(|element| matches!(element, "." | "..")) {
            true => Err(unusable("the path has '.' or '..' as an element")),
            false => Ok(()),
        }
    }

    /// The target, with the query that was asked for unless it has its own.
    fn finish(self, query: Option<&str>) -> Result<PathAndQuery, Error> {
        let (path, query) = match self.query {
            Some(at) => (&self.text[..at - 1], Some(&self.text[at..]).filter(|query| !query.is_empty())),
            None => (&*self.text, query),
        };
        if path.is_empty() {
            return Err(unusable("there is no path"));
        }
        let path = RequestPath::parse(path).map_err(unusable)?;
        let mut text = path.as_str().to_owned();
        if let Some(query) = query {
            text.push('?');
            text.push_str(query);
        }
        PathAndQuery::from_maybe_shared(Bytes::from(text)).map_err(unusable)
    }
}

/// Puts the text behind another, with escapes for all bytes but plain ones.
pub(super) fn push_escaped(out: &mut String, text: &str, is_plain: impl Fn(u8) -> bool) {
    for byte in text.bytes() {
        if byte.is_ascii() && is_plain(byte) {
            out.push(char::from(byte));
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            let digits = [byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)]));
            out.push('%');
            out.extend(digits);
        }
    }
}

/// Whether the byte may stand in a target at all (RFC 3986 section 3).
pub(super) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"#<>[\\]^`{|}".contains(&byte)
}

fn is_plain_in_path(byte: u8) -> bool {
    is_plain(byte) && byte != b'?'
}

/// Whether the byte means nothing but itself anywhere in a URL (RFC 3986 section 2.3).
pub(super) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Whether the byte means nothing but itself in the value of a parameter.
fn is_plain_in_value(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~/:@,".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(rewrite: &PathRewrite, asked: &str, prefix: Option<usize>) -> Result<String, &'static str> {
        let path = asked.parse().unwrap();
        let mut request = Request::get(asked).header(HOST, "Shop.Example:8080").body(Body::empty()).unwrap();
        request.headers_mut().insert(X_REQUEST_ID, "a/b?c%".parse().unwrap());
        let client = Some([192, 0, 2, 7].into());
        let facts = Facts { request: &request, client, path: &path, prefix };
        facts.target(rewrite).map(|target| target.to_string()).map_err(|error| error.reason())
    }

    #[test]
    fn prefixes_are_replaced_by_elements() {
        let table = [
            // What the Gateway API has in its table.
            ("/foo", "/xyz", "/foo/bar", "/xyz/bar"),
            ("/foo", "/xyz/", "/foo/bar", "/xyz/bar"),
            ("/foo", "/xyz", "/foo", "/xyz"),
            ("/foo", "/xyz", "/foo/", "/xyz/"),
            ("/foo", "", "/foo/bar", "/bar"),
            ("/foo", "", "/foo/", "/"),
            ("/foo", "", "/foo", "/"),
            ("/foo", "/", "/foo/", "/"),
            ("/foo", "/", "/foo", "/"),
            ("/api", "/", "/api/users?x=1&y", "/users?x=1&y"),
            ("", "/v2", "/a/b?", "/v2/a/b?"),
            ("", "/v2/", "/", "/v2/"),
            ("/api", "/a?b#c d", "/api/x", "/a%3Fb%23c%20d/x"),
            ("/api", "/", "/api//evil.example", "//evil.example"),
        ];
        for (prefix, new, asked, want) in table {
            let rewrite = PathRewrite::Prefix(new.into());
            assert_eq!(target(&rewrite, asked, Some(prefix.len())).as_deref(), Ok(want), "{new} {asked}");
        }
        let whole = PathRewrite::Prefix("/new".into());
        assert_eq!(target(&whole, "/a/b?q", None).as_deref(), Ok("/new?q"), "the route has no prefix");
        assert_eq!(target(&PathRewrite::Prefix("new".into()), "/a", None), Err("bad_rewrite"));
    }

    #[test]
    fn templates_make_paths() {
        let table = [
            ("/v2", "/a?q=1", Ok("/v2?q=1")),
            ("/v2?", "/a?q=1", Ok("/v2")),
            ("/v2?x={path}&{query}", "/a=b&c%26?q=1&r", Ok("/v2?x=/a%3Db%26c%26&q=1&r")),
            ("{path}", "/a//b?q", Ok("/a//b?q")),
            ("/v2/{path}", "/a/b", Ok("/v2/a/b")),
            ("/v2{path}", "/a/b", Ok("/v2/a/b")),
            ("/{host}/{client}/{method}/{scheme}", "/", Ok("/shop.example/192.0.2.7/GET/http")),
            ("/{request-id}", "/", Ok("/a/b%3Fc%25")),
            ("/?id={request-id}", "/", Ok("/?id=a/b%3Fc%25")),
            ("/{query}", "/?a=b?c&d", Ok("/a=b%3Fc&d?a=b?c&d")),
            ("/{nothing}x{tls-server-name}", "/", Ok("/x")),
            ("/a#b", "/", Ok("/a%23b")),
            ("/ä b{{c}}", "/", Ok("/%C3%A4%20b%7Bc%7D")),
            ("/a\r\nX: y", "/", Ok("/a%0D%0AX:%20y")),
            ("/a/../../b", "/", Err("bad_rewrite")),
            ("/.{path}", "/", Err("bad_rewrite")),
            ("/pub/{query}", "/?..%2f..%2fsecret", Ok("/pub/..%252f..%252fsecret?..%2f..%2fsecret")),
            ("/pub/{query}", "/?../secret", Err("bad_rewrite")),
            ("/pub/.{query}", "/?.;x/secret", Err("bad_rewrite")),
            ("/a%zz", "/", Err("bad_rewrite")),
            ("/a%00", "/", Err("bad_rewrite")),
            ("{host}", "/", Err("bad_rewrite")),
            ("", "/", Err("bad_rewrite")),
            ("{nothing}", "/", Err("bad_rewrite")),
        ];
        for (template, asked, want) in table {
            let made = target(&PathRewrite::Full(template.parse().unwrap()), asked, None);
            assert_eq!(made.as_deref(), want.as_ref().copied(), "{template} {asked}");
        }
    }

    #[test]
    fn templates_make_hosts() {
        let path = "/a".parse().unwrap();
        let request = Request::get("/a").header(HOST, "Shop.Example:8080").body(Body::empty()).unwrap();
        let facts = Facts { request: &request, client: None, path: &path, prefix: None };
        for (template, want) in [
            ("own.example", Some("own.example")),
            ("own.example:81", Some("own.example:81")),
            ("next.{host}", Some("next.shop.example")),
            ("{client}", None),
            ("a{path}", None),
            ("a b", None),
            ("a\r\nb", None),
        ] {
            assert_eq!(facts.host_of(&template.parse().unwrap()).ok().as_deref(), want, "{template}");
        }
    }
}
