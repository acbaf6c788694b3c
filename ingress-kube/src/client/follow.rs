//! From what the watches say to one table after another.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ingress_core::{Diagnostic, Diagnostics};
use kube::Client;
use tokio::sync::mpsc::{self, Receiver, Sender, UnboundedReceiver};
use tokio::time::Instant;

use super::elected::{Note, Writers};
use super::feed::{self, FeedId, News, Settings, Task};
use super::health::HealthWriter;
use super::secrets::Secrets;
use super::status::Seen;
use super::{ClusterEvent, Namespaces, Watched};
use crate::translate::Key;
use crate::{IngressController, Kind};

/// What follows a published table within this time is published together.
const WINDOW: Duration = Duration::from_millis(50);
/// For how long a table waits for what its objects name: Secrets, and the rest of a namespace.
const HOLD: Duration = Duration::from_millis(500);
/// How much is taken at once from what the watches say.
const AT_ONCE: usize = 4096;

/// What is watched in each namespace.
const IN_NAMESPACES: [Watched; 4] =
    [Watched::Ingresses, Watched::Services, Watched::EndpointSlices, Watched::Secrets];

/// Everything that is known of the cluster.
pub(super) struct Follower {
    client: Client,
    namespaces: Namespaces,
    settings: Settings,
    pub(super) controller: IngressController,
    pub(super) health: HealthWriter,
    writers: Writers,
    sender: Sender<(FeedId, News)>,
    receiver: Receiver<(FeedId, News)>,
    pub(super) feeds: BTreeMap<FeedId, Feed>,
    pub(super) secrets: Secrets,
    /// Objects that cannot be read.
    pub(super) broken: BTreeMap<(Watched, Key), Diagnostic>,
    /// What the status of each Ingress says.
    pub(super) seen: BTreeMap<Key, Seen>,
    /// Ingresses whose status has to be looked at.
    pub(super) touched: BTreeSet<Key>,
    /// The newest version of each resource.
    pub(super) versions: BTreeMap<Watched, u64>,
    /// When the first change came that is not published.
    pub(super) since: Option<Instant>,
    published: Option<Instant>,
    found: Diagnostics,
}

pub(super) struct Feed {
    _task: Task,
    pub(super) listed: bool,
    pub(super) failing: bool,
    /// The last reason that was reported, and when.
    pub(super) reported: Option<(String, Instant)>,
}

impl Follower {
    pub(super) fn new(
        client: Client,
        namespaces: Namespaces,
        settings: Settings,
        controller: IngressController,
        health: HealthWriter,
        writers: Writers,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(1024);
        Self {
            secrets: Secrets::new(client.clone()),
            client,
            namespaces,
            settings,
            controller,
            health,
            writers,
            sender,
            receiver,
            feeds: BTreeMap::new(),
            broken: BTreeMap::new(),
            seen: BTreeMap::new(),
            touched: BTreeSet::new(),
            versions: BTreeMap::new(),
            since: None,
            published: None,
            found: Diagnostics::default(),
        }
    }

    /// Follows the cluster until `shutdown` is.
    pub(super) async fn run(
        &mut self,
        on_event: &mut impl FnMut(ClusterEvent<'_>),
        notes: &mut UnboundedReceiver<Note>,
        shutdown: impl Future<Output = ()>,
    ) {
        let mut shutdown = std::pin::pin!(shutdown);
        self.watch(Watched::IngressClasses, None, None);
        match &self.namespaces {
            Namespaces::Selected(_) => self.watch(Watched::Namespaces, None, None),
            fixed => {
                for namespace in fixed.fixed() {
                    self.watch_namespace(namespace.as_ref());
                }
            }
        }
        loop {
            let due = self.due();
            tokio::select! {
                biased;
                () = &mut shutdown => return,
                () = until(due), if due.is_some() => self.publish(on_event),
                Some((id, news)) = self.receiver.recv() => {
                    self.learn(id, news, on_event);
                    for _ in 0..AT_ONCE {
                        let Ok((id, news)) = self.receiver.try_recv() else { break };
                        self.learn(id, news, on_event);
                    }
                    self.settle();
                }
                Some(fetched) = self.secrets.next() => self.read(fetched, on_event),
                Some(note) = notes.recv() => self.note(note, on_event),
            }
        }
    }

    /// Ends what writes.
    pub(super) async fn end(
        mut self,
        on_event: &mut impl FnMut(ClusterEvent<'_>),
        notes: &mut UnboundedReceiver<Note>,
    ) {
        self.feeds.clear();
        self.writers.end().await;
        while let Ok(note) = notes.try_recv() {
            self.note(note, on_event);
        }
    }

    fn note(&self, note: Note, on_event: &mut impl FnMut(ClusterEvent<'_>)) {
        match note {
            Note::Leading(leading) => {
                self.health.leading(leading);
                on_event(ClusterEvent::Leading(leading));
            }
            Note::Trouble(text) => on_event(ClusterEvent::Trouble(&text)),
        }
    }

    // ===== what is watched =====

    fn watch(&mut self, watched: Watched, namespace: Option<Arc<str>>, name: Option<Arc<str>>) {
        let id = FeedId { watched, namespace, name };
        if !self.feeds.contains_key(&id) {
            self.health.started(&id);
            let task = feed::spawn(&self.client, &id, &self.settings, &self.sender);
            self.feeds.insert(id, Feed { _task: task, listed: false, failing: false, reported: None });
        }
    }

    fn unwatch(&mut self, id: &FeedId) {
        if self.feeds.remove(id).is_some() {
            self.health.ended(id);
        }
    }

    pub(super) fn watch_namespace(&mut self, namespace: Option<&Arc<str>>) {
        IN_NAMESPACES.into_iter().for_each(|watched| self.watch(watched, namespace.cloned(), None));
    }

    /// Forgets a namespace and what is in it.
    pub(super) fn unwatch_namespace(&mut self, namespace: &Arc<str>) {
        for watched in IN_NAMESPACES {
            let id = FeedId { watched, namespace: Some(namespace.clone()), name: None };
            self.unwatch(&id);
            self.list(&id, Vec::new());
        }
        self.since.get_or_insert_with(Instant::now);
    }

    /// Watches the ConfigMaps that classes name.
    fn watch_config_maps(&mut self) {
        let wanted = self.controller.translator().config_maps();
        let id = |key: &Key| FeedId {
            watched: Watched::ConfigMaps,
            namespace: Some(key.namespace.clone()),
            name: Some(key.name.clone()),
        };
        let wanted: BTreeSet<_> = wanted.iter().filter(|key| !key.namespace.is_empty()).map(id).collect();
        let known = self.feeds.keys().filter(|id| id.watched == Watched::ConfigMaps);
        let gone: Vec<_> = known.filter(|id| !wanted.contains(id)).cloned().collect();
        for id in gone {
            self.unwatch(&id);
            self.list(&id, Vec::new());
        }
        for FeedId { watched, namespace, name } in wanted {
            self.watch(watched, namespace, name);
        }
    }

    // ===== what comes of it =====

    /// Whether every watch that there is from the start has had its list.
    fn is_complete(&self) -> bool {
        self.feeds.iter().all(|(id, feed)| feed.listed || id.watched == Watched::ConfigMaps)
    }

    /// Finds out which Secrets and ConfigMaps are named.
    fn settle(&mut self) {
        if self.since.is_none() || (self.published.is_none() && !self.is_complete()) {
            return;
        }
        self.watch_config_maps();
        for (key, is_wanted) in self.controller.translator().take_secrets() {
            self.secrets.set_wanted(key.clone(), is_wanted);
            if !is_wanted {
                self.remove(Kind::Secret, &key);
            }
        }
    }

    /// When a table is to be published, if anything has changed.
    fn due(&self) -> Option<Instant> {
        let since = self.since?;
        let first = self.published.is_none();
        if first && !self.is_complete() {
            return None;
        }
        let is_coming = |feed: &Feed| !feed.listed && !feed.failing;
        let incomplete = !self.secrets.are_settled() || self.feeds.values().any(is_coming);
        let hold = match (incomplete, first) {
            (false, _) => since,
            (true, false) => since + HOLD,
            // Each comes, or fails in a while.
            (true, true) => return None,
        };
        Some(self.published.map_or(hold, |published| hold.max(published + WINDOW)))
    }

    fn publish(&mut self, on_event: &mut impl FnMut(ClusterEvent<'_>)) {
        let since = self.since.take();
        if self.controller.has_changes() || self.published.is_none() {
            let mut report = self.controller.publish();
            report.took = since.map(|since| since.elapsed());
            self.published = Some(Instant::now());
            let store = self.controller.store();
            let uid = |namespace: &str, name: &str| {
                store.ingresses.get(namespace, name)?.object.metadata.uid.clone()
            };
            self.writers.found(&report.diagnostics, &self.found, uid);
            self.found = report.diagnostics.clone();
            on_event(ClusterEvent::Published(&report));
        }
        self.health.served(&self.versions);
        let touched = std::mem::take(&mut self.touched);
        if !touched.is_empty() {
            let (translator, seen) = (self.controller.translator(), &self.seen);
            let tell = |key: Key| {
                let now = seen.get(&key).map(|seen| (translator.serves(&key), seen.clone()));
                (key, now)
            };
            self.writers.tell(|| touched.into_iter().map(tell).collect());
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
