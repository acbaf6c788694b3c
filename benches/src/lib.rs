//! Rule sets and requests for benchmarks, made from a seed, and the engines that are compared on them.
//!
//! The shape is that of ingress controllers which many teams share: many hosts with about ten rules each, one in ten of
//! them a wildcard, seven rules in ten a Prefix; or few hosts with hundreds of rules.

pub mod engines;

use std::collections::HashSet;

use ingress_core::{RequestHost, RequestPath};

/// A rule without its backend, which is its number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BenchRule {
    /// A name, or `*.` and a name.
    pub host: String,
    /// Without a slash at its end.
    pub path: String,
    /// Exact instead of Prefix.
    pub exact: bool,
}

/// A request as text, and read.
#[derive(Clone, Debug)]
pub struct BenchRequest {
    /// The host, lower-case and without port.
    pub host: &'static str,
    /// The path, normalised.
    pub path: &'static str,
    /// `host`, read.
    pub request_host: RequestHost<'static>,
    /// `path`, read.
    pub request_path: RequestPath<'static>,
}

/// What the requests of a row have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The path of a rule.
    Hit,
    /// Three more elements below a Prefix.
    Deep,
    /// An unknown path of a known host, or an unknown host, by turns.
    Miss,
}

/// SplitMix64 (Steele, Lea and Flood 2014): small, and the same on every machine.
#[derive(Clone, Debug)]
pub struct Random(u64);

const WORDS: [&str; 24] = [
    "api", "v1", "v2", "users", "orders", "cart", "items", "search", "static", "images", "login", "account",
    "admin", "metrics", "reports", "billing", "invoices", "payments", "catalog", "reviews", "health",
    "graphql", "events", "files",
];

impl Random {
    /// A generator with its own sequence for each seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    fn path(&mut self, elements: usize, variety: usize) -> String {
        let mut path = String::new();
        for _ in 0..elements {
            path.push('/');
            path.push_str(WORDS[self.below(WORDS.len())]);
            // A number makes room for hundreds of different paths on one host.
            if self.below(4) < variety {
                path.push_str(&self.below(10 * variety).to_string());
            }
        }
        path
    }
}

/// `routes` different rules on hosts that have about `per_host` rules each.
pub fn rules(routes: usize, per_host: usize, seed: u64) -> Vec<BenchRule> {
    let mut random = Random::new(seed);
    let (mut rules, mut seen) = (Vec::with_capacity(routes), HashSet::with_capacity(routes));
    for number in 0.. {
        let wild = if random.below(10) == 0 { "*." } else { "" };
        let host = format!("{wild}shop-{number}.{}.example.com", WORDS[random.below(WORDS.len())]);
        let here = (per_host / 2 + random.below(per_host)).clamp(1, routes - rules.len());
        let end = rules.len() + here;
        while rules.len() < end {
            let elements = 1 + random.below(4);
            let path = random.path(elements, if per_host > 100 { 3 } else { 1 });
            let rule = BenchRule { host: host.clone(), path, exact: random.below(10) >= 7 };
            if seen.insert(rule.clone()) {
                rules.push(rule);
            }
        }
        if rules.len() == routes {
            break;
        }
    }
    rules
}

/// `count` requests of one kind, spread evenly over the rules.
pub fn requests(rules: &[BenchRule], kind: Kind, count: usize, seed: u64) -> Vec<BenchRequest> {
    let mut random = Random::new(seed);
    let prefixes: Vec<_> = rules.iter().filter(|rule| !rule.exact).collect();
    let request = |number| {
        let any = &rules[random.below(rules.len())];
        let (host, path) = match kind {
            Kind::Hit => (known_host(any, number), any.path.clone()),
            Kind::Deep => {
                let rule = prefixes[random.below(prefixes.len())];
                (known_host(rule, number), format!("{}{}", rule.path, random.path(3, 1)))
            }
            Kind::Miss if number % 2 == 0 => (known_host(any, number), format!("/none{}", random.path(3, 1))),
            Kind::Miss => (format!("gone-{number}.example.com"), any.path.clone()),
        };
        BenchRequest::new(host, path)
    };
    (0..count).map(request).collect()
}

fn known_host(rule: &BenchRule, number: usize) -> String {
    match rule.host.strip_prefix("*.") {
        Some(suffix) => format!("tenant-{number}.{suffix}"),
        None => rule.host.clone(),
    }
}

impl BenchRequest {
    fn new(host: String, path: String) -> Self {
        // The benchmark lives as long as its requests, so nothing is lost by leaking their text.
        let (host, path): (&'static str, &'static str) = (host.leak(), path.leak());
        let request_host = RequestHost::parse(host).expect("generated hosts are valid");
        let request_path = RequestPath::parse(path).expect("generated paths are valid");
        Self { host, path, request_host, request_path }
    }
}
