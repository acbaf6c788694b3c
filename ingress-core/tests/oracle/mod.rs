//! A naive reading of the Kubernetes text: split, compare, take the best. Written apart from the crate's
//! code, and slow on purpose. The fuzz targets include this file, too.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses what it needs")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// In order of precedence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    Exact,
    Template,
    Prefix,
    #[default]
    Default,
}

/// A rule; its number is its place in the list. Of two that say the same the first counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OracleRule {
    /// A name, `*.` and a name, or nothing.
    pub host: String,
    pub path: String,
    pub kind: Type,
    pub conditions: Asked,
}

/// What a rule asks for besides. A name without a value asks for any value.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    pub methods: BTreeSet<String>,
    pub headers: BTreeMap<String, Option<String>>,
    pub queries: BTreeMap<String, Option<String>>,
}

/// A request: host and path normalised, header names in lower case, a query without escapes.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub host: String,
    pub path: String,
    pub method: String,
    pub headers: Vec<(String, String)>,
    pub query: Option<String>,
}

/// The number of the rule without conditions that takes a normalised host and path.
pub fn find(rules: &[OracleRule], host: &str, path: &str) -> Option<usize> {
    let request = Request { host: host.into(), path: path.into(), ..Request::default() };
    find_request(rules, false, &request)
}

/// The number of the rule that takes a request; `fallthrough` is `HostFallthrough::Always`.
pub fn find_request(rules: &[OracleRule], fallthrough: bool, request: &Request) -> Option<usize> {
    let host = request.host.as_str();
    let levels: [&dyn Fn(&str) -> bool; 3] = [
        &|rule| !rule.is_empty() && rule == host,
        &|rule| {
            let Some(suffix) = rule.strip_prefix("*.") else { return false };
            let labels: Vec<_> = host.split('.').collect();
            labels.len() > 1 && labels[1..].join(".") == suffix
        },
        &|rule| rule.is_empty(),
    ];
    let best = |takes_rule: &dyn Fn(&OracleRule) -> bool| {
        let takes = |rule: &OracleRule| {
            takes_rule(rule) && takes_path(rule, &request.path) && rule.conditions.met_by(request)
        };
        (0..rules.len()).filter(|&i| takes(&rules[i])).min_by_key(|&i| rank(&rules[i]))
    };
    // The first level at which any rule takes the host owns the request.
    let mut owners = levels.into_iter().filter(|takes| rules.iter().any(|rule| takes(&rule.host)));
    let asked = if fallthrough { levels.len() } else { 1 };
    let mut found = owners.by_ref().take(asked).filter_map(|takes| best(&|rule| takes(&rule.host)));
    found.next().or_else(|| best(&|rule| rule.host.is_empty() && rule.kind == Type::Default))
}

/// The least is the strongest.
fn rank(rule: &OracleRule) -> impl Ord + use<> {
    let wildness = |element: &str| match element {
        name if name.starts_with("{*") => 2,
        name if name.starts_with('{') => 1,
        _ => 0,
    };
    let shape: Vec<_> = match rule.kind {
        Type::Template => rule.path.split('/').map(wildness).collect(),
        _ => Vec::new(),
    };
    let length = if rule.kind == Type::Template { 0 } else { rule.path.len() };
    let Asked { methods, headers, queries } = &rule.conditions;
    let conditions = (methods.is_empty(), Reverse(headers.len()), Reverse(queries.len()));
    (rule.kind, shape, Reverse(length), conditions)
}

fn takes_path(rule: &OracleRule, path: &str) -> bool {
    match rule.kind {
        Type::Exact => rule.path == path,
        Type::Template => is_like(&rule.path, path),
        Type::Prefix => is_prefix(&rule.path, path),
        Type::Default => true,
    }
}

/// "Matches based on a URL path prefix split by `/`, element by element"; a trailing slash is ignored.
fn is_prefix(rule: &str, path: &str) -> bool {
    let rule: Vec<_> = rule.strip_suffix('/').unwrap_or(rule).split('/').collect();
    let path: Vec<_> = path.split('/').collect();
    rule.len() <= path.len() && rule.iter().zip(&path).all(|(a, b)| a == b)
}

/// "a named element takes one element that is not empty, `{*name}` at the end takes one or more".
fn is_like(template: &str, path: &str) -> bool {
    let path: Vec<_> = path.split('/').collect();
    let template: Vec<_> = template.split('/').collect();
    let has_rest = template.last().is_some_and(|last| last.starts_with("{*"));
    let (fixed, enough) = if has_rest {
        let fixed = template.len() - 1;
        (fixed, path.len() > fixed && path[fixed..] != [""])
    } else {
        (template.len(), path.len() == template.len())
    };
    let same = |(a, b): (&&str, &&str)| if a.starts_with('{') { !b.is_empty() } else { a == b };
    enough && template[..fixed].iter().zip(&path).all(same)
}

impl Asked {
    fn met_by(&self, request: &Request) -> bool {
        let has_value = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|w| w == value);
        let pairs = request.query.iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty());
        let pairs: Vec<_> = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
        (self.methods.is_empty() || self.methods.contains(&request.method))
            && self.headers.iter().all(|(name, wanted)| {
                request.headers.iter().any(|(known, value)| known == name && has_value(wanted, value))
            })
            && self.queries.iter().all(|(name, wanted)| {
                pairs
                    .iter()
                    .find(|(known, _)| known == name)
                    .is_some_and(|(_, value)| has_value(wanted, value))
            })
    }
}

/// Leaves the first of several rules with the same host, path and type.
pub fn without_conflicts(mut rules: Vec<OracleRule>) -> Vec<OracleRule> {
    let mut kept: Vec<OracleRule> = Vec::new();
    for rule in rules.drain(..) {
        let key = |rule: &OracleRule| (rule.host.clone(), rule.kind, rule.path.clone());
        if !kept.iter().any(|other| key(other) == key(&rule)) {
            kept.push(rule);
        }
    }
    kept
}
