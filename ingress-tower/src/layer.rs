//! The layer, and what layer and service share.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{Extensions, HeaderMap, HeaderValue, Request};
use ingress_core::{Backend, BackendRef, EndpointIdKey, Policy, TableReader, endpoint_id_key};
use tokio::sync::Semaphore;
use tower_layer::Layer;

use crate::error::Kind;
use crate::policy::{self, Budgets, Counts, Mirrors, Treated, Verdicts};
use crate::proxy::forwarded_path;
use crate::proxy::origin::{Origin, Origins, Peer, Via};
use crate::registry::Registry;
use crate::service::Ingress;
use crate::spread::{Asked, Queues, Session, Spread};
use crate::{
    BoxError, Captures, ConnectionInfo, Error, PolicyRegistry, ResourceRegistry, TrustedProxies, match_route,
};

/// Puts the routing table in front of a service: requests that a route takes are proxied, all others reach
/// the service unchanged.
///
/// Requests that no server can take for what they say (a missing, repeated or invalid host, a path that
/// climbs above the root, one that is ambiguous between routes) are answered with 400, those with a transfer
/// coding other than `chunked` with 501; they do not reach the service, see [`Error::is_refused`].
///
/// ```
/// use std::net::{IpAddr, SocketAddr};
///
/// use ingress_core::{BackendRef, Endpoint, PathMatch, RouteTable, Rule};
/// use ingress_tower::IngressLayer;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let api: BackendRef = "default/api:80".parse()?;
/// let mut rules = RouteTable::builder();
/// rules.rule(Rule::new("shop.example".parse()?, PathMatch::prefix("/api")?, api.clone()));
/// rules.endpoints(api, [Endpoint::new(SocketAddr::from(([127, 0, 0, 1], 9000)))]);
/// let (reader, _writer) = ingress_core::table(rules.build().0);
///
/// let app: axum::Router = axum::Router::new()
///     .route("/healthz", axum::routing::get(|| async { "ok" }))
///     .layer(IngressLayer::new(reader));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct IngressLayer<C = crate::DefaultClient> {
    pub(crate) shared: Shared<C>,
}

/// What decides about a request, the same for all clones of a service.
#[derive(Clone)]
pub(crate) struct Shared<C> {
    pub(crate) reader: TableReader,
    pub(crate) client: C,
    pub(crate) resources: Arc<ResourceRegistry>,
    client_addr: fn(&Extensions) -> Option<SocketAddr>,
    origins: Origins,
    pub(crate) state: Arc<State>,
    policy: Option<Arc<Policy>>,
    ids: EndpointIdKey,
    max_target_len: usize,
    record_choices: bool,
}

/// What requests for a backend share, whatever thread serves them.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) budgets: Budgets,
    pub(crate) queues: Queues,
    pub(crate) policies: PolicyRegistry,
    #[cfg(feature = "auth")]
    pub(crate) passwords: policy::Passwords,
    #[cfg(feature = "jwt")]
    pub(crate) key_sources: policy::KeySources,
    #[cfg(feature = "jwt")]
    pub(crate) key_sets: policy::KeySets,
    pub(crate) combinations: policy::Combinations,
    pub(crate) verdicts: Verdicts,
    pub(crate) mirrors: Mirrors,
    /// Room for error pages, by the backend that has them.
    pub(crate) pages: Registry<BackendRef, Semaphore>,
    pub(crate) counts: Counts,
}

impl State {
    /// Forgets what requests of earlier tables left behind, now and then.
    pub(crate) fn forget(&self) {
        self.combinations.forget();
        #[cfg(feature = "auth")]
        self.passwords.forget();
        #[cfg(feature = "jwt")]
        self.key_sources.forget();
        #[cfg(feature = "jwt")]
        self.key_sets.forget();
    }
}

/// The least that is to be supported is 8000 bytes (RFC 9110 section 4.1).
const MAX_TARGET_LEN: usize = 8 * 1024;

/// A request that a route takes.
pub(crate) struct Matched {
    pub(crate) backend: Arc<Backend>,
    /// Whether it is not to be asked, since none of those that share the requests has any weight.
    pub(crate) is_idle: bool,
    pub(crate) path: PathAndQuery,
    pub(crate) policy: Option<Arc<Treated>>,
    /// The backends that the policy names besides.
    pub(crate) others: Vec<Arc<Backend>>,
    pub(crate) captures: Option<Captures>,
    /// How many bytes of the path the route's prefix takes, where its policy replaces it.
    pub(crate) prefix: Option<usize>,
    /// What endpoints are told apart by.
    pub(crate) key: Option<u64>,
    /// Whose client it is, where clients stay with an endpoint.
    pub(crate) session: Option<Session>,
    /// The generation of the table, if choices are written down.
    pub(crate) recorded: Option<u64>,
}

// ===== impl IngressLayer =====

#[cfg(feature = "client")]
impl IngressLayer {
    /// Routes by the table that `reader` sees, and carries requests upstream with the pooled
    /// [`HttpClient`](crate::HttpClient).
    pub fn new(reader: TableReader) -> Self {
        Self::with_client(reader, crate::HttpClient::default())
    }
}

impl<C> IngressLayer<C> {
    /// Routes by the table that `reader` sees, and carries requests upstream with `client`: any
    /// `tower::Service` that takes a [`Body`](crate::Body). It gets requests for
    /// `http://address:port/path` whose `Host` field is the client's, and whose version is the one that the endpoint
    /// speaks ([`Endpoint::protocol`](ingress_core::Endpoint::protocol)): HTTP/1.1, or HTTP/2. Where that is over TLS, the
    /// scheme is `https`, and an [`UpstreamTls`](ingress_core::UpstreamTls) in the extensions says whom to trust. Timeouts of
    /// the route's policy are [`Timeouts`](crate::Timeouts) in the extensions. The values of `Authorization` and `Cookie` are
    /// marked as sensitive, and those of `Set-Cookie` in the answers of endpoints, so that no `Debug` output shows them and
    /// HTTP/2 never indexes them. See [`Unsent`](crate::Unsent),
    /// [`TimedOut`](crate::TimedOut) and [`Stalled`](crate::Stalled) for what its errors can say.
    pub fn with_client(reader: TableReader, client: C) -> Self {
        let client_addr =
            |extensions: &Extensions| extensions.get::<ConnectionInfo>().map(|info| info.client);
        let (resources, origins, state, ids) = Default::default();
        let (policy, max_target_len, record_choices) = (None, MAX_TARGET_LEN, false);
        Self {
            shared: Shared {
                reader,
                client,
                resources,
                client_addr,
                origins,
                state,
                policy,
                ids,
                max_target_len,
                record_choices,
            },
        }
    }

    /// Answers for backends within this process.
    #[must_use]
    pub fn resources(mut self, resources: ResourceRegistry) -> Self {
        self.shared.resources = Arc::new(resources);
        self
    }

    /// Adds policies of this program's own, for what tables say in [`Policy::custom`]. Layers that are cloned before do not
    /// have them.
    #[must_use]
    pub fn policies(mut self, policies: PolicyRegistry) -> Self {
        match Arc::get_mut(&mut self.shared.state) {
            Some(state) => state.policies = policies,
            None => self.shared.state = Arc::new(State { policies, ..State::default() }),
        }
        self
    }

    /// Says where the client's address is among a request's extensions. Without an address the backend
    /// gets no `X-Forwarded-For` and no `X-Real-IP`. `X-Forwarded-Proto` is `https` only where a
    /// [`ConnectionInfo`] says so. The default looks for a [`ConnectionInfo`]; with `axum::serve` it would
    /// be `|extensions| extensions.get::<axum::extract::ConnectInfo<SocketAddr>>().map(|info| info.0)`.
    #[must_use]
    pub fn client_addr(mut self, find: fn(&Extensions) -> Option<SocketAddr>) -> Self {
        self.shared.client_addr = find;
        self
    }
}

impl<C> IngressLayer<C> {
    /// Says how requests are treated where neither their route nor its backend says anything else. Default: as the client
    /// does by itself.
    ///
    /// Of the backends that it names itself, for a mirror, for error pages, or to ask who may pass, those are found which
    /// the [`ResourceRegistry`] has or a rule's policy names, too: a table has no others
    /// ([`Policy::backends`]). What is not found lets nobody pass (503), gets no copies and has no pages. The same holds for
    /// the policies of backends.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.shared.policy = Some(policy).filter(|policy| !policy.is_empty()).map(Arc::new);
        self
    }

    /// Sets the secret with which the cookies of [`Affinity::Cookie`](ingress_core::Affinity::Cookie) name endpoints, so
    /// that nobody else can make one or learn an address from it. Gateways that share clients need the same. Default: one
    /// that everybody knows.
    #[must_use]
    pub fn affinity_secret(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.shared.ids = endpoint_id_key(secret.as_ref());
        self
    }

    /// Says whose word about clients counts. Where a trusted proxy sent the request, `X-Forwarded-For` is appended to,
    /// `X-Real-IP` is the nearest address in it that is no trusted proxy's, and its `X-Forwarded-Proto`, `-Host` and
    /// `-Port` and its `X-Request-ID` are kept where they can be read. From anybody else they are replaced. The host of a
    /// route is never taken from them. Default: nobody.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.shared.origins.trusted = proxies;
        self
    }

    /// How many bytes path and query of a request may have; a longer one is answered with 414. Default: 8 KiB.
    #[must_use]
    pub fn max_target_len(mut self, bytes: usize) -> Self {
        self.shared.max_target_len = bytes;
        self
    }

    /// Says whether endpoints are told of the client by `Forwarded`, too (RFC 7239): what trusted proxies wrote is appended
    /// to, and from anybody else it is replaced. Default: no, and what clients wrote is taken out.
    #[must_use]
    pub fn forwarded(mut self, write: bool) -> Self {
        self.shared.origins.forwarded = write;
        self
    }

    /// Says by what name this gateway signs requests in `Via` (RFC 9110 section 7.6.3). Default: it does not sign, and
    /// passes on what others wrote.
    #[must_use]
    pub fn via(mut self, name: impl Into<Option<Authority>>) -> Self {
        self.shared.origins.via = name.into().as_ref().map(Via::new);
        self
    }

    /// Says whether requests that come without an `X-Request-ID` of a trusted proxy get one: 128 random bits as
    /// hexadecimal digits. Default: yes.
    #[must_use]
    pub fn request_ids(mut self, make: bool) -> Self {
        self.shared.origins.request_ids = make;
        self
    }

    /// Says whether responses tell in their extensions, as [`Chosen`](crate::Chosen), which endpoint a request went to, and
    /// how that can be repeated: for logs. Default: no, which costs nothing.
    #[must_use]
    pub fn record_choices(mut self, record: bool) -> Self {
        self.shared.record_choices = record;
        self
    }

    /// The address of a request's client, as trusted proxies tell it: for logs.
    pub fn client_of<B>(&self, request: &Request<B>) -> Option<IpAddr> {
        self.shared.client(request.headers(), request.extensions())
    }
}

impl<S, C: Clone> Layer<S> for IngressLayer<C> {
    type Service = Ingress<S, C>;

    fn layer(&self, inner: S) -> Ingress<S, C> {
        Ingress::wrap(inner, self.shared.clone())
    }
}

// ===== impl Shared =====

impl<C> Shared<C> {
    /// The route that takes the request, or `None` when the request is not for the table.
    pub(crate) fn matched(&self, parts: &Parts) -> Result<Option<Matched>, Error> {
        if parts.uri.path_and_query().is_some_and(|target| target.as_str().len() > self.max_target_len) {
            return Err(Error::new(Kind::LongTarget));
        }
        let Some(target) = match_route::target(parts)? else { return Ok(None) };
        let (host, path) = &target;
        let found = self.reader.with(|table| {
            if match_route::is_misdirected(parts, host, table) {
                return Err(Error::new(Kind::Misdirected));
            }
            let Some(found) = table.lookup(&match_route::head(parts, &target))? else { return Ok(None) };
            let client = || self.client(&parts.headers, &parts.extensions);
            let asked = || Asked { parts, host, path, client: client() };
            let own = (self.policy.as_ref(), &self.state);
            let spread = Spread::new(&found, own, &self.resources, &self.ids, asked);
            let Spread { backend, is_idle, policy, key, session } =
                spread.ok_or_else(|| Error::new(Kind::NoEndpoint))?;
            let prefix = policy::prefix(policy.as_deref().map(|policy| &**policy), found.route);
            let others = policy.iter().flat_map(|policy| policy.backends());
            let others = others.filter_map(|other| table.backend(other).cloned()).collect();
            let recorded = self.record_choices.then(|| table.generation());
            Ok::<_, Error>(Some((
                backend.clone(),
                is_idle,
                policy,
                others,
                Captures::of(&found, path),
                prefix,
                key,
                session,
                recorded,
            )))
        })?;
        let Some((backend, is_idle, policy, others, captures, prefix, key, session, recorded)) = found else {
            return Ok(None);
        };
        let path = forwarded_path(&parts.uri, path)?;
        Ok(Some(Matched { backend, is_idle, path, policy, others, captures, prefix, key, session, recorded }))
    }

    /// What holds where nothing else is said.
    pub(crate) fn policy(&self) -> Option<&Arc<Policy>> {
        self.policy.as_ref()
    }

    /// The client's address, as trusted proxies tell it.
    pub(crate) fn client(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        let peer = (self.client_addr)(extensions)?.ip();
        Some(self.origins.client_of(headers, peer))
    }

    /// What the endpoint is told of where a request comes from; `host` is what it asks for.
    pub(crate) fn origin(&self, parts: &Parts, host: Option<&HeaderValue>) -> Origin {
        let info = parts.extensions.get::<ConnectionInfo>();
        let peer = Peer {
            address: (self.client_addr)(&parts.extensions).map(|client| client.ip()),
            tls: info.is_some_and(|info| info.tls),
            port: info.and_then(|info| info.local).map(|local| local.port()),
            version: parts.version,
        };
        self.origins.of(&parts.headers, peer, host)
    }
}

impl<C: fmt::Debug> fmt::Debug for Shared<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("client", &self.client)
            .field("resources", &self.resources)
            .finish_non_exhaustive()
    }
}

impl Matched {
    /// A request of the gateway's own.
    pub(crate) fn aside(backend: Arc<Backend>, path: PathAndQuery) -> Self {
        let (is_idle, policy, others, captures, prefix, key, session, recorded) = Default::default();
        Self { backend, is_idle, path, policy, others, captures, prefix, key, session, recorded }
    }

    /// Nobody answers, if that is so.
    pub(crate) fn idle(&self) -> Option<Error> {
        self.is_idle.then(|| Error::new(Kind::NoEndpoint))
    }

    pub(crate) fn no_resource(&self) -> Error {
        Error::new(Kind::NoResource).of_backend(self.backend.reference(), None)
    }

    pub(crate) fn resource_failed(&self, error: BoxError) -> Error {
        Error::with_source(Kind::Resource, error).of_backend(self.backend.reference(), None)
    }
}
