//! A service that says who may pass.

use std::time::Duration;

use http::{HeaderName, Method};

use super::Callee;
use super::sign_in::SignIn;

/// That a service of yours is asked about each request, without its body: 2xx lets it pass, 3xx and 4xx are the client's
/// answer, and where nobody answers, or with another status, the request is refused with 503.
///
/// It is asked with `X-Original-Method` and `X-Original-URL`, with the gateway's own word about the client
/// (`X-Forwarded-*`, `X-Real-IP`, `X-Request-ID`), and with the fields of the request in `options.request_fields`. Where the
/// service breaks off before it answers, it is asked once more, if the method is a safe one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ExternalAuth {
    /// Whom.
    pub callee: Callee,
    /// How, and what becomes of the answer.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub options: ExternalAuthOptions,
}

/// How a service is asked about requests, and what becomes of its answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ExternalAuthOptions {
    /// With which method; `None` is GET.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub method: Option<AuthMethod>,
    /// Which fields of the request the service is shown; `None` is [`ExternalAuthOptions::REQUEST_FIELDS`]. The fields that
    /// frame a message, or are for one connection, are not shown, nor those that the gateway writes itself.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub request_fields: Option<FieldNames>,
    /// Which fields of an answer that lets a request pass are put into the request. What the client sent under these names
    /// is taken out of a request in any case. Fields that frame a message, are for one connection or are the gateway's to
    /// say are left as they are.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub response_fields: Option<FieldNames>,
    /// Whether the cookies that an answer sets which lets a request pass are set at the client, too; `None` is no.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub cookies: Option<bool>,
    /// Where clients are sent that are answered 401.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub sign_in: Option<SignIn>,
    /// How long an answer may take, its body included; `None` is [`ExternalAuthOptions::TIMEOUT`].
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub timeout: Option<Duration>,
    /// For how long an answer that lets a request pass holds for the same fields, method, host and path with its query;
    /// `None` is for that request alone. Other answers hold for one request.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub cache: Option<Duration>,
}

/// With which method somebody is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthMethod {
    /// That of the request.
    OfRequest,
    /// This one.
    Always(Method),
}

/// Names of fields, in order and each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldNames(Box<[HeaderName]>);

impl ExternalAuth {
    /// Asks so, with the default options.
    pub fn new(callee: Callee) -> Self {
        Self { callee, options: ExternalAuthOptions::default() }
    }
}

impl ExternalAuthOptions {
    /// What the service is shown of a request if nothing else is said.
    pub const REQUEST_FIELDS: [HeaderName; 8] = [
        http::header::ACCEPT,
        http::header::ACCEPT_LANGUAGE,
        http::header::AUTHORIZATION,
        http::header::COOKIE,
        http::header::ORIGIN,
        http::header::REFERER,
        http::header::USER_AGENT,
        HeaderName::from_static("x-requested-with"),
    ];

    /// How long an answer may take if nothing else is said.
    pub const TIMEOUT: Duration = Duration::from_secs(5);

    /// What it says, and what it leaves open as `other` says it.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            method: self.method.as_ref().or(other.method.as_ref()).cloned(),
            request_fields: self.request_fields.as_ref().or(other.request_fields.as_ref()).cloned(),
            response_fields: self.response_fields.as_ref().or(other.response_fields.as_ref()).cloned(),
            cookies: self.cookies.or(other.cookies),
            sign_in: self.sign_in.as_ref().or(other.sign_in.as_ref()).cloned(),
            timeout: self.timeout.or(other.timeout),
            cache: self.cache.or(other.cache),
        }
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

// ===== impl AuthMethod =====

impl AuthMethod {
    fn as_str(&self) -> &str {
        match self {
            Self::OfRequest => "request",
            Self::Always(method) => method.as_str(),
        }
    }
}

impl Ord for AuthMethod {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for AuthMethod {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for AuthMethod {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

// ===== impl FieldNames =====

impl FieldNames {
    /// The names.
    pub fn iter(&self) -> std::slice::Iter<'_, HeaderName> {
        self.0.iter()
    }

    /// Whether the name is one of them.
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.0.contains(name)
    }
}

impl<'n> IntoIterator for &'n FieldNames {
    type Item = &'n HeaderName;
    type IntoIter = std::slice::Iter<'n, HeaderName>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<HeaderName> for FieldNames {
    fn from_iter<I: IntoIterator<Item = HeaderName>>(names: I) -> Self {
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        Self(names.into())
    }
}

impl Ord for FieldNames {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.iter().map(HeaderName::as_str).cmp(other.iter().map(HeaderName::as_str))
    }
}

impl PartialOrd for FieldNames {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for FieldNames {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(HeaderName::as_str))
    }
}
