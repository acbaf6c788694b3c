//! Host and path out of a request, as rulings R4 and R5 of `ingress_core` want them.

use http::header::HOST;
use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderValue, Method, Version};
use ingress_core::{RequestHead, RequestHost, RequestPath, RouteTable};

use crate::error::Kind;
use crate::proxy::{headers, upgrade};
use crate::{Error, ServerName};

/// Host and path of a request; `None` for `OPTIONS *`.
pub(crate) fn target(parts: &Parts) -> Result<Option<(RequestHost<'_>, RequestPath<'_>)>, Error> {
    let host = host(parts)?;
    if !headers::is_chunked_at_most(&parts.headers) {
        return Err(Error::new(Kind::Coding));
    }
    Ok(path(parts)?.map(|path| (host, path)))
}

/// What decides about the request's route.
pub(crate) fn head<'r>(
    parts: &'r Parts,
    (host, path): &'r (RequestHost<'r>, RequestPath<'r>),
) -> RequestHead<'r> {
    let extended = upgrade::is_extended(&parts.method, &parts.extensions);
    let method = if extended { &Method::GET } else { &parts.method };
    RequestHead::new(host, path).method(method).headers(&parts.headers).query(parts.uri.query())
}

/// The request's host, normalised. The authority of the target (`:authority` of HTTP/2, absolute form of
/// HTTP/1.1) wins over the Host field (RFC 9112 section 3.2.2, RFC 9113 section 8.3.1).
fn host(parts: &Parts) -> Result<RequestHost<'_>, Error> {
    if parts.method == Method::CONNECT && !upgrade::is_extended(&parts.method, &parts.extensions) {
        return Err(Error::new(Kind::Tunnel));
    }
    let mut fields = parts.headers.get_all(HOST).iter();
    let field = fields.next();
    let authority = parts.uri.authority();
    let needed = match parts.version {
        Version::HTTP_09 | Version::HTTP_10 => false,
        Version::HTTP_11 => true,
        // Of HTTP/2 on, either will do (RFC 9113 section 8.3.1).
        _ => authority.is_none(),
    };
    if fields.next().is_some() || (needed && field.is_none()) {
        return Err(Error::new(Kind::BadHost));
    }
    // It is checked even where it does not count (RFC 9112 section 3.2).
    let field = field.map(parse_field).transpose()?;
    match authority {
        Some(authority) => Ok(RequestHost::parse(authority.as_str())?),
        None => Ok(field.unwrap_or(RequestHost::ABSENT)),
    }
}

fn parse_field(field: &HeaderValue) -> Result<RequestHost<'_>, Error> {
    let text = field.to_str().map_err(|error| Error::with_source(Kind::BadHost, error))?;
    Ok(RequestHost::parse(text)?)
}

/// Whether the request is on a TLS connection that is for other hosts (RFC 9110 section 7.4), as clients of HTTP/2 may
/// send it where certificates of several servers share a name.
pub(crate) fn is_misdirected(parts: &Parts, host: &RequestHost<'_>, table: &RouteTable) -> bool {
    let Some(server_name) = parts.extensions.get::<ServerName>() else { return false };
    let server_name = server_name.as_str();
    !host.as_str().is_empty()
        && host.as_str() != server_name
        && !table.certificate(Some(server_name)).is_some_and(|certificate| certificate.covers(host))
}

/// The request's path, normalised; `None` for `OPTIONS *`, which asks about the server and not about a
/// resource (RFC 9110 section 9.3.7), so that no route takes it.
fn path(parts: &Parts) -> Result<Option<RequestPath<'_>>, Error> {
    if let Some(scheme) = parts.uri.scheme().filter(|scheme| !is_http(scheme)) {
        return Err(Error::with_source(Kind::BadPath, format!("scheme {scheme}")));
    }
    match parts.uri.path() {
        // The authority form is for CONNECT alone (RFC 9112 section 3.2.3).
        "" if parts.uri.scheme().is_none() => Err(Error::new(Kind::BadPath)),
        "*" if parts.method == Method::OPTIONS => Ok(None),
        path => Ok(Some(RequestPath::parse(path)?)),
    }
}

/// Whether a resource of this scheme can be served here at all.
fn is_http(scheme: &Scheme) -> bool {
    *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS
}

/// The host as the client wrote it, to be told to the backend.
pub(crate) fn host_field(parts: &Parts) -> Option<HeaderValue> {
    match parts.uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => parts.headers.get(HOST).filter(|value| !value.is_empty()).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(target: &str, version: Version, hosts: &[&str]) -> Parts {
        let mut request = Request::builder().uri(target).version(version);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_authority_wins_and_a_host_is_needed_once() {
        let table: [(&str, Version, &[&str], Option<&str>); 14] = [
            ("/", Version::HTTP_11, &["a.example:80"], Some("a.example")),
            ("http://b.example/", Version::HTTP_11, &["a.example"], Some("b.example")),
            ("https://b.example/", Version::HTTP_2, &[], Some("b.example")),
            ("https://b.example/", Version::HTTP_2, &["a.example"], Some("b.example")),
            ("/", Version::HTTP_2, &["a.example"], Some("a.example")),
            ("/", Version::HTTP_2, &[], None),
            ("/", Version::HTTP_3, &[], None),
            ("http://b.example/", Version::HTTP_11, &[], None),
            ("http://b.example/", Version::HTTP_11, &["a b"], None),
            ("/", Version::HTTP_10, &[], Some("")),
            ("/", Version::HTTP_11, &[""], Some("")),
            ("/", Version::HTTP_11, &[], None),
            ("/", Version::HTTP_11, &["a.example", "a.example"], None),
            ("/", Version::HTTP_11, &["a.example/x"], None),
        ];
        for (target, version, hosts, want) in table {
            let found = host(&parts(target, version, hosts)).ok().map(|host| host.as_str().to_owned());
            assert_eq!(found.as_deref(), want, "{target} {version:?} {hosts:?}");
        }
        let mut connect = parts("/", Version::HTTP_11, &["a.example"]);
        connect.method = Method::CONNECT;
        assert_eq!(host(&connect).unwrap_err().status(), 405);
    }

    #[test]
    fn only_the_schemes_of_http_are_served() {
        for (target, served) in [
            ("http://a.example/", true),
            ("HTTPS://a.example/", true),
            ("ftp://a.example/", false),
            ("h2c://a.example/", false),
        ] {
            assert_eq!(path(&parts(target, Version::HTTP_11, &["a.example"])).is_ok(), served, "{target}");
        }
    }

    #[test]
    fn the_asterisk_is_for_options_and_the_authority_form_for_connect() {
        assert_eq!(path(&parts("a.example:80", Version::HTTP_11, &["a.example"])).unwrap_err().status(), 400);
        let mut star = parts("*", Version::HTTP_11, &["a.example"]);
        assert_eq!(path(&star).unwrap_err().status(), 400);
        star.method = Method::OPTIONS;
        assert!(path(&star).unwrap().is_none());
    }
}
