//! What the gateway would serve, without serving it: manifests loaded and compiled by the code of the data
//! plane.

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ingress_core::RouteTable;
use ingress_kube::manifests::Loaded;
use ingress_kube::{IngressController, Report};

use crate::Failure;
use crate::args::TranslationOptions;
use crate::run::chain;

/// How findings name what came from the standard input.
const STDIN: &str = "<stdin>";

/// Manifests, and the table that is made of them.
#[derive(Debug)]
pub(crate) struct Offline {
    /// What was read.
    pub(crate) loaded: Loaded,
    /// What the data plane would serve.
    pub(crate) table: Arc<RouteTable>,
    /// What was found, and how much there is of everything.
    pub(crate) report: Report,
}

impl Offline {
    /// Loads files and directories as one set of objects; the path `-` is the standard input.
    pub(crate) fn load(paths: &[PathBuf], translation: &TranslationOptions) -> Result<Self, Failure> {
        let config = translation.config().map_err(Failure::Usage)?;
        let mut loaded = Loaded::default();
        for path in paths {
            if path == Path::new("-") {
                let mut text = String::new();
                let read = std::io::stdin().read_to_string(&mut text);
                read.map_err(|error| Failure::Usage(format!("the standard input cannot be read: {error}")))?;
                loaded.add_text(STDIN, text);
            } else {
                loaded.read(path).map_err(|error| Failure::Usage(chain(&error)))?;
            }
        }
        let (reader, writer) = ingress_core::table(RouteTable::default());
        let report = loaded.publish(&mut IngressController::new(config, writer));
        Ok(Self { loaded, table: reader.snapshot(), report })
    }
}

/// Writes the result to the standard output. A reader that has seen enough, such as `head`, is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Usage(format!("the standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a value as indented JSON.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::Usage(format!("the result cannot be written as JSON: {error}")))?;
    print(&(json + "\n"))
}
