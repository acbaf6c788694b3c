//! Where clients sign in.

use std::fmt;
use std::str::FromStr;

use crate::{HostError, Part, RequestHost, Template, TemplateError, Variable};

/// The page that a client is sent to which has yet to prove who it is: an absolute URL, or a path of the host that was asked
/// for. It may have variables, but none by which a client could choose the host.
///
/// ```
/// use ingress_core::SignIn;
///
/// assert!("https://login.example/start?app={host}".parse::<SignIn>().is_ok());
/// assert!("https://login.{host}/start".parse::<SignIn>().is_ok());
/// assert!("/oauth2/start".parse::<SignIn>().is_ok());
/// assert!("https://{query}/".parse::<SignIn>().is_err());
/// assert!("//login.example/".parse::<SignIn>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SignIn {
    /// The page.
    url: SignInUrl,
    /// The name of the query's parameter that tells the page what was asked for; `None` is none.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    parameter: Option<Box<str>>,
}

/// The parts of the page's URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct SignInUrl {
    /// `http://` or `https://`, and the host with its port; `None` is where the request came.
    origin: Option<(&'static str, Template)>,
    /// The path, and perhaps a query.
    path: Template,
}

/// A text that is no [`SignIn`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// Neither a URL nor a path.
    #[error("it is neither a URL of http or https nor a path that begins with one '/'")]
    Url,
    /// Something in it that must be escaped.
    #[error("it has a character that must be escaped")]
    Character,
    /// A fragment, behind which a parameter would be lost.
    #[error("it has a fragment")]
    Fragment,
    /// A host that the client could choose.
    #[error("the client could choose the host")]
    Chosen,
    /// What cannot be a host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// No template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// No name of a parameter.
    #[error("{0:?} is no name of a parameter: it has letters, digits, '-', '.', '_' and '~'")]
    Parameter(Box<str>),
}

impl SignIn {
    /// The parameter that tells the page what was asked for if nothing else is said.
    pub const PARAMETER: &str = "rd";

    /// Tells the page by a parameter of this name what was asked for; where it is empty, by none.
    pub fn with_parameter(mut self, name: &str) -> Result<Self, SignInError> {
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
            return Err(SignInError::Parameter(name.into()));
        }
        self.parameter = Some(name).filter(|name| !name.is_empty()).map(Into::into);
        Ok(self)
    }

    /// `http` or `https`, and the host with its port; `None` is where the request came.
    pub fn origin(&self) -> Option<(&'static str, &Template)> {
        self.url.origin.as_ref().map(|(scheme, host)| (*scheme, host))
    }

    /// The path, and perhaps a query.
    pub fn path(&self) -> &Template {
        &self.url.path
    }

    /// The name of the parameter that tells what was asked for.
    pub fn parameter(&self) -> Option<&str> {
        self.parameter.as_deref()
    }
}

impl FromStr for SignIn {
    type Err = SignInError;

    fn from_str(text: &str) -> Result<Self, SignInError> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains(['\\', '"', '<', '>', '^', '`'])
        {
            return Err(SignInError::Character);
        }
        if text.contains('#') {
            return Err(SignInError::Fragment);
        }
        let (origin, path) = match text.split_once("://") {
            Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
                let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
                (Some((known(scheme)?, host_of(host)?)), path)
            }
            // Two slashes would begin a host.
            _ if text.starts_with('/') && !text.starts_with("//") => (None, text),
            _ => return Err(SignInError::Url),
        };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let path: Template = path.parse()?;
        if origin.is_none() && may_begin_host(&path) {
            return Err(SignInError::Chosen);
        }
        Ok(Self { url: SignInUrl { origin, path }, parameter: Some(Self::PARAMETER.into()) })
    }
}

fn known(scheme: &str) -> Result<&'static str, SignInError> {
    match &*scheme.to_ascii_lowercase() {
        "http" => Ok("http"),
        "https" => Ok("https"),
        _ => Err(SignInError::Url),
    }
}

/// The host, of which nothing may be the client's but the name that it asked for, which has led it to this route.
fn host_of(text: &str) -> Result<Template, SignInError> {
    let template: Template = text.parse()?;
    if !template.parts().iter().all(|part| matches!(part, Part::Text(_) | Part::Variable(Variable::Host))) {
        return Err(SignInError::Chosen);
    }
    let sample: String =
        template.parts().iter().map(|part| if let Part::Text(text) = part { text } else { "x" }).collect();
    match RequestHost::parse(&sample)? {
        host if host.as_str().is_empty() => Err(SignInError::Url),
        _ => Ok(template),
    }
}

/// Whether a path could begin with two slashes, by what a client puts behind the first.
fn may_begin_host(path: &Template) -> bool {
    matches!(path.parts(), [Part::Text(first), Part::Variable(_) | Part::Capture(_), ..] if &**first == "/")
}

impl fmt::Display for SignInUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((scheme, host)) = &self.origin {
            write!(f, "{scheme}://{host}")?;
        }
        self.path.fmt(f)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for SignInUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        for (text, want) in [
            ("https://login.example", Some("https://login.example/")),
            ("HTTPS://login.example:8443/a?b=c", Some("https://login.example:8443/a?b=c")),
            ("https://login.example?b", Some("https://login.example/?b")),
            ("https://login.{host}/{path}", Some("https://login.{host}/{path}")),
            ("https://{host}/oauth2/start", Some("https://{host}/oauth2/start")),
            ("/oauth2/start?from={client}", Some("/oauth2/start?from={client}")),
            ("/to?rd=http://a.example/", Some("/to?rd=http://a.example/")),
            ("/a{path}", Some("/a{path}")),
            ("", None),
            ("login.example", None),
            ("//login.example/", None),
            ("/\\login.example/", None),
            ("/{path}", None),
            ("{path}", None),
            ("https://{path}/", None),
            ("https://a{query}.example/", None),
            ("https://{sub}.login.example/", None),
            ("https://a b/", None),
            ("https:///a", None),
            ("https://user@login.example/", None),
            ("javascript://a/", None),
            ("/a#b", None),
            ("/a\r\nX: y", None),
            ("/{", None),
        ] {
            let read = text.parse::<SignIn>().ok().map(|page| page.url.to_string());
            assert_eq!(read.as_deref(), want, "{text:?}");
        }
    }

    #[test]
    fn parameters() {
        let page: SignIn = "/in".parse().unwrap();
        assert_eq!(page.parameter(), Some("rd"));
        for (name, want) in
            [("next", Some(Some("next"))), ("", Some(None)), ("a=b", None), ("a&b", None), ("a b", None)]
        {
            let page = page.clone().with_parameter(name).ok();
            assert_eq!(page.as_ref().map(SignIn::parameter), want, "{name:?}");
        }
    }
}
