//! A naive reading of the Kubernetes text: split, compare, take the best. Written apart from the crate's
//! code, and slow on purpose. The fuzz targets include this file, too.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses what it needs")]

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    Exact,
    Prefix,
    Default,
}

/// A rule; its number is its place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OracleRule {
    /// A name, `*.` and a name, or nothing.
    pub host: String,
    pub path: String,
    pub kind: Type,
}

/// The number of the rule that takes a normalised host and path.
pub fn find(rules: &[OracleRule], host: &str, path: &str) -> Option<usize> {
    let levels: [&dyn Fn(&str) -> bool; 3] = [
        &|rule| !rule.is_empty() && rule == host,
        &|rule| {
            let Some(suffix) = rule.strip_prefix("*.") else { return false };
            let labels: Vec<_> = host.split('.').collect();
            labels.len() > 1 && labels[1..].join(".") == suffix
        },
        &|rule| rule.is_empty(),
    ];
    // The first level at which any rule takes the host owns the request.
    let owner = levels.into_iter().find(|takes| rules.iter().any(|rule| takes(&rule.host)));
    let of_host = |kind: &dyn Fn(&OracleRule) -> bool| {
        let takes = owner?;
        (0..rules.len())
            .filter(|&i| takes(&rules[i].host) && kind(&rules[i]))
            .max_by_key(|&i| rules[i].path.len())
    };
    of_host(&|rule| rule.kind == Type::Exact && rule.path == path)
        .or_else(|| of_host(&|rule| rule.kind == Type::Prefix && is_prefix(&rule.path, path)))
        .or_else(|| of_host(&|rule| rule.kind == Type::Default))
        .or_else(|| rules.iter().position(|rule| rule.kind == Type::Default && rule.host.is_empty()))
}

/// "Matches based on a URL path prefix split by `/`, element by element"; a trailing slash is ignored.
fn is_prefix(rule: &str, path: &str) -> bool {
    let rule: Vec<_> = rule.strip_suffix('/').unwrap_or(rule).split('/').collect();
    let path: Vec<_> = path.split('/').collect();
    rule.len() <= path.len() && rule.iter().zip(&path).all(|(a, b)| a == b)
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
