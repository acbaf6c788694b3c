//! What do users see of a bad minute, by algorithm?
//!
//! `cargo bench -p benches --bench simulation`, for some rows only such as `-- --only maglev`, and with `-- --plot` to draw
//! `benches/simulation.svg` anew. What is simulated takes no time of a clock and leaves nothing to chance: the figures are
//! the same on each run.
//!
//! A minute of 4,800 requests a second goes to endpoints with 8 workers each, which take 20 ms for a request (log-normal)
//! and have 60 % of what they could do. After 20 seconds one becomes ten times as slow, and another answers 503 within a
//! millisecond for 20 seconds; after 30 seconds the twentieth comes, which is ten times as slow at first and well after
//! ten seconds. Clients wait two seconds; nothing is tried again. Keys are those of 100,000 clients, some of which ask far
//! more often than others.

use std::ops::Range;
use std::time::Duration;

use benches::measure::{Options, Table};
use benches::simulation::plot::{Panel, draw};
use benches::simulation::{Report, Router, Scenario, run};
use ingress_core::{Algorithm, Policy};

/// What is done about endpoints that are not well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Care {
    Nothing,
    Ejection,
    /// Ejection, and slow start for twice as long as the cold endpoint is cold.
    All,
}

fn main() {
    let options = Options::from_args();
    let scenario = options.pick(Scenario::FULL, Scenario::TINY);
    bad_minute(&options, &scenario);
    if options.wants("other") {
        other_minutes(&scenario);
    }
    let to_plot = std::env::args().any(|argument| argument == "--plot");
    if to_plot || !options.measuring {
        let drawing = plot(&scenario);
        if to_plot {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/simulation.svg");
            std::fs::write(path, drawing).expect("the drawing is written");
            println!("\nDrawn in {path}.");
        }
    }
}

fn bad_minute(options: &Options, scenario: &Scenario) {
    let figures = ["calm p99", "p50", "p99", "p99.9", "errors"];
    let shares = ["imbalance", "slow", "failing", "cold"];
    let mut table = Table::new(["algorithm"].into_iter().chain(figures).chain(shares));
    let mut contestants = Vec::new();
    for algorithm in Algorithm::ALL {
        for care in [Care::Nothing, Care::Ejection, Care::All] {
            // Who looks for the endpoint of a key does not spare new ones.
            if care != Care::All || !algorithm.is_by_key() {
                let router = Router::core(policy(&algorithm, care), 1, scenario.endpoints);
                contestants.push((format!("{algorithm}{}", care.name()), router));
            }
        }
    }
    for algorithm in [Algorithm::LeastRequest, Algorithm::PeakEwma] {
        let router = Router::core(policy(&algorithm, Care::Ejection), 8, scenario.endpoints);
        contestants.push((format!("{algorithm}{}, 8 gateways", Care::Ejection.name()), router));
    }
    contestants.push(("fewest in flight of all".into(), Router::FullScan(scenario.endpoints - 1)));
    contestants.push(("shortest wait, known beforehand".into(), Router::Oracle(scenario.endpoints - 1)));
    for (name, router) in contestants {
        if options.wants(&name) {
            let report = run(scenario, router);
            table.row([name].into_iter().chain(row(&report, scenario)));
        }
    }
    table.print(
        "A bad minute: latencies in milliseconds of what was answered, before and since something is wrong; errors in percent \
         since then; how much busier than the mean the busiest of the healthy endpoints is; and the percentages of requests \
         that the slow, the failing and the cold endpoint get while they are that.",
    );
}

fn row(report: &Report, scenario: &Scenario) -> [String; 9] {
    let percent = |part: f64| format!("{:.2}", part * 100.0);
    [
        millis(report, scenario.calm(), 0.99),
        millis(report, scenario.bad(), 0.5),
        millis(report, scenario.bad(), 0.99),
        millis(report, scenario.bad(), 0.999),
        percent(report.error_share(scenario.bad())),
        format!("{:.2}", report.imbalance()),
        percent(report.share(scenario.bad(), scenario.slow())),
        percent(report.share(scenario.failing_seconds(), scenario.failing())),
        percent(report.share(scenario.cold_seconds(), scenario.cold())),
    ]
}

/// What is wrong besides, which no choice of an endpoint can mend, and should not make worse.
fn other_minutes(scenario: &Scenario) {
    let minutes = [
        ("as above", *scenario),
        ("the slow one stops", Scenario { slowness: 1e5, ..*scenario }),
        ("one request in 10,000 is heavy, load 80 %", Scenario { heavy: 1e-4, load: 0.8, ..*scenario }),
        ("one request in 500 is heavy", Scenario { heavy: 2e-3, ..*scenario }),
        ("one answer in 100 is a 500", Scenario { errors: 0.01, ..*scenario }),
        ("one answer in 5 is a 503, load 80 %", Scenario { failures: 0.2, load: 0.8, ..*scenario }),
        ("one request a second for each endpoint", Scenario { load: 0.0025, ..*scenario }),
    ];
    let figures = ["calm p50", "calm p99", "p50", "p99", "p99.9", "errors", "slow"];
    let mut table = Table::new(["algorithm, with ejection"].into_iter().chain(figures));
    for (about, minute) in minutes {
        for algorithm in [Algorithm::RoundRobin, Algorithm::LeastRequest, Algorithm::PeakEwma] {
            let report = run(&minute, Router::core(policy(&algorithm, Care::Ejection), 1, minute.endpoints));
            let quantiles = [(minute.calm(), 0.5), (minute.calm(), 0.99)]
                .into_iter()
                .chain([0.5, 0.99, 0.999].map(|part| (minute.bad(), part)))
                .map(|(seconds, part)| millis(&report, seconds, part));
            let shares = [report.error_share(minute.bad()), report.share(minute.bad(), minute.slow())];
            let shares = shares.map(|share| format!("{:.2}", share * 100.0));
            table.row([format!("{about}: {algorithm}")].into_iter().chain(quantiles).chain(shares));
        }
    }
    table.print("The same in other bad minutes. A heavy request is 50 times as much work as others.");
}

fn plot(scenario: &Scenario) -> String {
    let bound = run(scenario, Router::Oracle(scenario.endpoints - 1));
    let reports = Algorithm::ALL.map(|algorithm| {
        let report = |care| run(scenario, Router::core(policy(&algorithm, care), 1, scenario.endpoints));
        (algorithm.name(), [report(Care::Nothing), report(Care::All)])
    });
    let mut panels = Vec::new();
    for (name, [bare, cared]) in &reports {
        panels.push(Panel { title: (*name).to_owned(), lines: vec![&bound, bare, cared] });
    }
    draw(&panels, ["shortest wait, known beforehand", "as it is", "with ejection and slow start"], scenario)
}

fn policy(algorithm: &Algorithm, care: Care) -> Policy {
    let mut policy = Policy::default();
    policy.load_balance = Some(algorithm.clone());
    if care == Care::Nothing {
        policy.outlier.failures = Some(0);
    }
    if care == Care::All {
        policy.slow_start.window = Some(Duration::from_secs(20));
    }
    policy
}

fn millis(report: &Report, seconds: Range<usize>, part: f64) -> String {
    format!("{:.0}", report.quantile(seconds, part) * 1000.0)
}

impl Care {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Ejection => ", ejection",
            Self::All => ", ejection, slow start",
        }
    }
}
