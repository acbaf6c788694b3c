//! A directory of manifests as the source of objects, and everything that is edited in it. [`load_manifests`]
//! reads manifests once instead, for a lint tool.
//!
//! Read are `*.yaml`, `*.yml` and `*.json` files in the directory and below, in the order of their paths.
//! What begins with a dot is left out; symbolic links are followed, so a mounted ConfigMap (whose files are
//! links through `..data`) is read as it is meant. A file holds any number of YAML documents or JSON values,
//! and each of these one object or a `List`. Objects of other kinds, such as Deployments, are left out
//! silently. Of two objects with one kind, namespace and name the first by file and line counts.
//!
//! # Edits
//!
//! The first edit is published at once, what follows within 50 ms together at the end of that time. What
//! an edit *adds or changes* is believed at once; what it *breaks or takes away* only when it is still so
//! 50 ms later, because editors empty a file before they write it, or write a new one beside it.
//!
//! What is broken does not take away what served before:
//!
//! | what happens | what is served |
//! |---|---|
//! | a document is faulty | the file's other documents, and the objects that the file held before and now lacks |
//! | an Ingress has an unknown field in a rule | the Ingress as it is now, without that rule |
//! | an Ingress has an unknown field that may be meant to say who serves it | nothing of it, nor what it said before |
//! | any other unknown field | the object as it is now, without the field |
//! | a file cannot be read, or is no text | the objects that it held before |
//! | a file is deleted, or emptied | nothing of it |
//! | the directory, or one below it, vanishes or cannot be read | the objects that it held before |
//!
//! So an object that is removed from a file is served on for as long as something else in that file is
//! faulty. An unknown field does not make a document faulty in this sense: the object is known, and of what
//! it held before nothing is kept, so that a misspelt `host` or class never serves an older version. Each of these faults is a [`Diagnostic`](ingress_core::Diagnostic) with file and line.

mod document;
mod event;
mod fault;
mod field;
mod files;
mod header;
mod json;
mod load;
mod locate;
mod parse;
mod pending;
mod root;
mod scan;
mod strict;
mod unknown;
mod watch;

use std::path::{Path, PathBuf};

pub use load::{Loaded, load_manifests};
pub use parse::{Manifest, parse_manifests};
pub use watch::WatchHandle;

use root::Root;

use crate::{Error, IngressController, Report};

/// A directory of manifests.
#[derive(Debug)]
pub struct ManifestDir {
    root: Root,
}

impl ManifestDir {
    /// A directory that exists and can be read.
    ///
    /// # Errors
    ///
    /// When there is nothing at the path, or no directory, or one that cannot be read.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let metadata = std::fs::metadata(&path).map_err(|error| Error::read(&path, error))?;
        if !metadata.is_dir() {
            return Err(Error::not_a_directory(&path));
        }
        std::fs::read_dir(&path).map_err(|error| Error::read(&path, error))?;
        let root = Root::new(path.clone()).map_err(|error| Error::read(&path, error))?;
        Ok(Self { root })
    }

    /// The directory's path, as it was given.
    pub fn path(&self) -> &Path {
        self.root.given()
    }

    /// Loads the whole directory into `controller`, publishes the table, and follows every edit on a
    /// thread of its own until the handle is dropped.
    ///
    /// The first table is published, and `on_report` called for it, before this returns. Later calls come
    /// from the thread, one for each published table; the thread waits while `on_report` runs.
    ///
    /// Where the operating system cannot notify (or has no watch left) the directory is looked at once a
    /// second.
    ///
    /// # Errors
    ///
    /// When the directory can no longer be read, or no thread can be started. Faulty files are no error.
    pub fn watch(
        self,
        controller: IngressController,
        on_report: impl FnMut(&Report) + Send + 'static,
    ) -> Result<WatchHandle, Error> {
        watch::start(self.root, controller, on_report)
    }
}
