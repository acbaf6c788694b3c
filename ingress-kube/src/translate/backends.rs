//! The ports of Services that something points at, each looked up once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingress_core::{BackendRef, Code, Diagnostic, Endpoint, Policy, PortRef, ServiceRef};

use super::by_owner::{ByOwner, Edits};
use super::hints;
use super::key::Key;
use super::secret_users::SecretUsers;
use super::service::{Lookup, Problem, Resolved};
use crate::Store;

/// As long as no more Services of a namespace come and go at once, it is worth to see whose findings they change.
const FEW: usize = 16;

/// All ports that are used, and by whom. What is found at them is looked up when the first user comes, and again when
/// an object changes that it depends on.
#[derive(Debug, Default)]
pub(super) struct Backends {
    known: BTreeMap<Arc<ServiceRef>, Known>,
    users: BTreeSet<(Arc<ServiceRef>, Key)>,
    /// Ports of Services that do not exist, by namespace and by name: what is said of them depends on the names of
    /// the others.
    missing: BTreeSet<Arc<ServiceRef>>,
    missing_names: BTreeSet<(Arc<str>, Arc<ServiceRef>)>,
    /// See [`Resolved::namesake`].
    namesakes: BTreeSet<(Key, Arc<ServiceRef>)>,
    /// Ports that lost a user.
    left: Vec<Arc<ServiceRef>>,
    /// Who names a Secret.
    secrets: SecretUsers<Arc<ServiceRef>>,
    served: Vec<Served>,
    findings: ByOwner<Arc<ServiceRef>, Diagnostic>,
}

/// What is remembered of a port; its endpoints are in the table.
#[derive(Debug)]
struct Known {
    problem: Option<Problem>,
    namesake: Option<Key>,
    secrets: Vec<Key>,
}

/// Who answers for a backend, and how requests for it are treated.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) backend: BackendRef,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) policy: Option<Arc<Policy>>,
}

impl Backends {
    /// Notes that the Ingress uses the port.
    pub(super) fn add_user(
        &mut self,
        service: &ServiceRef,
        user: &Key,
        lookup: &Lookup<'_>,
    ) -> Arc<ServiceRef> {
        let service = match self.known.get_key_value(service) {
            Some((service, _)) => service.clone(),
            None => {
                let service = Arc::new(service.clone());
                self.look_up(&service, lookup);
                service
            }
        };
        self.users.insert((service.clone(), user.clone()));
        service
    }

    /// Notes that the Ingress does not use the port any more.
    pub(super) fn remove_user(&mut self, service: &Arc<ServiceRef>, user: &Key) {
        self.users.remove(&(service.clone(), user.clone()));
        self.left.push(service.clone());
    }

    /// Why the port has no endpoints, if it is used.
    pub(super) fn problem(&self, service: &ServiceRef) -> Option<&Problem> {
        self.known.get(service)?.problem.as_ref()
    }

    /// Who uses the port.
    pub(super) fn users<'a>(&'a self, service: &'a Arc<ServiceRef>) -> impl Iterator<Item = &'a Key> {
        let all = self.users.range((service.clone(), Key::default())..);
        all.take_while(move |(other, _)| other == service).map(|(_, user)| user)
    }

    /// The used ports of a Service.
    pub(super) fn of_service(&self, key: &Key) -> impl Iterator<Item = &Arc<ServiceRef>> {
        let all = self.known.range::<ServiceRef, _>(first(key)..).map(|(service, _)| service);
        all.take_while(move |service| service.namespace == key.namespace && service.name == key.name)
    }

    /// Which Secrets Services name.
    #[cfg(feature = "client")]
    pub(super) fn secrets(&mut self) -> &mut SecretUsers<Arc<ServiceRef>> {
        &mut self.secrets
    }

    /// The ports whose Services name the Secret.
    pub(super) fn of_secret(&self, secret: &Key) -> impl Iterator<Item = &Arc<ServiceRef>> {
        self.secrets.users(secret)
    }

    /// The ports that the coming or going of these Services may concern, besides their own.
    pub(super) fn concerned_by(&self, toggled: &[Key], store: &Store) -> BTreeSet<Arc<ServiceRef>> {
        let any = Arc::new(first(&Key::default()));
        let mut concerned = BTreeSet::new();
        for keys in toggled.chunk_by(|a, b| a.namespace == b.namespace) {
            let missing = self.missing_in(&keys[0].namespace);
            match HelpFromNames::of(keys, store) {
                HelpFromNames::None => {}
                HelpFromNames::Near => {
                    let near = |name: &str| keys.iter().any(|key| hints::is_near(name, &key.name));
                    concerned.extend(missing.filter(|service| near(&service.name)).cloned());
                }
                HelpFromNames::All => concerned.extend(missing.cloned()),
            }
        }
        for key in toggled {
            let of_name = self.missing_names.range((key.name.clone(), any.clone())..);
            let of_name = of_name.take_while(|(name, _)| *name == key.name).map(|(_, service)| service);
            let namesakes = self.namesakes.range((key.clone(), any.clone())..);
            let namesakes = namesakes.take_while(|(other, _)| other == key).map(|(_, service)| service);
            concerned.extend(of_name.chain(namesakes).cloned());
        }
        concerned
    }

    fn missing_in<'a>(&'a self, namespace: &'a Arc<str>) -> impl Iterator<Item = &'a Arc<ServiceRef>> {
        let all = self.missing.range::<ServiceRef, _>(first(&Key::new(namespace.clone(), Arc::default()))..);
        all.take_while(move |service| service.namespace == *namespace)
    }

    /// Looks a port up. Returns whether what is to be said to its users is news.
    pub(super) fn look_up(&mut self, service: &Arc<ServiceRef>, lookup: &Lookup<'_>) -> bool {
        let Resolved { problem, endpoints, policy, secrets, findings, namesake } = lookup.resolve(service);
        self.findings.set(service.clone(), findings);
        self.served.push(Served { backend: BackendRef::Service((**service).clone()), endpoints, policy });
        let known = self.known.remove(service);
        let news = known.as_ref().is_none_or(|known| known.problem != problem);
        self.unlist(service, known);
        if problem.as_ref().is_some_and(|problem| problem.code == Code::MissingService) {
            self.missing.insert(service.clone());
            self.missing_names.insert((service.name.clone(), service.clone()));
        }
        if let Some(key) = &namesake {
            self.namesakes.insert((key.clone(), service.clone()));
        }
        secrets.iter().for_each(|secret| self.secrets.add(secret, service));
        self.known.insert(service.clone(), Known { problem, namesake, secrets });
        news
    }

    /// Forgets the ports that nobody uses any more.
    pub(super) fn sweep(&mut self) {
        for service in std::mem::take(&mut self.left) {
            if self.users(&service).next().is_some() {
                continue;
            }
            let Some(known) = self.known.remove(&service) else { continue };
            self.unlist(&service, Some(known));
            self.findings.set(service.clone(), Vec::new());
            let backend = BackendRef::Service((*service).clone());
            self.served.push(Served { backend, endpoints: Vec::new(), policy: None });
        }
    }

    /// What may have changed since this was last asked; for a port that nobody uses, nobody answers.
    pub(super) fn take_served(&mut self) -> Vec<Served> {
        std::mem::take(&mut self.served)
    }

    /// How findings about Services and EndpointSlices changed since this was last asked.
    pub(super) fn take_findings(&mut self) -> Edits<Diagnostic> {
        self.findings.take_edits()
    }

    fn unlist(&mut self, service: &Arc<ServiceRef>, known: Option<Known>) {
        let Some(Known { problem, namesake, secrets }) = known else { return };
        secrets.iter().for_each(|secret| self.secrets.remove(secret, service));
        if problem.is_some_and(|problem| problem.code == Code::MissingService) {
            self.missing.remove(service);
            self.missing_names.remove(&(service.name.clone(), service.clone()));
        }
        if let Some(key) = namesake {
            self.namesakes.remove(&(key, service.clone()));
        }
    }
}

/// Which missing Services of a namespace have help that depends on the names of these Services, which came or went.
enum HelpFromNames {
    None,
    /// Those whose names are near to one of them.
    Near,
    All,
}

impl HelpFromNames {
    /// All Services are of one namespace.
    fn of(toggled: &[Key], store: &Store) -> Self {
        let present = |key: &&Key| store.services.get(&key.namespace, &key.name).is_some();
        let came = toggled.iter().filter(present).count();
        let went = toggled.len() - came;
        let services = store.services.of_namespace(&toggled[0].namespace);
        let now = services.take(hints::COMPARED + toggled.len() + 1).count();
        let before = now + went - came;
        let (fewest, most) = (before.min(now), before.max(now));
        if fewest > hints::COMPARED {
            Self::None
        } else if fewest <= hints::LISTED || most > hints::COMPARED || toggled.len() > FEW {
            Self::All
        } else {
            Self::Near
        }
    }
}

/// What sorts before every port of the Service.
fn first(key: &Key) -> ServiceRef {
    let port = PortRef::Number(0);
    ServiceRef { namespace: key.namespace.clone(), name: key.name.clone(), port }
}
