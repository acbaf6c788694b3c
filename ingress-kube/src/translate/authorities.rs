//! `backend-ca-secret`: who may have issued the certificates of endpoints.

use std::collections::{BTreeMap, BTreeSet};

use ingress_core::{Code, Trust};

use super::Output;
use super::annotations::{self, Settings};
use super::key::Key;
use crate::store::Stored;
use crate::{Config, Store, secret};

/// Who names each Secret, and is looked at again when it changes.
#[derive(Debug)]
pub(super) struct Authorities<U> {
    users: BTreeMap<Key, BTreeSet<U>>,
    /// Secrets that got their first user or lost their last one.
    #[cfg(feature = "client")]
    toggled: Vec<Key>,
}

impl<U> Default for Authorities<U> {
    fn default() -> Self {
        Self {
            users: BTreeMap::new(),
            #[cfg(feature = "client")]
            toggled: Vec::new(),
        }
    }
}

impl<U: Ord + Clone> Authorities<U> {
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

/// Reads the Secret that an Ingress or a Service names. Where that is not possible, no endpoint is trusted: requests for
/// those that speak TLS are answered with 502.
pub(super) fn read<O>(
    stored: &Stored<O>,
    settings: &mut Settings<'_>,
    store: &Store,
    config: &Config,
    out: &mut Output,
) {
    let Some(name) = settings.ca_secret() else { return };
    let key = Key::new(stored.namespace.clone(), name);
    let trust = load(&key, store, config);
    out.authorities = Some(key);
    settings.trust(trust.unwrap_or_else(|(why, help)| {
        let message = format!("{why}, so no endpoint is trusted");
        let field = annotations::field("backend-ca-secret");
        out.find(Code::InvalidAnnotation, &stored.source, field, message, help);
        Trust::none()
    }));
}

fn load(key: &Key, store: &Store, config: &Config) -> Result<Trust, (String, &'static str)> {
    let Key { namespace, name } = key;
    let Some(load) = config.load_trust else {
        return Err(("TLS to endpoints is not spoken here".into(), "leave the annotation out"));
    };
    let Some(stored) = store.secrets.get(namespace, name) else {
        let help = "add the Secret to this namespace, with ca.crt in it";
        return Err((format!("Secret {namespace}/{name} does not exist"), help));
    };
    let help = "write the certificates of the authorities into ca.crt, as PEM";
    let Some(pem) = secret::authorities(&stored.object) else {
        return Err((format!("there is no ca.crt in Secret {namespace}/{name}"), help));
    };
    load(pem).map_err(|error| (format!("Secret {namespace}/{name}: {}", super::causes(&*error)), help))
}
