//! The table and what it is measured against.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use ingress_core::{BackendRef, PathMatch, PortRef, RequestHead, RequestHost, RequestPath, RouteTable, Rule};

use crate::{BenchRequest, BenchRule};

/// Something that finds the number of the rule that takes a request.
pub trait Engine {
    /// Its name in the tables.
    fn name(&self) -> &'static str;

    /// The number of the rule that takes the request.
    fn find(&self, request: &BenchRequest) -> Option<u32>;

    /// Finds all, and adds up what was found so that nothing is optimised away.
    fn pass(&self, requests: &[BenchRequest]) -> u64 {
        requests.iter().map(|request| self.find(request).map_or(0, |number| u64::from(number) + 1)).sum()
    }
}

/// All engines, holding the same rules.
pub fn engines(rules: &[BenchRule]) -> Vec<Box<dyn Engine>> {
    let table = std::rc::Rc::new(Table::new(rules));
    vec![
        Box::new(Prepared(table.clone())),
        Box::new(FromText(table)),
        Box::new(Matchit::new(rules)),
        Box::new(SortedList::new(rules)),
    ]
}

/// `ingress_core::RouteTable`. The name of a backend is the number of its rule.
struct Table {
    table: RouteTable,
}

struct Prepared(std::rc::Rc<Table>);
struct FromText(std::rc::Rc<Table>);

/// A hash map of hosts, each with a matchit router.
struct Matchit(ByHost<matchit::Router<Found>>);

/// A hash map of hosts, each with its rules in order of precedence.
struct SortedList(ByHost<Vec<(BenchRule, u32)>>);

/// Exact hosts before wildcards. The hash is the table's own, so that it makes no difference.
struct ByHost<T> {
    exact: HashMap<String, T, RandomState>,
    wildcard: HashMap<String, T, RandomState>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Found {
    exact: Option<u32>,
    prefix: Option<u32>,
}

// ===== impl Table =====

impl Table {
    fn new(rules: &[BenchRule]) -> Self {
        let mut builder = RouteTable::builder();
        for (number, rule) in rules.iter().enumerate() {
            let path = if rule.exact { PathMatch::exact(&rule.path) } else { PathMatch::prefix(&rule.path) };
            let backend = BackendRef::service("bench", number.to_string(), PortRef::Number(80));
            let host = rule.host.parse().expect("generated hosts are valid");
            builder.rule(Rule::new(host, path.expect("generated paths are valid"), backend));
        }
        let table = builder.build().0;
        Self { table }
    }

    fn find(&self, host: &RequestHost<'_>, path: &RequestPath<'_>) -> Option<u32> {
        let found = self.table.lookup(&RequestHead::new(host, path)).ok()??;
        match found.backend(|_| 0)?.reference() {
            BackendRef::Service(service) => service.name.parse().ok(),
            BackendRef::Resource(_) => None,
        }
    }

    /// The address of what was found: like the numbers of the other engines, it comes without reading the
    /// backend itself.
    #[inline]
    fn address(&self, host: &RequestHost<'_>, path: &RequestPath<'_>) -> usize {
        let found = self.table.lookup(&RequestHead::new(host, path)).ok().flatten();
        let backend = found.and_then(|found| found.backend(|_| 0));
        backend.map_or(0, |backend| std::ptr::from_ref(backend).addr())
    }
}

impl Engine for Prepared {
    fn name(&self) -> &'static str {
        "ingress-core"
    }

    fn find(&self, request: &BenchRequest) -> Option<u32> {
        self.0.find(&request.request_host, &request.request_path)
    }

    fn pass(&self, requests: &[BenchRequest]) -> u64 {
        let address = |request: &BenchRequest| self.0.address(&request.request_host, &request.request_path);
        requests.iter().fold(0, |sum, request| sum.wrapping_add(address(request) as u64))
    }
}

impl Engine for FromText {
    fn name(&self) -> &'static str {
        "ingress-core, host and path read"
    }

    fn find(&self, request: &BenchRequest) -> Option<u32> {
        self.0.find(&RequestHost::parse(request.host).ok()?, &RequestPath::parse(request.path).ok()?)
    }

    fn pass(&self, requests: &[BenchRequest]) -> u64 {
        let address = |request: &BenchRequest| {
            let (host, path) =
                (RequestHost::parse(request.host).ok()?, RequestPath::parse(request.path).ok()?);
            Some(self.0.address(&host, &path))
        };
        requests.iter().fold(0, |sum, request| sum.wrapping_add(address(request).unwrap_or(0) as u64))
    }
}

// ===== impl ByHost =====

impl<T> ByHost<T> {
    fn new(rules: &[BenchRule], build: impl Fn(Vec<(BenchRule, u32)>) -> T) -> Self {
        let mut hosts: BTreeMap<&str, Vec<(BenchRule, u32)>> = BTreeMap::new();
        for (number, rule) in rules.iter().enumerate() {
            hosts.entry(&rule.host).or_default().push((rule.clone(), number as u32));
        }
        let mut by_host = Self { exact: HashMap::default(), wildcard: HashMap::default() };
        for (host, rules) in hosts {
            match host.strip_prefix("*.") {
                Some(suffix) => by_host.wildcard.insert(suffix.into(), build(rules)),
                None => by_host.exact.insert(host.into(), build(rules)),
            };
        }
        by_host
    }

    #[inline]
    fn get(&self, host: &str) -> Option<&T> {
        self.exact.get(host).or_else(|| self.wildcard.get(host.split_once('.')?.1))
    }
}

// ===== impl Matchit =====

impl Matchit {
    fn new(rules: &[BenchRule]) -> Self {
        Self(ByHost::new(rules, router))
    }
}

/// A Prefix is three texts to matchit; what falls on one text is merged first, as it takes each text once.
fn router(rules: Vec<(BenchRule, u32)>) -> matchit::Router<Found> {
    let mut texts: BTreeMap<String, Found> = BTreeMap::new();
    for (rule, number) in rules {
        if rule.exact {
            texts.entry(rule.path).or_default().exact = Some(number);
            continue;
        }
        for ending in ["", "/", "/{*rest}"] {
            texts.entry(format!("{}{ending}", rule.path)).or_default().prefix = Some(number);
        }
    }
    let mut router = matchit::Router::new();
    for (text, found) in texts {
        router.insert(text, found).expect("generated paths hold no braces");
    }
    router
}

impl Engine for Matchit {
    fn name(&self) -> &'static str {
        "matchit per host"
    }

    fn find(&self, request: &BenchRequest) -> Option<u32> {
        let found = self.0.get(request.host)?.at(request.path).ok()?.value;
        found.exact.or(found.prefix)
    }
}

// ===== impl SortedList =====

impl SortedList {
    fn new(rules: &[BenchRule]) -> Self {
        Self(ByHost::new(rules, |mut rules| {
            rules.sort_by_key(|(rule, _)| (!rule.exact, std::cmp::Reverse(rule.path.len())));
            rules
        }))
    }
}

impl Engine for SortedList {
    fn name(&self) -> &'static str {
        "sorted list per host"
    }

    fn find(&self, request: &BenchRequest) -> Option<u32> {
        let takes = |(rule, _): &&(BenchRule, u32)| match request.path.strip_prefix(&*rule.path) {
            Some(rest) if rule.exact => rest.is_empty(),
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        };
        self.0.get(request.host)?.iter().find(takes).map(|&(_, number)| number)
    }
}
