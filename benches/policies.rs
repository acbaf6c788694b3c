//! What do policies cost a request, besides its sockets?
//!
//! `cargo bench -p benches --bench policies`. Each row has one thing more than the row above. The client that carries
//! requests upstream answers at once; allocations and time are those of the whole way through the gateway, the making of
//! request and answer not counted. `--bench instructions` counts the instructions of some of these rows.

use std::hint::black_box;
use std::time::Instant;

use benches::measure::{Options, Table};
use benches::proxied::{COMMON, Warm, request};

fn main() {
    let options = Options::from_args();
    let requests = options.pick(20_000, 20);
    let columns = ["policies", "the last of them", "ns", "ratio", "allocations", "bytes"];
    let mut table = Table::new(columns.into_iter().map(String::from));
    let mut without = None;
    for things in 0..=COMMON.len() {
        let last = things.checked_sub(1).map_or("none", |last| COMMON[last].0);
        if !options.wants(last) {
            continue;
        }
        let (time, allocations, bytes) = row(things, requests);
        let ratio = time / *without.get_or_insert(time);
        table.row([
            things.to_string(),
            last.into(),
            format!("{time:.0}"),
            format!("{ratio:.2}"),
            format!("{allocations:.1}"),
            format!("{bytes:.0}"),
        ]);
    }
    table.print("A request on its way through the gateway, by how much its route asks for.");
}

/// Nanoseconds, allocations and bytes of one request.
fn row(things: usize, requests: usize) -> (f64, f64, f64) {
    let mut gateway = Warm::new(things);
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let all: Vec<_> = (0..requests).map(|_| request(things)).collect();
        let start = Instant::now();
        all.into_iter().for_each(|request| drop(black_box(gateway.answer(request))));
        best = best.min(start.elapsed().as_secs_f64());
    }
    let all: Vec<_> = (0..requests).map(|_| request(things)).collect();
    let counted = allocation_counter::measure(|| {
        all.into_iter().for_each(|request| drop(black_box(gateway.answer(request))));
    });
    let each = |sum: u64| sum as f64 / requests as f64;
    (best * 1e9 / requests as f64, each(counted.count_total), each(counted.bytes_total))
}
