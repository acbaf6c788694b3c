//! Routing throughput: from host and path to a route.
//!
//! `cargo bench -p benches --bench lookup`. Criterion's estimates come first; at the end a table compares the
//! engines, each figure the median of passes in which the engines took turns. `cargo test -p benches --benches`
//! runs everything once on small tables.

use std::hint::black_box;
use std::time::{Duration, Instant};

use benches::engines::{Engine, engines};
use benches::{BenchRequest, Kind, requests, rules};
use criterion::{BenchmarkId, Criterion, Throughput};

/// Requests in a pass: enough to leave the caches behind where the table does.
const REQUESTS: usize = 1 << 14;
/// Passes of which the median is printed.
const ROUNDS: usize = 21;

struct Row {
    name: String,
    engines: std::rc::Rc<Vec<Box<dyn Engine>>>,
    requests: Vec<BenchRequest>,
}

fn main() {
    let has = |option: &str| std::env::args().any(|argument| argument == option);
    // Cargo passes --bench when it benchmarks; without it, criterion runs everything once.
    let measuring = has("--bench") && !has("--test") && !has("--list");
    let rows = rows(measuring);
    let mut criterion = Criterion::default()
        .sample_size(15)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .configure_from_args();
    for row in &rows {
        bench(&mut criterion, row);
    }
    criterion.final_summary();
    if measuring {
        print_comparison(&rows);
    }
}

fn rows(measuring: bool) -> Vec<Row> {
    let sizes: &[(usize, usize)] = match measuring {
        true => &[(100, 10), (10_000, 10), (100_000, 10), (10_000, 500), (100_000, 500)],
        false => &[(100, 10), (1000, 500)],
    };
    let mut rows = Vec::new();
    for &(routes, per_host) in sizes {
        let rules = rules(routes, per_host, 1);
        let engines = std::rc::Rc::new(engines(&rules));
        for (kind, name) in [(Kind::Hit, "hit"), (Kind::Deep, "deep prefix"), (Kind::Miss, "miss")] {
            let requests = requests(&rules, kind, if measuring { REQUESTS } else { 500 }, 2);
            check(&engines, &requests, kind);
            rows.push(Row {
                name: format!("{routes} routes, {per_host} a host, {name}"),
                engines: engines.clone(),
                requests,
            });
        }
    }
    rows
}

/// Nothing is measured before all engines give the same answers, and the answers that the row is about.
fn check(engines: &[Box<dyn Engine>], requests: &[BenchRequest], kind: Kind) {
    for request in requests {
        let answers: Vec<_> = engines.iter().map(|engine| engine.find(request)).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{request:?}: {answers:?}");
        assert_eq!(answers[0].is_none(), kind == Kind::Miss, "{request:?}");
    }
}

fn bench(criterion: &mut Criterion, row: &Row) {
    let mut group = criterion.benchmark_group(&row.name);
    group.throughput(Throughput::Elements(row.requests.len() as u64));
    for engine in &*row.engines {
        group.bench_function(BenchmarkId::from_parameter(engine.name()), |bencher| {
            bencher.iter(|| engine.pass(black_box(&row.requests)));
        });
    }
    group.finish();
}

fn print_comparison(rows: &[Row]) {
    println!(
        "\nLookups, one thread: median of {ROUNDS} passes, engines by turns, {REQUESTS} requests a pass\n"
    );
    println!("| {:<40} | {:<32} | ns/lookup | Mlookups/s |", "row", "engine");
    println!("| {:-<40} | {:-<32} | --------: | ---------: |", "", "");
    for row in rows {
        for (engine, nanoseconds) in row.engines.iter().zip(medians(row)) {
            let name = &row.name;
            println!(
                "| {name:<40} | {:<32} | {nanoseconds:>9.1} | {:>10.2} |",
                engine.name(),
                1e3 / nanoseconds
            );
        }
    }
}

/// Nanoseconds a lookup, for each engine.
fn medians(row: &Row) -> Vec<f64> {
    let mut times = vec![Vec::with_capacity(ROUNDS); row.engines.len()];
    for _ in 0..ROUNDS {
        for (engine, times) in row.engines.iter().zip(&mut times) {
            let start = Instant::now();
            black_box(engine.pass(black_box(&row.requests)));
            times.push(start.elapsed().as_nanos() as f64 / row.requests.len() as f64);
        }
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    times.into_iter().map(median).collect()
}
