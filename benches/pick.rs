//! Choosing an endpoint: what does each algorithm cost, and how exact are its shares?
//!
//! `cargo bench -p benches --bench pick`, and for some rows only such as `-- --only RoundRobin` or
//! `-- --only exact`. Threads count tickets of their own and share the endpoints.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;

use benches::measure::{Contestant, Options, Table, medians, nanoseconds};
use ingress_core::{Algorithm, Endpoint, EndpointSet};

/// How the weights of the endpoints are.
#[derive(Clone, Copy, Debug)]
enum Weights {
    Equal,
    /// 1 to 7, so that the order of a period is written down.
    Small,
    /// Some thousands with no divisor, so that it is not.
    Great,
}

const ALGORITHMS: [Algorithm; 2] = [Algorithm::RoundRobin, Algorithm::Random];
const WEIGHTS: [(Weights, &str); 3] =
    [(Weights::Equal, "equal"), (Weights::Small, "weights 1 to 7"), (Weights::Great, "weights of thousands")];
const COUNTS: [usize; 4] = [2, 10, 100, 1000];

fn main() {
    let options = Options::from_args();
    cost(&options);
    if options.wants("exact") {
        exactness(options.pick(&COUNTS[..], &COUNTS[..2]));
    }
}

fn cost(options: &Options) {
    let columns = COUNTS.iter().flat_map(|count| [1, 2].map(|threads| format!("{count}, {threads} threads")));
    let mut table = Table::new(["algorithm, endpoints".to_owned()].into_iter().chain(columns));
    let picks = options.pick(2_000_000, 1000);
    for algorithm in &ALGORITHMS {
        for (weights, about) in WEIGHTS {
            let sets = COUNTS.map(|count| set(count, weights, algorithm));
            let name = format!("{}, {about}", sets[0].algorithm_name());
            if !options.wants(&name) {
                continue;
            }
            let contestant = |set, threads| -> Contestant<'_> { Box::new(move || run(set, threads, picks)) };
            let mut contestants: Vec<_> =
                sets.iter().flat_map(|set| [1, 2].map(|threads| contestant(set, threads))).collect();
            let figures = medians(options.pick(5, 1), &mut contestants);
            table.row([name].into_iter().chain(figures.iter().map(|figure| format!("{figure:.1}"))));
        }
    }
    table.print("Nanoseconds a choice, for each thread, by number of endpoints and threads.");
}

/// Nanoseconds a choice, the mean of all threads.
fn run(set: &EndpointSet, threads: usize, picks: usize) -> f64 {
    let ready = Barrier::new(threads);
    let thread = |number: usize| {
        ready.wait();
        nanoseconds(picks, || pick_all(set, number as u64 * 1000, picks))
    };
    let figures: Vec<f64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|number| scope.spawn(move || thread(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread fails")).collect()
    });
    figures.iter().sum::<f64>() / threads as f64
}

fn pick_all(set: &EndpointSet, first: u64, picks: usize) -> usize {
    let picked = (first..first + picks as u64).map(|ticket| set.pick(black_box(ticket)));
    picked.fold(0, |sum, endpoint| sum ^ endpoint.map_or(0, |endpoint| std::ptr::from_ref(endpoint).addr()))
}

/// How far the choices of a period are from the weights.
fn exactness(counts: &[usize]) {
    let mut table =
        Table::new(["algorithm, endpoints", "period", "most chosen too often", "most chosen too rarely"]);
    for algorithm in &ALGORITHMS {
        for (weights, about) in WEIGHTS {
            for count in counts.iter().copied() {
                let set = set(count, weights, algorithm);
                let period: u64 = set.as_slice().iter().map(|endpoint| u64::from(endpoint.weight())).sum();
                let (mut over, mut under) = (0, 0);
                for first in [0, 1, 12_345, u64::from(u32::MAX)] {
                    let off = deviation(&set, first, period);
                    (over, under) = (over.max(off.0), under.max(off.1));
                }
                if matches!(algorithm, Algorithm::RoundRobin) {
                    assert_eq!((over, under), (0, 0), "{count} {weights:?}");
                }
                let name = format!("{}, {count}, {about}", set.algorithm_name());
                table.row([name, period.to_string(), over.to_string(), under.to_string()]);
            }
        }
    }
    table.print("Choices of one endpoint too many or too few in a period of tickets counted up by one; the worst of four periods.");
}

fn deviation(set: &EndpointSet, first: u64, period: u64) -> (i64, i64) {
    let endpoints = set.as_slice();
    let mut counts = vec![0i64; endpoints.len()];
    for ticket in first..first + period {
        let endpoint = set.pick(ticket).expect("all have weight");
        let place = std::ptr::from_ref(endpoint).addr() - endpoints.as_ptr().addr();
        counts[place / size_of::<Endpoint>()] += 1;
    }
    let off = counts.iter().zip(endpoints).map(|(count, endpoint)| count - i64::from(endpoint.weight()));
    off.fold((0, 0), |(over, under), off| (over.max(off), under.max(-off)))
}

fn set(count: usize, weights: Weights, algorithm: &Algorithm) -> EndpointSet {
    let endpoint = |number: usize| {
        let weight = match weights {
            Weights::Equal => 1,
            Weights::Small => number % 7 + 1,
            Weights::Great => 3001 + number * 7 % 1000,
        };
        let [_, a, b, c] = (number as u32).to_be_bytes();
        Endpoint::new(SocketAddr::from(([10, a, b, c], 80))).with_weight(weight as u32)
    };
    EndpointSet::new((0..count).map(endpoint), algorithm)
}
