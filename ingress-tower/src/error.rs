//! Why a request was not answered by a backend.

use std::fmt;
use std::sync::Arc;

use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use ingress_core::{AmbiguousPath, BackendRef, HostError, PathError};

use crate::Chosen;

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why the data plane answered a request itself.
///
/// It is in the extensions of the response, for logs and metrics; the response's body does not tell it.
/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Error(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    backend: Option<BackendRef>,
    endpoint: Option<Authority>,
    chosen: Option<Chosen>,
    /// Fields of the answer.
    fields: Option<Box<HeaderMap>>,
    source: Option<BoxError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    BadHost,
    BadPath,
    AmbiguousPath,
    Tunnel,
    Coding,
    NotRouted,
    Forbidden,
    Closed,
    Unauthorized,
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "nobody can show one"))]
    NoCertificate,
    AuthFailed,
    #[cfg_attr(not(feature = "rate-limit"), allow(dead_code, reason = "nobody counts"))]
    RateLimited,
    TooManyRequests,
    Maintenance,
    Rewrite,
    RedirectLoop,
    NoEndpoint,
    Overloaded,
    NoResource,
    Connect,
    Upstream,
    Timeout,
    LargeBody,
    LongTarget,
    Misdirected,
    RequestBody,
    RequestStalled,
    Resource,
}

// ===== impl Error =====

impl Error {
    pub(crate) fn kind(&self) -> Kind {
        self.0.kind
    }

    pub(crate) fn new(kind: Kind) -> Self {
        Self::of(kind, None)
    }

    pub(crate) fn with_source(kind: Kind, source: impl Into<BoxError>) -> Self {
        Self::of(kind, Some(source.into()))
    }

    fn of(kind: Kind, source: Option<BoxError>) -> Self {
        let (backend, endpoint, chosen, fields) = Default::default();
        Self(Arc::new(Inner { kind, backend, endpoint, chosen, fields, source }))
    }

    /// Adds a field to its answer.
    pub(crate) fn with_field(mut self, name: HeaderName, value: HeaderValue) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.fields.get_or_insert_default().append(name, value);
        }
        self
    }

    /// The fields of its answer besides those that every error's has.
    pub(crate) fn fields(&self) -> Option<&HeaderMap> {
        self.0.fields.as_deref()
    }

    pub(crate) fn of_backend(self, backend: &BackendRef, endpoint: Option<Authority>) -> Self {
        match Arc::try_unwrap(self.0) {
            Ok(inner) => Self(Arc::new(Inner { backend: Some(backend.clone()), endpoint, ..inner })),
            Err(shared) => Self(shared),
        }
    }

    /// Says what is written down of the choice of its endpoint.
    pub(crate) fn of_choice(mut self, chosen: Option<Chosen>) -> Self {
        if let (Some(inner), Some(_)) = (Arc::get_mut(&mut self.0), &chosen) {
            inner.chosen = chosen;
        }
        self
    }

    /// What is written down of the choice of its endpoint, if it is.
    pub(crate) fn chosen(&self) -> Option<&Chosen> {
        self.0.chosen.as_ref()
    }

    /// The status of the answer: the whole map from errors to statuses.
    pub fn status(&self) -> StatusCode {
        match self.0.kind {
            Kind::BadHost | Kind::BadPath | Kind::AmbiguousPath | Kind::Rewrite | Kind::RequestBody => {
                StatusCode::BAD_REQUEST
            }
            Kind::Tunnel => StatusCode::METHOD_NOT_ALLOWED,
            Kind::Coding => StatusCode::NOT_IMPLEMENTED,
            Kind::Unauthorized => StatusCode::UNAUTHORIZED,
            Kind::Forbidden | Kind::NoCertificate => StatusCode::FORBIDDEN,
            Kind::RateLimited | Kind::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Kind::NotRouted => StatusCode::NOT_FOUND,
            Kind::AuthFailed
            | Kind::Closed
            | Kind::Maintenance
            | Kind::NoEndpoint
            | Kind::Overloaded
            | Kind::NoResource => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Connect | Kind::Upstream => StatusCode::BAD_GATEWAY,
            Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Kind::LargeBody => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::LongTarget => StatusCode::URI_TOO_LONG,
            Kind::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Kind::RequestStalled => StatusCode::REQUEST_TIMEOUT,
            Kind::RedirectLoop | Kind::Resource => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A short, stable word for logs and metrics, such as `no_endpoint`.
    pub fn reason(&self) -> &'static str {
        match self.0.kind {
            Kind::BadHost => "bad_host",
            Kind::BadPath => "bad_path",
            Kind::AmbiguousPath => "ambiguous_path",
            Kind::Tunnel => "connect_method",
            Kind::Coding => "transfer_coding",
            Kind::NotRouted => "no_route",
            Kind::NoEndpoint => "no_endpoint",
            Kind::Overloaded => "overloaded",
            Kind::Forbidden => "forbidden",
            Kind::Closed => "closed",
            Kind::Unauthorized => "unauthorized",
            Kind::NoCertificate => "no_client_certificate",
            Kind::AuthFailed => "auth_failed",
            Kind::RateLimited => "rate_limited",
            Kind::TooManyRequests => "too_many_requests",
            Kind::Maintenance => "maintenance",
            Kind::Rewrite => "bad_rewrite",
            Kind::RedirectLoop => "redirect_loop",
            Kind::NoResource => "no_resource",
            Kind::Connect => "connect_failed",
            Kind::Upstream => "upstream_failed",
            Kind::Timeout => "upstream_timeout",
            Kind::LargeBody => "large_body",
            Kind::LongTarget => "long_target",
            Kind::Misdirected => "misdirected",
            Kind::RequestBody => "request_body_failed",
            Kind::RequestStalled => "request_body_stalled",
            Kind::Resource => "resource_failed",
        }
    }

    /// The request was refused before a route was looked for, or because its path is ambiguous.
    pub fn is_refused(&self) -> bool {
        matches!(
            self.0.kind,
            Kind::BadHost
                | Kind::BadPath
                | Kind::AmbiguousPath
                | Kind::Tunnel
                | Kind::Coding
                | Kind::LongTarget
                | Kind::Misdirected
        )
    }

    /// No route takes the request.
    pub fn is_not_routed(&self) -> bool {
        self.0.kind == Kind::NotRouted
    }

    /// The backend has nobody to answer: no endpoint, or no service for its resource.
    pub fn is_unavailable(&self) -> bool {
        matches!(self.0.kind, Kind::NoEndpoint | Kind::NoResource)
    }

    /// The backend, or all of its endpoints, work on as many requests as they may, and as many wait as may, or this one did
    /// for long enough.
    pub fn is_overloaded(&self) -> bool {
        self.0.kind == Kind::Overloaded
    }

    /// No connection to any endpoint could be made; nothing of the request was sent.
    pub fn is_connect(&self) -> bool {
        self.0.kind == Kind::Connect
    }

    /// The endpoint did not begin to answer in time.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == Kind::Timeout
    }

    /// The backend of the route that took the request.
    pub fn backend(&self) -> Option<&BackendRef> {
        self.0.backend.as_ref()
    }

    /// The endpoint that was tried last: its address or name, and its port.
    pub fn endpoint(&self) -> Option<&Authority> {
        self.0.endpoint.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.kind {
            Kind::BadHost => "the host of the request is missing, repeated or invalid",
            Kind::BadPath => "the path of the request is invalid",
            Kind::AmbiguousPath => "servers would read the path of the request in different ways",
            Kind::Tunnel => "CONNECT is not served",
            Kind::Coding => "the body of the request has a transfer coding other than chunked",
            Kind::NotRouted => "no route takes the request",
            Kind::Forbidden => "the client may not send requests to the route",
            Kind::Closed => "what is said of who may send requests to the route cannot be used",
            Kind::Unauthorized => "the client did not prove who it is",
            Kind::NoCertificate => "the client has no certificate that the route accepts",
            Kind::AuthFailed => "whoever says who may pass did not answer",
            Kind::RateLimited => "the client sent more requests than it may",
            Kind::TooManyRequests => "the client has as many requests open as it may",
            Kind::Maintenance => "the service is being worked on",
            Kind::Rewrite => "what the route makes of the request is no host or path",
            Kind::RedirectLoop => "the route redirects the request to where it came",
            Kind::Overloaded => "the backend has as much to do as it may",
            Kind::NoEndpoint => "the backend has no endpoint that can be used",
            Kind::NoResource => "no service in this process answers for the resource",
            Kind::Connect => "no connection to the backend could be made",
            Kind::Upstream => "the endpoint failed before it answered",
            Kind::Timeout => "the endpoint did not begin to answer in time",
            Kind::LargeBody => "the body of the request is larger than the route allows",
            Kind::LongTarget => "the target of the request is too long",
            Kind::Misdirected => "the certificate of the connection is not for the host of the request",
            Kind::RequestBody => "the body of the request broke off or is malformed",
            Kind::RequestStalled => "the client stopped sending the body of the request",
            Kind::Resource => "the service for the resource failed",
        })
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<AmbiguousPath> for Error {
    fn from(error: AmbiguousPath) -> Self {
        Self::with_source(Kind::AmbiguousPath, error)
    }
}

impl From<HostError> for Error {
    fn from(error: HostError) -> Self {
        Self::with_source(Kind::BadHost, error)
    }
}

impl From<PathError> for Error {
    fn from(error: PathError) -> Self {
        Self::with_source(Kind::BadPath, error)
    }
}
