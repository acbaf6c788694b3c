//! Manifests read once, without following them.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use ingress_core::{Diagnostic, Source};

use super::Manifest;
use super::document::Syntax;
use super::files::{Files, Look, unreadable};
use super::locate::Located;
use super::parse::{Parsed, parse};
use super::scan::{self, Content, Stamp};
use crate::{Error, IngressController, Report, parallel};

/// Manifests that were read once: what they hold, what is wrong with them, and their texts.
///
/// The files count as those of one directory: a rule in one may name a Service in another, and of two objects
/// with one kind, namespace and name the first by file and line counts.
#[derive(Debug, Default)]
pub struct Loaded {
    /// By the paths as they are shown.
    files: Files,
    texts: BTreeMap<String, Text>,
    /// The files that were read, whatever path led to them.
    known: HashSet<PathBuf>,
}

#[derive(Debug)]
struct Text {
    text: String,
    syntax: Syntax,
}

/// A file that was read, before it is one of them.
enum Read {
    Nothing,
    Unreadable(Diagnostic),
    Text(Stamp, Text, Parsed),
}

/// Reads manifests once: files, whatever they are called, and directories by the rules of a
/// [`ManifestDir`](super::ManifestDir). A file that two paths lead to is read once, under the first one's name.
///
/// A file of a directory that cannot be read, or is no text, is a finding and stops nothing.
///
/// # Errors
///
/// When there is nothing at one of the paths, or what is there cannot be read.
pub fn load_manifests(paths: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<Loaded, Error> {
    let mut loaded = Loaded::default();
    for path in paths {
        loaded.read(path.as_ref())?;
    }
    Ok(loaded)
}

impl Loaded {
    /// Adds a text under a name that is to be shown, such as what was read from a pipe. It is read as JSON if
    /// the name ends with `.json` or it begins with a mapping in JSON, otherwise as YAML. A text of the same
    /// name is replaced.
    pub fn add_text(&mut self, name: &str, text: impl Into<String>) {
        let text = text.into();
        let syntax = match Syntax::of_file(name) {
            Syntax::Yaml => Syntax::of_text(&text),
            Syntax::Json => Syntax::Json,
        };
        self.accept(name, Read::text(name, Stamp::NONE, text, syntax));
    }

    /// Adds a file, or a directory with everything below it; see [`load_manifests`].
    ///
    /// # Errors
    ///
    /// When there is nothing at the path, or what is there cannot be read.
    pub fn read(&mut self, path: &Path) -> Result<(), Error> {
        let failed = |error| Error::load(path, error);
        let real = fs::canonicalize(path).map_err(failed)?;
        let metadata = fs::metadata(path).map_err(failed)?;
        if !metadata.is_dir() {
            if self.known.insert(real) {
                let content = scan::read_any(path).map_err(failed)?;
                self.accept(&path.to_string_lossy(), Read::of(path, content));
            }
            return Ok(());
        }
        let scan = scan::scan(path).map_err(failed)?;
        for (directory, error) in &scan.faults {
            let why = format!("the directory cannot be read: {error}");
            self.files.add_fault(unreadable(&directory.to_string_lossy(), why, false));
        }
        let (known, files) = (&mut self.known, scan.files.keys());
        // Two names in the directory for one file are two files, as they are when it is followed.
        let is_new = |file: &&PathBuf| known.insert(real.join(file.strip_prefix(path).unwrap_or(file)));
        let files: Vec<_> = files.filter(is_new).collect();
        for (file, read) in files.iter().zip(parallel::map(&files, |file| Read::of(file, scan::read(file)))) {
            self.accept(&file.to_string_lossy(), read);
        }
        Ok(())
    }

    /// What the files hold, by file and line; of objects with the same key all.
    pub fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.files.manifests()
    }

    /// What is wrong with the files themselves, by file and line. What is wrong with the objects together
    /// turns up when a table is made of them, see [`Loaded::publish`].
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.files.diagnostics()
    }

    /// The texts of the files that could be read, each with the name that findings show, by name.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.texts.iter().map(|(name, text)| (&**name, &*text.text))
    }

    /// The text of the file that findings show under this name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(|text| &*text.text)
    }

    /// Hands everything to a controller that holds nothing yet, and publishes the table. Findings name the
    /// lines of their fields.
    pub fn publish(&mut self, controller: &mut IngressController) -> Report {
        self.files.hand_over(controller);
        controller.publish_located(self.locator())
    }

    /// Finds the line of a field in the files that were read. Each file is read for it once; the returned function is
    /// to be kept for all fields.
    pub fn locator(&self) -> impl FnMut(&Source) -> Option<u32> + '_ {
        let (files, texts) = (&self.files, &self.texts);
        let mut located: BTreeMap<&str, Located> = BTreeMap::new();
        move |source| {
            let (name, Text { text, syntax }) = texts.get_key_value(source.object.file.as_deref()?)?;
            let located = located.entry(name).or_insert_with(|| Located::new(text.clone(), *syntax));
            files.line_in(source, Path::new(name), located)
        }
    }

    fn accept(&mut self, name: &str, read: Read) {
        let look = match read {
            Read::Nothing => return,
            Read::Unreadable(fault) => Look::Unreadable(fault),
            Read::Text(stamp, text, parsed) => {
                self.texts.insert(name.into(), text);
                Look::Text(stamp, parsed)
            }
        };
        self.files.accept(Path::new(name), look);
    }
}

impl Read {
    fn of(path: &Path, content: Content) -> Self {
        let name = path.to_string_lossy();
        match content {
            Content::Gone => Self::Nothing,
            Content::Unreadable(why) => Self::Unreadable(unreadable(&name, why, false)),
            Content::Text(stamp, text) => Self::text(&name, stamp, text, Syntax::of_file(&name)),
        }
    }

    fn text(name: &str, stamp: Stamp, text: String, syntax: Syntax) -> Self {
        let parsed = parse(&text, name, syntax);
        Self::Text(stamp, Text { text, syntax }, parsed)
    }
}
