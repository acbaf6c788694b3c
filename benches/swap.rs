//! How long does a request wait for its route while tables are published?
//!
//! `cargo bench -p benches --bench swap`. Each sample is one reading of the current table with one lookup in it, and
//! the clock, which takes some 20 to 50 ns. Slices without a writer and with one take turns.

use std::time::{Duration, Instant};

use benches::cells::{Cached, Cell, Changes, Loaded, Locked, run};
use benches::measure::{Options, Table};
use benches::table::{self, Services};
use benches::workload::{self, BenchRule, Popularity, Requests};
use hdrhistogram::Histogram;
use ingress_core::RequestHead;

const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// What was seen of one cell, without a writer and with one.
struct Seen {
    histograms: [Histogram<u64>; 2],
    published: u64,
    time: Duration,
}

fn main() {
    let options = Options::from_args();
    let rules = workload::rules(options.pick(100_000, 300), 10, 1);
    let requests = workload::mixed(&rules, Popularity::Zipf, options.pick(4096, 100), 2);
    let columns = ["cell, readers", "published a second", "samples"];
    let figures = QUANTILES.iter().flat_map(|(name, _)| [format!("{name}, ns"), "ratio".into()]);
    let mut table = Table::new(columns.into_iter().map(String::from).chain(figures));
    for readers in [1, 2] {
        rows::<Cached>(&options, &mut table, readers, &rules, &requests);
        rows::<Loaded>(&options, &mut table, readers, &rules, &requests);
        rows::<Locked>(&options, &mut table, readers, &rules, &requests);
    }
    table.print(&format!(
        "Latency of reading the table and looking up, {} routes; each publish changes one host. Ratios are to the same \
         cell without a writer.",
        rules.len()
    ));
}

fn rows<C: Cell>(
    options: &Options,
    table: &mut Table,
    readers: usize,
    rules: &[BenchRule],
    requests: &Requests,
) {
    let name = format!("{}, {readers}", C::NAME);
    if !options.wants(&name) {
        return;
    }
    let seen = watch::<C>(options, readers, rules, requests);
    let rate = seen.published as f64 / seen.time.as_secs_f64();
    for (histogram, rate) in seen.histograms.iter().zip([0.0, rate]) {
        let mut cells = vec![name.clone(), format!("{rate:.0}"), histogram.len().to_string()];
        for (_, quantile) in QUANTILES {
            let [value, still] =
                [histogram, &seen.histograms[0]].map(|histogram| histogram.value_at_quantile(quantile));
            cells.push(value.to_string());
            cells.push(format!("{:.2}", value as f64 / still.max(1) as f64));
        }
        table.row(cells);
    }
}

fn watch<C: Cell>(options: &Options, readers: usize, rules: &[BenchRule], requests: &Requests) -> Seen {
    let all = table::rules(rules, Services::Of(16));
    let own = workload::hosts(rules)[0].clone();
    let mut editor = table::builder(all.iter().cloned()).into_editor();
    let cell = C::new(editor.build().0);
    let mut changes = Changes::new(editor, table::host(&rules[0]), all[own].to_vec());
    let histogram =
        || Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds and digits are in range");
    let mut seen = Seen { histograms: [histogram(), histogram()], published: 0, time: Duration::ZERO };
    let slice = options.pick(Duration::from_millis(200), Duration::from_millis(5));
    for round in 0..options.pick(8, 2) {
        let writing = round % 2 == 1;
        let writer = writing.then_some((&mut changes, Duration::from_millis(1)));
        let begin = Instant::now();
        let (histograms, published) = run(&cell, readers, writer, |cell, ready| {
            let mut own = histogram();
            ready.wait();
            sample(cell, requests, slice, &mut own);
            own
        });
        for own in histograms {
            seen.histograms[usize::from(writing)] += own;
        }
        if writing {
            seen.published += published;
            seen.time += begin.elapsed();
        }
    }
    seen
}

fn sample(cell: &impl Cell, requests: &Requests, time: Duration, histogram: &mut Histogram<u64>) {
    let begin = Instant::now();
    let mut before = begin;
    for (host, path) in requests.prepared.iter().cycle() {
        let head = RequestHead::new(host, path);
        let found = cell.read(|table| table.lookup(&head).ok().flatten().map(|found| found.backend_number()));
        std::hint::black_box(found);
        let now = Instant::now();
        histogram.saturating_record((now - before).as_nanos() as u64);
        // Recording is no part of the next sample.
        before = Instant::now();
        if before - begin > time {
            return;
        }
    }
}
