//! What each file holds, and which objects follow from that.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use ingress_core::{Code, Diagnostic, ObjectRef, Source};

use super::document::Syntax;
use super::locate::Located;
use super::parse::{Manifest, Parsed, parse};
use super::root::Root;
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
    /// In the order of their lines.
    objects: Vec<Held>,
    /// Objects of an earlier text, served on because this one is faulty.
    kept: Vec<Held>,
    diagnostics: Vec<Diagnostic>,
    /// Its present text takes objects away, and is yet to be believed.
    doubtful: bool,
    /// The lines of the fields that findings are about, by the line of the object.
    lines: HashMap<(u32, Box<str>), Option<u32>>,
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
    Text(Stamp, Parsed),
    Unreadable(Diagnostic),
}

impl Look {
    /// What tells this text from another one; nothing where there is no text.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        match self {
            Self::Text(stamp, _) => Some(*stamp),
            Self::Gone | Self::Unreadable(_) => None,
        }
    }

    pub(super) fn at(path: &Path, root: &Root) -> Self {
        match super::scan::read(path) {
            Content::Gone => Self::Gone,
            Content::Unreadable(why) => Self::Unreadable(unreadable(&root.shown(path), why, true)),
            Content::Text(stamp, text) => {
                let shown = root.shown(path);
                Self::Text(stamp, parse(&text, &shown, Syntax::of_file(&shown)))
            }
        }
    }
}

impl Files {
    /// Sets what cannot be read at all; the objects below are kept.
    pub(super) fn set_fault(&mut self, root: &Root, why: String) {
        self.faults = vec![self.directory_fault(root, root.absolute(), why)];
    }

    /// Takes over which directories below cannot be read.
    pub(super) fn set_faults(&mut self, scan: &Scan, root: &Root) {
        let why = |error| format!("the directory cannot be read: {error}");
        let faults = scan.faults.iter().map(|(path, error)| self.directory_fault(root, path, why(error)));
        self.faults = faults.collect();
        self.unreadable = scan.faults.iter().map(|(path, _)| path.clone()).collect();
    }

    fn directory_fault(&self, root: &Root, path: &Path, why: String) -> Diagnostic {
        let holds = self.files.iter().any(|(file, held)| file.starts_with(path) && held.holds_any());
        unreadable(&root.shown(path), why, holds)
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
            Look::Text(_, parsed) if !parsed.diagnostics.is_empty() => held().next().is_some(),
            Look::Text(_, parsed) => {
                held().any(|held| !parsed.manifests.iter().any(|manifest| held.is(manifest)))
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
            Look::Unreadable(mut diagnostic) => {
                let file = self.files.entry(path.into()).or_default();
                let objects = std::mem::take(&mut file.objects);
                file.kept.extend(objects);
                if !file.holds_any() {
                    diagnostic.help = "".into();
                }
                file.diagnostics = vec![diagnostic];
                file.stamp = None;
                file.doubtful = false;
            }
            Look::Text(stamp, parsed) => {
                self.next_version += u64::try_from(parsed.manifests.len()).unwrap_or_default();
                self.files.entry(path.into()).or_default().replace(version, stamp, parsed);
            }
        }
    }

    /// The line of the field that a finding about a table's object is about. `texts` are the files that were
    /// read for other findings of the same table.
    pub(super) fn line(
        &mut self,
        source: &Source,
        root: &Root,
        texts: &mut HashMap<PathBuf, Option<Located>>,
    ) -> Option<u32> {
        let path = root.path(source.object.file.as_deref()?)?;
        let file = self.files.get_mut(&path)?;
        let line = file.line_to_locate(source)?;
        let key = (line, source.field.clone());
        if let Some(found) = file.lines.get(&key) {
            return *found;
        }
        let stamp = file.stamp;
        let read = |path: &PathBuf| match super::scan::read(path) {
            Content::Text(now, text) if Some(now) == stamp => {
                Some(Located::new(text, Syntax::of_file(&path.to_string_lossy())))
            }
            _ => None,
        };
        let located = texts.entry(path).or_insert_with_key(read).as_mut()?;
        let found = located.line_of(line, &source.object, &source.field);
        file.lines.insert(key, found);
        found
    }

    /// As [`Files::line`], where the file's text is at hand.
    pub(super) fn line_in(&self, source: &Source, path: &Path, located: &mut Located) -> Option<u32> {
        let line = self.files.get(path)?.line_to_locate(source)?;
        located.line_of(line, &source.object, &source.field)
    }

    /// What the files hold, in the order of their paths; of objects with the same key all.
    pub(super) fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.files.values().flat_map(|file| &file.objects).map(|held| &held.manifest)
    }

    /// What is wrong with the files themselves, by path.
    pub(super) fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.faults.iter().chain(self.files.values().flat_map(|file| &file.diagnostics))
    }

    /// Adds a directory that cannot be read.
    pub(super) fn add_fault(&mut self, fault: Diagnostic) {
        self.faults.push(fault);
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
    fn replace(&mut self, version: Version, stamp: Stamp, parsed: Parsed) {
        let Parsed { manifests, diagnostics, faulty, withheld } = parsed;
        let objects = (version..).zip(manifests).map(|(version, manifest)| Held::new(version, manifest));
        let objects: Vec<_> = objects.collect();
        let mut kept = std::mem::take(&mut self.kept);
        kept.append(&mut self.objects);
        // Of what the new text says it is not to be known what it said before.
        kept.retain(|kept| {
            faulty && !objects.iter().any(|held| held.key == kept.key) && !withheld.contains(&kept.key)
        });
        *self = Self { stamp: Some(stamp), objects, kept, diagnostics, ..Self::default() };
    }

    /// On which line the object of a source stands, if it has a field to be looked for.
    fn line_to_locate(&self, source: &Source) -> Option<u32> {
        let line = source.object.line?;
        (!source.field.is_empty() && self.holds_now(&source.object, line)).then_some(line)
    }

    /// Whether its present text has the object on this line.
    fn holds_now(&self, object: &ObjectRef, line: u32) -> bool {
        let start = self.objects.partition_point(|held| held.manifest.origin.line < line);
        let mut there = self.objects[start..].iter().take_while(|held| held.manifest.origin.line == line);
        let is_object =
            |held: &Held| *held.key.name == *object.name && held.key.kind.as_str() == &*object.kind;
        !self.doubtful && there.any(is_object)
    }

    fn holds_any(&self) -> bool {
        !self.objects.is_empty() || !self.kept.is_empty()
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

    fn source(&self) -> Source {
        let Origin { file, line, .. } = &self.manifest.origin;
        let object = ObjectRef {
            kind: self.key.kind.as_str().into(),
            namespace: (&*self.key.namespace).into(),
            name: (&*self.key.name).into(),
            created: None,
            file: Some((&**file).into()),
            line: Some(*line),
        };
        Source::new(object.into(), "")
    }
}

fn duplicate(held: &Held, first: &Held) -> Diagnostic {
    let counts = &first.manifest.origin;
    let message = format!("the object is already in {}:{}, which counts", counts.file, counts.line);
    let help = "remove one of the two, or give it another name or namespace";
    Diagnostic::new(Code::DuplicateObject, held.source(), message, help).with_related(first.source())
}

/// The fault of a file or directory under the name that is to be shown.
pub(super) fn unreadable(shown: &str, why: String, holds_any: bool) -> Diagnostic {
    let object = ObjectRef { file: Some(shown.into()), ..ObjectRef::default() };
    let help = if holds_any { "what it held before is served on until it can be read again" } else { "" };
    Diagnostic::new(Code::UnreadableFile, Source::new(object.into(), ""), why, help)
}
