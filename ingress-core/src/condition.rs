//! What a rule asks for besides host and path: method, header fields, query parameters.
//!
//! Ingress has none of these; the Gateway API's HTTPRoute has, and annotations may.

use std::cmp::Reverse;
use std::fmt;

use http::{HeaderName, Method};

use crate::{Pattern, RequestHead};

/// What a request must meet for a rule to take it: one of the methods (any if none is named), every header
/// condition and every query condition.
///
/// The order in which conditions are added does not matter. Of several for one header or parameter the first
/// counts, as for `HTTPRouteMatch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Conditions {
    /// Few rules have any.
    parts: Option<Box<Parts>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Parts {
    /// Sorted texts.
    methods: Vec<Box<str>>,
    headers: Vec<(Box<str>, ValueMatch)>,
    queries: Vec<(Box<str>, ValueMatch)>,
}

/// Names and values.
pub(crate) type Pairs = Vec<(Box<str>, Box<str>)>;

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ValueMatch {
    /// Just this, letter case included.
    Exact(Box<str>),
    /// As a whole what the expression describes.
    Pattern(Pattern),
    /// Anything, as long as the header or parameter is there.
    Present,
}

/// The first condition that a request does not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unmet<'c> {
    /// The methods, one of which the request should have.
    Method(&'c [Box<str>]),
    /// A header field and its value.
    Header(&'c str, &'c ValueMatch),
    /// A query parameter and its value.
    Query(&'c str, &'c ValueMatch),
}

// ===== impl Conditions =====

impl Conditions {
    pub(crate) const NONE: Self = Self { parts: None };

    /// Adds a method that may be used.
    #[must_use]
    pub fn method(mut self, method: &Method) -> Self {
        let methods = &mut self.parts_mut().methods;
        if let Err(at) = methods.binary_search_by(|known| (**known).cmp(method.as_str())) {
            methods.insert(at, method.as_str().into());
        }
        self
    }

    /// Adds a header field. One of the field's lines must have the value (`HTTPHeaderMatch`).
    #[must_use]
    pub fn header(mut self, name: &HeaderName, value: ValueMatch) -> Self {
        insert(&mut self.parts_mut().headers, name.as_str(), value);
        self
    }

    /// Adds a query parameter, decoded as `application/x-www-form-urlencoded` is. Where a request repeats
    /// it, the first counts (`HTTPQueryParamMatch`).
    #[must_use]
    pub fn query(mut self, name: &str, value: ValueMatch) -> Self {
        insert(&mut self.parts_mut().queries, name, value);
        self
    }

    /// Whether every request meets them.
    pub fn is_empty(&self) -> bool {
        self.parts.is_none()
    }

    /// Whether a request meets all of them.
    ///
    /// # Errors
    ///
    /// The first that is not met: of the methods, then the headers and the query parameters by name.
    pub fn check(&self, request: &RequestHead<'_>) -> Result<(), Unmet<'_>> {
        let Some(parts) = &self.parts else { return Ok(()) };
        let method = request.method_str();
        if !parts.methods.is_empty() && parts.methods.iter().all(|allowed| **allowed != *method) {
            return Err(Unmet::Method(&parts.methods));
        }
        let has_header =
            |name: &str, value: &ValueMatch| request.header_lines(name).any(|line| value.takes(line));
        if let Some((name, value)) = parts.headers.iter().find(|(name, value)| !has_header(name, value)) {
            return Err(Unmet::Header(name, value));
        }
        let has_query = |name: &str, value: &ValueMatch| {
            request.query_value(name).is_some_and(|found| value.takes(found.as_bytes()))
        };
        match parts.queries.iter().find(|(name, value)| !has_query(name, value)) {
            Some((name, value)) => Err(Unmet::Query(name, value)),
            None => Ok(()),
        }
    }

    /// Method, header fields and query of a request that meets them, unless none is easily found.
    pub(crate) fn sample(&self) -> Option<(Box<str>, Pairs, Option<Box<str>>)> {
        let field = |(name, value): &(Box<str>, ValueMatch)| {
            let value = value.sample()?;
            http::HeaderValue::from_str(&value).ok()?;
            Some((name.clone(), value.into_boxed_str()))
        };
        let parts = self.parts();
        let headers = parts.headers.iter().map(field).collect::<Option<_>>()?;
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &parts.queries {
            query.append_pair(name, &value.sample()?);
        }
        let query = Some(query.finish()).filter(|query| !query.is_empty());
        let method = parts.methods.first().map_or("GET", |method| &**method);
        Some((method.into(), headers, query.map(Into::into)))
    }

    /// The strongest first: with a method, then with more headers, then with more parameters, as the
    /// Gateway API orders the matches of an HTTPRoute.
    pub(crate) fn precedence(&self) -> impl Ord + use<> {
        let parts = self.parts();
        (parts.methods.is_empty(), Reverse(parts.headers.len()), Reverse(parts.queries.len()))
    }

    fn parts(&self) -> &Parts {
        const NONE: &Parts = &Parts { methods: Vec::new(), headers: Vec::new(), queries: Vec::new() };
        self.parts.as_deref().unwrap_or(NONE)
    }

    fn parts_mut(&mut self) -> &mut Parts {
        self.parts.get_or_insert_default()
    }
}

/// Keeps the list sorted; the first of a name stays.
fn insert(list: &mut Vec<(Box<str>, ValueMatch)>, name: &str, value: ValueMatch) {
    if let Err(at) = list.binary_search_by(|(known, _)| (**known).cmp(name)) {
        list.insert(at, (name.into(), value));
    }
}

impl fmt::Display for Conditions {
    /// `method GET|HEAD, header x-env = canary, query v ~ [0-9]+`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        let mut part = |f: &mut fmt::Formatter<'_>, unmet: Unmet<'_>| {
            if !std::mem::take(&mut first) {
                f.write_str(", ")?;
            }
            unmet.fmt(f)
        };
        let parts = self.parts();
        if !parts.methods.is_empty() {
            part(f, Unmet::Method(&parts.methods))?;
        }
        parts.headers.iter().try_for_each(|(name, value)| part(f, Unmet::Header(name, value)))?;
        parts.queries.iter().try_for_each(|(name, value)| part(f, Unmet::Query(name, value)))
    }
}

// ===== impl ValueMatch, Unmet =====

impl ValueMatch {
    fn sample(&self) -> Option<String> {
        match self {
            Self::Exact(text) => Some(text.to_string()),
            Self::Pattern(pattern) => pattern.sample(0),
            Self::Present => Some("any".into()),
        }
    }

    /// Whether this is a value that is asked for.
    pub fn takes(&self, value: &[u8]) -> bool {
        match self {
            Self::Exact(text) => text.as_bytes() == value,
            Self::Pattern(pattern) => pattern.is_match(value),
            Self::Present => true,
        }
    }
}

impl fmt::Display for ValueMatch {
    /// What stands behind a name: ` = value`, ` ~ expression`, or nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => write!(f, " = {}", text.escape_debug()),
            Self::Pattern(pattern) => write!(f, " ~ {}", pattern.as_str().escape_debug()),
            Self::Present => Ok(()),
        }
    }
}

impl fmt::Display for Unmet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(methods) => write!(f, "method {}", methods.join("|")),
            Self::Header(name, value) => write!(f, "header {name}{value}"),
            Self::Query(name, value) => write!(f, "query {}{value}", name.escape_debug()),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::*;
    use crate::{RequestHost, RequestPath};

    fn exact(text: &str) -> ValueMatch {
        ValueMatch::Exact(text.into())
    }

    fn check(
        conditions: &Conditions,
        method: &Method,
        fields: &[(&str, &str)],
        query: Option<&str>,
    ) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let path = RequestPath::parse("/").unwrap();
        let head =
            RequestHead::new(&RequestHost::ABSENT, &path).method(method).headers(&headers).query(query);
        conditions.check(&head).map_or_else(|unmet| unmet.to_string(), |()| "met".into())
    }

    #[test]
    fn all_must_be_met() {
        let conditions = Conditions::default()
            .query("v", ValueMatch::Pattern(Pattern::new("[0-9]+").unwrap()))
            .query("a b", exact("ä&"))
            .header(&header::ACCEPT, exact("x"))
            .header(&header::ACCEPT, exact("ignored"))
            .header(&header::COOKIE, ValueMatch::Present)
            .method(&Method::PUT)
            .method(&Method::GET);
        assert_eq!(
            conditions.to_string(),
            "method GET|PUT, header accept = x, header cookie, query a b = ä&, query v ~ [0-9]+"
        );
        let fields = [("accept", "y"), ("accept", "x"), ("cookie", "")];
        let query = Some("a+b=%C3%A4%26&v=12&v=z");
        let table = [
            (Method::GET, &fields[..], query, "met"),
            (Method::POST, &fields[..], query, "method GET|PUT"),
            (Method::PUT, &fields[..2], query, "header cookie"),
            (Method::PUT, &fields[..1], query, "header accept = x"),
            (Method::GET, &fields[..], None, "query a b = ä&"),
            (Method::GET, &fields[..], Some("a%20b=%C3%A4%26"), "query v ~ [0-9]+"),
            (Method::GET, &fields[..], Some("a b=ä&v=z&v=1"), "query a b = ä&"),
        ];
        for (method, fields, query, want) in table {
            assert_eq!(check(&conditions, &method, fields, query), want, "{method} {fields:?} {query:?}");
        }
    }

    #[test]
    fn more_conditions_come_first() {
        let none = Conditions::default;
        let mut list = [
            none(),
            none().query("a", ValueMatch::Present).query("b", ValueMatch::Present),
            none().header(&header::ACCEPT, ValueMatch::Present),
            none().method(&Method::GET),
            none().header(&header::ACCEPT, ValueMatch::Present).query("a", ValueMatch::Present),
        ];
        list.sort_by_key(Conditions::precedence);
        let texts: Vec<_> = list.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["method GET", "header accept, query a", "header accept", "query a, query b", ""]);
    }
}
