//! Asking endpoints whether they are well, besides watching how requests to them end.

mod ask;
mod checked;
mod grpc;
mod http;
mod roster;
mod schedule;
mod tcp;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, Response};
use bytes::Bytes;
use ingress_core::{Policy, TableReader};
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tower_service::Service;

use crate::{Body, BoxError, HttpClient};

use ask::Failure;
use checked::CheckedId;
use roster::Roster;
use schedule::Schedule;

/// How often the table is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How many endpoints are asked at a time.
const MAX_IN_FLIGHT: usize = 256;

/// Asks endpoints whether they are well, as the [`HealthCheck`](ingress_core::HealthCheck) of their backend's policy says,
/// and has those left out that are not. It does nothing until [`HealthChecker::run`] is driven. One is enough for all that
/// read a table, and two would contradict each other.
///
/// ```
/// use std::net::SocketAddr;
///
/// use ingress_core::{BackendRef, Endpoint, PathMatch, Policy, RouteTable, Rule};
/// use ingress_tower::{HealthChecker, IngressLayer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let api: BackendRef = "default/api:80".parse()?;
/// let mut policy = Policy::default();
/// policy.health_check.path = Some("/healthz".into());
/// let mut rules = RouteTable::builder();
/// rules.rule(Rule::new("shop.example".parse()?, PathMatch::prefix("/api")?, api.clone()));
/// rules.endpoints(api.clone(), [Endpoint::new(SocketAddr::from(([127, 0, 0, 1], 9000)))]);
/// rules.backend_policy(api, policy);
/// let (reader, _writer) = ingress_core::table(rules.build().0);
///
/// let checks = tokio::spawn(HealthChecker::new(reader.clone()).run());
/// let layer = IngressLayer::new(reader);
/// // For as long as the layer serves.
/// # drop(layer);
/// checks.abort();
/// # Ok(())
/// # }
/// ```
///
/// # Who is asked
///
/// The endpoints that requests may go to: those that are ready, or where none of a backend is, those that still serve while
/// they terminate. One that is new counts as well until it has failed often enough in a row, and so does one that is not
/// asked any more. Where too few of a backend are well ([`Outlier::panic`](ingress_core::Outlier::panic)), requests go to
/// all of them.
///
/// # How
///
/// - [`HealthProtocol::Http`](ingress_core::HealthProtocol::Http): `GET` of the path. What counts is the status; the body is
///   not read.
/// - [`HealthProtocol::Tcp`](ingress_core::HealthProtocol::Tcp): a connection, which is closed once it is made.
/// - [`HealthProtocol::Grpc`](ingress_core::HealthProtocol::Grpc): the gRPC health checking protocol, over HTTP/2 whatever
///   version the endpoint speaks; an endpoint is well if it answers `SERVING`.
///
/// The client gets requests as [`IngressLayer::with_client`](crate::IngressLayer::with_client) says. What an endpoint is
/// spoken to in and whom to trust is as for requests whose route says nothing of that. `Host` is `service.namespace`, and
/// `User-Agent` is `ingress-gateway (health check)`. Over HTTP/1.1 each question has a connection of its own
/// (`Connection: close`). The time for an answer includes that for connecting.
///
/// # When
///
/// Changes of the table are noticed within a second. Who is new is asked at once; of many at once, one in 10 ms, and all
/// within the interval. The interval is that from question to question, and varies by a tenth. At most 256 endpoints are asked
/// at a time; the next ones wait.
#[derive(Clone, Debug)]
pub struct HealthChecker<C = HttpClient> {
    reader: TableReader,
    client: C,
    policy: Option<Arc<Policy>>,
    local_names: bool,
}

/// What goes on.
struct Checks<C> {
    client: C,
    local_names: bool,
    roster: Roster,
    schedule: Schedule,
    running: JoinSet<Result<(), Failure>>,
    /// Who is asked by which task, and since when.
    asked: HashMap<task::Id, (CheckedId, Instant)>,
}

// ===== impl HealthChecker =====

impl HealthChecker {
    /// Asks the endpoints of the tables that `reader` sees, with a client of its own that keeps no connections.
    pub fn new(reader: TableReader) -> Self {
        Self::with_client(reader, HttpClient::builder().idle_timeout(Duration::ZERO).build())
    }
}

impl<C> HealthChecker<C> {
    /// Asks the endpoints of the tables that `reader` sees through `client`: any `tower::Service` that
    /// [`IngressLayer::with_client`](crate::IngressLayer::with_client) takes. One that is shared with a layer asks over
    /// connections that are kept for requests. Connections for
    /// [`HealthProtocol::Tcp`](ingress_core::HealthProtocol::Tcp) are made without it.
    pub fn with_client(reader: TableReader, client: C) -> Self {
        Self { reader, client, policy: None, local_names: false }
    }

    /// Says what holds for all backends whose own policy does not say otherwise: whether and how endpoints are asked, and what
    /// they are spoken to in. It should be that of the layer ([`IngressLayer::policy`](crate::IngressLayer::policy)).
    /// Default: nothing, so that only backends with a check of their own are asked.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy).filter(|policy| !policy.is_empty()).map(Arc::new);
        self
    }

    /// Whether an endpoint that is a name may have addresses of this machine, of its link or of a cloud's instance metadata,
    /// where it is asked with [`HealthProtocol::Tcp`](ingress_core::HealthProtocol::Tcp), which does without the client; see
    /// [`HttpClientBuilder::local_names`](crate::HttpClientBuilder::local_names). Default: no.
    #[must_use]
    pub fn local_names(mut self, allowed: bool) -> Self {
        self.local_names = allowed;
        self
    }

    /// Asks until it is dropped; it ends in no other way, and then all endpoints that it asked count as well. It needs a tokio
    /// runtime with I/O and time enabled.
    pub async fn run<B>(self)
    where
        C: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
        C: Clone + Send + 'static,
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        self.run_with(fastrand::Rng::new()).await;
    }

    async fn run_with<B>(self, random: fastrand::Rng)
    where
        C: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
        C: Clone + Send + 'static,
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let Self { reader, client, policy, local_names } = self;
        let mut checks = Checks {
            client,
            local_names,
            roster: Roster::new(policy),
            schedule: Schedule::new(random),
            running: JoinSet::new(),
            asked: HashMap::new(),
        };
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = checks.due();
            tokio::select! {
                _ = look.tick() => checks.follow(&reader),
                Some(ended) = checks.running.join_next_with_id() => checks.ended(ended),
                () = until(due) => checks.begin(),
            }
        }
    }
}

// ===== impl Checks =====

impl<C> Checks<C> {
    /// Takes in what the table says now.
    fn follow(&mut self, reader: &TableReader) {
        let changes = reader.with(|table| self.roster.follow(table));
        changes.ended.into_iter().for_each(|id| self.schedule.forget(id));
        self.schedule.begin(changes.begun, Instant::now());
    }

    /// When the next one is to be asked, if there is room for it.
    fn due(&self) -> Option<Instant> {
        self.schedule.due().filter(|_| self.running.len() < MAX_IN_FLIGHT)
    }

    /// Asks those whose time has come.
    fn begin<B>(&mut self)
    where
        C: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
        C: Clone + Send + 'static,
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let now = Instant::now();
        while self.running.len() < MAX_IN_FLIGHT {
            let Some(id) = self.schedule.take(now) else { return };
            let Some(checked) = self.roster.get_mut(id) else { continue };
            let answer = ask::ask(self.client.clone(), checked.question().clone(), self.local_names);
            let task = self.running.spawn(answer);
            self.asked.insert(task.id(), (id, now));
            checked.begin(task);
        }
    }

    /// Takes in how a question was answered, unless nobody wants to know any more.
    fn ended(&mut self, ended: Result<(task::Id, Result<(), Failure>), JoinError>) {
        let (task, answer) = ended.unwrap_or_else(|error| (error.id(), Err(Failure::Panicked)));
        let Some((id, began)) = self.asked.remove(&task) else { return };
        let checked = self.roster.get_mut(id).filter(|checked| checked.is_asked_by(task));
        let Some(checked) = checked else { return };
        checked.note(&answer);
        self.schedule.again(id, checked.question().interval(), began, Instant::now());
    }
}

/// Waits for a moment; for one that never comes without end.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
