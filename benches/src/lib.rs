//! What the benchmarks share: rule sets and requests made from a seed, the engines that are compared on them, an
//! oracle for their answers, and the clock.
//!
//! Each file beside this package's `Cargo.toml` answers one question and prints its figures as Markdown tables.
//! `cargo bench -p benches --bench NAME -- --only TEXT` measures the rows whose name holds the text. Run as a test
//! (`cargo test -p benches --benches`) each does the same on tiny tables.
//!
//! The shape of the rule sets is that of ingress controllers which many teams share: many hosts with about ten rules
//! each, one in ten of them a wildcard, seven rules in ten a Prefix; or few hosts with hundreds of rules.

pub mod cells;
pub mod engines;
pub mod hostile;
pub mod manifests;
pub mod measure;
pub mod oracle;
pub mod proxied;
mod random;
pub mod simulation;
pub mod table;
pub mod workload;

pub use random::Random;
