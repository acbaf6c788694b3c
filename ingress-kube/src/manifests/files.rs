//! What each file holds, and which objects follow from that.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use ingress_core::{Code, Diagnostic, ObjectRef, Source};

use super::parse::{Manifest, parse_manifests};
use super::scan::{Content, Scan, Stamp};
use crate::{IngressController, ObjectKey, Origin};

/// All files, and the objects that were handed to the controller.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: BTreeMap<PathBuf, File>,
    /// The directory's own faults, and those of directories below.
    faults: Vec<Diagnostic>,
    unreadable: Vec<PathBuf>,
    /// Which version of which object the controller has.
    applied: HashMap<ObjectKey, Version>,
    next_version: u64,
}

/// What one file holds.
#[derive(Debug, Default)]
struct File {
    /// Of the text that was last read; nothing where it could not be.
    stamp: Option<Stamp>,
    objects: Vec<Held>,
    /// Objects of an earlier text, served on because this one is faulty.
    kept: Vec<Held>,
    diagnostics: Vec<Diagnostic>,
    /// Its present text takes objects away, and is yet to be believed.
    doubtful: bool,
}

#[derive(Debug)]
struct Held {
    key: ObjectKey,
    version: Version,
    manifest: Manifest,
}

type Version = u64;

/// What a file turns out to hold now.
#[derive(Debug)]
pub(super) enum Look {
    Gone,
    Text { stamp: Stamp, manifests: Vec<Manifest>, diagnostics: Vec<Diagnostic> },
    Unreadable(Diagnostic),
}

impl Look {
    /// What tells this text from another one; nothing where there is no text.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        match self {
            Self::Text { stamp, .. } => Some(*stamp),
            Self::Gone | Self::Unreadable(_) => None,
        }
    }

    pub(super) fn at(path: &Path) -> Self {
        match super::scan::read(path) {
            Content::Gone => Self::Gone,
            Content::Unreadable(why) => Self::Unreadable(unreadable(path, why)),
            Content::Text(stamp, text) => {
                let (manifests, diagnostics) = parse_manifests(&text, &path.to_string_lossy());
                Self::Text { stamp, manifests, diagnostics }
            }
        }
    }
}

impl Files {
    /// Sets what cannot be read at all; the objects below are kept.
    pub(super) fn set_fault(&mut self, root: &Path, why: String) {
        self.faults = vec![directory_fault(root, why)];
    }

    /// Takes over which directories below cannot be read.
    pub(super) fn set_faults(&mut self, scan: &Scan) {
        self.faults = scan
            .faults
            .iter()
            .map(|(path, error)| directory_fault(path, format!("the directory cannot be read: {error}")))
            .collect();
        self.unreadable = scan.faults.iter().map(|(path, _)| path.clone()).collect();
    }

    /// The files that are not as they were when they were last read, and those that are gone.
    pub(super) fn changed(&self, scan: &Scan) -> Vec<PathBuf> {
        let known = |path: &PathBuf| self.files.get(path).and_then(|file| file.stamp);
        let changed =
            scan.files.iter().filter(|&(path, stamp)| known(path) != Some(*stamp)).map(|(path, _)| path);
        let gone = self.files.keys().filter(|path| {
            !scan.files.contains_key(*path)
                && !self.unreadable.iter().any(|directory| path.starts_with(directory))
        });
        changed.chain(gone).cloned().collect()
    }

    /// Whether believing this would break the file, or take an object of it away.
    pub(super) fn takes_away(&self, path: &Path, look: &Look) -> bool {
        let Some(file) = self.files.get(path) else { return false };
        let held = || file.objects.iter().chain(&file.kept);
        match look {
            Look::Gone | Look::Unreadable(_) => held().next().is_some(),
            Look::Text { diagnostics, .. } if !diagnostics.is_empty() => held().next().is_some(),
            Look::Text { manifests, .. } => {
                held().any(|held| !manifests.iter().any(|manifest| held.is(manifest)))
            }
        }
    }

    /// Notes that a file's present text is not believed yet.
    pub(super) fn doubt(&mut self, path: &Path) {
        if let Some(file) = self.files.get_mut(path) {
            file.doubtful = true;
            // Whatever becomes of this look, the file is to be read again.
            file.stamp = None;
        }
    }

    /// Takes over what a file holds now.
    pub(super) fn accept(&mut self, path: &Path, look: Look) {
        let version = self.next_version;
        match look {
            Look::Gone => {
                self.files.remove(path);
            }
            Look::Unreadable(diagnostic) => {
                let file = self.files.entry(path.into()).or_default();
                let objects = std::mem::take(&mut file.objects);
                file.kept.extend(objects);
                file.diagnostics = vec![diagnostic];
                file.stamp = None;
                file.doubtful = false;
            }
            Look::Text { stamp, manifests, diagnostics } => {
                self.next_version += u64::try_from(manifests.len()).unwrap_or_default();
                let file = self.files.entry(path.into()).or_default();
                let objects =
                    (version..).zip(manifests).map(|(version, manifest)| Held::new(version, manifest));
                file.replace(stamp, objects.collect(), diagnostics);
            }
        }
    }

    /// Hands what changed to the controller, and all findings.
    pub(super) fn hand_over(&mut self, controller: &mut IngressController) {
        let mut findings = self.faults.clone();
        let mut present: HashMap<&ObjectKey, &Held> = HashMap::with_capacity(self.applied.len());
        for held in self.files.values().filter(|file| !file.doubtful).flat_map(|file| &file.objects) {
            match present.entry(&held.key) {
                Entry::Vacant(entry) => {
                    entry.insert(held);
                }
                Entry::Occupied(first) => findings.push(duplicate(held, first.get())),
            }
        }
        // What a file no longer says gives way to what another one says.
        for held in self.files.values().flat_map(File::outdated) {
            present.entry(&held.key).or_insert(held);
        }
        findings.extend(self.files.values().flat_map(|file| file.diagnostics.iter().cloned()));
        self.applied.retain(|key, _| {
            let keep = present.contains_key(key);
            if !keep {
                controller.delete(key);
            }
            keep
        });
        for (key, held) in present {
            if self.applied.get(key) != Some(&held.version) {
                self.applied.insert(key.clone(), held.version);
                controller.apply(held.manifest.object.clone(), Some(held.manifest.origin.clone()));
            }
        }
        controller.set_findings(findings);
    }
}

impl File {
    fn replace(&mut self, stamp: Stamp, objects: Vec<Held>, diagnostics: Vec<Diagnostic>) {
        let before = std::mem::replace(&mut self.objects, objects);
        if diagnostics.is_empty() {
            self.kept.clear();
        } else {
            self.kept.extend(before);
            let objects = &self.objects;
            self.kept.retain(|kept| !objects.iter().any(|held| held.key == kept.key));
        }
        *self = Self {
            stamp: Some(stamp),
            objects: std::mem::take(&mut self.objects),
            kept: std::mem::take(&mut self.kept),
            diagnostics,
            doubtful: false,
        };
    }

    fn outdated(&self) -> impl Iterator<Item = &Held> {
        let doubtful = if self.doubtful { self.objects.as_slice() } else { &[] };
        doubtful.iter().chain(&self.kept)
    }
}

impl Held {
    fn new(version: Version, manifest: Manifest) -> Self {
        Self { key: manifest.object.key(), version, manifest }
    }

    fn is(&self, manifest: &Manifest) -> bool {
        self.key == manifest.object.key()
    }
}

fn duplicate(held: &Held, first: &Held) -> Diagnostic {
    let Origin { file, line } = &held.manifest.origin;
    let object = ObjectRef {
        kind: held.key.kind.as_str().into(),
        namespace: (&*held.key.namespace).into(),
        name: (&*held.key.name).into(),
        created: None,
        file: Some((&**file).into()),
        line: Some(*line),
    };
    let counts = &first.manifest.origin;
    let message = format!("the object is already in {}:{}, which counts", counts.file, counts.line);
    let help = "remove one of the two, or give it another name or namespace";
    Diagnostic::new(Code::DuplicateObject, Source::new(object.into(), ""), message, help)
}

fn unreadable(path: &Path, why: String) -> Diagnostic {
    let object = ObjectRef { file: Some(path.to_string_lossy().into()), ..ObjectRef::default() };
    let help = "what it held before is served on";
    Diagnostic::new(Code::UnreadableFile, Source::new(object.into(), ""), why, help)
}

fn directory_fault(path: &Path, why: String) -> Diagnostic {
    let object = ObjectRef { file: Some(path.to_string_lossy().into()), ..ObjectRef::default() };
    let help = "what it held before is served on until it can be read again";
    Diagnostic::new(Code::UnreadableFile, Source::new(object.into(), ""), why, help)
}
