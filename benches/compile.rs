//! From rules or objects to a table: what does the first one cost, and what the next one after a change?
//!
//! `cargo bench -p benches --bench compile`, and for some rows only `-- --only full`, `-- --only changes`,
//! `-- --only objects` or `-- --only files`. Allocations are those of the thread that compiles.

use std::net::SocketAddr;

use allocation_counter::AllocationInfo;
use benches::Random;
use benches::manifests::{self, PATHS};
use benches::measure::{Options, Table, cpu, median, timed};
use benches::table::{self, Services};
use benches::workload::{self, BenchRule};
use ingress_core::{
    Endpoint, HostMatch, PathMatch, RequestHead, RequestHost, RequestPath, RouteTable, Rule, TableEditor,
    TableReader, TableWriter,
};
use ingress_kube::manifests::load_manifests;
use ingress_kube::{Config, IngressController, Object, translate};

fn main() {
    let options = Options::from_args();
    if options.wants("full") {
        full(&options);
    }
    if options.wants("changes") {
        changes(&options);
    }
    if options.wants("objects") {
        objects(&options);
    }
    if options.wants("files") {
        files(&options);
    }
}

// ===== from all rules =====

fn full(options: &Options) {
    let mut printed = Table::new([
        "rules",
        "make rules, ms",
        "compile, ms",
        "processor, ms",
        "ns a rule",
        "allocated, MB",
        "free, ms",
    ]);
    for count in options.pick(&[1000, 100_000, 1_000_000][..], &[300]).iter().copied() {
        let bench = workload::rules(count, 10, 1);
        let mut columns: [Vec<f64>; 5] = Default::default();
        for _ in 0..options.pick(5, 1) {
            let (made, rules) = timed(|| table::rules(&bench, Services::Each(10)));
            let (compiled, (cpu, table)) = timed(|| cpu(|| table::builder(rules).build().0));
            assert_eq!(table.route_count(), count);
            let (freed, ()) = timed(|| drop(table));
            let rules = table::rules(&bench, Services::Each(10));
            let allocated = allocation_counter::measure(|| drop(table::builder(rules).build())).bytes_total;
            let row =
                [made.as_secs_f64() * 1e3, compiled.as_secs_f64() * 1e3, cpu / 1e3, allocated as f64 / 1e6];
            let row = row.into_iter().chain([freed.as_secs_f64() * 1e3]);
            columns.iter_mut().zip(row).for_each(|(column, figure)| column.push(figure));
        }
        let [made, compiled, cpu, allocated, freed] = columns.map(median);
        let ns = compiled * 1e6 / count as f64;
        let cells = [(made, 1), (compiled, 1), (cpu, 1), (ns, 0), (allocated, 1), (freed, 1)];
        let cells = cells.map(|(figure, digits)| format!("{figure:.digits$}"));
        printed.row([count.to_string()].into_iter().chain(cells));
    }
    printed.print("A table from all its rules, about 10 a host and a Service for every ten; medians.");
}

// ===== changes of a table =====

/// A table that is changed.
struct Tables {
    editor: TableEditor,
    reader: TableReader,
    writer: TableWriter,
}

fn changes(options: &Options) {
    let mut printed = Table::new([
        "change",
        "CPU µs, median",
        "CPU µs, least",
        "allocated, KB",
        "allocations",
        "free the old, µs",
    ]);
    for routes in options.pick(&[10_000, 1_000_000][..], &[300]).iter().copied() {
        let bench = workload::rules(routes, 10, 1);
        let rules = table::rules(&bench, Services::Each(10));
        let mut builder = table::builder(rules.iter().cloned());
        for service in 0..routes.div_ceil(10) {
            builder.endpoints(table::service_ref(service), endpoints(service, 255));
        }
        let mut editor = builder.into_editor();
        let (reader, writer) = ingress_core::table(editor.build().0);
        let mut tables = Tables { editor, reader, writer };
        let hosts = tables.reader.snapshot().host_count();
        let rounds = options.pick(50, 2);
        let name = |what: &str| format!("{what}; {routes} routes, {hosts} hosts");

        let one = |turn: usize| vec![host_change(&bench, &rules, turn)];
        let check = |tables: &Tables, turn: usize| tables.check_host(&bench, &rules, turn);
        printed.row(tables.row(name("one host"), rounds, one, set_hosts, check));

        let many = options.pick(1000, 10);
        let change = |turn: usize| (turn * many..(turn + 1) * many).flat_map(one).collect();
        let check = |tables: &Tables, turn: usize| tables.check_host(&bench, &rules, (turn + 1) * many - 1);
        let title = name(&format!("{many} hosts in one build"));
        printed.row(tables.row(title, rounds / 2, change, set_hosts, check));

        let service = |turn: usize| Random::new(turn as u64).below(routes / 10);
        let one = |turn: usize| (service(turn), endpoints(service(turn), turn as u8));
        let check = |tables: &Tables, turn: usize| {
            let (service, endpoints) = one(turn);
            tables.check_endpoints(service, &endpoints);
        };
        printed.row(tables.row(name("one endpoint"), rounds, one, set_endpoints, check));
    }
    printed.print("Set, build and publish, with what it takes to free the table before. Freeing alone is the last column.");
}

fn set_hosts(editor: &mut TableEditor, changes: Vec<(HostMatch, Vec<Rule>)>) {
    for (host, rules) in changes {
        editor.set_host(host, rules);
    }
}

fn set_endpoints(editor: &mut TableEditor, (service, endpoints): (usize, Vec<Endpoint>)) {
    editor.set_endpoints(table::service_ref(service), endpoints);
}

/// All rules of some host, and one more.
fn host_change(bench: &[BenchRule], rules: &[Rule], turn: usize) -> (HostMatch, Vec<Rule>) {
    let place = Random::new(turn as u64).below(rules.len());
    let host = table::host(&bench[place]);
    let more = PathMatch::exact(&format!("/more/{turn}")).expect("it is a path");
    let same_host = |number: &usize| bench[*number].host == bench[place].host;
    let from = (0..=place).rev().take_while(same_host).last().unwrap_or(place);
    let own = (from..rules.len()).take_while(same_host).map(|number| rules[number].clone());
    let more = Rule::new(host.clone(), more, table::service_ref(place / 10));
    (host, own.chain([more]).collect())
}

fn endpoints(service: usize, version: u8) -> Vec<Endpoint> {
    let [_, a, b, c] = (service as u32).to_be_bytes();
    let addresses = [[10, a, b, c], [11, a, b, version]];
    addresses.into_iter().map(|address| Endpoint::new(SocketAddr::from((address, 80)))).collect()
}

// ===== impl Tables =====

impl Tables {
    /// What a change costs, as a row of the table.
    fn row<T>(
        &mut self,
        name: String,
        rounds: usize,
        change: impl Fn(usize) -> T,
        set: fn(&mut TableEditor, T),
        check: impl Fn(&Self, usize),
    ) -> Vec<String> {
        let publish = |tables: &mut Self, change| {
            set(&mut tables.editor, change);
            tables.writer.publish(tables.editor.build().0);
        };
        let cells = measure(self, rounds, &change, publish, check);
        let mut current = self.editor.build().0;
        let mut freeing = Vec::new();
        for turn in 2 * rounds..3 * rounds {
            set(&mut self.editor, change(turn));
            // A table that shares the rest with the next one.
            let old = std::mem::replace(&mut current, self.editor.build().0);
            freeing.push(cpu(|| drop(old)).0);
        }
        let freeing = format!("{:.1}", median(freeing));
        [name].into_iter().chain(cells).chain([freeing]).collect()
    }

    fn check_host(&self, bench: &[BenchRule], rules: &[Rule], turn: usize) {
        let (_, rules) = host_change(bench, rules, turn);
        let host = rules[0].host.to_string().replace('*', "a");
        let table = self.reader.snapshot();
        let found = serving(&table, &host, &format!("/more/{turn}"), |found| found.path().to_string());
        assert_eq!(found, Some(rules[rules.len() - 1].path.to_string()), "{host}");
    }

    fn check_endpoints(&self, service: usize, endpoints: &[Endpoint]) {
        let table = self.reader.snapshot();
        let reference = table::service_ref(service);
        let found = table.backends().find(|backend| *backend.reference() == reference);
        assert_eq!(found.map(|backend| backend.endpoints().as_slice()), Some(endpoints));
    }
}

fn serving<R>(
    table: &RouteTable,
    host: &str,
    path: &str,
    read: impl FnOnce(ingress_core::Route<'_>) -> R,
) -> Option<R> {
    let (host, path) = (RequestHost::parse(host).ok()?, RequestPath::parse(path).ok()?);
    let found = table.lookup(&RequestHead::new(&host, &path)).ok()??;
    Some(read(found.route))
}

// ===== Kubernetes objects =====

fn objects(options: &Options) {
    let count = options.pick(100_000, 50);
    let texts: Vec<String> = (0..count).map(manifests::file).collect();
    let mut printed = Table::new(["step", "ms", "processor, ms", "µs an Ingress"]);
    let mut step = |name: &str, (time, cpu): (std::time::Duration, f64)| {
        let ms = time.as_secs_f64() * 1e3;
        let each = ms * 1e3 / count as f64;
        printed.row([name.into(), format!("{ms:.0}"), format!("{:.0}", cpu / 1e3), format!("{each:.1}")]);
    };
    let (parsed, (cpu_parsed, objects)) =
        timed(|| cpu(|| texts.iter().flat_map(|text| manifests::objects(text)).collect::<Vec<Object>>()));
    step("YAML text to objects", (parsed, cpu_parsed));
    assert_eq!(objects.len(), 3 * count);

    let (_, writer) = ingress_core::table(RouteTable::default());
    let mut controller = IngressController::new(Config::default(), writer);
    let all = || objects.into_iter().for_each(|object| _ = controller.apply(object, None));
    let (applied, (cpu_applied, ())) = timed(|| cpu(all));
    step("objects into the store", (applied, cpu_applied));
    let config = Config::default();
    let (translated, (cpu_translated, rules)) = timed(|| cpu(|| translate(controller.store(), &config)));
    step("translate alone", (translated, cpu_translated));
    let (built, (cpu_built, table)) = timed(|| cpu(|| rules.build()));
    step("compile alone", (built, cpu_built));
    drop(table);
    let (published, (cpu_published, report)) = timed(|| cpu(|| controller.publish()));
    step("translate, compile and publish the first table", (published, cpu_published));
    assert_eq!((report.routes, report.backends, report.endpoints), (PATHS * count, count, 2 * count));
    step("typed objects to the first table", (applied + published, cpu_applied + cpu_published));
    let all = parsed + applied + published;
    step("YAML text to the first table", (all, cpu_parsed + cpu_applied + cpu_published));
    let title = format!(
        "Cold start with {count} Ingresses of {PATHS} paths, with a Service and an EndpointSlice of 2 endpoints each."
    );
    printed.print(&title);

    let mut printed =
        Table::new(["change", "CPU µs, median", "CPU µs, least", "allocated, KB", "allocations"]);
    let rounds = options.pick(50, 2);
    let place = |turn: usize| Random::new(turn as u64).below(count);
    let change = |turn: usize| manifests::objects(&manifests::ingress(place(turn), turn + 1));
    let cells = measure(&mut controller, rounds, change, apply, |controller, turn| {
        let table = controller.reader().snapshot();
        let (host, path) = (format!("web-{}.example.com", place(turn)), format!("/part-0/v{}", turn + 1));
        assert!(serving(&table, &host, &path, |_| ()).is_some(), "{host} {path}");
    });
    printed.row(["one Ingress".into()].into_iter().chain(cells));
    let version = |turn: usize| turn as u8 + 1;
    let change = |turn: usize| manifests::objects(&manifests::slice(place(turn), version(turn)));
    let cells = measure(&mut controller, rounds, change, apply, |controller, turn| {
        let table = controller.reader().snapshot();
        let backends = table.backends();
        let ends = format!(".{}:8080", version(turn));
        let changed = |address: String| address.starts_with("11.") && address.ends_with(&ends);
        let mut endpoints = backends.flat_map(|backend| backend.endpoints().as_slice());
        assert!(endpoints.any(|endpoint| changed(endpoint.address().to_string())));
    });
    printed.row(["one EndpointSlice".into()].into_iter().chain(cells));

    let all = (0..count).flat_map(|number| manifests::objects(&manifests::ingress_with_finding(number, 0)));
    apply(&mut controller, all.collect());
    let change = |turn: usize| manifests::objects(&manifests::ingress_with_finding(place(turn), turn + 1));
    let cells = measure(&mut controller, rounds, change, apply, |controller, turn| {
        let field = format!("metadata.annotations[haproxy.org/v{}]", turn + 1);
        let table = controller.reader().snapshot();
        let mut fields = table.diagnostics().iter().filter_map(|found| Some(&*found.source.as_ref()?.field));
        assert!(table.diagnostics().len() == count && fields.any(|found| found == field), "{field}");
    });
    printed.row([format!("one Ingress with another finding, of {count}")].into_iter().chain(cells));
    printed.print("Apply a typed object, and publish.");
}

/// A directory, as the gateway reads it at its start.
fn files(options: &Options) {
    let count = options.pick(10_000, 20);
    let directory = tempfile::tempdir().expect("there is room for files");
    for number in 0..count {
        let path = directory.path().join(format!("{number}.yaml"));
        std::fs::write(path, manifests::file(number)).expect("there is room for files");
    }
    let mut printed = Table::new(["", "ms, median", "processor of this thread, ms"]);
    let mut columns: [Vec<f64>; 4] = Default::default();
    for _ in 0..options.pick(3, 1) {
        let (_, writer) = ingress_core::table(RouteTable::default());
        let mut controller = IngressController::new(Config::default(), writer);
        let (read, (cpu_read, loaded)) = timed(|| cpu(|| load_manifests([directory.path()])));
        let mut loaded = loaded.expect("the files can be read");
        let (published, (cpu_published, report)) = timed(|| cpu(|| loaded.publish(&mut controller)));
        assert_eq!(report.routes, PATHS * count);
        let figures =
            [read.as_secs_f64() * 1e3, cpu_read / 1e3, published.as_secs_f64() * 1e3, cpu_published / 1e3];
        columns.iter_mut().zip(figures).for_each(|(column, figure)| column.push(figure));
    }
    let [read, cpu_read, published, cpu_published] = columns.map(median);
    let rows = [
        ("read and parse", read, cpu_read),
        ("first table", published, cpu_published),
        ("together", read + published, cpu_read + cpu_published),
    ];
    for (name, ms, cpu) in rows {
        printed.row([name.into(), format!("{ms:.0}"), format!("{cpu:.0}")]);
    }
    printed.print(&format!(
        "A directory of {count} files, each with an Ingress, a Service and an EndpointSlice."
    ));
}

fn apply(controller: &mut IngressController, objects: Vec<Object>) {
    for object in objects {
        controller.apply(object, None);
    }
    controller.publish();
}

// ===== helpers =====

/// What changes cost: processor time, bytes and allocations. Making them and checking them is not counted.
fn measure<S, T>(
    state: &mut S,
    rounds: usize,
    change: impl Fn(usize) -> T,
    apply: impl Fn(&mut S, T),
    check: impl Fn(&S, usize),
) -> [String; 4] {
    let (mut times, mut counted) = (Vec::new(), Vec::new());
    for turn in 0..2 * rounds {
        let change = change(turn);
        if turn < rounds {
            times.push(cpu(|| apply(state, change)).0);
        } else {
            counted.push(allocation_counter::measure(|| apply(state, change)));
        }
        check(state, turn);
    }
    let least = times.iter().copied().fold(f64::INFINITY, f64::min);
    let counted =
        |read: fn(&AllocationInfo) -> u64| median(counted.iter().map(|info| read(info) as f64).collect());
    [
        format!("{:.1}", median(times)),
        format!("{least:.1}"),
        format!("{:.1}", counted(|info| info.bytes_total) / 1e3),
        format!("{:.0}", counted(|info| info.count_total)),
    ]
}
