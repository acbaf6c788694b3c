//! The Secrets that are read: their metadata is watched, and what is in those that something names is fetched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::GetParams;
use kube::core::Request;
use kube::{Client, Resource};
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
    /// What is on its way, with the version that was known when it was asked for.
    fetching: BTreeMap<Key, u64>,
    /// What of that could not be read so far: nothing waits for it.
    failed: BTreeSet<Key>,
    tasks: JoinSet<Fetched>,
}

/// What came of a fetch.
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
            fetching: BTreeMap::new(),
            failed: BTreeSet::new(),
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

    /// Whether all that are there are held in their newest version, or cannot be read.
    pub(super) fn are_settled(&self) -> bool {
        self.fetching.keys().all(|key| self.failed.contains(key))
    }

    /// The next that came; nothing while none is on its way.
    pub(super) async fn next(&mut self) -> Option<Fetched> {
        loop {
            let Ok(mut fetched) = self.tasks.join_next().await? else { continue };
            let key = fetched.key.clone();
            let begun = self.fetching.remove(&key);
            self.failed.remove(&key);
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
                // One that was made anew meanwhile is there, whatever was answered.
                Ok(None) => {
                    *held = begun.unwrap_or(0);
                    self.fetch_if_due(&key);
                }
                Err(_) => {
                    self.fetching.insert(key.clone(), begun.unwrap_or(0));
                    self.failed.insert(key.clone());
                    self.fetch(key, fetched.failures);
                }
            }
            return Some(fetched);
        }
    }

    fn fetch_if_due(&mut self, key: &Key) {
        let (Some(held), Some(version)) = (self.wanted.get(key), self.versions.get(key)) else { return };
        if held != version && !self.fetching.contains_key(key) {
            self.fetching.insert(key.clone(), *version);
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
            let got = tokio::time::timeout(FETCH, get(&client, &key)).await;
            let secret = got.unwrap_or_else(|_| Err(format!("no answer within {} s", FETCH.as_secs())));
            let failures = failures + u32::from(secret.is_err());
            Fetched { key, secret, failures }
        });
    }
}

/// Reads a Secret; nothing if it is not there. What it says is in no text: the client's own reader would log an answer
/// that it does not understand.
async fn get(client: &Client, key: &Key) -> Result<Option<Box<Secret>>, String> {
    let request = Request::new(Secret::url_path(&(), Some(&key.namespace)));
    let request =
        request.get(&key.name, &GetParams::default()).map_err(|_| "its name cannot be asked for")?;
    match client.request_text(request).await {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|error| {
            format!("the answer is no Secret, at line {} column {}", error.line(), error.column())
        }),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(explain(&error, "get", "secrets", Some(&key.namespace))),
    }
}
