//! Requests that stand for all those that a rule takes.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::region::Region;
use crate::{
    AmbiguousPath, Conditions, HostMatch, HostName, PathMatch, RequestHead, RequestHost, RequestPath,
    RouteMatch, RouteTable,
};

/// How many paths stand for an expression.
const VARIANTS: usize = 6;

/// A request that can be sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SampleRequest {
    /// The method.
    pub method: Box<str>,
    /// The host.
    pub host: Box<str>,
    /// The path.
    pub path: Box<str>,
    /// The query, without its question mark.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub query: Option<Box<str>>,
    /// The header fields that rules ask for.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub headers: Vec<(Box<str>, Box<str>)>,
}

/// What the requests for two tables have in common.
pub(super) struct Samples {
    /// A word that no rule has in its host or path.
    pub(super) token: String,
    exact: BTreeSet<HostName>,
    wildcards: BTreeSet<HostName>,
    /// Wildcards that are reserved at any depth.
    reserved: BTreeSet<HostName>,
}

/// A host that stands for all those that the same rules take.
pub(super) struct SampleHost {
    /// How it is shown.
    pub(super) text: Box<str>,
    pub(super) name: String,
    /// The hosts of rules that take it.
    pub(super) matches: Vec<HostMatch>,
}

// ===== impl Samples =====

impl Samples {
    pub(super) fn of(tables: [&RouteTable; 2]) -> Self {
        let routes: Vec<_> =
            tables.into_iter().flat_map(RouteTable::routes).map(|found| found.route).collect();
        let is_free = |token: &String| {
            routes.iter().all(|route| {
                !route.path().as_str().contains(&**token) && !route.host().to_string().contains(&**token)
            })
        };
        let tokens = (1..).map(|number| if number == 1 { "any".into() } else { format!("any{number}") });
        let token = tokens.into_iter().find(is_free).unwrap_or_default();
        let mut samples =
            Self { token, exact: BTreeSet::new(), wildcards: BTreeSet::new(), reserved: BTreeSet::new() };
        let reserved = || tables.into_iter().flat_map(RouteTable::reserved_hosts).cloned();
        for host in routes.iter().map(|route| route.host()).chain(reserved()) {
            match host {
                HostMatch::Exact(name) => samples.exact.insert(name),
                HostMatch::Wildcard(suffix) => samples.wildcards.insert(suffix),
                HostMatch::Any => false,
            };
        }
        let below = |host: HostMatch| match host {
            HostMatch::Wildcard(suffix) => Some(suffix),
            _ => None,
        };
        samples.reserved = reserved().filter_map(below).collect();
        samples
    }

    /// The hosts to ask for: exact ones, wildcards, and one that no rule names.
    pub(super) fn hosts(&self) -> impl Iterator<Item = SampleHost> {
        let token = &self.token;
        let exact = self.exact.iter().map(|name| {
            let parent = name.as_str().split_once('.').and_then(|(_, parent)| parent.parse().ok());
            let wildcard = parent.map(HostMatch::Wildcard);
            let exact = Some(HostMatch::Exact(name.clone()));
            let matches = [exact, wildcard, Some(HostMatch::Any)].into_iter().flatten().collect();
            SampleHost { text: name.as_str().into(), name: name.to_string(), matches }
        });
        let wildcards = self.wildcards.iter().map(move |suffix| SampleHost {
            text: format!("*.{suffix}").into(),
            name: format!("{token}.{suffix}"),
            matches: vec![HostMatch::Wildcard(suffix.clone()), HostMatch::Any],
        });
        let reserved = self.reserved.iter().map(move |suffix| SampleHost {
            text: format!("*.*.{suffix}").into(),
            name: format!("{token}.{token}.{suffix}"),
            matches: vec![HostMatch::Any],
        });
        let any = SampleHost {
            text: "*".into(),
            name: format!("{token}.{token}.invalid"),
            matches: vec![HostMatch::Any],
        };
        exact.chain(wildcards).chain(reserved).chain([any])
    }
}

// ===== impl SampleRequest =====

/// Requests for a host that a region has; none where none is easily found. A region without conditions has also those that
/// meet the conditions of `others`, which may be what is left when it goes.
pub(super) fn requests(
    region: &Region<'_>,
    others: &[&Conditions],
    host: &str,
    token: &str,
) -> Vec<SampleRequest> {
    let others = others.iter().copied().filter(|_| region.conditions.is_empty());
    let asked = std::iter::once(region.conditions).chain(others).filter_map(Conditions::sample);
    let paths = paths(&region.path, token);
    let requests = asked.flat_map(|(method, headers, query)| {
        paths.iter().map(move |path| SampleRequest {
            method: method.clone(),
            host: host.into(),
            path: path.as_str().into(),
            query: query.clone(),
            headers: headers.clone(),
        })
    });
    requests.collect()
}

/// Paths that a match takes: those next to its border, and some deep below.
fn paths(path: &PathMatch, token: &str) -> Vec<String> {
    let below = |folder: &str| {
        let (one, two) = (format!("{folder}/{token}"), format!("{folder}/{token}/{token}"));
        vec![format!("{folder}/"), one, two.clone(), format!("{two}/{token}")]
    };
    match path {
        PathMatch::Exact(text) => vec![text.as_str().into()],
        PathMatch::Template(template) => vec![template.sample()],
        PathMatch::Regex(pattern) => {
            // It has to be a path that stays what it is.
            let is_path = |path: &String| RequestPath::parse(path).is_ok_and(|read| read.as_str() == path);
            let mut paths: Vec<_> =
                (0..VARIANTS).filter_map(|variant| pattern.sample(variant)).filter(is_path).collect();
            paths.dedup();
            paths
        }
        PathMatch::Prefix(text) => {
            let folder = text.without_slash();
            let mut paths = below(folder);
            if !folder.is_empty() {
                paths.insert(0, folder.into());
            }
            paths
        }
        PathMatch::Default => below(""),
    }
}

impl SampleRequest {
    /// The route that takes it.
    pub(super) fn ask<'t>(&self, table: &'t RouteTable) -> Result<Option<RouteMatch<'t>>, AmbiguousPath> {
        let (Ok(host), Ok(path)) = (RequestHost::parse(&self.host), RequestPath::parse(&self.path)) else {
            return Ok(None);
        };
        let method = Method::from_bytes(self.method.as_bytes()).unwrap_or_default();
        let field = |(name, value): &(Box<str>, Box<str>)| {
            Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?))
        };
        let headers: HeaderMap = self.headers.iter().filter_map(field).collect();
        let head = RequestHead::new(&host, &path).method(&method).headers(&headers);
        table.lookup(&head.query(self.query.as_deref()))
    }
}
