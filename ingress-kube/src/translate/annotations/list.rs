//! Which annotations there are.

use ingress_core::Diagnostic;

use super::path_syntax::PathSyntax;
use super::split::Splits;
use super::{Fault, Setting, Settings, conditions, policy};

/// An annotation of an Ingress that is read; as a key of an IngressClass's parameters it is written without
/// `ingress.gateway/` and holds for the Ingresses of the class that do not have the annotation.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Annotation {
    /// What stands behind `ingress.gateway/`.
    pub name: &'static str,
    /// What its value says, in one sentence without a full stop.
    pub meaning: &'static str,
    /// Whether the parameters of a class may hold it, too.
    pub for_classes: bool,
    pub(super) read: Read,
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
        for_classes: true,
        read: |settings, text, report| settings.path_syntax = read(text, PathSyntax::parse, report),
    },
    Annotation {
        name: "match-method",
        meaning: "the methods that the paths take, such as GET, HEAD",
        for_classes: true,
        read: |settings, text, report| settings.methods = read(text, conditions::methods, report),
    },
    Annotation {
        name: "match-header",
        meaning: "header fields that a request must have, one a line: NAME = VALUE, NAME ~ REGEX or NAME",
        for_classes: true,
        read: |settings, text, report| settings.headers = read(text, conditions::headers, report),
    },
    Annotation {
        name: "match-query",
        meaning: "query parameters that a request must have, one a line: NAME = VALUE, NAME ~ REGEX or NAME",
        for_classes: true,
        read: |settings, text, report| settings.queries = read(text, conditions::queries, report),
    },
    Annotation {
        name: "split",
        meaning: "Services that share the requests of a backend, one backend a line: SERVICE: SERVICE=WEIGHT, SERVICE=WEIGHT",
        for_classes: false,
        read: |settings, text, report| settings.split = read(text, Splits::parse, report),
    },
    Annotation {
        name: "connect-timeout",
        meaning: "how long a connection to an endpoint may take to be made, such as 2s",
        for_classes: true,
        read: treat!(policy.connect_timeout, timeout),
    },
    Annotation {
        name: "response-timeout",
        meaning: "how long an endpoint may take to begin its answer, such as 30s",
        for_classes: true,
        read: treat!(policy.response_timeout, timeout),
    },
    Annotation {
        name: "idle-timeout",
        meaning: "how long an endpoint may say nothing in the middle of its answer, and both sides of a tunnel, such as 5m",
        for_classes: true,
        read: treat!(policy.idle_timeout, timeout),
    },
    Annotation {
        name: "request-timeout",
        meaning: "how long the whole exchange may take, retries included, such as 1m",
        for_classes: true,
        read: treat!(policy.request_timeout, timeout),
    },
    Annotation {
        name: "retries",
        meaning: "how many more endpoints a request asks where one failed, up to 10",
        for_classes: true,
        read: treat!(retries, attempts),
    },
    Annotation {
        name: "retry-on",
        meaning: "after what: a list of reset, timeout, 5xx, statuses such as 503, and non-idempotent",
        for_classes: true,
        read: treat!(retry_on, retry_on),
    },
    Annotation {
        name: "max-body-size",
        meaning: "how large the body of a request may be, such as 10MiB",
        for_classes: true,
        read: treat!(policy.max_body_size, size),
    },
    Annotation {
        name: "backend-protocol",
        meaning: "what endpoints are spoken to in: http, https, h2c, grpc, grpcs, ws or wss",
        for_classes: true,
        read: treat!(policy.protocol, protocol),
    },
    Annotation {
        name: "backend-server-name",
        meaning: "the name that is asked for (SNI) and that the certificate of an endpoint must have",
        for_classes: true,
        read: treat!(policy.tls.server_name, server_name),
    },
    Annotation {
        name: "backend-verify",
        meaning: "whether certificates of endpoints are checked: true, or false",
        for_classes: true,
        read: treat!(verify, verify),
    },
    Annotation {
        name: "backend-ca-secret",
        meaning: "the Secret whose ca.crt says who may have issued the certificates of endpoints",
        for_classes: false,
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
