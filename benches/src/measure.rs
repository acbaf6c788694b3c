//! Options, clocks, medians and Markdown tables.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// What the command line asks for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether to measure; otherwise everything runs once on tiny tables, as a test.
    pub measuring: bool,
    only: Vec<String>,
}

/// A Markdown table. It is printed when it is whole, so that its columns are aligned.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

/// Something that is measured: it returns its figure for one round.
pub type Contestant<'a> = Box<dyn FnMut() -> f64 + 'a>;

// ===== impl Options =====

impl Options {
    /// Reads the arguments. Cargo passes `--bench` when it benchmarks, and not when it tests.
    pub fn from_args() -> Self {
        let mut options = Self { measuring: false, only: Vec::new() };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match &*argument {
                "--bench" => options.measuring = true,
                "--only" => options.only.extend(arguments.next()),
                _ => {}
            }
        }
        options
    }

    /// Whether a row of this name is wanted: all are, unless `--only TEXT` names some. A text of digits is a whole
    /// number in the name, any other a part of it.
    pub fn wants(&self, name: &str) -> bool {
        let names = |text: &String| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => name.split(|c: char| !c.is_ascii_digit()).any(|number| number == text),
            false => name.contains(&**text),
        };
        self.only.is_empty() || self.only.iter().any(names)
    }

    /// `full` when measuring, otherwise `tiny`.
    pub fn pick<T>(&self, full: T, tiny: T) -> T {
        if self.measuring { full } else { tiny }
    }
}

// ===== impl Table =====

impl Table {
    /// A table with these columns.
    pub fn new<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self { rows: vec![columns.into_iter().map(Into::into).collect()] }
    }

    /// Adds a row.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Prints it under a title. The first column is text, the others are figures.
    pub fn print(&self, title: &str) {
        let widths: Vec<usize> = (0..self.rows[0].len())
            .map(|column| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(3))
            .collect();
        println!("\n{title}\n");
        for (number, row) in self.rows.iter().enumerate() {
            let cell = |(column, (text, &width)): (usize, (&String, &usize))| match column {
                0 => format!(" {text:<width$} |"),
                _ => format!(" {text:>width$} |"),
            };
            let cells: String = row.iter().zip(&widths).enumerate().map(cell).collect();
            println!("|{cells}");
            if number == 0 {
                let line = |(column, &width): (usize, &usize)| match column {
                    0 => format!(" {} |", "-".repeat(width)),
                    _ => format!(" {}: |", "-".repeat(width - 1)),
                };
                println!("|{}", widths.iter().enumerate().map(line).collect::<String>());
            }
        }
    }
}

// ===== helpers =====

/// The median of each contestant's figures, who take turns so that a slow moment hits all of them. A round before the
/// first is for warming up.
pub fn medians(rounds: usize, contestants: &mut [Contestant<'_>]) -> Vec<f64> {
    let mut figures = vec![Vec::with_capacity(rounds); contestants.len()];
    for round in 0..=rounds {
        for (contestant, figures) in contestants.iter_mut().zip(&mut figures) {
            let figure = contestant();
            if round > 0 {
                figures.push(figure);
            }
        }
    }
    figures.into_iter().map(median).collect()
}

/// The middle one.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Nanoseconds that each of `count` operations took.
pub fn nanoseconds<R>(count: usize, run: impl FnOnce() -> R) -> f64 {
    let start = Instant::now();
    black_box(run());
    start.elapsed().as_nanos() as f64 / count as f64
}

/// How long it took, and what it made.
pub fn timed<R>(run: impl FnOnce() -> R) -> (Duration, R) {
    let start = Instant::now();
    let made = run();
    (start.elapsed(), made)
}

/// The processor time of this thread that it took, in microseconds, and what it made.
pub fn cpu<R>(run: impl FnOnce() -> R) -> (f64, R) {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
    };
    let start = now();
    let made = run();
    (now() - start, made)
}
