//! `gateway replay`: which endpoint a logged choice fell on, worked out again from a saved table.

mod saved;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;

use annotate_snippets::normalize_untrusted_str;
use ingress_core::{Algorithm, ChoiceRecord};
use serde::Deserialize;

use crate::Failure;
use crate::offline;
use saved::Saved;

const EXAMPLES: &str = "\
Examples:
  curl -s http://127.0.0.1:10254/config_dump > dump.json    save the table while it is served
  gateway replay --dump dump.json access.log                lines that `gateway run --access-log json` wrote
  gateway replay --dump dump.json --backend default/web:80 --algorithm round-robin --choice t2a

A choice is repeated in the table of its generation, of the same process: lines of other generations are counted and
passed over. Exit status: 1 when a choice falls on another endpoint than the log says; 2 when arguments are wrong, or a
file cannot be read or used; otherwise 0.";

/// As much text is written at once.
const PAGE: usize = 64 * 1024;

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReplayOptions {
    /// The table: what /config_dump of the admin listener answered
    #[arg(long, env = "INGRESS_REPLAY_DUMP", value_name = "FILE")]
    dump: PathBuf,

    /// Access log; `-`, or none, is the standard input
    #[arg(value_name = "LOG")]
    log: Option<PathBuf>,

    /// Backend of a single choice: `backend` in the log
    #[arg(long, value_name = "NAMESPACE/NAME:PORT", requires = "choice", conflicts_with = "log")]
    backend: Option<String>,

    /// Algorithm of a single choice: `algorithm` in the log
    #[arg(long, value_name = "NAME", requires = "choice", conflicts_with = "log")]
    algorithm: Option<String>,

    /// A single choice: `choice` in the log
    #[arg(long, value_name = "TEXT", requires_all = ["backend", "algorithm"], conflicts_with = "log")]
    choice: Option<String>,
}

/// What of a line of the access log is needed.
#[derive(Debug, Deserialize)]
struct Line {
    generation: Option<u64>,
    backend: Option<String>,
    endpoint: Option<String>,
    algorithm: Option<String>,
    choice: Option<String>,
}

/// A choice as it was logged.
#[derive(Clone, Copy, Debug)]
struct Logged<'l> {
    backend: &'l str,
    algorithm: &'l str,
    choice: &'l str,
}

/// How many lines there are of each kind.
#[derive(Debug, Default)]
struct Count {
    same: usize,
    different: usize,
    other_generation: usize,
    without_choice: usize,
}

/// Writes on which endpoints the choices fall, and says in the exit status whether one differs.
pub(crate) fn replay(options: &ReplayOptions) -> Result<ExitCode, Failure> {
    let saved = Saved::read(&options.dump).map_err(Failure::Usage)?;
    if let (Some(backend), Some(algorithm), Some(choice)) =
        (&options.backend, &options.algorithm, &options.choice)
    {
        let endpoint = repeat(&saved, Logged { backend, algorithm, choice }).map_err(Failure::Usage)?;
        let nobody = || Failure::Usage(format!("{choice} is no choice by {algorithm} among these endpoints"));
        offline::print(&format!("{}\n", endpoint.ok_or_else(nobody)?))?;
        return Ok(ExitCode::SUCCESS);
    }
    let path = options.log.as_ref().filter(|path| path.as_os_str() != "-");
    let (name, log): (_, Box<dyn BufRead>) = match path {
        None => ("<stdin>".to_owned(), Box::new(std::io::stdin().lock())),
        Some(path) => {
            let failed = |error| Failure::Usage(format!("{} cannot be read: {error}", path.display()));
            (path.display().to_string(), Box::new(BufReader::new(File::open(path).map_err(failed)?)))
        }
    };
    let mut told = String::new();
    let count = replay_log(&saved, &name, log, &mut told);
    offline::print(&told)?;
    let count = count?;
    offline::print(&count.text(saved.generation()))?;
    Ok(ExitCode::from(u8::from(count.different > 0)))
}

/// Says of each line what becomes of it. What is longer than [`PAGE`] is written at once.
fn replay_log(saved: &Saved, name: &str, log: impl BufRead, told: &mut String) -> Result<Count, Failure> {
    let mut count = Count::default();
    for (number, line) in (1..).zip(log.lines()) {
        let wrong = |why: String| Failure::Usage(format!("{name}:{number}: {why}"));
        let line = line.map_err(|error| wrong(format!("the line cannot be read: {error}")))?;
        if line.trim().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(&line)
            .map_err(|error| wrong(format!("this is no line of the access log: {error}")))?;
        let Some(choice) = &line.choice else {
            count.without_choice += 1;
            continue;
        };
        let (Some(generation), Some(backend), Some(endpoint), Some(algorithm)) =
            (line.generation, &line.backend, &line.endpoint, &line.algorithm)
        else {
            return Err(wrong("there is a choice without generation, backend, endpoint or algorithm".into()));
        };
        if generation != saved.generation() {
            count.other_generation += 1;
            continue;
        }
        let repeated = repeat(saved, Logged { backend, algorithm, choice }).map_err(wrong)?;
        let same = repeated == Some(endpoint.as_str());
        *(if same { &mut count.same } else { &mut count.different }) += 1;
        let outcome = match repeated {
            _ if same => format!("{endpoint}, as logged"),
            Some(other) => format!("{other}, but {endpoint} was logged"),
            None => format!("no endpoint, but {endpoint} was logged"),
        };
        let text = format!("{number}: {backend} {algorithm} {choice}: {outcome}");
        *told += &(normalize_untrusted_str(&text) + "\n");
        if told.len() >= PAGE {
            offline::print(&std::mem::take(told))?;
        }
    }
    Ok(count)
}

/// The endpoint that a choice falls on, if it is one by this algorithm.
fn repeat<'s>(saved: &'s Saved, logged: Logged<'_>) -> Result<Option<&'s str>, String> {
    let Logged { backend, algorithm, choice } = logged;
    let set = saved.endpoints(backend).ok_or_else(|| format!("the table has no backend {backend:?}"))?;
    let record: ChoiceRecord = choice.parse().map_err(|error| format!("{choice:?}: {error}"))?;
    let known = Algorithm::ALL.iter().find(|known| known.name() == algorithm);
    let known = known.ok_or_else(|| format!("{algorithm:?} is no algorithm of the gateway"))?;
    let place = set.repeat(known, &record);
    Ok(place.and_then(|place| set.get(place)).map(|endpoint| endpoint.authority().as_str()))
}

impl Count {
    fn text(&self, generation: u64) -> String {
        let Self { same, different, other_generation, without_choice } = self;
        let noun = |count: usize| if count == 1 { "choice" } else { "choices" };
        let all = same + different;
        let mut text = format!("{all} {} in generation {generation}: {same} as logged", noun(all));
        if *different > 0 {
            text += &format!(", {different} not");
        }
        if *other_generation > 0 {
            text += &format!("; {other_generation} of other generations");
        }
        if *without_choice > 0 {
            text += &format!("; {without_choice} without a choice");
        }
        text + "\n"
    }
}

#[cfg(test)]
mod tests;
