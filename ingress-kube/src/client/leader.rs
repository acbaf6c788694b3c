//! Which of several processes writes: whoever holds a Lease.
//!
//! The protocol is that of client-go: the holder renews the Lease; the others take it over once it was not renewed for
//! its duration *by their own clock since they saw the last renewal*, so that clocks need not agree. Each write names the
//! version that was read, so that of two only one gets through (409 for the other). A holder that could not renew in time
//! stops leading before anybody else can begin.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::Instant;

/// The Lease, who wants it, and how fast.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Election {
    /// The namespace of the Lease.
    pub namespace: String,
    /// The name of the Lease.
    pub name: String,
    /// Who this process is among those that want it, such as the name of its Pod.
    pub identity: String,
    /// After how long without a renewal others take over. Default: 15 s.
    pub duration: Duration,
    /// For how long a holder tries to renew before it stops leading; less than the duration. Default: 10 s.
    pub deadline: Duration,
    /// How often the Lease is renewed or looked at. Default: 2 s.
    pub retry: Duration,
}

impl Election {
    /// With the times that Kubernetes' own components have.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>, identity: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            identity: identity.into(),
            duration: Duration::from_secs(15),
            deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// One process that wants the Lease.
pub(super) struct Elector {
    api: Api<Lease>,
    election: Election,
    /// The newest Lease, and when it was first seen as it is.
    observed: Option<(Lease, Instant)>,
}

impl Elector {
    pub(super) fn new(client: Client, election: Election) -> Self {
        Self { api: Api::namespaced(client, &election.namespace), election, observed: None }
    }

    /// Says in `leading` whether this process leads, until nobody listens or `stop` is; then it gives the Lease back.
    pub(super) async fn run(
        mut self,
        leading: &watch::Sender<bool>,
        stop: impl Future<Output = ()>,
        mut failed: impl FnMut(String),
    ) {
        let mut stop = std::pin::pin!(stop);
        let mut renewed: Option<Instant> = None;
        loop {
            let started = Instant::now();
            // A renewal that hangs must not outlive the right to lead.
            let left = renewed.map_or(self.election.deadline, |renewed| {
                self.election.deadline.saturating_sub(renewed.elapsed())
            });
            let tried = tokio::select! {
                tried = tokio::time::timeout(left.max(self.election.retry), self.acquire_or_renew()) => tried,
                () = &mut stop => break,
            };
            match tried {
                Ok(Ok(true)) => renewed = Some(started),
                Ok(Ok(false)) => renewed = None,
                Ok(Err(error)) => {
                    failed(super::watched::explain(
                        &error,
                        "get, create, update and patch",
                        "leases.coordination.k8s.io",
                        Some(&self.election.namespace),
                    ));
                }
                Err(_) => failed("the Lease could not be renewed in time".into()),
            }
            let leads = renewed.is_some_and(|renewed| renewed.elapsed() < self.election.deadline);
            if !leads {
                renewed = None;
            }
            leading.send_if_modified(|leading| std::mem::replace(leading, leads) != leads);
            tokio::select! {
                () = tokio::time::sleep(self.election.retry) => {}
                () = &mut stop => break,
            }
        }
        leading.send_replace(false);
        if renewed.is_some() {
            let _ = tokio::time::timeout(self.election.retry, self.release()).await;
        }
    }

    /// Whether the Lease is ours now.
    async fn acquire_or_renew(&mut self) -> Result<bool, kube::Error> {
        let Some(lease) = self.api.get_opt(&self.election.name).await? else {
            let lease = self.lease(None);
            return self.written(self.api.create(&PostParams::default(), &lease).await);
        };
        let is_news = self.observed.as_ref().is_none_or(|(observed, _)| observed.spec != lease.spec);
        if is_news {
            self.observed = Some((lease.clone(), Instant::now()));
        }
        let since = self.observed.as_ref().map_or_else(Instant::now, |(_, since)| *since);
        let spec = lease.spec.as_ref();
        let holder = spec.and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default();
        let seconds = spec.and_then(|spec| spec.lease_duration_seconds).unwrap_or_default();
        let duration = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        if !holder.is_empty() && holder != self.election.identity && since.elapsed() < duration {
            return Ok(false);
        }
        let next = self.lease(Some(&lease));
        self.written(self.api.replace(&self.election.name, &PostParams::default(), &next).await)
    }

    /// Somebody else was faster: no failure.
    fn written(&mut self, written: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
        match written {
            Ok(lease) => {
                self.observed = Some((lease, Instant::now()));
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The Lease as ours, after this one.
    fn lease(&self, before: Option<&Lease>) -> Lease {
        let Election { namespace, name, identity, duration, .. } = &self.election;
        let now = MicroTime(Timestamp::now());
        let spec = before.and_then(|lease| lease.spec.as_ref());
        let is_ours = spec.is_some_and(|spec| spec.holder_identity.as_deref() == Some(identity));
        let transitions = spec.and_then(|spec| spec.lease_transitions);
        let metadata = before.map(|lease| lease.metadata.clone()).unwrap_or_else(|| ObjectMeta {
            namespace: Some(namespace.clone()),
            name: Some(name.clone()),
            ..ObjectMeta::default()
        });
        let acquired = spec.filter(|_| is_ours).and_then(|spec| spec.acquire_time.clone());
        Lease {
            metadata,
            spec: Some(LeaseSpec {
                holder_identity: Some(identity.clone()),
                lease_duration_seconds: Some(i32::try_from(duration.as_secs().max(1)).unwrap_or(i32::MAX)),
                acquire_time: Some(acquired.unwrap_or_else(|| now.clone())),
                renew_time: Some(now),
                lease_transitions: Some(match transitions {
                    Some(transitions) if is_ours => transitions,
                    Some(transitions) => transitions.saturating_add(1),
                    None => 0,
                }),
                ..LeaseSpec::default()
            }),
        }
    }

    /// Lets others begin at once.
    async fn release(&mut self) -> Result<(), kube::Error> {
        let Some((mut lease, _)) = self.observed.take() else { return Ok(()) };
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
            spec.renew_time = Some(MicroTime(Timestamp::now()));
        }
        self.api.replace(&self.election.name, &PostParams::default(), &lease).await.map(drop)
    }
}
