//! What the watches say, put among what is known.

use std::collections::BTreeSet;
use std::time::Duration;

use ingress_core::{Code, Diagnostic, ObjectRef, Source};
use tokio::time::Instant;

use super::feed::{Content, FeedId, Item, News};
use super::follow::Follower;
use super::secrets::Fetched;
use super::{ClusterEvent, Watched};
use crate::translate::Key;
use crate::{Kind, Object, ObjectKey};

/// How long a reason stands before another one is reported.
const REASON: Duration = Duration::from_secs(10);

impl Follower {
    pub(super) fn learn(&mut self, id: FeedId, news: News, on_event: &mut impl FnMut(ClusterEvent<'_>)) {
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        let (watched, namespace) = (id.watched, id.namespace.as_deref());
        if let News::Failed(reason) = news {
            feed.failing = true;
            // Another reason is news, too, though not each of those that alternate.
            let is_news = feed
                .reported
                .as_ref()
                .is_none_or(|(said, when)| **said != *reason && when.elapsed() > REASON);
            self.health.failed(&id, &reason);
            if is_news {
                feed.reported = Some((reason.clone(), Instant::now()));
                on_event(ClusterEvent::Failing { watched, namespace, reason: &reason });
            }
            return;
        }
        // A list alone is no watch yet.
        if !matches!(news, News::Listed(_)) {
            feed.failing = false;
            feed.reported = None;
            if self.health.works(&id) {
                on_event(ClusterEvent::Recovered { watched, namespace });
            }
        }
        match news {
            News::Listed(items) => {
                feed.listed = true;
                self.health.listed(&id);
                self.list(&id, items);
            }
            News::Applied(item) => self.apply(watched, item),
            News::Deleted(item) => self.delete(watched, item),
            News::Failed(_) | News::Works => return,
        }
        if watched == Watched::IngressClasses {
            // Another class concerns all of them.
            self.touched.extend(self.seen.keys().cloned());
        }
        self.since.get_or_insert_with(Instant::now);
    }

    pub(super) fn list(&mut self, id: &FeedId, items: Vec<Item>) {
        let namespace = id.namespace.as_deref();
        items.iter().for_each(|item| self.note_version(id.watched, item.version));
        match (id.watched, id.watched.kind()) {
            (Watched::Namespaces, _) => {
                let now: BTreeSet<_> = items.into_iter().map(|item| item.name).collect();
                let known = self.feeds.keys().filter_map(|id| id.namespace.clone());
                let gone: BTreeSet<_> = known.filter(|name| !now.contains(name)).collect();
                gone.iter().for_each(|name| self.unwatch_namespace(name));
                now.iter().for_each(|name| self.watch_namespace(Some(name)));
            }
            (_, None) => {
                let all = items.into_iter().map(|item| (Key::new(item.namespace, item.name), item.version));
                for key in self.secrets.listed(namespace, all) {
                    self.remove(Kind::Secret, &key);
                }
            }
            // A list of one object that is not there.
            (watched, Some(kind)) if id.name.is_some() => {
                if items.is_empty() {
                    let name = id.name.clone().unwrap_or_default();
                    self.remove(kind, &Key::new(namespace.unwrap_or_default(), name));
                }
                items.into_iter().for_each(|item| self.apply(watched, item));
            }
            (watched, Some(kind)) => {
                let is_part = |key: &Key| namespace.is_none_or(|only| *key.namespace == *only);
                self.broken.retain(|(of, key), _| *of != watched || !is_part(key));
                if watched == Watched::Ingresses {
                    let gone: Vec<_> = self.seen.keys().filter(|key| is_part(key)).cloned().collect();
                    gone.iter().for_each(|key| drop(self.seen.remove(key)));
                    self.touched.extend(gone);
                }
                let objects =
                    items.into_iter().filter_map(|item| self.content(watched, item)).collect::<Vec<_>>();
                self.controller.replace_part(kind, namespace, objects);
                self.say_broken();
            }
        }
    }

    fn apply(&mut self, watched: Watched, item: Item) {
        self.note_version(watched, item.version);
        let key = Key::new(item.namespace.clone(), item.name.clone());
        match watched.kind() {
            None if watched == Watched::Namespaces => self.watch_namespace(Some(&item.name)),
            None => self.secrets.seen(key, item.version),
            Some(kind) => {
                let was_broken = self.broken.remove(&(watched, key.clone())).is_some();
                match self.content(watched, item) {
                    Some(object) => drop(self.controller.apply(object, None)),
                    None => self.remove(kind, &key),
                }
                if was_broken || self.broken.contains_key(&(watched, key)) {
                    self.say_broken();
                }
            }
        }
    }

    fn delete(&mut self, watched: Watched, item: Item) {
        self.note_version(watched, item.version);
        let key = Key::new(item.namespace, item.name);
        match watched.kind() {
            None if watched == Watched::Namespaces => self.unwatch_namespace(&key.name),
            None => {
                if self.secrets.deleted(&key) {
                    self.remove(Kind::Secret, &key);
                }
            }
            Some(kind) => {
                if watched == Watched::Ingresses {
                    self.seen.remove(&key);
                    self.touched.insert(key.clone());
                }
                self.remove(kind, &key);
                if self.broken.remove(&(watched, key)).is_some() {
                    self.say_broken();
                }
            }
        }
    }

    /// The object, if it can be read.
    fn content(&mut self, watched: Watched, item: Item) -> Option<Object> {
        let key = Key::new(item.namespace, item.name);
        match item.content {
            Content::Object(object, seen) => {
                if watched == Watched::Ingresses {
                    self.seen.insert(key.clone(), seen);
                    self.touched.insert(key);
                }
                Some(object)
            }
            Content::Broken(why) => {
                let kind = watched.kind().map_or("", Kind::as_str);
                let object = ObjectRef {
                    kind: kind.into(),
                    namespace: (&*key.namespace).into(),
                    name: (&*key.name).into(),
                    ..ObjectRef::default()
                };
                let message = format!("the object cannot be read, and is left out: {why}");
                let help = "write it as the API of this Kubernetes version has it";
                let finding =
                    Diagnostic::new(Code::InvalidObject, Source::new(object.into(), ""), message, help);
                self.broken.insert((watched, key), finding);
                None
            }
            Content::Unread => None,
        }
    }

    fn say_broken(&mut self) {
        self.controller.set_findings(self.broken.values().cloned().collect());
    }

    pub(super) fn remove(&mut self, kind: Kind, key: &Key) {
        let Key { namespace, name } = key.clone();
        self.controller.delete(&ObjectKey { kind, namespace, name });
    }

    pub(super) fn note_version(&mut self, watched: Watched, version: u64) {
        let newest = self.versions.entry(watched).or_default();
        *newest = version.max(*newest);
    }

    /// Takes over what a Secret says.
    pub(super) fn read(&mut self, fetched: Fetched, on_event: &mut impl FnMut(ClusterEvent<'_>)) {
        let Fetched { key, secret, .. } = fetched;
        match secret {
            Ok(Some(secret)) => drop(self.controller.apply((*secret).into(), None)),
            Ok(None) => self.remove(Kind::Secret, &key),
            Err(why) => {
                let text = format!("Secret {}/{} cannot be read: {why}", key.namespace, key.name);
                return on_event(ClusterEvent::Trouble(&text));
            }
        }
        self.since.get_or_insert_with(Instant::now);
    }
}
