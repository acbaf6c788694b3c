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

use super::watched::explain;
use crate::translate::Key;

/// How long one write may take.
const WRITE: Duration = Duration::from_secs(10);
/// After how long a write that failed is tried again.
const AGAIN: Duration = Duration::from_secs(5);

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
    /// Whether a controller of our name wrote it.
    is_ours: bool,
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
        let mut managers = ingress.metadata.managed_fields.iter().flatten();
        // One that wrote nothing but an empty status owns no address.
        let is_ours = managers.any(|entry| {
            let owns =
                entry.fields_v1.as_ref().is_some_and(|set| !set.0["f:status"]["f:loadBalancer"].is_null());
            owns && entry.manager.as_deref() == Some(super::MANAGER)
        });
        Self { addresses: texts.map(Address::of).collect(), is_ours }
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
    known: BTreeMap<Key, (bool, Seen)>,
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
    ) -> Self {
        Self { client, addresses, leading, known: BTreeMap::new(), due: BTreeSet::new(), failing: false }
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
            self.write_due(&mut failed).await;
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
                    self.due.remove(&key);
                }
            }
        }
    }

    /// Returns whether nothing is left to be done.
    async fn write_due(&mut self, failed: &mut impl FnMut(String)) -> bool {
        let wanted = self.addresses.borrow_and_update().clone();
        let mut failures = Vec::new();
        while *self.leading.borrow() {
            let Some(key) = self.due.pop_first() else { break };
            let Some((served, seen)) = self.known.get_mut(&key) else { continue };
            let addresses = match *served {
                // As long as nobody knows where the gateway can be reached, nothing is taken back either.
                true if wanted.is_empty() || wanted == seen.addresses => continue,
                true => wanted.clone(),
                false if seen.is_ours && !seen.addresses.is_empty() => BTreeSet::new(),
                false => continue,
            };
            match write(&self.client, &key, &addresses).await {
                Ok(()) => *seen = Seen { addresses, is_ours: true },
                Err(error) => {
                    if !std::mem::replace(&mut self.failing, true) {
                        failed(error);
                    }
                    failures.push(key);
                    // One that fails is likely to be followed by others.
                    if failures.len() > 3 {
                        break;
                    }
                }
            }
        }
        self.due.extend(failures);
        self.failing &= !self.due.is_empty();
        self.due.is_empty()
    }
}

async fn write(client: &Client, key: &Key, addresses: &BTreeSet<Address>) -> Result<(), String> {
    let api: Api<Ingress> = Api::namespaced(client.clone(), &key.namespace);
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
    let params = PatchParams::apply(super::MANAGER).force();
    let patched =
        tokio::time::timeout(WRITE, api.patch_status(&key.name, &params, &Patch::Apply(&patch))).await;
    let at = format!("the status of Ingress {}/{} is not written", key.namespace, key.name);
    match patched {
        Ok(Ok(_)) => Ok(()),
        // It is gone, which the watch will say.
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(()),
        Ok(Err(error)) => {
            let resource = "ingresses.networking.k8s.io/status";
            Err(format!("{at}: {}", explain(&error, "patch", resource, None)))
        }
        Err(_) => Err(format!("{at}: no answer within {} s", WRITE.as_secs())),
    }
}
