//! `gateway routes`: what would be served, route by route.

use std::path::PathBuf;
use std::sync::Arc;

use annotate_snippets::normalize_untrusted_str;
use clap::ValueEnum;
use ingress_core::{Backend, BackendRef, EndpointSet, HostMatch, Passthrough, RouteMatch, Severity, Source};

use crate::Failure;
use crate::args::TranslationOptions;
use crate::offline::{self, Offline};

const EXAMPLES: &str = "\
Examples:
  gateway routes --manifests manifests/
  gateway routes --manifests manifests/ --format json | jq '.routes[].host'

ENDPOINTS: how many can be chosen, of how many. Findings are only counted, on stderr.";

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RoutesOptions {
    /// Directory of manifests, read with its subdirectories, or one file; `-` is the standard input
    #[arg(long, env = "INGRESS_MANIFESTS", value_name = "DIR")]
    manifests: PathBuf,

    /// How routes are written to stdout
    #[arg(long, env = "INGRESS_ROUTES_FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    translation: TranslationOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each route: by host, and for each host the strongest first
    Table,
    /// Routes, backends and findings, as /config_dump has them
    Json,
}

const HEAD: [&str; 6] = ["HOST", "TYPE", "PATH", "BACKEND", "ENDPOINTS", "SOURCE"];

/// Writes the routes, by host, and for each host the strongest first.
pub(crate) fn routes(options: &RoutesOptions) -> Result<(), Failure> {
    let offline = Offline::load(std::slice::from_ref(&options.manifests), &options.translation)?;
    match options.format {
        Format::Json => return offline::print_json(&offline.table.dump()),
        Format::Table => {
            let head = HEAD.map(String::from);
            let rows = std::iter::once(head).chain(offline.table.routes().map(row));
            let rows: Vec<_> = rows.chain(offline.table.passthroughs().map(passed)).collect();
            offline::print(&align(&rows))?;
        }
    }
    let findings = offline.table.diagnostics();
    if !findings.is_empty() {
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        let warnings = findings.len() - errors;
        eprintln!("errors: {errors}, warnings: {warnings}; `gateway check` shows them");
    }
    Ok(())
}

fn row(found: RouteMatch<'_>) -> [String; 6] {
    let several = found.backends().count() > 1;
    let backend = |(backend, weight): (&Arc<Backend>, u32)| match several {
        true => format!("{}={weight}", backend.reference()),
        false => backend.reference().to_string(),
    };
    let endpoints = |(backend, _): (&Arc<Backend>, u32)| match backend.reference() {
        BackendRef::Service(_) => usable(backend.endpoints()),
        // Answered in the process, or not at all.
        BackendRef::Resource(_) => "-".into(),
    };
    let path = match found.route.conditions() {
        none if none.is_empty() => found.route.path().as_str().into(),
        conditions => format!("{} ({conditions})", found.route.path().as_str()),
    };
    [
        found.route.host().to_string(),
        found.route.path().kind().into(),
        path,
        found.backends().map(backend).collect::<Vec<_>>().join(", "),
        found.backends().map(endpoints).collect::<Vec<_>>().join(", "),
        found.route.source().map(place).unwrap_or_default(),
    ]
    .map(|cell| normalize_untrusted_str(&cell))
}

/// A host whose connections are not decrypted.
fn passed((host, passed): (&HostMatch, Passthrough<'_>)) -> [String; 6] {
    [
        host.to_string(),
        "TLS".into(),
        "-".into(),
        passed.backend.reference().to_string(),
        usable(passed.backend.endpoints()),
        passed.source.map(place).unwrap_or_default(),
    ]
    .map(|cell| normalize_untrusted_str(&cell))
}

fn usable(endpoints: &EndpointSet) -> String {
    let usable = endpoints.as_slice();
    let all = usable.len() + endpoints.unusable().len();
    format!("{}/{all}", usable.iter().filter(|endpoint| endpoint.weight() > 0).count())
}

/// `shop/ingress.yaml:12 Ingress shop/web spec.rules[0]`: a place that terminals and editors open.
fn place(source: &Source) -> String {
    let line = source.object.line.map(|line| format!(":{line}")).unwrap_or_default();
    let file = source.object.file.as_ref().map(|file| format!("{file}{line} ")).unwrap_or_default();
    format!("{file}{source}")
}

/// Columns as wide as their widest cell.
fn align<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
