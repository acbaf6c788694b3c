//! What of a request decides about its route.

use std::borrow::Cow;

use http::{HeaderMap, Method};

use crate::{RequestHost, RequestPath};

/// The part of a request that decides about its route: host and path, and for rules with
/// [`Conditions`](crate::Conditions) method, header fields and query.
///
/// ```
/// use ingress_core::{RequestHead, RequestHost, RequestPath};
///
/// let host = RequestHost::parse("shop.example")?;
/// let path = RequestPath::parse("/cart")?;
/// let head = RequestHead::new(&host, &path).method(&http::Method::POST).query(Some("item=7"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    host: &'a RequestHost<'a>,
    path: &'a RequestPath<'a>,
    method: &'a Method,
    headers: Option<&'a HeaderMap>,
    query: Option<&'a str>,
}

impl<'a> RequestHead<'a> {
    /// A GET request without header fields and without a query.
    #[inline]
    pub fn new(host: &'a RequestHost<'a>, path: &'a RequestPath<'a>) -> Self {
        Self { host, path, method: &Method::GET, headers: None, query: None }
    }

    /// Sets the method.
    #[must_use]
    #[inline]
    pub fn method(mut self, method: &'a Method) -> Self {
        self.method = method;
        self
    }

    /// Sets the header fields.
    #[must_use]
    #[inline]
    pub fn headers(mut self, headers: &'a HeaderMap) -> Self {
        self.headers = Some(headers);
        self
    }

    /// Sets the query, without its question mark, as it stands in the request.
    #[must_use]
    #[inline]
    pub fn query(mut self, query: Option<&'a str>) -> Self {
        self.query = query;
        self
    }

    /// The host.
    pub fn host(&self) -> &'a RequestHost<'a> {
        self.host
    }

    /// The path.
    pub fn path(&self) -> &'a RequestPath<'a> {
        self.path
    }

    pub(crate) fn method_str(&self) -> &'a str {
        self.method.as_str()
    }

    pub(crate) fn header_lines(&self, name: &str) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let lines = self.headers.map(|headers| headers.get_all(name));
        lines.into_iter().flat_map(|lines| lines.into_iter()).map(http::HeaderValue::as_bytes)
    }

    /// The first value of a query parameter, decoded.
    pub(crate) fn query_value(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut pairs = form_urlencoded::parse(self.query?.as_bytes());
        pairs.find(|(known, _)| known == name).map(|(_, value)| value)
    }
}
