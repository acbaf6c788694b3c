//! Rules and requests.

use std::collections::HashSet;
use std::ops::Range;

use ingress_core::{RequestHost, RequestPath};

use crate::Random;

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

/// What the requests of a row have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The path of a rule of an exact host.
    Hit,
    /// Three more elements below a Prefix of an exact host.
    Deep,
    /// The path of a rule of a wildcard host.
    Wildcard,
    /// A known host and a path that no rule takes.
    MissPath,
    /// A host that no rule names.
    MissHost,
}

/// Which hosts the requests of a mixed stream name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Popularity {
    /// The n-th most popular host has one n-th of the first one's requests.
    Zipf,
    /// All alike.
    Uniform,
}

/// Requests in the order of use. Their text lies in one piece, as the buffers of a server would have it: just
/// read, so that only the table can be cold.
#[derive(Debug)]
pub struct Requests {
    /// Hosts, lower-case and without port, and paths, normalised.
    pub texts: Vec<(&'static str, &'static str)>,
    /// The same, read.
    pub prepared: Vec<(RequestHost<'static>, RequestPath<'static>)>,
}

/// Text of requests, one behind the other.
#[derive(Default)]
struct Writer {
    text: String,
    /// Where a path begins and where it ends; the host begins where the request before ended.
    ends: Vec<(usize, usize)>,
}

const WORDS: [&str; 24] = [
    "api", "v1", "v2", "users", "orders", "cart", "items", "search", "static", "images", "login", "account",
    "admin", "metrics", "reports", "billing", "invoices", "payments", "catalog", "reviews", "health",
    "graphql", "events", "files",
];

/// `routes` different rules on hosts that have about `per_host` rules each; those of a host follow each other.
pub fn rules(routes: usize, per_host: usize, seed: u64) -> Vec<BenchRule> {
    let mut random = Random::new(seed);
    let mut rules = Vec::with_capacity(routes);
    for number in 0.. {
        let wild = if number % 10 == 4 { "*." } else { "" };
        let host = format!("{wild}shop-{number}.{}.example.com", random.of(&WORDS[..]));
        let here = (per_host / 2 + random.below(per_host)).clamp(1, routes - rules.len());
        let mut seen = HashSet::with_capacity(here);
        while seen.len() < here {
            let elements = 1 + random.below(4);
            let path = path(&mut random, elements, if per_host > 100 { 3 } else { 1 });
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

/// Where the rules of each host are.
pub fn hosts(rules: &[BenchRule]) -> Vec<Range<usize>> {
    let mut start = 0;
    let chunks = rules.chunk_by(|a, b| a.host == b.host);
    let range = |chunk: &[BenchRule]| {
        start += chunk.len();
        start - chunk.len()..start
    };
    chunks.map(range).collect()
}

/// `count` requests over all rules: one in ten misses, by host or by path, and those for a Prefix have elements below
/// it, up to six in all.
pub fn mixed(rules: &[BenchRule], popularity: Popularity, count: usize, seed: u64) -> Requests {
    let mut random = Random::new(seed);
    let mut hosts = hosts(rules);
    // What is popular must not lie together.
    for last in (1..hosts.len()).rev() {
        hosts.swap(last, random.below(last + 1));
    }
    let sums: Vec<f64> = (1..=hosts.len())
        .scan(0.0, |sum, rank| {
            *sum += 1.0 / rank as f64;
            Some(*sum)
        })
        .collect();
    let mut requests = Writer::default();
    for number in 0..count {
        let host = match popularity {
            Popularity::Uniform => random.below(hosts.len()),
            Popularity::Zipf => {
                let place = random.fraction() * sums[hosts.len() - 1];
                sums.partition_point(|sum| *sum < place).min(hosts.len() - 1)
            }
        };
        let rule = random.of(&rules[hosts[host].clone()]);
        let miss = random.below(20);
        let host = if miss == 0 { unknown_host(number) } else { known_host(rule, number) };
        let mut path_text = if miss == 1 { format!("/none{}", rule.path) } else { rule.path.clone() };
        if !rule.exact {
            let want = 3 + random.below(4);
            let more = want.saturating_sub(rule.path.matches('/').count());
            path_text.push_str(&path(&mut random, more, 2));
        }
        requests.push(&host, &path_text);
    }
    requests.finish()
}

/// `count` requests of one kind, spread evenly over the rules.
pub fn of_kind(rules: &[BenchRule], kind: Kind, count: usize, seed: u64) -> Requests {
    let mut random = Random::new(seed);
    let fits = |rule: &&BenchRule| match kind {
        Kind::Hit => !rule.host.starts_with('*'),
        Kind::Deep => !rule.host.starts_with('*') && !rule.exact,
        Kind::Wildcard => rule.host.starts_with('*'),
        Kind::MissPath | Kind::MissHost => true,
    };
    let fitting: Vec<_> = rules.iter().filter(fits).collect();
    let mut requests = Writer::default();
    for number in 0..count {
        let rule = random.of(&fitting);
        let known = known_host(rule, number);
        match kind {
            Kind::Hit | Kind::Wildcard => requests.push(&known, &rule.path),
            Kind::Deep => requests.push(&known, &format!("{}{}", rule.path, path(&mut random, 3, 1))),
            Kind::MissPath => requests.push(&known, &format!("/none{}", rule.path)),
            Kind::MissHost => requests.push(&unknown_host(number), &rule.path),
        }
    }
    requests.finish()
}

/// `count` times the same request.
pub fn repeated(host: &str, path: &str, count: usize) -> Requests {
    let mut requests = Writer::default();
    (0..count).for_each(|_| requests.push(host, path));
    requests.finish()
}

fn path(random: &mut Random, elements: usize, variety: usize) -> String {
    let mut path = String::new();
    for _ in 0..elements {
        path.push('/');
        path.push_str(random.of::<&str>(&WORDS));
        // A number makes room for hundreds of different paths on one host.
        if random.below(4) < variety {
            path.push_str(&random.below(10 * variety).to_string());
        }
    }
    path
}

/// Neither it nor its suffix is known, and each number has another suffix: one alone may happen to be hard to find.
fn unknown_host(number: usize) -> String {
    format!("gone.shop-{number}.example.net")
}

fn known_host(rule: &BenchRule, number: usize) -> String {
    match rule.host.strip_prefix("*.") {
        Some(suffix) => format!("tenant-{number}.{suffix}"),
        None => rule.host.clone(),
    }
}

// ===== impl Writer =====

impl Writer {
    fn push(&mut self, host: &str, path: &str) {
        self.text.push_str(host);
        let middle = self.text.len();
        self.text.push_str(path);
        self.ends.push((middle, self.text.len()));
    }

    fn finish(self) -> Requests {
        // A benchmark lives as long as its requests, so nothing is lost by leaking their text.
        let text: &'static str = self.text.leak();
        let starts = std::iter::once(0).chain(self.ends.iter().map(|&(_, end)| end));
        let cut =
            |(start, &(middle, end)): (usize, &(usize, usize))| (&text[start..middle], &text[middle..end]);
        let texts: Vec<_> = starts.zip(&self.ends).map(cut).collect();
        let read = |&(host, path): &(&'static str, &'static str)| {
            let host = RequestHost::parse(host).expect("generated hosts are valid");
            (host, RequestPath::parse(path).expect("generated paths are valid"))
        };
        let prepared = texts.iter().map(read).collect();
        Requests { texts, prepared }
    }
}

// ===== impl Requests =====

impl Requests {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}
