//! What stops a source of objects from starting.

use std::io;
use std::path::{Path, PathBuf};

/// Why a directory of manifests cannot be followed, or manifests not be loaded. Nothing is retried: it concerns the start only, and
/// faults that turn up later are [`Diagnostic`](ingress_core::Diagnostic)s.
#[derive(Debug, thiserror::Error)]
#[error("{subject}{} {what}", .path.display())]
pub struct Error {
    /// Before the path in the message.
    subject: &'static str,
    path: PathBuf,
    what: What,
    #[source]
    source: Option<io::Error>,
}

const DIRECTORY: &str = "manifest directory ";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    NotFound,
    NotADirectory,
    Unreadable,
    NoThread,
}

impl Error {
    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        let what = match source.kind() {
            io::ErrorKind::NotFound => What::NotFound,
            io::ErrorKind::NotADirectory => What::NotADirectory,
            _ => What::Unreadable,
        };
        // The operating system's text says nothing more in the first two cases.
        let source = (what == What::Unreadable).then_some(source);
        Self { subject: DIRECTORY, path: path.into(), what, source }
    }

    /// Of a path that may be a file or a directory.
    pub(crate) fn load(path: &Path, source: io::Error) -> Self {
        Self { subject: "", ..Self::read(path, source) }
    }

    pub(crate) fn not_a_directory(path: &Path) -> Self {
        Self { subject: DIRECTORY, path: path.into(), what: What::NotADirectory, source: None }
    }

    pub(crate) fn no_thread(path: &Path, source: io::Error) -> Self {
        Self { subject: DIRECTORY, path: path.into(), what: What::NoThread, source: Some(source) }
    }

    /// The path that was asked for.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// There is nothing at the path.
    pub fn is_not_found(&self) -> bool {
        self.what == What::NotFound
    }

    /// There is something at the path, but no directory.
    pub fn is_not_a_directory(&self) -> bool {
        self.what == What::NotADirectory
    }
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotFound => "does not exist",
            Self::NotADirectory => "is not a directory",
            Self::Unreadable => "cannot be read",
            Self::NoThread => "cannot be followed: no thread could be started",
        })
    }
}
