//! Which annotations there are, and where they may stand. Each family has a file with its own; here are those about
//! which requests a path takes, and who serves them.

use std::sync::LazyLock;

use ingress_core::Diagnostic;

use super::path_syntax::PathSyntax;
use super::split::Splits;
use super::{
    Fault, Setting, Settings, access, balance, basic_auth, canary, client_certificate, client_limits,
    compression, conditions, cors, error_pages, external_auth, fixed, headers, health_check, jwt, mirror,
    passthrough, policy, resilience, rewrite,
};

/// An annotation of an Ingress or a Service that is read. As a key of an IngressClass's parameters it is written without
/// `ingress.gateway/` and holds for the Ingresses of the class that do not have the annotation, and as one of the
/// [`Defaults`](crate::Defaults) of a gateway wherever nothing else is said.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Annotation {
    /// What stands behind `ingress.gateway/`.
    pub name: &'static str,
    /// The policy that it is a part of.
    pub policy: &'static str,
    /// What its value says, in one sentence without a full stop.
    pub meaning: &'static str,
    /// What holds where nobody says anything, in Markdown.
    pub default: &'static str,
    /// What kind of value it has.
    pub value: ValueKind,
    /// Where it may stand.
    pub scope: Scope,
    /// What becomes of it where its value cannot be read.
    pub unreadable: Unreadable,
    pub(super) read: Read,
}

/// What kind of value an annotation has. All of them are texts; in YAML and JSON of other kinds numbers and booleans may
/// stand for the texts that they are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueKind {
    /// A text of a form of its own.
    Text,
    /// How long, such as `500ms` or `1m 30s`.
    Duration,
    /// How many bytes, such as `512KiB`; `0` is any number.
    Size,
    /// How often, or how many.
    Count,
    /// A whole number of hundredths, with or without a sign: `10%` or `10`.
    Percent,
    /// A number with at most three decimals, such as `1.9`.
    Decimal,
    /// `true` or `false`, and perhaps a word that says how.
    Switch,
}

/// Where an annotation may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// On an Ingress only: it names objects beside it.
    Ingress,
    /// On an Ingress, and among the parameters of a class.
    Class,
    /// As [`Scope::Class`], and among the defaults of a gateway.
    Gateway,
    /// As [`Scope::Gateway`], and on a Service, since it is about endpoints. What an Ingress or its class says comes before
    /// what the Service says, and that before the gateway.
    Service,
    /// On an Ingress, and on a Service; in no class and no gateway, for it names objects beside it.
    ServiceOnly,
    /// On a Service, and among the defaults of a gateway; on no Ingress and in no class, for it is about endpoints as all
    /// routes to the Service share them.
    Endpoints,
}

/// What becomes of an annotation whose value cannot be read, besides that it is found. Nothing of it opens a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreadable {
    /// There is no such value: any text can be read.
    Never,
    /// It is left out, as if it were not written.
    LeftOut,
    /// What lets in, trusts or shows the least stands in its place, whatever is said elsewhere.
    Strictest,
    /// Nobody may send requests to its paths: they answer 503. Those that say how somebody else is asked about a request
    /// do so only where somebody is asked.
    Closed,
    /// The paths that it is about are not served, since they would take more than their author means.
    NotServed,
}

impl Scope {
    /// Whether it may stand on an Ingress.
    pub fn has_ingresses(self) -> bool {
        self != Self::Endpoints
    }

    /// Whether it may be a parameter of a class.
    pub fn has_classes(self) -> bool {
        matches!(self, Self::Class | Self::Gateway | Self::Service)
    }

    /// Whether it may be a default of a gateway.
    pub fn has_gateways(self) -> bool {
        matches!(self, Self::Gateway | Self::Service | Self::Endpoints)
    }

    /// Whether it may stand on a Service.
    pub fn has_services(self) -> bool {
        matches!(self, Self::Service | Self::ServiceOnly | Self::Endpoints)
    }
}

/// Reads a value and puts it into its place among the settings.
pub(super) type Read = for<'a> fn(&mut Settings<'a>, &'a str, Report<'_>);
/// Makes a finding of what is wrong with a value.
pub(super) type Report<'r> = &'r mut dyn FnMut(Fault) -> Diagnostic;

/// Reads a value into a place of the settings' [`Treatment`](policy::Treatment).
macro_rules! treat {
    ($($field:ident).+, $parse:expr) => {
        |settings, text, report| {
            crate::translate::annotations::list::read_to(&mut settings.treatment.$($field).+, text, $parse, report)
        }
    };
}
pub(super) use treat;

/// All annotations that are read, family by family.
pub(super) static ANNOTATIONS: LazyLock<Vec<Annotation>> = LazyLock::new(|| {
    let families = [
        MATCHING,
        policy::ANNOTATIONS,
        balance::ANNOTATIONS,
        resilience::ANNOTATIONS,
        health_check::ANNOTATIONS,
        access::ANNOTATIONS,
        client_certificate::ANNOTATIONS,
        basic_auth::ANNOTATIONS,
        jwt::ANNOTATIONS,
        external_auth::ANNOTATIONS,
        client_limits::ANNOTATIONS,
        rewrite::ANNOTATIONS,
        headers::ANNOTATIONS,
        cors::ANNOTATIONS,
        compression::ANNOTATIONS,
        mirror::ANNOTATIONS,
        error_pages::ANNOTATIONS,
        fixed::ANNOTATIONS,
        canary::ANNOTATIONS,
        passthrough::ANNOTATIONS,
    ];
    families.concat()
});

const MATCHING: &[Annotation] = &[
    Annotation {
        name: "path-syntax",
        policy: "matching",
        meaning: "how ImplementationSpecific paths are read: prefix, template or regex",
        default: "`prefix`",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::NotServed,
        read: |settings, text, report| settings.path_syntax = read(text, PathSyntax::parse, report),
    },
    Annotation {
        name: "match-method",
        policy: "matching",
        meaning: "the methods that the paths take, such as GET, HEAD",
        default: "all methods",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::NotServed,
        read: |settings, text, report| settings.methods = read(text, conditions::methods, report),
    },
    Annotation {
        name: "match-header",
        policy: "matching",
        meaning: "header fields that a request must have, one a line: NAME = VALUE, NAME ~ REGEX or NAME",
        default: "nothing is asked",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::NotServed,
        read: |settings, text, report| settings.headers = read(text, conditions::headers, report),
    },
    Annotation {
        name: "match-query",
        policy: "matching",
        meaning: "query parameters that a request must have, one a line: NAME = VALUE, NAME ~ REGEX or NAME",
        default: "nothing is asked",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::NotServed,
        read: |settings, text, report| settings.queries = read(text, conditions::queries, report),
    },
    Annotation {
        name: "split",
        policy: "matching",
        meaning: "Services that share the requests of a backend, one backend a line: SERVICE: SERVICE=WEIGHT, SERVICE=WEIGHT",
        default: "each backend takes all of its requests",
        value: ValueKind::Text,
        scope: Scope::Ingress,
        unreadable: Unreadable::LeftOut,
        read: |settings, text, report| settings.split = read(text, Splits::parse, report),
    },
];

fn read<'a, T>(text: &'a str, parse: fn(&'a str) -> Result<T, Fault>, report: Report<'_>) -> Setting<T> {
    Some(parse(text).map_err(report))
}

/// As [`read`], for what leaves the value of the class, or that of the gateway, where it cannot be used.
pub(super) fn read_to<'a, T>(
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
