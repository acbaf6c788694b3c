//! How many instructions does a lookup take? A gate that no busy machine moves.
//!
//! Needs valgrind and the runner of the very version of gungraun in `Cargo.lock`
//! (`cargo install --locked gungraun-runner --version =X`):
//!
//! ```sh
//! cargo bench -p benches --features instructions --bench instructions
//! ```
//!
//! Each row is a number of lookups in one table; making table and requests is not counted. `instructions.txt` has the
//! count of each row. More than 5 % above it is a failure. After a change that is meant to cost or to save, the new
//! counts go there; what the command above prints is made into that file by
//!
//! ```sh
//! awk '/^instructions::/ { split($2, row, ":") } /Instructions:/ { split($2, n, "|"); print row[1], n[1] }'
//! ```
//!
//! The hashes of each table that is built from nothing have seeds of their own, and with few hosts a table's seeds say
//! much about its cost. Such a row looks up little in each of hundreds of tables, so that the counts of two runs are
//! within 2 % of each other.

// Gungraun's macros make public items that have no documentation.
#![allow(missing_docs, unreachable_pub, reason = "made by macros")]

use std::hint::black_box;

use benches::engines::CoreTable;
use benches::proxied::{self, Warm};
use benches::workload::{self, BenchRule, Kind, Requests};
use benches::{hostile, oracle::Oracle};
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use http::Request;
use ingress_tower::Body;

/// The row's name and its count of instructions.
const EXPECTED: &str = include_str!("instructions.txt");

/// Tables of the same rules, which differ in the seeds of their hashes, each with what is looked up in it.
struct Case(Vec<(CoreTable, Requests)>);

impl Case {
    /// Looks all up, by the function for one table; the sum of what was found.
    fn pass(&self, table: impl Fn(&CoreTable, &Requests) -> u64) -> u64 {
        self.0.iter().map(|(one, requests)| table(one, black_box(requests))).sum()
    }
}

/// The limit of a row.
fn limit(row: &str) -> LibraryBenchmarkConfig {
    let own = EXPECTED.lines().find_map(|line| line.strip_prefix(row)?.strip_prefix(' '));
    let expected: u64 = own.and_then(|count| count.trim().parse().ok()).unwrap_or(0);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::default().hard_limits([(EventKind::Ir, expected + expected / 20)]));
    config
}

/// Lookups of one kind, spread over a table.
fn case((routes, per_host, kind): (usize, usize, Kind)) -> Case {
    let rules = workload::rules(routes, per_host, 1);
    let tables = (25_000 / routes).clamp(2, 256);
    checked(&rules, tables, |seed| workload::of_kind(&rules, kind, 4096 / tables, seed))
}

/// The same hostile request over and over, by its number, and the rules that it is for.
fn hostile_case(number: usize) -> Case {
    let mut rules = workload::rules(100, 10, 1);
    let known = rules.iter().find(|rule| !rule.host.starts_with('*')).expect("most are names").host.clone();
    let requests = || hostile::requests(&known, 2).swap_remove(number).1;
    let host = requests().texts[0].0;
    rules.extend(hostile::rules().into_iter().filter(|rule| rule.host == host));
    checked(&rules, 64, |_| requests())
}

fn checked(rules: &[BenchRule], tables: usize, requests: impl Fn(u64) -> Requests) -> Case {
    let oracle = Oracle::new(rules);
    let table = |seed| {
        let (table, requests) = (CoreTable::new(rules), requests(seed));
        let (host, path) = requests.texts[0];
        assert_eq!(table.find_text(host, path), oracle.find(host, path));
        (table, requests)
    };
    Case((0..tables as u64).map(table).collect())
}

#[library_benchmark(setup = case)]
#[bench::hit_100(args = ((100, 10, Kind::Hit)), config = limit("hit_100"))]
#[bench::deep_100(args = ((100, 10, Kind::Deep)), config = limit("deep_100"))]
#[bench::wildcard_100(args = ((100, 10, Kind::Wildcard)), config = limit("wildcard_100"))]
#[bench::miss_path_100(args = ((100, 10, Kind::MissPath)), config = limit("miss_path_100"))]
#[bench::miss_host_100(args = ((100, 10, Kind::MissHost)), config = limit("miss_host_100"))]
#[bench::hit_10k(args = ((10_000, 10, Kind::Hit)), config = limit("hit_10k"))]
#[bench::deep_10k(args = ((10_000, 10, Kind::Deep)), config = limit("deep_10k"))]
#[bench::wildcard_10k(args = ((10_000, 10, Kind::Wildcard)), config = limit("wildcard_10k"))]
#[bench::miss_path_10k(args = ((10_000, 10, Kind::MissPath)), config = limit("miss_path_10k"))]
#[bench::miss_host_10k(args = ((10_000, 10, Kind::MissHost)), config = limit("miss_host_10k"))]
#[bench::hit_500_a_host(args = ((10_000, 500, Kind::Hit)), config = limit("hit_500_a_host"))]
#[bench::deep_500_a_host(args = ((10_000, 500, Kind::Deep)), config = limit("deep_500_a_host"))]
#[bench::miss_path_500_a_host(args = ((10_000, 500, Kind::MissPath)), config = limit("miss_path_500_a_host"))]
fn prepared(case: Case) -> (Case, u64) {
    let sum = case.pass(CoreTable::pass);
    (case, sum)
}

#[library_benchmark(setup = case)]
#[bench::text_hit_10k(args = ((10_000, 10, Kind::Hit)), config = limit("text_hit_10k"))]
#[bench::text_deep_10k(args = ((10_000, 10, Kind::Deep)), config = limit("text_deep_10k"))]
fn from_text(case: Case) -> (Case, u64) {
    let sum = case.pass(CoreTable::pass_of_texts);
    (case, sum)
}

#[library_benchmark(setup = hostile_case)]
#[bench::hostile_ordinary_rules(args = (0), config = limit("hostile_ordinary_rules"))]
#[bench::hostile_ten_apart(args = (3), config = limit("hostile_ten_apart"))]
#[bench::hostile_many(args = (4), config = limit("hostile_many"))]
#[bench::hostile_many_apart(args = (6), config = limit("hostile_many_apart"))]
fn hostile_prepared(case: Case) -> (Case, u64) {
    let sum = case.pass(CoreTable::pass);
    (case, sum)
}

/// Requests through a gateway without a network, whose route has so many policies.
fn proxied_case(policies: usize) -> (Warm, Vec<Request<Body>>) {
    let warm = Warm::new(policies);
    (warm, (0..1000).map(|_| proxied::request(policies)).collect())
}

#[library_benchmark(setup = proxied_case)]
#[bench::proxied_without_policies(args = (0), config = limit("proxied_without_policies"))]
#[bench::proxied_with_one(args = (1), config = limit("proxied_with_one"))]
#[bench::proxied_with_three(args = (3), config = limit("proxied_with_three"))]
#[bench::proxied_with_all(args = (usize::MAX), config = limit("proxied_with_all"))]
fn proxied_requests((mut gateway, requests): (Warm, Vec<Request<Body>>)) -> u64 {
    let answers = requests.into_iter().map(|request| gateway.answer(black_box(request)));
    answers.map(|answer| u64::from(answer.status().as_u16())).sum()
}

library_benchmark_group!(name = lookups, benchmarks = [prepared, from_text, hostile_prepared]);
library_benchmark_group!(name = proxying, benchmarks = [proxied_requests]);

main!(library_benchmark_groups = [lookups, proxying]);
