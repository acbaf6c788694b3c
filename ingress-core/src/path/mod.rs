//! Paths: what a rule asks for, and what a request says.

mod normalize;
mod reading;

use std::cmp::{Ordering, Reverse};
use std::fmt;

pub use normalize::{PathError, RequestPath};

/// A rule's path, normalised like a request's (ruling R5), so that both are compared in one spelling.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathText(Box<str>);

/// The path of a rule: `spec.rules[].http.paths[].path` and `pathType` of an Ingress.
///
/// `Ord` is precedence, the strongest first: Exact before Prefix (ruling R1), a longer prefix before a
/// shorter one, `/foo/` before `/foo` (ruling R2), and the default backend last.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathMatch {
    /// Equal to the request's path, byte by byte, case-sensitive.
    Exact(PathText),
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

    /// The path's text; nothing for [`PathMatch::Default`].
    pub fn as_str(&self) -> &str {
        match self {
            Self::Exact(path) | Self::Prefix(path) => path.as_str(),
            Self::Default => "",
        }
    }

    /// `Exact`, `Prefix` or `Default`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Exact(_) => "Exact",
            Self::Prefix(_) => "Prefix",
            Self::Default => "Default",
        }
    }

    /// Whether every request with such a path is refused as ambiguous: another reading of it always leaves
    /// the path.
    pub(crate) fn is_unreachable(&self) -> bool {
        let text = match self {
            Self::Exact(path) => path.as_str(),
            Self::Prefix(path) => path.without_slash(),
            Self::Default => return false,
        };
        RequestPath::parse(text).is_ok_and(|path| path.is_ambiguous())
    }

    fn precedence(&self) -> (u8, Reverse<usize>, &str) {
        match self {
            Self::Exact(path) => (0, Reverse(path.as_str().len()), path.as_str()),
            Self::Prefix(path) => (1, Reverse(path.as_str().len()), path.as_str()),
            Self::Default => (2, Reverse(0), ""),
        }
    }
}

impl Ord for PathMatch {
    fn cmp(&self, other: &Self) -> Ordering {
        self.precedence().cmp(&other.precedence())
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
