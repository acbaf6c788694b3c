//! Paths with names for some of their elements.

use std::collections::HashSet;
use std::fmt;

use super::{PathError, RequestPath};

/// A path such as `/users/{id}/files/{*path}`: an element in braces takes any one element that is not
/// empty, and `{*name}` at the end takes one or more of them.
///
/// Two templates that differ in names only take the same paths.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathTemplate {
    // The order of the fields is that of the comparison: the shape first.
    shape: Box<[Element]>,
    /// The names, in the order of their elements.
    names: Box<[Box<str>]>,
    text: Box<str>,
}

/// The order is precedence: where two templates take a path, the one with the more exact element at the first
/// difference wins.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Element {
    Text(Box<str>),
    One,
    Rest,
}

impl PathTemplate {
    pub(super) fn parse(text: &str) -> Result<Self, PathError> {
        if !text.starts_with('/') {
            return Err(PathError::NotAbsolute);
        }
        let (mut shape, mut names, mut known) = (Vec::new(), Vec::new(), HashSet::new());
        let mut elements = text[1..].split('/').peekable();
        while let Some(element) = elements.next() {
            let Some(name) = element.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
                shape.push(literal(element)?);
                continue;
            };
            let (name, kind) = match name.strip_prefix('*') {
                Some(_) if elements.peek().is_some() => return Err(PathError::Template),
                Some(name) => (name, Element::Rest),
                None => (name, Element::One),
            };
            let is_name =
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !is_name || !known.insert(name) {
                return Err(PathError::Template);
            }
            names.push(Box::from(name));
            shape.push(kind);
        }
        Ok(Self { shape: shape.into(), names: names.into(), text: text.into() })
    }

    /// The template as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// What two templates have in common that take the same paths.
    pub(crate) fn takes_same(&self, other: &Self) -> bool {
        self.shape == other.shape
    }

    pub(crate) fn precedence(&self) -> impl Ord + '_ {
        &self.shape
    }

    /// The template with numbers for names and its text escaped, as matchit writes routes.
    pub(crate) fn numbered(&self) -> String {
        let mut out = String::with_capacity(self.text.len());
        for (number, element) in self.shape.iter().enumerate() {
            out.push('/');
            match element {
                Element::Text(text) => out.push_str(text),
                Element::One => out.push_str(&format!("{{{number}}}")),
                Element::Rest => out.push_str(&format!("{{*{number}}}")),
            }
        }
        out
    }

    /// How many elements are in front of the one that takes the rest, if there is one.
    pub(crate) fn rest_at(&self) -> Option<usize> {
        self.shape.iter().position(|element| *element == Element::Rest)
    }

    /// Whether the template takes a path.
    pub(crate) fn takes(&self, path: &str) -> bool {
        let mut rest = path;
        for element in &self.shape {
            let Some(text) = rest.strip_prefix('/') else { return false };
            let (value, behind) = text.split_at(text.find('/').unwrap_or(text.len()));
            let same = match element {
                Element::Text(text) => **text == *value,
                Element::One => !value.is_empty(),
                Element::Rest => return !text.is_empty(),
            };
            if !same {
                return false;
            }
            rest = behind;
        }
        rest.is_empty()
    }

    /// Name and value of each element in braces, for a path that the template takes.
    pub(super) fn captures<'p>(&self, path: &'p str) -> Vec<(&str, &'p str)> {
        let (mut rest, mut names, mut found) = (path, self.names.iter(), Vec::new());
        for element in &self.shape {
            rest = rest.strip_prefix('/').unwrap_or_default();
            let end = match element {
                Element::Rest => rest.len(),
                _ => rest.find('/').unwrap_or(rest.len()),
            };
            let value;
            (value, rest) = rest.split_at(end);
            if !matches!(element, Element::Text(_)) {
                found.extend(names.next().map(|name| (&**name, value)));
            }
        }
        found
    }

    /// A path that the template takes.
    pub(crate) fn sample(&self) -> String {
        let element = |element: &Element| match element {
            Element::Text(text) => text.to_string(),
            Element::One | Element::Rest => "x".into(),
        };
        self.shape.iter().map(|part| format!("/{}", element(part))).collect()
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An element that is compared as text, in the spelling of requests.
fn literal(text: &str) -> Result<Element, PathError> {
    if text.contains(['{', '}']) {
        return Err(PathError::Template);
    }
    if text == "." || text == ".." {
        return Err(PathError::DotElement);
    }
    let path = format!("/{text}");
    Ok(Element::Text(RequestPath::parse(&path)?.as_str()[1..].into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_template() {
        for text in ["/{}", "/{a", "/a{b}", "/{*a}/b", "/{a}/{a}", "/{a-b}", "/{*}", "/}"] {
            assert_eq!(PathTemplate::parse(text), Err(PathError::Template), "{text}");
        }
        assert_eq!(PathTemplate::parse("{a}"), Err(PathError::NotAbsolute));
        assert_eq!(PathTemplate::parse("/../{a}"), Err(PathError::DotElement));
    }

    #[test]
    fn names_and_their_values() {
        let template = PathTemplate::parse("/%61/{id}/f/{*rest}").unwrap();
        assert_eq!(template.numbered(), "/a/{1}/f/{*3}");
        assert_eq!(template.captures("/a/7/f/x/y"), [("id", "7"), ("rest", "x/y")]);
        assert_eq!(template.sample(), "/a/x/f/x");
        assert_eq!(template.as_str(), "/%61/{id}/f/{*rest}");
    }
}
