//! Objects in, tables out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ingress_core::{Diagnostic, Diagnostics, HostMatch, RouteTable, TableEditor, TableReader, TableWriter};

use crate::Config;
use crate::object::{Object, ObjectKey, Origin};
use crate::store::{Change, Counts, Store};
use crate::translate::{Delta, Served, Translator};

/// Keeps the present objects and publishes the tables made from them.
///
/// A table depends on the present set of objects and on the [`Config`] only, never on the order in which
/// the objects came.
#[derive(Debug)]
pub struct IngressController {
    store: Store,
    config: Config,
    translator: Translator,
    editor: TableEditor,
    writer: TableWriter,
    findings: Vec<Diagnostic>,
    changes: BTreeMap<ObjectKey, Change>,
    untranslated: BTreeSet<ObjectKey>,
    dirty: bool,
}

/// What was published.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The table's generation.
    pub generation: u64,
    /// How many objects there are of each kind.
    pub objects: Counts,
    /// How many Ingresses belong to other controllers.
    pub foreign: usize,
    /// How many Ingresses nobody serves, because they name a class that does not exist, or none where one
    /// is needed. Each has a finding.
    pub unserved: usize,
    /// How many rules the objects have.
    pub rules: usize,
    /// How many of the rules became routes; the others are hidden by older ones.
    pub routes: usize,
    /// How many backends the routes point at.
    pub backends: usize,
    /// How many endpoints these backends have together.
    pub endpoints: usize,
    /// All that was found, by object and field.
    pub diagnostics: Diagnostics,
    /// What changed since the table before, such as `Ingress shop/web changed`, by kind and name.
    pub changed: Vec<String>,
    /// From the first changed file to the published table. Only a source of objects that has a clock fills it, as a
    /// followed directory does.
    pub took: Option<Duration>,
}

impl IngressController {
    /// A controller without objects. Nothing is published before [`IngressController::publish`].
    pub fn new(config: Config, writer: TableWriter) -> Self {
        let mut editor = TableEditor::new();
        editor.set_locality(config.locality.clone());
        editor.set_options(config.host_fallthrough, config.ambiguous_paths);
        Self {
            store: Store::default(),
            config,
            translator: Translator::default(),
            editor,
            writer,
            findings: Vec::new(),
            changes: BTreeMap::new(),
            untranslated: BTreeSet::new(),
            dirty: true,
        }
    }

    /// The present objects.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What the embedding program decided.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A reader of the tables that are published here.
    pub fn reader(&self) -> TableReader {
        self.writer.reader()
    }

    /// Adds or replaces an object; see [`Store::apply`].
    pub fn apply(&mut self, object: Object, origin: Option<Origin>) -> Change {
        let key = object.key();
        let change = self.store.apply(object, origin);
        self.note(key, change);
        change
    }

    /// Removes an object.
    pub fn delete(&mut self, key: &ObjectKey) -> Change {
        let change = self.store.delete(key);
        self.note(key.clone(), change);
        change
    }

    /// Makes `objects` the whole set; see [`Store::replace`].
    pub fn replace(&mut self, objects: impl IntoIterator<Item = (Object, Option<Origin>)>) {
        for (key, change) in self.store.replace(objects) {
            self.note(key, change);
        }
    }

    /// Sets the findings of whoever reads the objects, such as a file that cannot be read. They are
    /// published with each table until they are set again.
    pub fn set_findings(&mut self, findings: Vec<Diagnostic>) {
        if self.findings != findings {
            self.dirty = true;
            findings.iter().for_each(|finding| self.editor.add_diagnostic(finding.clone()));
            let before = std::mem::replace(&mut self.findings, findings);
            before.iter().for_each(|finding| self.editor.remove_diagnostic(finding));
        }
    }

    /// Whether a table published now would differ from the last one, or none was published yet.
    pub fn has_changes(&self) -> bool {
        self.dirty
    }

    /// Makes a table from the present objects and publishes it. It cannot fail: what cannot be served is
    /// among the findings. Objects that changed since the last time are translated, and the Ingresses that share a
    /// host with one of them, once; IngressClasses and their parameters concern all Ingresses.
    pub fn publish(&mut self) -> Report {
        self.publish_built(TableEditor::build)
    }

    /// As [`IngressController::publish`], where `locate` may know the line of the field that a finding is
    /// about.
    #[cfg(feature = "manifests")]
    pub(crate) fn publish_located(
        &mut self,
        locate: impl FnMut(&ingress_core::Source) -> Option<u32>,
    ) -> Report {
        self.publish_built(|editor| editor.build_located(locate))
    }

    fn publish_built(&mut self, build: impl FnOnce(&mut TableEditor) -> (RouteTable, Diagnostics)) -> Report {
        self.translate();
        let (table, diagnostics) = build(&mut self.editor);
        let totals = self.translator.totals();
        let mut report = Report {
            generation: 0,
            objects: self.store.counts(),
            foreign: totals.foreign,
            unserved: totals.unserved,
            rules: self.translator.rules(),
            routes: table.route_count(),
            backends: table.backend_count(),
            endpoints: table.endpoint_count(),
            diagnostics,
            changed: self.take_changes(),
            took: None,
        };
        report.generation = self.writer.publish(table);
        self.dirty = false;
        report
    }

    /// Translates what changed since the last time.
    pub(crate) fn translate(&mut self) {
        let untranslated = std::mem::take(&mut self.untranslated);
        let delta = self.translator.update(&self.store, &self.config, &untranslated);
        self.edit(delta);
    }

    /// Makes `objects` all of their kind and namespace; `None` is all namespaces.
    #[cfg(feature = "client")]
    pub(crate) fn replace_part(
        &mut self,
        kind: crate::Kind,
        namespace: Option<&str>,
        objects: impl IntoIterator<Item = Object>,
    ) {
        for (key, change) in self.store.replace_part(kind, namespace, objects) {
            self.note(key, change);
        }
    }

    /// The translator, with everything translated that changed.
    #[cfg(feature = "client")]
    pub(crate) fn translator(&mut self) -> &mut Translator {
        self.translate();
        &mut self.translator
    }

    fn edit(&mut self, delta: Delta) {
        for (host, rules) in delta.hosts {
            self.editor.set_host(HostMatch::clone(&host), rules);
        }
        for Served { backend, endpoints, policy } in delta.served {
            self.editor.set_backend_policy(backend.clone(), policy);
            self.editor.set_endpoints(backend, endpoints);
        }
        for (host, certificate) in delta.certificates {
            self.editor.set_certificate(host, certificate);
        }
        if let Some((hosts, default)) = delta.reserved {
            self.editor.set_reserved(hosts, default);
        }
        delta.findings.added.into_iter().for_each(|finding| self.editor.add_diagnostic(finding));
        delta.findings.removed.iter().for_each(|finding| self.editor.remove_diagnostic(finding));
        delta.unserved.added.into_iter().for_each(|rule| self.editor.add_unserved(rule));
        delta.unserved.removed.iter().for_each(|rule| self.editor.remove_unserved(rule));
    }

    fn note(&mut self, key: ObjectKey, change: Change) {
        if change == Change::Unchanged {
            return;
        }
        self.dirty = true;
        self.untranslated.insert(key.clone());
        let noted = self.changes.entry(key).or_insert(Change::Unchanged);
        *noted = noted.then(change);
    }

    fn take_changes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.changes)
            .into_iter()
            .filter(|(_, change)| *change != Change::Unchanged)
            .map(|(key, change)| format!("{key} {change}"))
            .collect()
    }
}
