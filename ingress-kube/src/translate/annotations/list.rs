//! Which annotations there are.

use ingress_core::Diagnostic;

use super::path_syntax::PathSyntax;
use super::split::Splits;
use super::{Fault, Setting, Settings, conditions, policy};

/// An annotation of an Ingress that is read. As a key of an IngressClass's parameters it is written without
/// `ingress.gateway/` and holds for the Ingresses of the class that do not have the annotation, and as one of the
/// [`Defaults`](crate::Defaults) of a gateway wherever nothing else is said.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Annotation {
    /// What stands behind `ingress.gateway/`.
    pub name: &'static str,
    /// What its value says, in one sentence without a full stop.
    pub meaning: &'static str,
    /// What kind of value it has.
    pub value: ValueKind,
    /// Where else it may stand.
    pub scope: Scope,
    pub(super) read: Read,
}

/// What kind of value an annotation has. All of them are texts; in YAML and JSON of other kinds numbers and booleans may
/// stand for the texts that they are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueKind {
    /// A text of a form of its own.
    Text,
    /// How long, such as `500ms` or `1m 30s`; `0` is for ever.
    Duration,
    /// How many bytes, such as `512KiB`; `0` is any number.
    Size,
    /// How often.
    Count,
    /// `true` or `false`.
    Switch,
}

/// Where an annotation may stand, besides an Ingress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// Nowhere: it names objects beside the Ingress.
    Ingress,
    /// Among the parameters of a class.
    Class,
    /// Among the parameters of a class, and the defaults of a gateway.
    Gateway,
    /// As [`Scope::Gateway`], and on a Service, since it is about endpoints. What an Ingress or its class says comes before
    /// what the Service says, and that before the gateway.
    Service,
    /// On a Service; in no class and no gateway, for it names objects beside it.
    ServiceOnly,
}

impl Scope {
    /// Whether it may be a parameter of a class.
    pub fn has_classes(self) -> bool {
        matches!(self, Self::Class | Self::Gateway | Self::Service)
    }

    /// Whether it may be a default of a gateway.
    pub fn has_gateways(self) -> bool {
        matches!(self, Self::Gateway | Self::Service)
    }

    /// Whether it may stand on a Service.
    pub fn has_services(self) -> bool {
        matches!(self, Self::Service | Self::ServiceOnly)
    }
}

/// Reads a value and puts it into its place among the settings.
pub(super) type Read = for<'a> fn(&mut Settings<'a>, &'a str, Report<'_>);
/// Makes a finding of what is wrong with a value.
pub(super) type Report<'r> = &'r mut dyn FnMut(Fault) -> Diagnostic;

/// Reads a value into a place of the settings' [`Treatment`](policy::Treatment).
macro_rules! treat {
    ($($field:ident).+, $parse:ident) => {
        |settings, text, report| read_to(&mut settings.treatment.$($field).+, text, policy::$parse, report)
    };
}

/// All annotations that are read.
pub(super) static ANNOTATIONS: [Annotation; 16] = [
    Annotation {
        name: "path-syntax",
        meaning: "how ImplementationSpecific paths are read: prefix, template or regex",
        value: ValueKind::Text,
        scope: Scope::Class,
        read: |settings, text, report| settings.path_syntax = read(text, PathSyntax::parse, report),
    },
    Annotation {
        name: "match-method",
        meaning: "the methods that the paths take, such as GET, HEAD",
        value: ValueKind::Text,
        scope: Scope::Class,
        read: |settings, text, report| settings.methods = read(text, conditions::methods, report),
    },
    Annotation {
        name: "match-header",
        meaning: "header fields that a request must have, one a line: NAME = VALUE, NAME ~ REGEX or NAME",
        value: ValueKind::Text,
        scope: Scope::Class,
        read: |settings, text, report| settings.headers = read(text, conditions::headers, report),
    },
    Annotation {
        name: "match-query",
        meaning: "query parameters that a request must have, one a line: NAME = VALUE, NAME ~ REGEX or NAME",
        value: ValueKind::Text,
        scope: Scope::Class,
        read: |settings, text, report| settings.queries = read(text, conditions::queries, report),
    },
    Annotation {
        name: "split",
        meaning: "Services that share the requests of a backend, one backend a line: SERVICE: SERVICE=WEIGHT, SERVICE=WEIGHT",
        value: ValueKind::Text,
        scope: Scope::Ingress,
        read: |settings, text, report| settings.split = read(text, Splits::parse, report),
    },
    Annotation {
        name: "connect-timeout",
        meaning: "how long a connection to an endpoint may take to be made, such as 2s",
        value: ValueKind::Duration,
        scope: Scope::Service,
        read: treat!(policy.connect_timeout, timeout),
    },
    Annotation {
        name: "response-timeout",
        meaning: "how long an endpoint may take to begin its answer, such as 30s",
        value: ValueKind::Duration,
        scope: Scope::Service,
        read: treat!(policy.response_timeout, timeout),
    },
    Annotation {
        name: "idle-timeout",
        meaning: "how long an endpoint may say nothing in the middle of its answer, and both sides of a tunnel, such as 5m",
        value: ValueKind::Duration,
        scope: Scope::Service,
        read: treat!(policy.idle_timeout, timeout),
    },
    Annotation {
        name: "request-timeout",
        meaning: "how long the whole exchange may take, retries included, such as 1m",
        value: ValueKind::Duration,
        scope: Scope::Gateway,
        read: treat!(policy.request_timeout, timeout),
    },
    Annotation {
        name: "retries",
        meaning: "how many more endpoints a request asks where one failed, up to 10",
        value: ValueKind::Count,
        scope: Scope::Gateway,
        read: treat!(retries, attempts),
    },
    Annotation {
        name: "retry-on",
        meaning: "after what: a list of reset, timeout, 5xx, statuses such as 503, and non-idempotent",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        read: treat!(retry_on, retry_on),
    },
    Annotation {
        name: "max-body-size",
        meaning: "how large the body of a request may be, such as 10MiB",
        value: ValueKind::Size,
        scope: Scope::Gateway,
        read: treat!(policy.max_body_size, size),
    },
    Annotation {
        name: "backend-protocol",
        meaning: "what endpoints are spoken to in: http, https, h2c, grpc, grpcs, ws or wss",
        value: ValueKind::Text,
        scope: Scope::Service,
        read: treat!(policy.protocol, protocol),
    },
    Annotation {
        name: "backend-server-name",
        meaning: "the name that is asked for (SNI) and that the certificate of an endpoint must have",
        value: ValueKind::Text,
        scope: Scope::Service,
        read: treat!(policy.tls.server_name, server_name),
    },
    Annotation {
        name: "backend-verify",
        meaning: "whether certificates of endpoints are checked: true, or false",
        value: ValueKind::Switch,
        scope: Scope::Service,
        read: treat!(policy.tls.verify, verify),
    },
    Annotation {
        name: "backend-ca-secret",
        meaning: "the Secret whose ca.crt says who may have issued the certificates of endpoints",
        value: ValueKind::Text,
        scope: Scope::ServiceOnly,
        read: treat!(ca_secret, secret),
    },
];

fn read<'a, T>(text: &'a str, parse: fn(&'a str) -> Result<T, Fault>, report: Report<'_>) -> Setting<T> {
    Some(parse(text).map_err(report))
}

/// As [`read`], for what leaves the value of the class, or that of the gateway, where it cannot be used.
fn read_to<'a, T>(
    place: &mut Option<T>,
    text: &'a str,
    parse: fn(&'a str) -> Result<T, Fault>,
    report: Report<'_>,
) {
    match parse(text) {
        Ok(value) => *place = Some(value),
        Err(fault) => _ = report(fault),
    }
}
