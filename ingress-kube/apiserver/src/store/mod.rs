//! All objects, one counter of versions, and what has happened since the start.

mod apply;
mod object;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

pub(crate) use write::{Part, Write};

use crate::kind::Kind;

/// Namespace (empty where there is none) and name.
pub(crate) type Key = (String, String);

pub(crate) type Objects = BTreeMap<Key, Arc<Value>>;

/// One change of one object.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) version: u64,
    key: Key,
    /// As it is now; `None` when it is deleted.
    pub(crate) object: Option<Arc<Value>>,
    /// As it was before; `None` when it is new.
    pub(crate) previous: Option<Arc<Value>>,
}

#[derive(Debug)]
pub(crate) struct Store {
    version: u64,
    /// Watches and pages from before this version are refused.
    floor: u64,
    uids: u64,
    shelves: HashMap<&'static str, Shelf>,
    /// The version at each bookmark that was asked for.
    bookmarks: Vec<u64>,
}

/// What there is of one kind.
#[derive(Debug, Default)]
struct Shelf {
    objects: Objects,
    log: Vec<Change>,
    /// Whoever hasn't got a change up to this version doesn't get it any more.
    lost: u64,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self { version: 1, floor: 1, uids: 0, shelves: HashMap::new(), bookmarks: Vec::new() }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }

    /// Forgets the past: versions before the present one can't be asked for any more.
    pub(crate) fn compact(&mut self) {
        self.floor = self.version;
    }

    /// Loses the changes of a kind that a watch hasn't got yet.
    pub(crate) fn lose(&mut self, kind: &Kind) {
        let version = self.version;
        self.shelves.entry(kind.name).or_default().lost = version;
    }

    /// Up to which version changes of a kind are lost.
    pub(crate) fn lost(&self, kind: &Kind) -> u64 {
        self.shelves.get(kind.name).map_or(0, |shelf| shelf.lost)
    }

    /// Notes that every open watch is to get a bookmark now.
    pub(crate) fn bookmark(&mut self) {
        self.bookmarks.push(self.version);
    }

    pub(crate) fn bookmarks(&self) -> &[u64] {
        &self.bookmarks
    }

    pub(crate) fn get(&self, kind: &Kind, key: &Key) -> Option<&Arc<Value>> {
        self.shelves.get(kind.name)?.objects.get(key)
    }

    /// All objects of a kind, by namespace and name.
    pub(crate) fn objects(&self, kind: &Kind) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        self.shelves.get(kind.name).into_iter().flat_map(|shelf| &shelf.objects)
    }

    /// All that happened to a kind, the oldest first.
    pub(crate) fn log(&self, kind: &Kind) -> &[Change] {
        self.shelves.get(kind.name).map_or(&[], |shelf| &shelf.log)
    }

    /// The objects of a kind as they were at a version.
    pub(crate) fn snapshot(&self, kind: &Kind, version: u64) -> Objects {
        let Some(shelf) = self.shelves.get(kind.name) else { return Objects::new() };
        let mut objects = shelf.objects.clone();
        for change in shelf.log.iter().rev().take_while(|change| change.version > version) {
            match &change.previous {
                Some(previous) => drop(objects.insert(change.key.clone(), previous.clone())),
                None => drop(objects.remove(&change.key)),
            }
        }
        objects
    }

    /// Stores an object under the next version and logs the change.
    fn put(&mut self, kind: &'static Kind, key: Key, mut object: Value) -> Arc<Value> {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let object = Arc::new(object);
        let shelf = self.shelves.entry(kind.name).or_default();
        let previous = shelf.objects.insert(key.clone(), object.clone());
        shelf.log.push(Change { version: self.version, key, object: Some(object.clone()), previous });
        object
    }

    /// Removes an object and logs that; returns what it was.
    pub(crate) fn remove(&mut self, kind: &'static Kind, key: &Key) -> Option<Arc<Value>> {
        let shelf = self.shelves.get_mut(kind.name)?;
        let object = shelf.objects.remove(key)?;
        self.version += 1;
        let previous = Some(object.clone());
        shelf.log.push(Change { version: self.version, key: key.clone(), object: None, previous });
        Some(object)
    }

    fn next_uid(&mut self) -> String {
        self.uids += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.uids)
    }
}
