//! Paths: what a rule asks for, and what a request says.

mod borders;
mod normalize;
mod reading;
mod template;

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::fmt;

pub(crate) use borders::{Borders, MarkedPath};
pub use normalize::{PathError, RequestPath};
pub use template::PathTemplate;

use crate::{Pattern, PatternError};

/// A rule's path, normalised like a request's (ruling R5), so that both are compared in one spelling.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathText(Box<str>);

/// The path of a rule: `spec.rules[].http.paths[].path` and `pathType` of an Ingress.
///
/// `Ord` is precedence, the strongest first: Exact before all others (ruling R1), then templates, then
/// regular expressions, the longer text first, then prefixes, a longer one before a shorter one, where a slash at the
/// end does not count, and `/foo/` before `/foo` (ruling R2), and the default backend last.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PathMatch {
    /// Equal to the request's path, byte by byte, case-sensitive.
    Exact(PathText),
    /// Elements of which some have a name instead of a text. Ingress has no such type.
    Template(PathTemplate),
    /// The whole normalised path is what a regular expression describes (`RegularExpression` of the Gateway
    /// API; Ingress has no such type).
    Regex(Pattern),
    /// Every element between slashes equals the request's element in the same place; a trailing slash
    /// on either side does not matter.
    Prefix(PathText),
    /// Whatever no other path of the host takes: `spec.defaultBackend`.
    Default,
}

// ===== impl PathText =====

impl PathText {
    fn parse(text: &str) -> Result<Self, PathError> {
        if text.is_empty() || !text.starts_with('/') {
            return Err(PathError::NotAbsolute);
        }
        Ok(Self(RequestPath::parse(text)?.as_str().into()))
    }

    /// A text that was read before.
    fn known(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The path as it is compared.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path without its last slash: `/foo` for `/foo/`, nothing for `/`.
    pub(crate) fn without_slash(&self) -> &str {
        self.0.strip_suffix('/').unwrap_or(&self.0)
    }
}

// ===== impl PathMatch =====

impl PathMatch {
    /// Every path.
    pub(crate) fn root() -> Self {
        Self::Prefix(PathText::known("/"))
    }

    /// `pathType: Exact`.
    ///
    /// # Errors
    ///
    /// What the API server refuses: a path that does not start with `/`, that holds `//`, `/./`, `/../`
    /// or an escaped slash, or that ends in `/.` or `/..`.
    pub fn exact(path: &str) -> Result<Self, PathError> {
        check_strict(path)?;
        PathText::parse(path).map(Self::Exact)
    }

    /// `pathType: Prefix`.
    ///
    /// # Errors
    ///
    /// As [`PathMatch::exact`].
    pub fn prefix(path: &str) -> Result<Self, PathError> {
        check_strict(path)?;
        PathText::parse(path).map(Self::Prefix)
    }

    /// `pathType: ImplementationSpecific`, read as a Prefix (ruling R9). An empty path means `/`; the
    /// text may hold what [`PathMatch::prefix`] refuses, and is compared literally.
    ///
    /// # Errors
    ///
    /// A path that does not start with `/`, or that no request can have.
    pub fn implementation_specific(path: &str) -> Result<Self, PathError> {
        PathText::parse(if path.is_empty() { "/" } else { path }).map(Self::Prefix)
    }

    /// A path with names in braces; see [`PathTemplate`].
    ///
    /// # Errors
    ///
    /// [`PathError::Template`] for braces that do not hold a name of their own or are not a whole element,
    /// otherwise as [`PathMatch::implementation_specific`].
    pub fn template(path: &str) -> Result<Self, PathError> {
        PathTemplate::parse(path).map(Self::Template)
    }

    /// A regular expression for the whole path, as it is once it is normalised.
    ///
    /// # Errors
    ///
    /// See [`PatternError`].
    pub fn regex(pattern: &str) -> Result<Self, PatternError> {
        Pattern::new(pattern).map(Self::Regex)
    }

    /// An Exact path whose text was read before.
    pub(crate) fn known_exact(text: &str) -> Self {
        Self::Exact(PathText::known(text))
    }

    /// A Prefix whose text was read before, given without the slash at its end and whether it has one.
    pub(crate) fn known_prefix(text: &str, slash: bool) -> Self {
        Self::Prefix(PathText::known(if slash { format!("{text}/") } else { text.to_owned() }))
    }

    /// The path's text; nothing for [`PathMatch::Default`].
    pub fn as_str(&self) -> &str {
        match self {
            Self::Exact(path) | Self::Prefix(path) => path.as_str(),
            Self::Template(template) => template.as_str(),
            Self::Regex(pattern) => pattern.as_str(),
            Self::Default => "",
        }
    }

    /// `Exact`, `Template`, `Regex`, `Prefix` or `Default`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Exact(_) => "Exact",
            Self::Template(_) => "Template",
            Self::Regex(_) => "Regex",
            Self::Prefix(_) => "Prefix",
            Self::Default => "Default",
        }
    }

    /// What the named elements of a template, or the groups of a regular expression, hold in a path that
    /// this takes: names (an unnamed group has its number) and values, in order. Nothing for other paths.
    /// They are worked out by each call.
    pub fn captures<'p>(&self, path: &'p RequestPath<'_>) -> Vec<(Cow<'_, str>, &'p str)> {
        match self {
            Self::Template(template) => {
                let named = template.captures(path.as_str()).into_iter();
                named.map(|(name, value)| (name.into(), value)).collect()
            }
            Self::Regex(pattern) => {
                let values = pattern.captures(path.as_str()).unwrap_or_default();
                self.names()
                    .into_iter()
                    .zip(values)
                    .filter_map(|(name, value)| Some((name, value?)))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// The names that [`PathMatch::captures`] may give: those of a template's elements and of an expression's groups, in
    /// order.
    pub fn names(&self) -> Vec<Cow<'_, str>> {
        match self {
            Self::Template(template) => template.names().map(Cow::Borrowed).collect(),
            Self::Regex(pattern) => {
                let numbered = |(number, name): (usize, &'_ str)| match name {
                    "" => Cow::Owned((number + 1).to_string()),
                    name => Cow::Owned(name.to_owned()),
                };
                pattern.groups().enumerate().map(numbered).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether it takes a normalised path, seen alone: a stronger match may have it.
    pub(crate) fn takes(&self, path: &str) -> bool {
        match self {
            Self::Exact(text) => text.as_str() == path,
            Self::Template(template) => template.takes(path),
            Self::Regex(pattern) => pattern.is_match(path.as_bytes()),
            Self::Prefix(text) => {
                let rest = path.strip_prefix(text.without_slash());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Self::Default => true,
        }
    }

    /// Whether both take the same paths, so that one of two such rules hides the other.
    pub(crate) fn takes_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Template(one), Self::Template(other)) => one.takes_same(other),
            _ => self == other,
        }
    }

    /// Whether every request with such a path is refused as ambiguous: another reading of it always leaves
    /// the path.
    pub(crate) fn is_unreachable(&self) -> bool {
        let text = match self {
            Self::Exact(path) => path.as_str(),
            Self::Prefix(path) => path.without_slash(),
            Self::Template(template) => &template.sample(),
            Self::Regex(_) | Self::Default => return false,
        };
        // Few paths hold such a byte; the others need not be read once more.
        let (bytes, after) = (text.as_bytes(), text.as_bytes().get(1..).unwrap_or_default());
        let slashes = bytes.iter().zip(after).fold(false, |any, (a, b)| any | ((a ^ b'/') | (b ^ b'/') == 0));
        let plain = !slashes && memchr::memchr3(b'%', b'\\', b';', bytes).is_none();
        !plain && RequestPath::parse(text).is_ok_and(|path| path.is_ambiguous())
    }

    /// As [`PathMatch::precedence`], quickly, but equal for many.
    pub(crate) fn rough_precedence(&self) -> impl Ord + use<> {
        match self {
            Self::Exact(path) => (0, Reverse(path.as_str().len())),
            Self::Template(_) => (1, Reverse(0)),
            Self::Regex(pattern) => (2, Reverse(pattern.as_str().len())),
            Self::Prefix(path) => (3, Reverse(path.without_slash().len())),
            Self::Default => (4, Reverse(0)),
        }
    }

    /// Equal for those that take the same paths.
    pub(crate) fn precedence(&self) -> impl Ord + '_ {
        let text = match self {
            Self::Exact(path) => path.as_str(),
            Self::Regex(pattern) => pattern.as_str(),
            Self::Prefix(path) => path.without_slash(),
            Self::Template(_) | Self::Default => "",
        };
        let open = matches!(self, Self::Prefix(path) if !path.as_str().ends_with('/'));
        let template = if let Self::Template(template) = self { Some(template.precedence()) } else { None };
        (self.rough_precedence(), text, open, template)
    }
}

impl Ord for PathMatch {
    fn cmp(&self, other: &Self) -> Ordering {
        self.precedence().cmp(&other.precedence()).then_with(|| self.as_str().cmp(other.as_str()))
    }
}

impl PartialOrd for PathMatch {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for PathMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            _ => write!(f, "{} {}", self.kind(), self.as_str()),
        }
    }
}

/// What the API server refuses in an Exact or Prefix path (`pkg/apis/networking/validation`).
fn check_strict(path: &str) -> Result<(), PathError> {
    if !path.starts_with('/') {
        return Err(PathError::NotAbsolute);
    }
    if path.contains("//") {
        return Err(PathError::EmptyElement);
    }
    if path.split('/').any(|element| element == "." || element == "..") {
        return Err(PathError::DotElement);
    }
    if path.contains("%2f") || path.contains("%2F") {
        return Err(PathError::EscapedSlash);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_paths_the_api_server_refuses() {
        let refused = [
            ("", PathError::NotAbsolute),
            ("foo", PathError::NotAbsolute),
            ("/a//b", PathError::EmptyElement),
            ("/a/./b", PathError::DotElement),
            ("/a/../b", PathError::DotElement),
            ("/a/..", PathError::DotElement),
            ("/a/.", PathError::DotElement),
            ("/a%2Fb", PathError::EscapedSlash),
            ("/a%2fb", PathError::EscapedSlash),
            ("/a%00", PathError::Control),
            ("/a b", PathError::Control),
            ("/a%zz", PathError::BadEscape),
        ];
        for (path, want) in refused {
            assert_eq!(PathMatch::exact(path), Err(want), "{path:?}");
            assert_eq!(PathMatch::prefix(path), Err(want), "{path:?}");
        }
    }

    #[test]
    fn implementation_specific_takes_more() {
        for (path, want) in
            [("", "/"), ("/a//b", "/a//b"), ("/a%2fb", "/a%2Fb"), ("/v[0-9]+/(.*)", "/v[0-9]+/(.*)")]
        {
            assert_eq!(PathMatch::implementation_specific(path).unwrap().as_str(), want);
        }
        assert_eq!(PathMatch::implementation_specific("a"), Err(PathError::NotAbsolute));
    }

    #[test]
    fn rule_paths_are_spelt_like_request_paths() {
        assert_eq!(PathMatch::exact("/%61dmin").unwrap().as_str(), "/admin");
        assert_eq!(PathMatch::exact("/ä").unwrap().as_str(), "/%C3%A4");
        assert_eq!(PathMatch::exact("/%c3%a4").unwrap().as_str(), "/%C3%A4");
    }

    #[test]
    fn captures_by_name_or_number() {
        let path = RequestPath::parse("/users/7/x").unwrap();
        let template = PathMatch::template("/users/{id}/{what}").unwrap();
        assert_eq!(template.captures(&path), [("id".into(), "7"), ("what".into(), "x")]);
        let regex = PathMatch::regex("/users/(?<id>[0-9]+)(/never)?/(.*)").unwrap();
        assert_eq!(regex.captures(&path), [("id".into(), "7"), ("3".into(), "x")]);
        assert!(PathMatch::prefix("/users").unwrap().captures(&path).is_empty());
    }

    #[test]
    fn precedence_is_the_order() {
        let exact = |p| PathMatch::exact(p).unwrap();
        let prefix = |p| PathMatch::prefix(p).unwrap();
        let mut paths = vec![
            PathMatch::Default,
            prefix("/"),
            prefix("/foo"),
            exact("/a"),
            prefix("/foo/"),
            prefix("/foo/bar"),
        ];
        paths.sort();
        assert_eq!(
            paths,
            [
                exact("/a"),
                prefix("/foo/bar"),
                prefix("/foo/"),
                prefix("/foo"),
                prefix("/"),
                PathMatch::Default
            ]
        );
    }
}
