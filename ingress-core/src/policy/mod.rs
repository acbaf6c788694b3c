//! How requests are treated, beyond where they go.

mod access;
mod authentication;
mod basic_auth;
mod callee;
mod canary;
mod client_certificate;
mod client_limits;
mod compression;
mod cors;
mod cors_origins;
mod custom;
mod error_pages;
mod external_auth;
mod field_use;
mod fixed;
mod headers;
mod health_check;
mod jwt;
mod limits;
mod media_type;
mod mirror;
mod outlier;
mod own_field;
mod rate;
mod rewrite;
mod sign_in;
mod spread;
mod template;
mod tls;
mod users;

use std::fmt;
use std::time::Duration;

pub use access::{Access, Networks, NetworksError};
pub use authentication::Authentication;
pub use basic_auth::BasicAuth;
pub use callee::{Callee, CalleeAddress};
pub use canary::{Canary, CanaryHeader, CanaryHeaderError};
pub use client_certificate::ClientCertificate;
pub use client_limits::{ClientKey, ClientLimits};
pub use compression::{Coding, Compression, MediaTypes, MediaTypesError};
pub use cors::{Cors, CorsError, CorsNames, CorsNamesError};
pub use cors_origins::{CorsOrigins, CorsOriginsError};
pub use custom::Custom;
pub use error_pages::ErrorPages;
pub use external_auth::{AuthMethod, ExternalAuth, ExternalAuthOptions, FieldNames};
pub use field_use::FieldUse;
pub use fixed::{FixedAnswer, FixedAnswerError, Maintenance};
pub use headers::{FieldEdits, FieldName, FieldNameError, Headers};
pub use health_check::{HealthCheck, HealthProtocol};
pub use jwt::{Jwt, JwtKeySet, JwtKeys, TokenSource};
pub use limits::Limits;
pub use media_type::{MediaType, MediaTypeError};
pub use mirror::{Mirror, MirrorShare};
pub use outlier::{Failures, Outlier};
pub use own_field::{OwnField, OwnFieldError};
pub use rate::{Period, Rate, RateError, RateLimit};
pub use rewrite::{HttpsRedirect, PathRewrite, Redirect, RedirectScheme, RedirectStatus, Rewrite, Www};
pub use sign_in::{SignIn, SignInError};
pub use spread::{Affinity, AffinityCookie, HashKey, SlowStart};
pub use template::{Part, Template, TemplateError, Variable};
pub use tls::{Trust, UpstreamTls};
pub use users::{PasswordHash, PasswordScheme, UserFault, Users, UsersError};

use crate::{Algorithm, BackendRef, Protocol};

/// How requests are treated: those of a rule, or those for a backend. What is `None` is left to whoever serves the table.
///
/// ```
/// use std::time::Duration;
/// use ingress_core::{Policy, Retries, Timeout};
///
/// let mut policy = Policy::default();
/// policy.response_timeout = Some(Timeout::After(Duration::from_secs(5)));
/// policy.retries = Some(Retries::up_to(2));
/// assert!(!policy.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Policy {
    /// How long a connection to an endpoint may take to be made.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub connect_timeout: Option<Timeout>,
    /// How long an endpoint may take to begin its answer while the request makes no progress; 504 then.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub response_timeout: Option<Timeout>,
    /// How long an endpoint may say nothing in the middle of its answer, and both sides of a tunnel.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub idle_timeout: Option<Timeout>,
    /// How long the whole exchange may take, from the request's head to the last byte of the answer, retries
    /// included; 504 if the answer has not begun by then, and broken off if it has.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub request_timeout: Option<Timeout>,
    /// Whether other endpoints are asked where one failed.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub retries: Option<Retries>,
    /// What endpoints are spoken to in, whatever they say themselves.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub protocol: Option<Protocol>,
    /// How endpoints that speak TLS are recognised.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "UpstreamTls::is_default"))]
    pub tls: UpstreamTls,
    /// How many bytes the body of a request may have; 413 beyond.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub max_body_size: Option<u64>,
    /// How the endpoints of a backend share its requests; `None` is [`Algorithm::RoundRobin`].
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub load_balance: Option<Algorithm>,
    /// What an algorithm goes by that hashes; `None` is [`HashKey::SourceAddress`].
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub hash_key: Option<HashKey>,
    /// Whether clients stay with an endpoint.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub affinity: Option<Affinity>,
    /// For how long new endpoints are spared.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "SlowStart::is_default"))]
    pub slow_start: SlowStart,
    /// When endpoints that fail are left out.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Outlier::is_default"))]
    pub outlier: Outlier,
    /// Whether endpoints are asked how they are; counts for a backend, not for a rule.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "HealthCheck::is_default"))]
    pub health_check: HealthCheck,
    /// How much a backend may have to do at a time.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Limits::is_default"))]
    pub limits: Limits,
    /// Who may send requests.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Access::is_default"))]
    pub access: Access,
    /// Whether clients that came without TLS are sent to `https`.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub https_redirect: Option<HttpsRedirect>,
    /// Which of a host's two names clients are sent to.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub www: Option<Www>,
    /// Where clients are sent instead of an answer.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Redirect::is_default"))]
    pub redirect: Redirect,
    /// What endpoints are asked for in place of what clients asked for.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Rewrite::is_default"))]
    pub rewrite: Rewrite,
    /// What a client has to prove.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Authentication::is_default"))]
    pub authentication: Authentication,
    /// How much each client may ask for.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "ClientLimits::is_default"))]
    pub client_limits: ClientLimits,
    /// What is changed in the fields of requests and answers.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Headers::is_default"))]
    pub headers: Headers,
    /// What scripts of other sites may do.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub cors: Option<Cors>,
    /// How answers are compressed.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Compression::is_default"))]
    pub compression: Compression,
    /// Where copies of requests are sent.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub mirror: Option<Mirror>,
    /// What clients see in place of errors.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "ErrorPages::is_default"))]
    pub error_pages: ErrorPages,
    /// Whether clients are told that the service is being worked on.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Maintenance::is_default"))]
    pub maintenance: Maintenance,
    /// The answer to every request, without asking an endpoint.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub answer: Option<FixedAnswer>,
    /// Which requests go to a new version of a Service; counts for a rule, not for a backend.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub canary: Option<Canary>,
    /// Policies of the embedding program.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Custom::is_default"))]
    pub custom: Custom,
}

/// How long something may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timeout {
    /// So long.
    After(Duration),
    /// Any time.
    Never,
}

/// When another endpoint is asked, and how often.
///
/// A request of which nothing was sent goes to another endpoint without any of this (ruling R15). Beyond that only
/// requests without a body are repeated, and of these only those with an idempotent method (RFC 9110 section 9.2.2) unless
/// [`Retries::non_idempotent`] says that all may be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Retries {
    /// How many more endpoints are asked at most, each once.
    pub attempts: u32,
    /// After an endpoint that broke off before it answered.
    pub reset: bool,
    /// After an endpoint that did not begin to answer in time.
    pub timeout: bool,
    /// After answers with these statuses, from the first to the last of each pair.
    pub statuses: Vec<(u16, u16)>,
    /// Whether requests are repeated which may then have been acted on twice.
    pub non_idempotent: bool,
}

// ===== impl Policy =====

impl Policy {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What it says, and what it leaves open as `other` says it: a rule's policy comes before its backend's.
    ///
    /// ```
    /// use ingress_core::{Policy, Protocol, Timeout};
    ///
    /// let (mut rule, mut backend) = (Policy::default(), Policy::default());
    /// rule.idle_timeout = Some(Timeout::Never);
    /// backend.idle_timeout = Some(Timeout::After(std::time::Duration::from_secs(5)));
    /// backend.protocol = Some(Protocol::H2c);
    /// let both = rule.or(&backend);
    /// assert_eq!((both.idle_timeout, both.protocol), (Some(Timeout::Never), Some(Protocol::H2c)));
    /// ```
    ///
    /// Who names whom to trust is not taken to trust everybody:
    ///
    /// ```
    /// use ingress_core::{Policy, Trust};
    ///
    /// let (mut rule, mut backend) = (Policy::default(), Policy::default());
    /// rule.tls.trust = Some(Trust::none());
    /// backend.tls.verify = Some(false);
    /// assert_eq!(rule.or(&backend).tls.verify, None);
    /// ```
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            connect_timeout: self.connect_timeout.or(other.connect_timeout),
            response_timeout: self.response_timeout.or(other.response_timeout),
            idle_timeout: self.idle_timeout.or(other.idle_timeout),
            request_timeout: self.request_timeout.or(other.request_timeout),
            retries: self.retries.as_ref().or(other.retries.as_ref()).cloned(),
            protocol: self.protocol.or(other.protocol),
            tls: UpstreamTls {
                server_name: self.tls.server_name.as_ref().or(other.tls.server_name.as_ref()).cloned(),
                trust: self.tls.trust.as_ref().or(other.tls.trust.as_ref()).cloned(),
                // Who names whom to trust does not mean everybody.
                verify: self.tls.verify.or(other.tls.verify.filter(|_| self.tls.trust.is_none())),
            },
            max_body_size: self.max_body_size.or(other.max_body_size),
            load_balance: self.load_balance.as_ref().or(other.load_balance.as_ref()).cloned(),
            hash_key: self.hash_key.as_ref().or(other.hash_key.as_ref()).cloned(),
            affinity: self.affinity.as_ref().or(other.affinity.as_ref()).cloned(),
            slow_start: self.slow_start.or(&other.slow_start),
            outlier: self.outlier.or(&other.outlier),
            health_check: self.health_check.or(&other.health_check),
            limits: self.limits.or(&other.limits),
            access: self.access.or(&other.access),
            https_redirect: self.https_redirect.or(other.https_redirect),
            www: self.www.or(other.www),
            redirect: self.redirect.or(&other.redirect),
            rewrite: self.rewrite.or(&other.rewrite),
            authentication: self.authentication.or(&other.authentication),
            client_limits: self.client_limits.or(&other.client_limits),
            headers: self.headers.or(&other.headers),
            cors: self.cors.as_ref().or(other.cors.as_ref()).cloned(),
            compression: self.compression.or(&other.compression),
            mirror: self.mirror.as_ref().or(other.mirror.as_ref()).cloned(),
            error_pages: self.error_pages.or(&other.error_pages),
            maintenance: self.maintenance.or(&other.maintenance),
            answer: self.answer.as_ref().or(other.answer.as_ref()).cloned(),
            canary: self.canary.as_ref().or(other.canary.as_ref()).cloned(),
            custom: self.custom.or(&other.custom),
        }
    }

    /// The backends that the gateway asks on its own account, besides those of the rule. A table has them as long as a
    /// rule with this policy is in it ([`RouteTable::backend`](crate::RouteTable::backend)).
    pub fn backends(&self) -> impl Iterator<Item = &BackendRef> {
        let mirror = self.mirror.as_ref().map(|mirror| &mirror.backend);
        let pages = self.error_pages.backend.as_ref();
        self.authentication.backends().chain(mirror).chain(pages)
    }
}

// ===== impl Timeout =====

impl Timeout {
    /// The time, if there is a limit.
    pub fn limit(self) -> Option<Duration> {
        match self {
            Self::After(time) => Some(time),
            Self::Never => None,
        }
    }
}

impl fmt::Display for Timeout {
    /// `1.5s`, or `never`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(time) => write!(f, "{time:?}"),
            Self::Never => f.write_str("never"),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Timeout {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

// ===== impl Retries =====

impl Retries {
    /// So many, after endpoints that broke off or did not begin to answer in time.
    pub fn up_to(attempts: u32) -> Self {
        Self { attempts, reset: true, timeout: true, statuses: Vec::new(), non_idempotent: false }
    }

    /// Whether an answer with this status is given up for another one.
    pub fn is_for_status(&self, status: u16) -> bool {
        self.statuses.iter().any(|&(first, last)| (first..=last).contains(&status))
    }
}
