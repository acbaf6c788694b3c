//! Connections that are carried to an endpoint without being decrypted.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ingress_core::{Backend, Ending, Networks, Policy, RouteTable, Timeout};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::client::resolve;
use crate::error::Kind;
use crate::proxy::tunnel;
use crate::spread::{Chooser, Queues, of_connection};
use crate::{BoxError, Error};

/// How long a connection to an endpoint may take to be made, unless a policy says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For how long after the first failure other endpoints are tried.
const OTHER_ENDPOINTS_FOR: Duration = Duration::from_secs(10);

/// Where a connection goes, and how it is treated.
pub(crate) struct Passing {
    backend: Arc<Backend>,
    policy: Policy,
    server_name: Box<str>,
    queues: Arc<Queues>,
}

impl Passing {
    /// What the table says of a name; `own` is what holds where it says nothing.
    pub(super) fn of(
        table: &RouteTable,
        server_name: &str,
        own: Option<&Policy>,
        queues: &Arc<Queues>,
    ) -> Option<Self> {
        let found = table.passthrough(server_name)?;
        let said = [found.policy, found.backend.policy()].into_iter().flatten().map(|policy| &**policy);
        let policy = said.chain(own).fold(Policy::default(), |policy, other| policy.or(other));
        let (backend, server_name) = (found.backend.clone(), server_name.into());
        Some(Self { backend, policy, server_name, queues: queues.clone() })
    }

    /// Carries bytes both ways to the end. The first are those that the client has sent already.
    pub(crate) async fn run(self, client: TcpStream, first: Vec<u8>, address: IpAddr) -> Result<(), Error> {
        if !self.admits(address) {
            return Err(Error::new(Kind::Forbidden).of_backend(self.backend.reference(), None));
        }
        let Self { backend, policy, server_name, queues } = self;
        let key = of_connection(&policy, address, &server_name);
        let mut chooser = Chooser::begin(backend, Some((&policy, &*queues)), key, None).await?;
        let mut endpoint = connect(&mut chooser, &policy).await?;
        let sent = endpoint.write_all(&first).await;
        drop(first);
        sent.map_err(|error| chooser.blame(Error::with_source(Kind::Upstream, error)))?;
        // It is counted at the endpoint until the end.
        let _flight = chooser.into_flight();
        // Who waits no longer drops this.
        tunnel::join(client, endpoint, policy.idle_timeout, std::future::pending()).await;
        Ok(())
    }

    /// Whether the client may have the connection. What clients have to prove in requests, nobody can prove here; no requests
    /// can be counted, none can be answered in an endpoint's place, and what the embedding program protects it by is unknown.
    fn admits(&self, client: IpAddr) -> bool {
        let Policy { access, authentication, client_limits, maintenance, answer, custom, .. } = &self.policy;
        let lists = |exempt: Option<&Networks>| exempt.is_some_and(|exempt| exempt.contains(client));
        access.admits(Some(client))
            && !authentication.is_needed()
            && (!client_limits.limits_requests() || lists(client_limits.exempt.as_ref()))
            && (maintenance.on != Some(true) || lists(maintenance.exempt.as_ref()))
            && answer.is_none()
            && custom.is_default()
    }
}

/// A connection to the endpoint that is chosen, or to another one if that cannot be made.
async fn connect(chooser: &mut Chooser<'_>, policy: &Policy) -> Result<TcpStream, Error> {
    let limit = policy.connect_timeout.map_or(Some(CONNECT_TIMEOUT), Timeout::limit);
    let mut failing_since = None;
    loop {
        match dial(chooser, limit).await {
            Ok(stream) => {
                chooser.note(Some(Ending::Success));
                return Ok(stream);
            }
            Err(error) => {
                chooser.note(Some(Ending::Failure));
                let since: Instant = *failing_since.get_or_insert_with(Instant::now);
                let other = chooser.other().filter(|_| since.elapsed() < OTHER_ENDPOINTS_FOR);
                let other = other.ok_or_else(|| chooser.blame(Error::with_source(Kind::Connect, error)))?;
                if !chooser.go(other) {
                    return Err(chooser.blame(Error::new(Kind::Overloaded)));
                }
            }
        }
    }
}

async fn dial(chooser: &Chooser<'_>, limit: Option<Duration>) -> Result<TcpStream, BoxError> {
    let endpoint = chooser.endpoint().ok_or("there is no endpoint")?;
    let dialled = async {
        let addresses = resolve(endpoint.authority(), false).await?;
        let stream = TcpStream::connect(&addresses[..]).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    match limit {
        Some(limit) => timeout(limit, dialled).await.map_err(|_| "connecting took too long")?,
        None => dialled.await,
    }
}
