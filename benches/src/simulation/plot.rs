//! Latency and errors over time, drawn as SVG: a few lines and words, for which no crate is needed.

use std::fmt::Write;
use std::ops::Range;

use super::{Report, Scenario};

const COLUMNS: usize = 3;
/// Of one algorithm: the size of its place, and of the two graphs in it.
const PLACE: (f64, f64) = (320.0, 288.0);
const GRAPH: (f64, f64) = (258.0, 150.0);
const ERRORS: f64 = 64.0;
const TOP: f64 = 64.0;
/// What the axes reach over: seconds of latency, on a logarithmic scale, and the part of requests that fail.
const LATENCY: Range<f64> = 0.03..2.5;
const MOST_ERRORS: f64 = 0.16;
/// Colours that are told apart by all eyes (Okabe and Ito 2008).
const COLOURS: [&str; 3] = ["#999999", "#e69f00", "#0072b2"];

/// The graphs of one algorithm: a line for each report.
#[derive(Debug)]
pub struct Panel<'a> {
    /// Its name.
    pub title: String,
    /// In the order of the legend; those behind are drawn above.
    pub lines: Vec<&'a Report>,
}

/// Draws all panels, with a legend of what the lines are.
pub fn draw(panels: &[Panel<'_>], legend: [&str; 3], scenario: &Scenario) -> String {
    let rows = panels.len().div_ceil(COLUMNS) as f64;
    let (width, height) = (PLACE.0 * COLUMNS as f64, PLACE.1 * rows + TOP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"11\" fill=\"#333333\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    let [bad, joins, well] =
        [scenario.bad().start, scenario.cold_seconds().start, scenario.failing_seconds().end];
    let events = format!(
        "{bad} s: one endpoint of {} becomes {:.0} times as slow, one fails at once; {joins} s: a cold one comes; {well} \
         s: the failing one is well, the cold one warm",
        scenario.endpoints, scenario.slowness
    );
    text(&mut svg, (24.0, 20.0), "start", &events);
    for (number, (name, colour)) in legend.iter().zip(COLOURS).enumerate() {
        let x = 24.0 + 240.0 * number as f64;
        line(&mut svg, &[(x, 40.0), (x + 24.0, 40.0)], colour, 2.0);
        text(&mut svg, (x + 30.0, 44.0), "start", name);
    }
    for (number, panel) in panels.iter().enumerate() {
        let place =
            ((number % COLUMNS) as f64 * PLACE.0 + 44.0, (number / COLUMNS) as f64 * PLACE.1 + TOP + 16.0);
        draw_panel(&mut svg, panel, place, [bad, joins, well], scenario.seconds);
    }
    svg + "</svg>\n"
}

fn draw_panel(
    svg: &mut String,
    panel: &Panel<'_>,
    (left, top): (f64, f64),
    events: [usize; 3],
    seconds: usize,
) {
    let base = top + GRAPH.1 + 16.0;
    let x = |second: f64| left + GRAPH.0 * second / seconds as f64;
    let latency_y = |latency: f64| {
        let part = (latency.max(LATENCY.start) / LATENCY.start).ln() / (LATENCY.end / LATENCY.start).ln();
        top + GRAPH.1 * (1.0 - part.min(1.0))
    };
    let errors_y = |share: f64| base + ERRORS * (1.0 - (share / MOST_ERRORS).min(1.0));
    text(svg, (left, top - 6.0), "start", &format!("{}: p99 of the answers", panel.title));
    text(svg, (left, base - 4.0), "start", "errors");
    for (latency, name) in
        [(0.05, "50 ms"), (0.1, "100"), (0.2, "200"), (0.5, "500"), (1.0, "1 s"), (2.0, "2 s")]
    {
        grid(svg, (left, latency_y(latency)), name);
    }
    for (share, name) in [(0.0, "0"), (0.05, "5 %"), (0.1, "10"), (0.15, "15")] {
        grid(svg, (left, errors_y(share)), name);
    }
    for event in events {
        let x = x(event as f64);
        line(svg, &[(x, top), (x, base + ERRORS)], "#bbbbbb", 1.0);
        text(svg, (x, base + ERRORS + 14.0), "middle", &format!("{event} s"));
    }
    for (report, colour) in panel.lines.iter().zip(COLOURS) {
        let points = |figure: &dyn Fn(Range<usize>) -> f64| -> Vec<(f64, f64)> {
            (0..seconds).map(|second| (x(second as f64 + 0.5), figure(second..second + 1))).collect()
        };
        line(svg, &points(&|second| latency_y(report.quantile(second, 0.99))), colour, 1.6);
        line(svg, &points(&|second| errors_y(report.error_share(second))), colour, 1.6);
    }
}

fn grid(svg: &mut String, (left, y): (f64, f64), name: &str) {
    line(svg, &[(left, y), (left + GRAPH.0, y)], "#e8e8e8", 1.0);
    text(svg, (left - 4.0, y + 4.0), "end", name);
}

fn line(svg: &mut String, points: &[(f64, f64)], colour: &str, width: f64) {
    let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let points = points.join(" ");
    let attributes = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"");
    writeln!(svg, "<polyline points=\"{points}\" {attributes}/>").expect("a string takes everything");
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>")
        .expect("a string takes everything");
}
