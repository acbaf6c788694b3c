//! `status.loadBalancer.ingress` of the Ingresses that are served: where they can be reached.
//!
//! It is written by server-side apply and only where it differs, so that replicas and restarts write nothing, and it is
//! taken back from an Ingress that is not served any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::watched::explain;
use crate::translate::Key;

/// How long one write may take.
const WRITE: Duration = Duration::from_secs(10);
/// After how long a write that failed is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How often the status of one Ingress may be written in a row, and how long it rests then: whoever else writes the same
/// status, as a gateway with other addresses does, must not be answered without end.
const IN_A_ROW: u32 = 3;
const REST: Duration = Duration::from_secs(30);

/// An address of the load balancer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Address {
    /// `ip`.
    Ip(std::net::IpAddr),
    /// `hostname`.
    Hostname(Box<str>),
}

/// What the status of an Ingress says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    addresses: BTreeSet<Address>,
    /// Who wrote it.
    managers: BTreeSet<String>,
}

/// What the writer is told of an Ingress; nothing if it is gone.
pub(super) type Told = (Key, Option<(bool, Seen)>);

impl Address {
    /// An IP address, or else a name.
    pub(super) fn of(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Hostname(text.into()), Self::Ip)
    }

    fn json(&self) -> Value {
        match self {
            Self::Ip(address) => json!({ "ip": address }),
            Self::Hostname(name) => json!({ "hostname": name }),
        }
    }
}

impl Seen {
    pub(super) fn of(ingress: &Ingress) -> Self {
        let status = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref());
        let ingresses = status.and_then(|status| status.ingress.as_ref()).into_iter().flatten();
        let texts = ingresses.filter_map(|one| one.ip.as_deref().or(one.hostname.as_deref()));
        // One that wrote nothing but an empty status owns no address.
        let owners = ingress.metadata.managed_fields.iter().flatten().filter(|entry| {
            entry.fields_v1.as_ref().is_some_and(|set| !set.0["f:status"]["f:loadBalancer"].is_null())
        });
        let managers = owners.filter_map(|entry| entry.manager.clone()).collect();
        Self { addresses: texts.map(Address::of).collect(), managers }
    }
}

/// Where a Service can be reached from outside: what its load balancer says, and `spec.externalIPs`; for one without a
/// load balancer, as tests and meshes have it, its name or `clusterIP`.
pub(super) fn of_service(service: &Service) -> BTreeSet<Address> {
    let Some(spec) = &service.spec else { return BTreeSet::new() };
    if spec.type_.as_deref() == Some("ExternalName") {
        return spec.external_name.iter().map(|name| Address::of(name)).collect();
    }
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let ingresses = status.and_then(|status| status.ingress.as_ref()).into_iter().flatten();
    let balancer = ingresses.filter_map(|one| one.ip.as_deref().or(one.hostname.as_deref()));
    let external = spec.external_ips.iter().flatten().map(String::as_str);
    let all: BTreeSet<_> = balancer.chain(external).map(Address::of).collect();
    let waits = spec.type_.as_deref() == Some("LoadBalancer");
    if !all.is_empty() || waits {
        return all;
    }
    spec.cluster_ip
        .iter()
        .filter(|address| !address.is_empty() && *address != "None")
        .map(|a| Address::of(a))
        .collect()
}

/// Keeps the status of all Ingresses as it should be, while this process leads.
pub(super) struct StatusWriter {
    client: Client,
    addresses: watch::Receiver<BTreeSet<Address>>,
    leading: watch::Receiver<bool>,
    /// Under what name it is written, and whether by Roles in single namespaces.
    manager: String,
    scoped: bool,
    known: BTreeMap<Key, (bool, Seen)>,
    /// How often each was written in a row, and when last.
    written: BTreeMap<Key, (u32, Instant)>,
    /// What has to be looked at.
    due: BTreeSet<Key>,
    /// Whether a failure was reported, and not everything was written since.
    failing: bool,
}

impl StatusWriter {
    pub(super) fn new(
        client: Client,
        addresses: watch::Receiver<BTreeSet<Address>>,
        leading: watch::Receiver<bool>,
        manager: String,
        scoped: bool,
    ) -> Self {
        Self {
            client,
            addresses,
            leading,
            manager,
            scoped,
            known: BTreeMap::new(),
            written: BTreeMap::new(),
            due: BTreeSet::new(),
            failing: false,
        }
    }

    /// Writes until `told` ends. With `remove_at_end`, a leader then takes everything back that it wrote.
    pub(super) async fn run(
        mut self,
        mut told: mpsc::UnboundedReceiver<Vec<Told>>,
        remove_at_end: bool,
        mut failed: impl FnMut(String),
    ) {
        loop {
            let retry = !self.write_due(&mut failed).await && *self.leading.borrow();
            tokio::select! {
                news = told.recv() => match news {
                    Some(news) => self.learn(news),
                    None => break,
                },
                Ok(()) = self.addresses.changed() => self.due.extend(self.known.keys().cloned()),
                Ok(()) = self.leading.changed() => self.due.extend(self.known.keys().cloned()),
                () = tokio::time::sleep(AGAIN), if retry => {}
            }
        }
        if remove_at_end && *self.leading.borrow() {
            self.known.values_mut().for_each(|(served, _)| *served = false);
            self.due.extend(self.known.keys().cloned());
            self.written.clear();
            if !self.write_due(&mut failed).await {
                failed(format!("the status of {} Ingresses is not taken back", self.due.len()));
            }
        }
    }

    fn learn(&mut self, news: Vec<Told>) {
        for (key, now) in news {
            match now {
                Some(now) => {
                    self.known.insert(key.clone(), now);
                    self.due.insert(key);
                }
                None => {
                    self.known.remove(&key);
                    self.written.remove(&key);
                    self.due.remove(&key);
                }
            }
        }
    }

    /// Returns whether nothing is left to be done.
    async fn write_due(&mut self, failed: &mut impl FnMut(String)) -> bool {
        let wanted = self.addresses.borrow_and_update().clone();
        let mut left = Vec::new();
        while *self.leading.borrow() {
            let Some(key) = self.due.pop_first() else { break };
            let Some((served, seen)) = self.known.get_mut(&key) else { continue };
            let addresses = match *served {
                // As long as nobody knows where the gateway can be reached, nothing is taken back either.
                true if wanted.is_empty() || wanted == seen.addresses => continue,
                true => wanted.clone(),
                false if seen.managers.contains(&self.manager) && !seen.addresses.is_empty() => {
                    BTreeSet::new()
                }
                false => continue,
            };
            let (in_a_row, last) = self.written.get(&key).copied().unwrap_or((0, Instant::now()));
            let in_a_row = if last.elapsed() < REST { in_a_row } else { 0 };
            if in_a_row >= IN_A_ROW {
                left.push(key);
                continue;
            }
            match self.write(&key, &addresses).await {
                Ok(()) => {
                    self.written.insert(key.clone(), (in_a_row + 1, Instant::now()));
                    let managers = BTreeSet::from([self.manager.clone()]);
                    self.known.entry(key).and_modify(|(_, seen)| *seen = Seen { addresses, managers });
                }
                Err((error, is_answer)) => {
                    if !std::mem::replace(&mut self.failing, true) {
                        failed(error);
                    }
                    left.push(key);
                    // Without an answer to one there is none to the others.
                    if !is_answer {
                        break;
                    }
                }
            }
        }
        self.due.extend(left);
        self.failing &= !self.due.is_empty();
        self.due.is_empty()
    }

    /// Writes one status; or says why not, and whether the API server said so.
    async fn write(&self, key: &Key, addresses: &BTreeSet<Address>) -> Result<(), (String, bool)> {
        let api: Api<Ingress> = Api::namespaced(self.client.clone(), &key.namespace);
        let status = match addresses.is_empty() {
            true => json!({}),
            false => {
                json!({ "loadBalancer": { "ingress": addresses.iter().map(Address::json).collect::<Vec<_>>() } })
            }
        };
        let patch = json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": { "name": &*key.name, "namespace": &*key.namespace },
            "status": status,
        });
        let params = PatchParams::apply(&self.manager).force();
        let patched =
            tokio::time::timeout(WRITE, api.patch_status(&key.name, &params, &Patch::Apply(&patch))).await;
        let at = format!("the status of Ingress {}/{} is not written", key.namespace, key.name);
        match patched {
            Ok(Ok(_)) => Ok(()),
            // It is gone, which the watch will say.
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(()),
            Ok(Err(error)) => {
                let resource = "ingresses.networking.k8s.io/status";
                let namespace = Some(&*key.namespace).filter(|_| self.scoped);
                let is_answer = matches!(error, kube::Error::Api(_));
                Err((format!("{at}: {}", explain(&error, "patch", resource, namespace)), is_answer))
            }
            Err(_) => Err((format!("{at}: no answer within {} s", WRITE.as_secs()), false)),
        }
    }
}
