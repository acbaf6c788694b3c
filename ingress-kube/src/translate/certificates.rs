//! The certificates of Secrets, each read once, and which host gets which.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingress_core::{Certificate, Code, Diagnostic, HostMatch, Source};

use super::key::Key;
use super::tls::{self, Want};
use crate::secret::TlsData;
use crate::{Config, Store};

/// All that hosts want.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    by_host: BTreeMap<Arc<HostMatch>, BTreeSet<Want>>,
    by_secret: BTreeMap<Key, BTreeSet<Want>>,
    /// The Secrets that something wants.
    loaded: BTreeMap<Key, Result<Certificate, Problem>>,
    /// Secrets that lost a want.
    left: Vec<Key>,
    /// Hosts whose certificate may have changed.
    changed: BTreeSet<Arc<HostMatch>>,
    /// The Secret of the default certificate.
    default: Option<Key>,
    /// Secrets that something wants now and did not before, or the other way round.
    #[cfg(feature = "client")]
    toggled: Vec<Key>,
}

/// Why a Secret has no certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    code: Code,
    message: String,
    help: &'static str,
}

impl Certificates {
    pub(super) fn add(&mut self, want: &Want, store: &Store, config: &Config) {
        self.load(&want.secret, store, config);
        self.changed.insert(want.host.clone());
        self.by_secret.entry(want.secret.clone()).or_default().insert(want.clone());
        self.by_host.entry(want.host.clone()).or_default().insert(want.clone());
    }

    pub(super) fn remove(&mut self, want: &Want) {
        self.changed.insert(want.host.clone());
        remove(&mut self.by_secret, &want.secret, want);
        remove(&mut self.by_host, &want.host, want);
        self.left.push(want.secret.clone());
    }

    /// Reads a Secret again that may have changed, and returns the Ingresses that are to be told.
    pub(super) fn update(&mut self, secret: &Key, store: &Store, config: &Config) -> BTreeSet<Key> {
        let Some(before) = self.loaded.remove(secret) else { return BTreeSet::new() };
        self.load(secret, store, config);
        if self.loaded.get(secret) == Some(&before) {
            return BTreeSet::new();
        }
        let wants = self.by_secret.get(secret).into_iter().flatten();
        if self.default.as_ref() == Some(secret) {
            self.changed.insert(HostMatch::Any.into());
        }
        self.changed.extend(wants.clone().map(|want| want.host.clone()));
        wants.map(|want| Key::new(&*want.ingress.object.namespace, &*want.ingress.object.name)).collect()
    }

    /// Sets the Secret of the default certificate, and says what is wrong with it.
    pub(super) fn update_default(&mut self, store: &Store, config: &Config) -> Option<Diagnostic> {
        let (namespace, name) = config.default_certificate.as_ref()?;
        if self.default.is_none() {
            let secret = Key::new(namespace.clone(), name.clone());
            self.load(&secret, store, config);
            self.default = Some(secret);
            self.changed.insert(HostMatch::Any.into());
        }
        let problem = self.loaded.get(self.default.as_ref()?)?.as_ref().err()?;
        let message = format!("the default certificate, {namespace}/{name}: {}", problem.message);
        Some(Diagnostic::new(problem.code, None, message, problem.help))
    }

    /// What is to be said of the certificates that an Ingress wants.
    pub(super) fn findings(&self, wants: &[Want]) -> Vec<Diagnostic> {
        let mut entries = BTreeMap::<_, Vec<_>>::new();
        wants.iter().for_each(|want| entries.entry(want.entry).or_default().push(want));
        let finding = |wants: Vec<&Want>| match self.loaded.get(&wants[0].secret)? {
            Ok(certificate) => uncovered(&wants, certificate),
            Err(problem) => Some(problem.at(wants[0].source())),
        };
        entries.into_values().filter_map(finding).collect()
    }

    /// The certificate of each host for which it may have changed since this was last asked.
    pub(super) fn take_changed(&mut self) -> Vec<(HostMatch, Option<Certificate>)> {
        for secret in std::mem::take(&mut self.left) {
            if !self.by_secret.contains_key(&secret) && self.default.as_ref() != Some(&secret) {
                self.loaded.remove(&secret);
                #[cfg(feature = "client")]
                self.toggled.push(secret);
            }
        }
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|host| ((*host).clone(), self.certificate(&host))).collect()
    }

    /// That of the first want that can be satisfied.
    fn certificate(&self, host: &Arc<HostMatch>) -> Option<Certificate> {
        if **host == HostMatch::Any {
            return self.loaded.get(self.default.as_ref()?)?.clone().ok();
        }
        self.by_host.get(host)?.iter().find_map(|want| {
            let certificate = self.loaded.get(&want.secret)?.as_ref().ok()?;
            (!want.unnamed || certificate.covers_all(host)).then(|| certificate.clone())
        })
    }

    fn load(&mut self, secret: &Key, store: &Store, config: &Config) {
        if !self.loaded.contains_key(secret) {
            #[cfg(feature = "client")]
            self.toggled.push(secret.clone());
            self.loaded.insert(secret.clone(), load(secret, store, config));
        }
    }

    /// Whether anything wants the Secret.
    #[cfg(feature = "client")]
    pub(super) fn want(&self, secret: &Key) -> bool {
        self.loaded.contains_key(secret)
    }

    /// Secrets for which that may have changed since this was last asked.
    #[cfg(feature = "client")]
    pub(super) fn take_toggled(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.toggled)
    }
}

impl Problem {
    fn at(&self, source: Source) -> Diagnostic {
        Diagnostic::new(self.code, source, self.message.clone(), self.help)
    }
}

fn remove<K: Ord>(wants: &mut BTreeMap<K, BTreeSet<Want>>, key: &K, want: &Want) {
    if let Some(of_key) = wants.get_mut(key) {
        of_key.remove(want);
        if of_key.is_empty() {
            wants.remove(key);
        }
    }
}

/// What is said where a certificate is not for hosts that an entry of `spec.tls` names, or for none of the Ingress's if
/// it names no host.
fn uncovered(wants: &[&Want], certificate: &Certificate) -> Option<Diagnostic> {
    let covered = |want: &Want| certificate.covers_all(&want.host);
    let guesses = wants.iter().all(|want| want.unnamed);
    if guesses && wants.iter().any(|want| covered(want)) {
        return None;
    }
    let meant = wants.iter().filter(|want| (guesses || !want.unnamed) && !covered(want));
    let hosts: Vec<_> = meant.map(|want| &*want.host).collect();
    (!hosts.is_empty()).then(|| tls::uncovered(wants[0].source(), &hosts, certificate.names()))
}

fn load(secret: &Key, store: &Store, config: &Config) -> Result<Certificate, Problem> {
    let Key { namespace, name } = secret;
    let Some(stored) = store.secrets.get(namespace, name) else {
        let message =
            format!("Secret {namespace}/{name} does not exist, so another certificate is presented");
        let help = "add the Secret, of type kubernetes.io/tls, to the namespace of the Ingress";
        return Err(Problem { code: Code::MissingSecret, message, help });
    };
    let broken = |why: String, help| {
        let message = format!("Secret {namespace}/{name}: {why}, so another certificate is presented");
        Problem { code: Code::InvalidCertificate, message, help }
    };
    let help = "write the chain into tls.crt and its private key into tls.key, both as PEM";
    let data = TlsData::of(&stored.object);
    let data = data.map_err(|missing| broken(format!("there is no {missing} in it"), help))?;
    let Some(load) = config.load_certificate else { return Err(broken("TLS is not served".into(), "")) };
    load(&data).map_err(|error| broken(super::causes(&*error), help))
}
