//! Other paths and hosts than those that were asked for: for endpoints, and for clients that are sent there.

use super::Template;

/// What an endpoint is asked for in place of what the client asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Rewrite {
    /// The path.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub path: Option<PathRewrite>,
    /// The host, in `Host`; the client's is still told in `X-Forwarded-Host`.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub host: Option<Template>,
}

/// Another path. What does not become a path, or would climb out of what the template says, is answered with 400.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum PathRewrite {
    /// In place of the elements that the route's path names, these; what follows and the query stay
    /// (`ReplacePrefixMatch` of the Gateway API). `/api` to `/` makes `/api/users` `/users`. Where the route's path is no
    /// [`PathMatch::Prefix`](crate::PathMatch::Prefix), the whole path is replaced.
    Prefix(Box<str>),
    /// The whole path, and with a `?` in it the query, too. What captures and variables hold is escaped where it could
    /// mean more than a part of a path, or of a query; only `{query}` behind the `?` is what the client wrote, which may be any
    /// number of parameters, also such as the template has, too.
    Full(Template),
}

/// Where a client is sent instead of an answer. What is `None` stays as it asked for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Redirect {
    /// The scheme.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub scheme: Option<RedirectScheme>,
    /// The host, without a port.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub host: Option<Template>,
    /// The port; `None` is the usual one of a scheme that is named, and else the one that was asked for.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub port: Option<u16>,
    /// The path. The query stays unless it is replaced.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub path: Option<PathRewrite>,
    /// The status of the answer; `None` is [`RedirectStatus::Found`]. It makes no redirect alone.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub status: Option<RedirectStatus>,
}

/// A scheme that clients may be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RedirectScheme {
    /// `http`.
    Http,
    /// `https`.
    Https,
}

/// How a client is told to go elsewhere (RFC 9110 section 15.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RedirectStatus {
    /// 301, for good; clients may make a GET of a POST.
    MovedPermanently,
    /// 302, this time; clients may make a GET of a POST.
    #[default]
    Found,
    /// 303, this time, and with GET.
    SeeOther,
    /// 307, this time, and with the same method.
    TemporaryRedirect,
    /// 308, for good, and with the same method.
    PermanentRedirect,
}

/// Whether clients that came without TLS are sent to `https`. Requests for `/.well-known/acme-challenge/` (RFC 8555 section
/// 8.3) are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum HttpsRedirect {
    /// They are not.
    Off,
    /// They are, with this status.
    With(RedirectStatus),
}

/// Which of a host's two names clients are sent to, with 308. Addresses and names of one label have one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Www {
    /// The one with `www.`.
    Add,
    /// The one without.
    Remove,
}

// ===== impl Rewrite =====

impl Rewrite {
    /// What it says, and what it leaves open as `other` says it.
    pub(super) fn or(&self, other: &Self) -> Self {
        Self {
            path: self.path.as_ref().or(other.path.as_ref()).cloned(),
            host: self.host.as_ref().or(other.host.as_ref()).cloned(),
        }
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

// ===== impl Redirect =====

impl Redirect {
    /// Whether it says where to; a status alone does not.
    pub fn leads_elsewhere(&self) -> bool {
        self.scheme.is_some() || self.host.is_some() || self.port.is_some() || self.path.is_some()
    }

    /// What it says, and what it leaves open as `other` says it.
    pub(super) fn or(&self, other: &Self) -> Self {
        Self {
            scheme: self.scheme.or(other.scheme),
            host: self.host.as_ref().or(other.host.as_ref()).cloned(),
            port: self.port.or(other.port),
            path: self.path.as_ref().or(other.path.as_ref()).cloned(),
            status: self.status.or(other.status),
        }
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

// ===== impl RedirectScheme, RedirectStatus =====

impl RedirectScheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl RedirectStatus {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::MovedPermanently,
        Self::Found,
        Self::SeeOther,
        Self::TemporaryRedirect,
        Self::PermanentRedirect,
    ];

    /// Its number.
    pub fn code(self) -> u16 {
        match self {
            Self::MovedPermanently => 301,
            Self::Found => 302,
            Self::SeeOther => 303,
            Self::TemporaryRedirect => 307,
            Self::PermanentRedirect => 308,
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for RedirectStatus {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_open_is_said_by_the_other() {
        let mut one =
            Redirect { port: Some(1), status: Some(RedirectStatus::SeeOther), ..Redirect::default() };
        let other = Redirect { port: Some(2), scheme: Some(RedirectScheme::Https), ..Redirect::default() };
        let both = one.or(&other);
        assert_eq!((both.port, both.scheme), (Some(1), Some(RedirectScheme::Https)));
        assert_eq!(both.status, Some(RedirectStatus::SeeOther));
        one.port = None;
        assert!(both.leads_elsewhere() && !one.leads_elsewhere() && !one.is_default());
        let path = |text: &str| Some(PathRewrite::Prefix(text.into()));
        let host = Some("own.example".parse().unwrap());
        let rewrite = Rewrite { path: path("/a"), host: None };
        let both = rewrite.or(&Rewrite { path: path("/b"), host: host.clone() });
        assert_eq!(both, Rewrite { path: path("/a"), host });
    }

    #[test]
    fn statuses() {
        assert_eq!(RedirectStatus::ALL.map(RedirectStatus::code), [301, 302, 303, 307, 308]);
    }
}
