//! What is to be looked at, and when.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use super::scan::Stamp;
use super::watch::{PATIENCE, WINDOW};

/// What is to be looked at.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) files: BTreeMap<PathBuf, Edit>,
    /// The whole directory; `Some(true)` when it is to be looked at once more after this time.
    pub(super) tree: Option<bool>,
    /// The watch is on a directory that is no longer there.
    pub(super) watch_lost: bool,
}

/// An edit of one file.
#[derive(Clone, Copy)]
pub(super) struct Edit {
    first: Instant,
    last: Instant,
    /// Whoever writes the file is through.
    pub(super) complete: bool,
    /// Since when it is known that believing it would take something away, and which text that is.
    doubted: Option<(Instant, Option<Stamp>)>,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.tree.is_none()
    }

    pub(super) fn edit(&mut self, path: PathBuf, complete: bool) {
        let now = Instant::now();
        let edit = self.files.entry(path).or_insert(Edit { first: now, last: now, complete, doubted: None });
        edit.last = now;
        edit.complete = complete;
        edit.doubted = None;
    }
}

impl Edit {
    /// Whether it is time to read the file: it is complete, or nothing was written for a while.
    pub(super) fn is_due(&self, settled: bool) -> bool {
        self.complete || settled && (self.last.elapsed() >= WINDOW || self.first.elapsed() >= PATIENCE)
    }

    /// Whether a text that takes something away has lasted long enough to be believed. A file that is
    /// emptied, written and emptied again is another one each time.
    pub(super) fn lasts(&mut self, stamp: Option<Stamp>) -> bool {
        match self.doubted {
            Some((since, doubted)) if doubted == stamp => since.elapsed() >= WINDOW,
            _ => {
                self.doubted = Some((Instant::now(), stamp));
                false
            }
        }
    }
}
