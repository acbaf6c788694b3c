//! `gateway diff`: what a change of manifests means for requests.

use std::path::PathBuf;
use std::process::ExitCode;

use annotate_snippets::normalize_untrusted_str;
use clap::ValueEnum;
use clap::builder::FalseyValueParser;

use crate::Failure;
use crate::args::TranslationOptions;
use crate::offline::{self, Offline};

const EXAMPLES: &str = "\
Examples:
  gateway diff main/ branch/                  hosts and paths that get other backends or endpoints
  gateway diff --exit-code main/ branch/      exit status 1 when something changes
  gateway diff main/ branch/ --format json | jq '.routes[].sample'

Comments, names of objects and the order of rules change nothing. `gateway check` finds what is wrong.";

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DiffOptions {
    /// Manifests as they are: a directory or file; `-` is the standard input
    #[arg(value_name = "OLD_DIR")]
    old: PathBuf,

    /// Manifests as they will be
    #[arg(value_name = "NEW_DIR")]
    new: PathBuf,

    /// Exit with status 1 when something changes for requests
    #[arg(long, env = "INGRESS_DIFF_EXIT_CODE", value_parser = FalseyValueParser::new())]
    exit_code: bool,

    /// How the difference is written to stdout
    #[arg(long, env = "INGRESS_DIFF_FORMAT", value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    translation: TranslationOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Hosts and paths, who served them and who will, and a request to try
    Text,
    /// The same as one JSON object
    Json,
}

/// Writes what changes, and says so in the exit status if that is wanted.
pub(crate) fn diff(options: &DiffOptions) -> Result<ExitCode, Failure> {
    let load = |path: &PathBuf| Offline::load(std::slice::from_ref(path), &options.translation);
    let (old, new) = (load(&options.old)?, load(&options.new)?);
    let diff = old.table.diff(&new.table);
    match options.format {
        Format::Text => offline::print(&normalize_untrusted_str(&diff.to_string()))?,
        Format::Json => offline::print_json(&diff)?,
    }
    Ok(ExitCode::from(u8::from(options.exit_code && !diff.is_empty())))
}
