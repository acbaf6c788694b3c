//! Requests that somebody made to be slow, and the rules that they are meant for.

use crate::workload::{BenchRule, Requests, repeated};

/// A host whose rules a request of short elements shares most of its path with.
struct Chain {
    host: &'static str,
    rules: usize,
    /// What each path ends with, beyond what the requests have.
    ending: &'static str,
    exact: bool,
}

const CHAINS: [Chain; 6] = [
    Chain { host: "ten.chain.example", rules: 10, ending: "", exact: false },
    Chain { host: "ten-exact.chain.example", rules: 10, ending: "", exact: true },
    Chain { host: "ten-apart.chain.example", rules: 10, ending: "/b", exact: false },
    Chain { host: "many.chain.example", rules: 500, ending: "", exact: false },
    Chain { host: "many-exact.chain.example", rules: 500, ending: "", exact: true },
    Chain { host: "many-apart.chain.example", rules: 500, ending: "/b", exact: false },
];

/// Rules `/a`, `/a/a`, `/a/a/a` and so on, to be added to others.
pub fn rules() -> Vec<BenchRule> {
    let of_chain = |chain: &'static Chain| {
        (1..=chain.rules).map(|elements| BenchRule {
            host: chain.host.into(),
            path: "/a".repeat(elements) + chain.ending,
            exact: chain.exact,
        })
    };
    let long_host = BenchRule { host: long_host(), path: "/a".into(), exact: false };
    CHAINS.iter().flat_map(of_chain).chain([long_host]).collect()
}

/// 253 bytes are the most that a name can have; what is longer is refused before any look-up.
fn long_host() -> String {
    "a.".repeat(126) + "a"
}

/// The requests, each `count` times, and what they are. `known` is a host that has ordinary rules.
pub fn requests(known: &str, count: usize) -> Vec<(String, Requests)> {
    let path = "/a".repeat(4096);
    let about = |chain: &Chain| match (chain.exact, chain.ending) {
        (true, _) => "Exact rules `/a`, `/a/a`, …",
        (false, "") => "Prefix rules `/a`, `/a/a`, …",
        (false, _) => "Prefix rules `/a/b`, `/a/a/b`, …",
    };
    let mut rows = vec![("8 KB of `/a/a/a…`, ordinary rules".into(), repeated(known, &path, count))];
    for chain in &CHAINS {
        let name = format!("8 KB of `/a/a/a…`, {} {}", chain.rules, about(chain));
        rows.push((name, repeated(chain.host, &path, count)));
    }
    let host = long_host();
    rows.push(("host of 127 one-letter labels, hit".into(), repeated(&host, "/a", count)));
    rows.push((
        "host of 127 one-letter labels, miss".into(),
        repeated(&host.replace("a.a", "b.a"), "/a", count),
    ));
    rows
}
