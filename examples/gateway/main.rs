//! An ingress controller made of the three crates: reads Kubernetes manifests, follows their edits, and
//! routes HTTP traffic to the endpoints of Services.

mod access_log;
mod admin;
mod args;
mod certificate;
mod check;
mod cluster;
mod demo;
mod descriptors;
mod diff;
mod explain;
mod log;
mod metrics;
mod offline;
mod policies;
mod replay;
mod report;
mod routes;
mod run;
mod workers;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

/// Requests allocate and free small pieces on every worker; the system's allocator is slower at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Why the gateway did not start, or has no result; the text is the one line that the user sees.
#[derive(Debug)]
enum Failure {
    /// What was asked for cannot be: exit status 2, like a wrong flag.
    Usage(String),
    /// The system refused: exit status 1.
    System(String),
}

/// Connections touch little of the buffers that they hold. With pages of 2 MiB, which the allocator asks for, the rest
/// would take memory as well: half as much again for each idle connection.
fn small_pages() {
    // Without it the process needs more memory, and is as good as ever.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

fn main() -> ExitCode {
    let succeeded = |()| ExitCode::SUCCESS;
    small_pages();
    let args = Args::parse();
    log::start(args.log_format);
    let ended = match args.command {
        Command::Run(options) => run::run(&options, |_| ()).map(succeeded),
        Command::Demo(options) => demo::demo(&options).map(succeeded),
        Command::Check(options) => check::check(&options),
        Command::Routes(options) => routes::routes(&options).map(succeeded),
        Command::Explain(options) => explain::explain(&options).map(succeeded),
        Command::Diff(options) => diff::diff(&options),
        Command::Replay(options) => replay::replay(&options),
    };
    let (status, message) = match ended {
        Ok(status) => return status,
        Err(Failure::Usage(message)) => (2, message),
        Err(Failure::System(message)) => (1, message),
    };
    eprintln!("error: {message}");
    ExitCode::from(status)
}
