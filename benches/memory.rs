//! How many bytes does a table take, and how many while the next one is made?
//!
//! `cargo bench -p benches --bench memory`, and for some rows only such as `-- --only 100000`. What is counted is what
//! was asked of the allocator, by the thread that makes the table.

use std::ops::Range;
use std::sync::Arc;

use benches::engines::{Matchit, PrefixHash, SortedList};
use benches::measure::{Options, Table};
use benches::table::{self, Services};
use benches::workload::{self, BenchRule};
use ingress_core::{ObjectRef, RouteTable, Rule, Source};

fn main() {
    let options = Options::from_args();
    let mut sizes = Table::new([
        "routes",
        "hosts",
        "text a route",
        "16 Services: a route",
        "a host",
        "a Service a host: a route",
        "a host",
        "with sources: a route",
        "with editor: a route",
        "sorted list",
        "whole-prefix hash",
        "matchit",
        "core / best peer",
    ]);
    let mut peaks = Table::new([
        "routes",
        "table, MB",
        "its rules, MB",
        "full rebuild, peak beside the table, MB",
        "with the table / table",
        "one host changed, peak KB",
        "one host changed, kept KB",
    ]);
    let all = [(1000, 10), (100_000, 10), (1_000_000, 10), (100_000, 500)];
    for (routes, per_host) in options.pick(&all[..], &[(300, 10)]).iter().copied() {
        let name = format!("{routes}, {per_host} a host");
        if options.wants(&name) {
            let bench = workload::rules(routes, per_host, 1);
            sizes.row([name.clone()].into_iter().chain(resting(&bench)));
            peaks.row([name].into_iter().chain(publishing(&bench)));
        }
    }
    sizes.print("Bytes of a table at rest, its text included; sources are the object and field of each rule. Peers keep a number of 4 bytes for each rule.");
    peaks.print("While a table is made and published.");
}

/// What the tables take, for each route and host.
fn resting(bench: &[BenchRule]) -> Vec<String> {
    let ranges = workload::hosts(bench);
    let (routes, hosts) = (bench.len() as f64, ranges.len() as f64);
    let paths: usize = bench.iter().map(|rule| rule.path.len()).sum();
    let names: usize = ranges.iter().map(|range| bench[range.start].host.len()).sum();
    let per_host = (bench.len() / ranges.len()).max(1);
    let own = [Services::Of(16), Services::Each(per_host)].map(|services| {
        // Rules share the texts of their Services with the table.
        kept(|| table::builder(table::rules(bench, services)).build().0)
    });
    let rules = || with_sources(table::rules(bench, Services::Of(16)), &ranges);
    let with_sources = kept(|| table::builder(rules()).build().0);
    let with_editor = kept(|| {
        let mut editor = table::builder(rules()).into_editor();
        (editor.build(), editor)
    });
    let peers =
        [kept(|| SortedList::new(bench)), kept(|| PrefixHash::new(bench)), kept(|| Matchit::new(bench))];
    let best = peers.iter().copied().fold(f64::INFINITY, f64::min);
    let figures = [
        (paths + names) as f64 / routes,
        own[0] / routes,
        own[0] / hosts,
        own[1] / routes,
        own[1] / hosts,
        with_sources / routes,
        with_editor / routes,
        peers[0] / routes,
        peers[1] / routes,
        peers[2] / routes,
    ];
    let cells = figures.iter().map(|figure| format!("{figure:.0}"));
    [ranges.len().to_string()].into_iter().chain(cells).chain([format!("{:.2}", own[0] / best)]).collect()
}

/// The rules, those of a host from an Ingress of its own.
fn with_sources(rules: Vec<Rule>, hosts: &[Range<usize>]) -> Vec<Rule> {
    let mut rules = rules.into_iter();
    let of_host = |(number, range): (usize, &Range<usize>)| {
        let name = format!("web-{number}").into();
        let (kind, namespace) = ("Ingress".into(), "default".into());
        let object = Arc::new(ObjectRef { kind, namespace, name, created: Some(1), ..ObjectRef::default() });
        let of_path = |(path, rule): (usize, Rule)| {
            rule.with_source(Source::new(object.clone(), format!("spec.rules[0].http.paths[{path}]")))
        };
        rules.by_ref().take(range.len()).enumerate().map(of_path).collect::<Vec<_>>()
    };
    hosts.iter().enumerate().flat_map(of_host).collect()
}

/// What is taken while a table is made, and while the next one is.
fn publishing(bench: &[BenchRule]) -> Vec<String> {
    let rules = table::rules(bench, Services::Of(16));
    let size = kept(|| build(&rules));
    let input = kept(|| rules.clone());
    let (_reader, mut writer) = ingress_core::table(build(&rules));
    // Whoever makes all routes anew has all rules at a time, too.
    let rebuild = allocation_counter::measure(|| _ = writer.publish(build(&rules))).bytes_max as f64;
    drop(writer);
    let mut editor = table::builder(rules.iter().cloned()).into_editor();
    let (reader, mut writer) = ingress_core::table(editor.build().0);
    let own = workload::hosts(bench)[0].clone();
    let (host, changed) = (table::host(&bench[0]), &rules[own.start + 1..own.end]);
    // The table before the change is kept by a reader, as it may be for a moment.
    let before = reader.snapshot();
    let change = allocation_counter::measure(|| {
        editor.set_host(host, changed.to_vec());
        writer.publish(editor.build().0);
    });
    assert_eq!(reader.snapshot().route_count() + 1, before.route_count());
    let figures = [size / 1e6, input / 1e6, rebuild / 1e6, (size + rebuild) / size];
    let kilobytes = [change.bytes_max as f64 / 1e3, change.bytes_current as f64 / 1e3];
    let cells = figures.iter().map(|figure| format!("{figure:.1}"));
    cells.chain(kilobytes.iter().map(|figure| format!("{figure:.1}"))).collect()
}

fn build(rules: &[Rule]) -> RouteTable {
    table::builder(rules.iter().cloned()).build().0
}

/// The bytes that what is made keeps.
fn kept<T>(make: impl FnOnce() -> T) -> f64 {
    let mut made = None;
    let info = allocation_counter::measure(|| made = Some(make()));
    drop(made);
    info.bytes_current as f64
}
