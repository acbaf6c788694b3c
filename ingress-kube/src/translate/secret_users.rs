//! Who names which Secrets.

use std::collections::{BTreeMap, BTreeSet};

use super::key::Key;

/// Who names each Secret, and is looked at again when it changes.
#[derive(Debug)]
pub(super) struct SecretUsers<U> {
    users: BTreeMap<Key, BTreeSet<U>>,
    /// Secrets that got their first user or lost their last one.
    #[cfg(feature = "client")]
    toggled: Vec<Key>,
}

impl<U> Default for SecretUsers<U> {
    fn default() -> Self {
        Self {
            users: BTreeMap::new(),
            #[cfg(feature = "client")]
            toggled: Vec::new(),
        }
    }
}

impl<U: Ord + Clone> SecretUsers<U> {
    pub(super) fn add(&mut self, secret: &Key, user: &U) {
        #[cfg(feature = "client")]
        if !self.names(secret) {
            self.toggled.push(secret.clone());
        }
        self.users.entry(secret.clone()).or_default().insert(user.clone());
    }

    pub(super) fn remove(&mut self, secret: &Key, user: &U) {
        let Some(users) = self.users.get_mut(secret) else { return };
        users.remove(user);
        if users.is_empty() {
            self.users.remove(secret);
            #[cfg(feature = "client")]
            self.toggled.push(secret.clone());
        }
    }

    pub(super) fn users(&self, secret: &Key) -> impl Iterator<Item = &U> {
        self.users.get(secret).into_iter().flatten()
    }

    /// Whether anybody names the Secret.
    #[cfg(feature = "client")]
    pub(super) fn names(&self, secret: &Key) -> bool {
        self.users.contains_key(secret)
    }

    /// Secrets for which that may have changed since this was last asked.
    #[cfg(feature = "client")]
    pub(super) fn take_toggled(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.toggled)
    }
}
