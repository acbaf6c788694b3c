//! How the watches fare, for probes and for whoever waits for an object to be served.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;

use super::Watched;
use super::feed::FeedId;

/// How the watches fare. Clones look at the same.
#[derive(Clone, Debug)]
pub struct Health(watch::Receiver<HealthState>);

/// A state of [`Health`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HealthState {
    /// Whether everything was listed once, and the table of it is served.
    pub ready: bool,
    /// Each watch, by resource and namespace.
    pub watches: Vec<WatchState>,
    /// Whether this process writes status and events; `None` where nobody was asked to.
    pub leading: Option<bool>,
    /// The newest `resourceVersion` of each resource that is served.
    served: BTreeMap<Watched, u64>,
}

/// One watch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatchState {
    /// What is watched.
    pub watched: Watched,
    /// The one namespace, or all.
    pub namespace: Option<Arc<str>>,
    /// The one object, or all.
    pub name: Option<Arc<str>>,
    /// Whether there was a full list.
    pub listed: bool,
    /// Why it does not work now, and since when; what was seen before is served as long as it takes.
    pub failing: Option<(SystemTime, Arc<str>)>,
}

impl Health {
    pub(super) fn new() -> (HealthWriter, Self) {
        let (sender, receiver) = watch::channel(HealthState::default());
        (HealthWriter(sender), Self(receiver))
    }

    /// How they fare now.
    pub fn now(&self) -> HealthState {
        self.0.borrow().clone()
    }

    /// Waits until a table is served that knows the object of this `metadata.resourceVersion`, or a later one. Versions of
    /// one resource are numbers that grow (KEP-5504). All changes up to it are known where one watch sees them all, which is
    /// not so with several namespaces.
    ///
    /// Returns `false` if the watches have ended before.
    pub async fn wait_for(&self, watched: Watched, resource_version: u64) -> bool {
        self.wait(|state| state.served.get(&watched).is_some_and(|served| *served >= resource_version)).await
    }

    /// Waits until everything was listed once, and the table of it is served.
    ///
    /// Returns `false` if the watches have ended before.
    pub async fn wait_until_ready(&self) -> bool {
        self.wait(|state| state.ready).await
    }

    /// Waits until nobody watches any more.
    pub async fn ended(&self) {
        self.wait(|_| false).await;
    }

    async fn wait(&self, reached: impl FnMut(&HealthState) -> bool) -> bool {
        self.0.clone().wait_for(reached).await.is_ok()
    }
}

/// Who knows.
#[derive(Debug)]
pub(super) struct HealthWriter(watch::Sender<HealthState>);

impl HealthWriter {
    pub(super) fn started(&self, id: &FeedId) {
        let FeedId { watched, namespace, name } = id.clone();
        let state = WatchState { watched, namespace, name, listed: false, failing: None };
        self.0.send_modify(|health| {
            health.watches.push(state);
            health.watches.sort_by(|a, b| key(a).cmp(&key(b)));
        });
    }

    pub(super) fn ended(&self, id: &FeedId) {
        self.0.send_modify(|health| health.watches.retain(|state| !is(state, id)));
    }

    pub(super) fn listed(&self, id: &FeedId) {
        self.change(id, |state| state.listed = true);
    }

    pub(super) fn failed(&self, id: &FeedId, why: &str) {
        self.change(id, |state| {
            let since = state.failing.take().map_or_else(SystemTime::now, |(since, _)| since);
            state.failing = Some((since, why.into()));
        });
    }

    /// Returns whether the watch has failed before.
    pub(super) fn works(&self, id: &FeedId) -> bool {
        self.change(id, |state| state.failing = None)
    }

    pub(super) fn served(&self, versions: &BTreeMap<Watched, u64>) {
        self.0.send_modify(|health| {
            health.ready = true;
            health.served.clone_from(versions);
        });
    }

    pub(super) fn leading(&self, leading: bool) {
        self.0.send_modify(|health| health.leading = Some(leading));
    }

    /// Returns whether it failed before and works now, or the other way round.
    fn change(&self, id: &FeedId, change: impl FnOnce(&mut WatchState)) -> bool {
        let mut toggled = false;
        self.0.send_if_modified(|health| {
            let Some(state) = health.watches.iter_mut().find(|state| is(state, id)) else { return false };
            let before = state.clone();
            change(state);
            toggled = before.failing.is_some() != state.failing.is_some();
            *state != before
        });
        toggled
    }
}

fn key(state: &WatchState) -> (Watched, &Option<Arc<str>>, &Option<Arc<str>>) {
    (state.watched, &state.namespace, &state.name)
}

fn is(state: &WatchState, id: &FeedId) -> bool {
    key(state) == (id.watched, &id.namespace, &id.name)
}
