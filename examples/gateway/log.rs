//! Logs: lines for people on a terminal, JSON for machines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::args::LogFormat;

/// Sends what is logged to stderr.
pub(crate) fn start(format: LogFormat) {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    // It would log answers that it does not understand, and they may be secret.
    let filter = match "kube_client=error".parse() {
        Ok(quiet) => filter.add_directive(quiet),
        Err(_) => filter,
    };
    let terminal = std::io::stderr().is_terminal();
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    if format == LogFormat::Json || (format == LogFormat::Auto && !terminal) {
        logs.json().flatten_event(true).init();
    } else {
        logs.with_ansi(terminal).init();
    }
}
