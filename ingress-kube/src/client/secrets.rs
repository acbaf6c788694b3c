//! The Secrets that are read: their metadata is watched, and what is in those that something names is fetched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::watched::explain;
use crate::translate::Key;

/// How many are fetched at once.
const AT_ONCE: usize = 16;
/// How long one may take.
const FETCH: Duration = Duration::from_secs(10);

/// What is known of Secrets, and what is on its way.
pub(super) struct Secrets {
    client: Client,
    permits: Arc<Semaphore>,
    /// The versions of all, by the metadata that is watched.
    versions: BTreeMap<Key, u64>,
    /// Those that something names, with the version that is held.
    wanted: BTreeMap<Key, u64>,
    fetching: BTreeSet<Key>,
    tasks: JoinSet<Fetched>,
}

/// What came of a fetch.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) key: Key,
    /// Nothing if the Secret is not there, or why it could not be read. It is asked for again then.
    pub(super) secret: Result<Option<Box<Secret>>, String>,
    /// How often it could not be read.
    failures: u32,
}

impl Secrets {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            versions: BTreeMap::new(),
            wanted: BTreeMap::new(),
            fetching: BTreeSet::new(),
            tasks: JoinSet::new(),
        }
    }

    /// These are all of a namespace, or of all. Returns those that are wanted and gone.
    pub(super) fn listed(
        &mut self,
        namespace: Option<&str>,
        all: impl IntoIterator<Item = (Key, u64)>,
    ) -> Vec<Key> {
        let is_part = |key: &&Key| namespace.is_none_or(|only| *key.namespace == *only);
        let mut gone: BTreeSet<Key> = self.versions.keys().filter(is_part).cloned().collect();
        for (key, version) in all {
            gone.remove(&key);
            self.seen(key, version);
        }
        gone.into_iter().filter(|key| self.deleted(key)).collect()
    }

    pub(super) fn seen(&mut self, key: Key, version: u64) {
        self.versions.insert(key.clone(), version);
        self.fetch_if_due(&key);
    }

    /// Returns whether it is wanted.
    pub(super) fn deleted(&mut self, key: &Key) -> bool {
        self.versions.remove(key);
        self.wanted.get_mut(key).map(|version| *version = 0).is_some()
    }

    /// Says whether something names the Secret.
    pub(super) fn set_wanted(&mut self, key: Key, is_wanted: bool) {
        if !is_wanted {
            self.wanted.remove(&key);
        } else if !self.wanted.contains_key(&key) {
            self.wanted.insert(key.clone(), 0);
            self.fetch_if_due(&key);
        }
    }

    /// Whether all that are there are held in their newest version.
    pub(super) fn are_settled(&self) -> bool {
        self.fetching.is_empty()
    }

    /// The next that came; nothing while none is on its way.
    pub(super) async fn next(&mut self) -> Option<Fetched> {
        loop {
            let Ok(mut fetched) = self.tasks.join_next().await? else { continue };
            let key = fetched.key.clone();
            self.fetching.remove(&key);
            let Some(held) = self.wanted.get_mut(&key) else { continue };
            if !self.versions.contains_key(&key) {
                // It was deleted meanwhile.
                fetched.secret = Ok(None);
            }
            match &fetched.secret {
                Ok(Some(secret)) => {
                    let version = secret.metadata.resource_version.as_deref();
                    *held = version.and_then(|text| text.parse().ok()).unwrap_or(0);
                    self.fetch_if_due(&key);
                }
                Ok(None) => {}
                Err(_) => {
                    self.fetching.insert(key.clone());
                    self.fetch(key, fetched.failures);
                }
            }
            return Some(fetched);
        }
    }

    fn fetch_if_due(&mut self, key: &Key) {
        let (Some(held), Some(version)) = (self.wanted.get(key), self.versions.get(key)) else { return };
        if held < version && self.fetching.insert(key.clone()) {
            self.fetch(key.clone(), 0);
        }
    }

    fn fetch(&mut self, key: Key, failures: u32) {
        let (client, permits) = (self.client.clone(), self.permits.clone());
        self.tasks.spawn(async move {
            if failures > 0 {
                tokio::time::sleep(Duration::from_secs(1 << failures.min(5))).await;
            }
            // Nobody closes it.
            let _permit = permits.acquire().await;
            let api: Api<Secret> = Api::namespaced(client, &key.namespace);
            let got = tokio::time::timeout(FETCH, api.get_opt(&key.name)).await;
            let secret = match got {
                Ok(Ok(secret)) => Ok(secret.map(Box::new)),
                Ok(Err(error)) => Err(explain(&error, "get", "secrets", Some(&key.namespace))),
                Err(_) => Err(format!("no answer within {} s", FETCH.as_secs())),
            };
            let failures = failures + u32::from(secret.is_err());
            Fetched { key, secret, failures }
        });
    }
}
