//! Which of several processes writes: whoever holds a Lease.
//!
//! The protocol is that of client-go: the holder renews the Lease; the others take it over once it was not renewed for
//! its duration *by their own clock since they saw the last renewal*, so that clocks need not agree. Each write names the
//! version that was read, so that of two only one gets through (409 for the other). A holder that could not renew in time
//! stops leading before anybody else can begin; a Lease that somebody deletes is still the last holder's for its duration.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::Instant;

use super::elected::Note;
use super::watched::explain;

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
    /// After how long without a renewal others take over, in whole seconds. Default: 15 s.
    pub duration: Duration,
    /// For how long a holder tries to renew before it stops leading; at most four fifths of the duration. Default: 10 s.
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

/// How long it may take to give the Lease back.
const RELEASE: Duration = Duration::from_secs(2);
/// The least and the most that makes sense as the duration of a Lease.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(3600);

/// One process that wants the Lease.
pub(super) struct Elector {
    api: Api<Lease>,
    election: Election,
    /// The newest Lease, and when it was first seen as it is.
    observed: Option<(Lease, Instant)>,
}

/// Who holds the Lease.
enum Holder {
    This,
    Other,
    /// Somebody wrote it at the same time.
    Unclear,
}

impl Elector {
    pub(super) fn new(client: Client, mut election: Election) -> Self {
        election.duration = election.duration.clamp(SHORTEST, LONGEST);
        election.deadline = election.deadline.min(election.duration * 4 / 5);
        election.retry = election.retry.clamp(SHORTEST / 10, election.deadline.max(SHORTEST / 5) / 2);
        Self { api: Api::namespaced(client, &election.namespace), election, observed: None }
    }

    /// Says in `leading` whether this process leads, until `stop` is; then it gives the Lease back.
    pub(super) async fn run(
        mut self,
        leading: &watch::Sender<bool>,
        stop: impl Future<Output = ()>,
        say: impl Fn(Note),
    ) {
        let lead = |leads: bool| {
            if leading.send_if_modified(|before| std::mem::replace(before, leads) != leads) {
                say(Note::Leading(leads));
            }
        };
        let mut stop = std::pin::pin!(stop);
        let (mut renewed, mut failing) = (None::<Instant>, false);
        loop {
            let started = Instant::now();
            // One that hangs leaves time for another one.
            let limit = self.ends(renewed).min(started + self.election.deadline / 2);
            let tried = tokio::select! {
                tried = tokio::time::timeout_at(limit, self.acquire_or_renew()) => tried,
                () = &mut stop => break,
            };
            let is_done = matches!(tried, Ok(Ok(_)));
            match tried {
                Ok(Ok(Holder::This)) => renewed = Some(started),
                Ok(Ok(Holder::Other)) => renewed = None,
                Ok(Ok(Holder::Unclear)) => {}
                Ok(Err(_)) | Err(_) if failing => {}
                Ok(Err(error)) => say(Note::Trouble(self.explain(&error))),
                Err(_) => say(Note::Trouble("the Lease is not renewed: no answer in time".into())),
            }
            failing = !is_done;
            renewed = renewed.filter(|renewed| renewed.elapsed() < self.election.deadline);
            lead(renewed.is_some());
            let next = self.ends(renewed).min(Instant::now() + self.election.retry);
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = &mut stop => break,
            }
        }
        lead(false);
        if renewed.is_some() {
            let _ = tokio::time::timeout(RELEASE.min(self.election.deadline), self.release()).await;
        }
    }

    /// Until when a holder leads that does not renew the Lease again.
    fn ends(&self, renewed: Option<Instant>) -> Instant {
        renewed.unwrap_or_else(Instant::now) + self.election.deadline
    }

    fn explain(&self, error: &kube::Error) -> String {
        let why = explain(
            error,
            "get, create and update",
            "leases.coordination.k8s.io",
            Some(&self.election.namespace),
        );
        format!("the Lease {}/{} is not renewed: {why}", self.election.namespace, self.election.name)
    }

    async fn acquire_or_renew(&mut self) -> Result<Holder, kube::Error> {
        let found = self.api.get_opt(&self.election.name).await?;
        if let Some(lease) = &found
            && self.observed.as_ref().is_none_or(|(observed, _)| observed.spec != lease.spec)
        {
            self.observed = Some((lease.clone(), Instant::now()));
        }
        if self.is_held_by_other() {
            return Ok(Holder::Other);
        }
        let next = self.lease(found.as_ref());
        let written = match found {
            Some(_) => self.api.replace(&self.election.name, &PostParams::default(), &next).await,
            None => self.api.create(&PostParams::default(), &next).await,
        };
        match written {
            Ok(lease) => {
                self.observed = Some((lease, Instant::now()));
                Ok(Holder::This)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Holder::Unclear),
            Err(error) => Err(error),
        }
    }

    /// Whether the Lease as it was last seen is still another process's.
    fn is_held_by_other(&self) -> bool {
        let Some((lease, since)) = &self.observed else { return false };
        let Some(spec) = &lease.spec else { return false };
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        let seconds = u64::try_from(spec.lease_duration_seconds.unwrap_or_default()).unwrap_or_default();
        !holder.is_empty()
            && holder != self.election.identity
            && since.elapsed() < Duration::from_secs(seconds)
    }

    /// The Lease as ours, after this one.
    fn lease(&self, before: Option<&Lease>) -> Lease {
        let Election { namespace, name, identity, duration, .. } = &self.election;
        let now = MicroTime(Timestamp::now());
        let seconds = i32::try_from(duration.as_millis().div_ceil(1000).max(1)).unwrap_or(i32::MAX);
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
                lease_duration_seconds: Some(seconds),
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

    /// Lets others begin at once. The Lease is read first, for a renewal may have been cut short.
    async fn release(&self) -> Result<(), kube::Error> {
        let Some(mut lease) = self.api.get_opt(&self.election.name).await? else { return Ok(()) };
        let Some(spec) = &mut lease.spec else { return Ok(()) };
        if spec.holder_identity.as_deref() != Some(&self.election.identity) {
            return Ok(());
        }
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        self.api.replace(&self.election.name, &PostParams::default(), &lease).await.map(drop)
    }
}
