//! Texts with variables, of a small closed set: nothing in a request can change what a template means.

use std::fmt;
use std::str::FromStr;

/// A text in which `{name}` stands for something of the request; `{{` and `}}` are braces.
///
/// What a request does not have is empty. A value is never read as a template again.
///
/// ```
/// use ingress_core::Template;
///
/// let template: Template = "/v2/{rest}?from={host}".parse()?;
/// assert_eq!(template.to_string(), "/v2/{rest}?from={host}");
/// assert!("{".parse::<Template>().is_err());
/// # Ok::<(), ingress_core::TemplateError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Template(Box<[Part]>);

/// A piece of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Part {
    /// A text as it stands.
    Text(Box<str>),
    /// Something of the request.
    Variable(Variable),
    /// What a named part of the route's path held: an element in braces of a template, or a group of a regular
    /// expression by its name or number.
    Capture(Box<str>),
}

/// Something of a request that a [`Template`] may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Variable {
    /// `{client}`: the client's address, as trusted proxies tell it.
    Client,
    /// `{host}`: the host that was asked for, without a port.
    Host,
    /// `{method}`.
    Method,
    /// `{path}`: the path that was asked for.
    Path,
    /// `{query}`: what stands behind `?`, without it.
    Query,
    /// `{request-id}`: the request's id.
    RequestId,
    /// `{scheme}`: `http` or `https`, as trusted proxies tell it.
    Scheme,
    /// `{tls-server-name}`: the name that the client asked for in its handshake.
    TlsServerName,
}

/// A text that is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// A brace that nothing closes, or that closes nothing.
    #[error("a brace without its other half; write {{{{ or }}}} for a brace itself")]
    Brace,
    /// Braces around what is no name.
    #[error("{{{0}}} is no variable: a name has letters, digits, '-' and '_'")]
    Name(Box<str>),
}

const VARIABLES: [(&str, Variable); 8] = [
    ("client", Variable::Client),
    ("host", Variable::Host),
    ("method", Variable::Method),
    ("path", Variable::Path),
    ("query", Variable::Query),
    ("request-id", Variable::RequestId),
    ("scheme", Variable::Scheme),
    ("tls-server-name", Variable::TlsServerName),
];

impl Template {
    /// Its pieces, in order.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The text, if nothing of a request is in it.
    pub fn as_text(&self) -> Option<&str> {
        match &*self.0 {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The names of the captures in it.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Capture(name) => Some(&**name),
            _ => None,
        })
    }

    /// The text, with the value that `of` gives for each part of a request.
    pub fn expand<'v>(
        &self,
        out: &mut String,
        mut of: impl FnMut(&Part) -> Option<std::borrow::Cow<'v, str>>,
    ) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                other => {
                    if let Some(value) = of(other) {
                        out.push_str(&value);
                    }
                }
            }
        }
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let (mut parts, mut plain) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..];
            if let Some(after) = brace.strip_prefix("{{").or_else(|| brace.strip_prefix("}}")) {
                plain.push_str(&brace[..1]);
                rest = after;
                continue;
            }
            let inner = brace.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let (name, after) = inner.ok_or(TemplateError::Brace)?;
            if name.is_empty()
                || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            {
                return Err(TemplateError::Name(name.into()));
            }
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain).into()));
            }
            let variable = VARIABLES.iter().find(|(known, _)| *known == name);
            parts.push(
                variable
                    .map_or_else(|| Part::Capture(name.into()), |(_, variable)| Part::Variable(*variable)),
            );
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain.into()));
        }
        Ok(Self(parts.into()))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Part::Variable(variable) => {
                let name = VARIABLES.iter().find(|(_, known)| known == variable).map(|(name, _)| *name);
                write!(f, "{{{}}}", name.unwrap_or_default())
            }
            Part::Capture(name) => write!(f, "{{{name}}}"),
        })
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Template {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_read_as_they_are_written() {
        for text in ["", "/a", "{host}", "/{id}/x{{y}}", "a{1}{scheme}b", "{tls-server-name}"] {
            assert_eq!(text.parse::<Template>().map(|template| template.to_string()), Ok(text.into()));
        }
        for text in ["{", "}", "a{b", "a}b", "{}", "{a b}", "{{{", "{$host}"] {
            assert!(text.parse::<Template>().is_err(), "{text:?}");
        }
        let template: Template = "/{id}-{host}".parse().unwrap();
        assert_eq!(template.captures().collect::<Vec<_>>(), ["id"]);
        let mut out = String::new();
        template.expand(&mut out, |part| match part {
            Part::Variable(Variable::Host) => Some("{x}".into()),
            _ => Some("7".into()),
        });
        assert_eq!(out, "/7-{x}");
    }
}
