//! From host and path to a route: how fast, beside what else finds one?
//!
//! `cargo bench -p benches --bench lookup`, and for some rows only such as `-- --only 10000`, `-- --only kinds` or
//! `-- --only reading`. Each figure is the median of rounds in which all took turns. Before anything is measured,
//! all engines have to give the answers of an oracle.

use std::hint::black_box;
use std::time::Duration;

use benches::cells::{Cached, Cell, Changes, Loaded, Locked, run};
use benches::engines::{self, Engine, MATCHIT, OWN};
use benches::hostile;
use benches::measure::{Contestant, Options, Table, medians, nanoseconds};
use benches::oracle::Oracle;
use benches::table::{self, Services};
use benches::workload::{self, BenchRule, Kind, Popularity, Requests};
use ingress_core::RequestHead;

fn main() {
    let options = Options::from_args();
    sizes(&options);
    if options.wants("kinds") {
        kinds(&options);
    }
    if options.wants("reading") {
        reading(&options);
    }
}

/// Tables of all sizes, warm and cold.
fn sizes(options: &Options) {
    let all = [(100, 10), (10_000, 10), (100_000, 10), (1_000_000, 10), (10_000, 500), (100_000, 500)];
    let mut printed: Option<Table> = None;
    for (routes, per_host) in options.pick(&all[..], &[(100, 10), (1000, 500)]).iter().copied() {
        let name = format!("{routes} routes, {per_host} a host");
        if !options.wants(&name) {
            continue;
        }
        let rules = workload::rules(routes, per_host, 1);
        let engines = engines::all(&rules);
        for (popularity, about) in [(Popularity::Zipf, "warm"), (Popularity::Uniform, "cold")] {
            // Of fewer, a processor learns by heart which branches they take, as it never does of real ones.
            let requests = workload::mixed(&rules, popularity, options.pick(1 << 17, 300), 2);
            Oracle::new(&rules).check(&engines, &requests);
            let figures = measure(&engines, &requests, 1, options.pick(about_rounds(routes), 1));
            let table = printed.get_or_insert_with(|| {
                let engines = engines.iter().map(|engine| engine.name());
                let ratios = ["best peer", "core / best peer", "from text / best peer", "matchit / core"];
                Table::new(["routes, requests"].into_iter().chain(engines).chain(ratios))
            });
            let best = best_peer(&figures);
            let mut cells = vec![format!("{name}, {about}")];
            cells.extend(figures.iter().map(|figure| format!("{figure:.0}")));
            cells.push(engines[best].name().into());
            let ratios = [(0, best), (1, best), (MATCHIT, 0)];
            cells.extend(ratios.map(|(of, to)| format!("{:.2}", figures[of] / figures[to])));
            table.row(cells);
        }
    }
    if let Some(table) = printed {
        table.print("Nanoseconds a lookup, one thread. Warm: hosts by Zipf; cold: all hosts alike.");
    }
}

/// More rounds where they are short.
fn about_rounds(routes: usize) -> usize {
    if routes >= 1_000_000 { 7 } else { 11 }
}

/// One table, and requests of each kind.
fn kinds(options: &Options) {
    let mut rules = workload::rules(options.pick(10_000, 300), 10, 1);
    let known =
        rules.iter().find(|rule| !rule.host.starts_with('*')).expect("most hosts are names").host.clone();
    rules.extend(hostile::rules());
    let engines = engines::all(&rules);
    let ordinary = &rules[..rules.len() - hostile::rules().len()];
    let kinds = [
        ("hit", Kind::Hit),
        ("three elements below a Prefix", Kind::Deep),
        ("hit, wildcard host", Kind::Wildcard),
        ("miss, known host", Kind::MissPath),
        ("miss, unknown host", Kind::MissHost),
    ];
    let count = options.pick(4096, 100);
    let of_kind = |(name, kind): (&str, Kind)| (name.into(), workload::of_kind(ordinary, kind, count, 2));
    let mut rows: Vec<(String, Requests)> = kinds.map(of_kind).into();
    rows.extend(hostile::requests(&known, options.pick(64, 2)));
    let names = engines.iter().map(|engine| engine.name());
    let mut table = Table::new(["request"].into_iter().chain(names).chain(["core / best peer"]));
    let mut hits: Option<Vec<f64>> = None;
    for (name, requests) in &rows {
        Oracle::new(&rules).check(&engines, requests);
        let figures = measure(&engines, requests, options.pick(8, 1), options.pick(11, 1));
        let hits = hits.get_or_insert_with(|| figures.clone());
        let cell = |(figure, hit): (&f64, &f64)| format!("{figure:.0} ({:.2})", figure / hit);
        let cells = figures.iter().zip(&*hits).map(cell);
        let ratio = format!("{:.2}", figures[0] / figures[best_peer(&figures)]);
        table.row([name.clone()].into_iter().chain(cells).chain([ratio]));
    }
    table.print(&format!(
        "Nanoseconds a lookup by kind of request, and in parentheses the ratio to the engine's own hit; {} routes, one thread.",
        rules.len()
    ));
}

/// Nanoseconds a lookup, for each engine. In a round each goes through the requests so many times.
fn measure(engines: &[Box<dyn Engine>], requests: &Requests, passes: usize, rounds: usize) -> Vec<f64> {
    let run = |engine: &dyn Engine| {
        let all = || (0..passes).map(|_| engine.pass(black_box(requests))).sum::<u64>();
        nanoseconds(passes * requests.len(), all)
    };
    let mut contestants: Vec<_> =
        engines.iter().map(|engine| Box::new(|| run(&**engine)) as Contestant<'_>).collect();
    medians(rounds, &mut contestants)
}

fn best_peer(figures: &[f64]) -> usize {
    let peers = OWN..figures.len();
    peers.min_by(|&a, &b| figures[a].total_cmp(&figures[b])).expect("there are peers")
}

/// What it costs to read the current table, alone and with a lookup.
fn reading(options: &Options) {
    let rules = workload::rules(options.pick(10_000, 200), 10, 1);
    let requests = workload::mixed(&rules, Popularity::Zipf, options.pick(4096, 100), 2);
    let mut table = Table::new([
        "",
        Cached::NAME,
        Loaded::NAME,
        Locked::NAME,
        "cached / best other",
        "published a second",
    ]);
    for (lookup, what) in [(false, "read"), (true, "read and look up")] {
        for threads in [1, 2] {
            for (writer, with) in [(false, ""), (true, ", 1,000 published a second")] {
                let row =
                    Row { lookup, threads, writer, passes: options.pick(if lookup { 40 } else { 400 }, 1) };
                let mut published = (0, 0.0);
                let figures = {
                    let published = std::cell::RefCell::new(&mut published);
                    let mut contestants = [
                        contestant::<Cached>(&row, &rules, &requests, &published),
                        contestant::<Loaded>(&row, &rules, &requests, &published),
                        contestant::<Locked>(&row, &rules, &requests, &published),
                    ];
                    medians(options.pick(7, 1), &mut contestants)
                };
                let mut cells = vec![format!("{what}, {threads} threads{with}")];
                cells.extend(figures.iter().map(|figure| format!("{figure:.1}")));
                cells.push(format!("{:.2}", figures[0] / figures[1].min(figures[2])));
                cells.push(format!("{:.0}", published.0 as f64 / published.1));
                table.row(cells);
            }
        }
    }
    table.print("Nanoseconds to read the current table, for each thread; the median of all rounds.");
}

/// One row of the table about reading.
struct Row {
    lookup: bool,
    threads: usize,
    writer: bool,
    passes: usize,
}

/// A cell of its own with a table of its own. It adds up what was published, and in how many seconds.
fn contestant<'a, C: Cell + 'a>(
    row: &'a Row,
    rules: &[BenchRule],
    requests: &'a Requests,
    published: &'a std::cell::RefCell<&mut (u64, f64)>,
) -> Contestant<'a> {
    let all = table::rules(rules, Services::Of(16));
    let own = workload::hosts(rules)[0].clone();
    let host = table::host(&rules[0]);
    let mut editor = table::builder(all.iter().cloned()).into_editor();
    let cell = C::new(editor.build().0);
    let mut changes = Changes::new(editor, host, all[own].to_vec());
    Box::new(move || {
        let read = |cell: &C, start: &std::sync::Barrier| {
            start.wait();
            let count = row.passes * requests.len();
            nanoseconds(count, || {
                if row.lookup { look_up(cell, requests, row.passes) } else { read(cell, count) }
            })
        };
        let writer = row.writer.then_some((&mut changes, Duration::from_millis(1)));
        let begin = std::time::Instant::now();
        let (figures, count) = run(&cell, row.threads, writer, read);
        let mut published = published.borrow_mut();
        published.0 += count;
        published.1 += begin.elapsed().as_secs_f64();
        figures.iter().sum::<f64>() / figures.len() as f64
    })
}

fn read(cell: &impl Cell, count: usize) -> u64 {
    (0..count).map(|_| cell.read(|table| black_box(table).generation())).sum()
}

fn look_up(cell: &impl Cell, requests: &Requests, passes: usize) -> u64 {
    let mut sum = 0;
    for _ in 0..passes {
        for (host, path) in &requests.prepared {
            let head = RequestHead::new(host, path);
            let number = cell.read(|table| {
                let found = table.lookup(&head).ok().flatten();
                found.map_or(0, |found| u64::from(found.backend_number()) + 1)
            });
            sum += number;
        }
    }
    sum
}
