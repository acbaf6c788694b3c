//! `gateway check`: what is wrong with manifests, for people, programs and code scanning.

mod place;
mod sarif;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use ingress_core::{Diagnostic, Diagnostics, Severity};
use serde::Serialize;

use crate::Failure;
use crate::args::TranslationOptions;
use crate::offline::{self, Offline};

const EXAMPLES: &str = "\
Examples:
  gateway check manifests/                      what `gateway run --manifests manifests/` would find
  gateway check base/ overlay.yaml              files that belong together, given together
  helm template shop | gateway check -          what a template makes
  gateway check --format sarif . > check.sarif  for code scanning

Exit status: 1 when there are errors, or warnings and --deny warnings; 2 when arguments are wrong or
a path cannot be read; otherwise 0.";

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckOptions {
    /// Files, and directories with all *.yaml, *.yml and *.json below; `-` is the standard input. Together
    /// they are one cluster: a Service that an Ingress names must be among them
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// How findings are written to stdout
    #[arg(long, env = "INGRESS_CHECK_FORMAT", value_enum, default_value_t = Format::Text)]
    format: Format,

    /// What else than errors gives exit status 1
    #[arg(long, env = "INGRESS_CHECK_DENY", value_enum)]
    deny: Option<Deny>,

    #[command(flatten)]
    translation: TranslationOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Findings with the lines that they are about, and a summary
    Text,
    /// One JSON object: all findings, and the counts of the summary
    Json,
    /// A SARIF 2.1.0 log, for code scanning
    Sarif,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// Findings of severity warning
    Warnings,
}

/// The result as a JSON document.
#[derive(Debug, Serialize)]
struct Document<'c> {
    diagnostics: &'c [&'c Diagnostic],
    summary: Summary,
}

/// How much there is, and how much of it is wrong.
#[derive(Clone, Copy, Debug, Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    files: usize,
    objects: usize,
    /// Ingresses of other controllers' classes.
    foreign: usize,
    /// Ingresses whose class nobody serves.
    unserved: usize,
    /// Paths of Ingresses.
    rules: usize,
    /// Rules that no older one hides.
    routes: usize,
    hosts: usize,
    backends: usize,
    endpoints: usize,
}

/// Writes what is wrong with the manifests, and says so in the exit status.
pub(crate) fn check(options: &CheckOptions) -> Result<ExitCode, Failure> {
    let offline = Offline::load(&options.paths, &options.translation)?;
    let findings = by_place(&offline.report.diagnostics);
    let summary = Summary::new(&offline);
    match options.format {
        Format::Text => offline::print(&text::render(&offline, &findings, &summary))?,
        Format::Json => offline::print_json(&Document { diagnostics: &findings, summary })?,
        Format::Sarif => offline::print_json(&sarif::log(&offline.loaded, &findings))?,
    }
    let denied = summary.errors > 0 || (options.deny == Some(Deny::Warnings) && summary.warnings > 0);
    Ok(ExitCode::from(u8::from(denied)))
}

/// Findings as people read files: from the top, one file after the other. What is about no file comes first.
fn by_place(findings: &Diagnostics) -> Vec<&Diagnostic> {
    let mut findings: Vec<_> = findings.iter().collect();
    findings.sort_by_key(|finding| {
        finding.source.as_ref().map(|source| (&source.object.file, source.object.line))
    });
    findings
}

// ===== impl Summary =====

impl Summary {
    fn new(offline: &Offline) -> Self {
        let report = &offline.report;
        let count = |severity| report.diagnostics.iter().filter(|found| found.severity == severity).count();
        Self {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            files: offline.loaded.texts().len(),
            objects: report.objects.total(),
            foreign: report.foreign,
            unserved: report.unserved,
            rules: report.rules,
            routes: report.routes,
            hosts: offline.table.host_count(),
            backends: report.backends,
            endpoints: report.endpoints,
        }
    }
}
