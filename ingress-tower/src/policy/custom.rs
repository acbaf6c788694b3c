//! `custom`: layers of the embedding program.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use ingress_core::Custom;
use tower_layer::Layer;
use tower_service::Service;

use super::next::{Answer, Rest, ask};
use super::serve::send;
use super::{Call, Next};
use crate::bounds::{Client, UpstreamBody};
use crate::error::Kind;
use crate::layer::State;
use crate::proxy::upgrade;
use crate::respond::{Shape, respond};
use crate::{Body, BoxError, Error};

/// How many layers are remembered that no policy uses any more.
const REMEMBERED: usize = 1024;

/// Policies of the embedding program, each a layer of tower under a name: for routes whose
/// [`Policy::custom`](ingress_core::Policy::custom) has that name, and a text that says what the layer is to do.
///
/// A request passes the layers of its route in the order in which they were added here, the first outermost; behind the last
/// is the rest of its way, [`Next`]: rewrites, other fields, and an endpoint. In front of them it has been let in, by address,
/// limits and authentication, and has not been redirected; what they answer is compressed, and may be replaced by an error
/// page. A layer may answer itself, and may change the request's fields and its path, which has been normalised. What it
/// makes of the path is taken as it is, and finds no other route.
///
/// A layer is made once for each text, and makes a service of [`Next`] for each request. It is made anew only after it was
/// long out of use, so that it may count and remember. It must neither block nor panic.
///
/// What a table says of a policy that is not here, or with a text that cannot be read, closes the route: 503, for nobody
/// knows whether it was a protection.
///
/// ```
/// use http::{HeaderValue, Request};
/// use ingress_tower::{Body, BoxError, IngressLayer, Next, PolicyRegistry};
/// use tower::ServiceExt;
/// use tower::layer::layer_fn;
///
/// # fn main() -> Result<(), BoxError> {
/// // Endpoints are told which team a route is of.
/// let policies = PolicyRegistry::new().with("example.com/team", |text| {
///     let team: HeaderValue = text.parse()?;
///     Ok(layer_fn(move |next: Next| {
///         let team = team.clone();
///         next.map_request(move |mut request: Request<Body>| {
///             request.headers_mut().insert("x-team", team.clone());
///             request
///         })
///     }))
/// });
/// policies.check("example.com/team", "checkout")?;
/// assert!(policies.check("example.com/team", "line\nfeed").is_err());
///
/// let (reader, _writer) = ingress_core::table(Default::default());
/// # #[cfg(feature = "client")]
/// let layer = IngressLayer::new(reader).policies(policies);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct PolicyRegistry {
    entries: Vec<Entry>,
    /// What was made of each text, shared by all threads.
    made: Arc<Mutex<Made>>,
}

#[derive(Clone)]
struct Entry {
    name: Box<str>,
    parse: Arc<Parse>,
}

/// Layers by name and text.
type Made = HashMap<(Box<str>, Box<str>), Arc<dyn Step>>;
type Parse = dyn Fn(&str) -> Result<Arc<dyn Step>, BoxError> + Send + Sync;

/// A layer of any type.
trait Step: Send + Sync {
    fn take(&self, request: Request<Body>, rest: Rest) -> Answer;
}

/// The layers that a policy names, the outermost first; or why its route is closed.
pub(super) struct Layers(Result<Arc<[Arc<dyn Step>]>, Box<str>>);

// ===== impl PolicyRegistry =====

impl PolicyRegistry {
    /// A registry without policies.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a policy. `parse` makes a layer of the text that is said for it, or says why that cannot be; it is called while
    /// a request waits, and so should be quick. A name that was added before is replaced, and keeps its place.
    #[must_use]
    pub fn with<L, B>(
        mut self,
        name: impl Into<Box<str>>,
        parse: impl Fn(&str) -> Result<L, BoxError> + Send + Sync + 'static,
    ) -> Self
    where
        L: Layer<Next> + Send + Sync + 'static,
        L::Service:
            Service<Request<Body>, Response = Response<B>, Error = Infallible, Future: Send> + Send + 'static,
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let name = name.into();
        let parse = move |text: &str| parse(text).map(|layer| Arc::new(Typed(layer)) as Arc<dyn Step>);
        let entry = Entry { name, parse: Arc::new(parse) };
        // What was made of texts by another registry is not this one's.
        self.made = Arc::default();
        match self.entries.iter_mut().find(|known| known.name == entry.name) {
            Some(known) => *known = entry,
            None => self.entries.push(entry),
        }
        self
    }

    /// The names, in the order in which requests pass.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| &*entry.name)
    }

    /// Whether a policy can read a text.
    ///
    /// # Errors
    ///
    /// What the policy says of it, or that there is no policy of that name.
    pub fn check(&self, name: &str, text: &str) -> Result<(), BoxError> {
        self.layer(name, text).map(drop)
    }

    fn layer(&self, name: &str, text: &str) -> Result<Arc<dyn Step>, BoxError> {
        let entry = self.entries.iter().find(|entry| &*entry.name == name);
        let entry = entry.ok_or_else(|| format!("no policy is called {name:?}"))?;
        let key = (entry.name.clone(), Box::from(text));
        if let Some(made) = self.made.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(made.clone());
        }
        // Not while others wait. Of two that are made at once, the first stays.
        let layer = (entry.parse)(text)?;
        let mut gone = Vec::new();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.len() >= REMEMBERED {
            let idle = made.iter().filter(|(_, layer)| Arc::strong_count(layer) == 1).map(|(key, _)| key);
            let idle: Vec<_> = idle.cloned().collect();
            gone.extend(idle.iter().filter_map(|key| made.remove(key)));
        }
        let first = made.entry(key).or_insert_with(|| layer.clone()).clone();
        // Nor may what has gone be dropped while others wait: it may do anything.
        drop((made, gone));
        Ok(first)
    }

    /// The layers for what a policy says, in the order of the registry.
    fn layers(&self, custom: &Custom) -> Result<Arc<[Arc<dyn Step>]>, Box<str>> {
        if let Some((name, _)) = custom.iter().find(|(name, _)| self.names().all(|known| known != *name)) {
            return Err(format!("no policy is called {name:?}").into());
        }
        let said = self.names().filter_map(|name| Some((name, custom.get(name)?)));
        let layer = |(name, text)| {
            // The text may be what it should not be, a secret, and errors often quote it.
            self.layer(name, text).map_err(|_| format!("the policy {name:?} cannot read its text").into())
        };
        said.map(layer).collect()
    }
}

impl fmt::Debug for PolicyRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

// ===== impl Step =====

struct Typed<L>(L);

impl<L, B> Step for Typed<L>
where
    L: Layer<Next> + Send + Sync + 'static,
    L::Service:
        Service<Request<Body>, Response = Response<B>, Error = Infallible, Future: Send> + Send + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    fn take(&self, request: Request<Body>, rest: Rest) -> Answer {
        Box::pin(ask(self.0.layer(Next::to(rest)), request))
    }
}

// ===== impl Layers =====

impl Layers {
    pub(super) fn new(custom: &Custom, state: &State) -> Self {
        Self(if custom.is_default() { Ok(Arc::default()) } else { state.policies.layers(custom) })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.as_ref().is_ok_and(|layers| layers.is_empty())
    }

    /// Refuses a request where nobody knows what the policy asks for.
    pub(super) fn check(&self) -> Result<(), Error> {
        match &self.0 {
            Ok(_) => Ok(()),
            Err(why) => Err(Error::with_source(Kind::Closed, &**why)),
        }
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Layers").field(&self.0.as_ref().map(|layers| layers.len())).finish()
    }
}

/// Sends a request through the layers of its policy.
pub(super) async fn around<C, B>(call: Box<Call<C>>, request: Request<Body>, shape: Shape) -> Response<Body>
where
    C: Client<B>,
    B: UpstreamBody,
{
    let layers = match &call.treated.prepared.custom.0 {
        Ok(layers) if layers.is_empty() => return send(call, request, shape).await,
        Ok(layers) => layers.clone(),
        // Who may be here has been checked.
        Err(_) => Arc::default(),
    };
    // Whose client takes any success for consent, which only an endpoint may give.
    let consent = upgrade::is_for_stream(request.extensions()).then(Arc::<AtomicBool>::default);
    let given = consent.clone();
    let rest: Rest = Box::new(move |request| {
        given.iter().for_each(|given| given.store(true, Relaxed));
        Box::pin(send(call, request, shape))
    });
    let rest = layers.iter().rev().fold(rest, |rest, layer| {
        let layer = layer.clone();
        Box::new(move |request| layer.take(request, rest))
    });
    let answer = rest(request).await;
    match consent {
        Some(given) if answer.status().is_success() && !given.load(Relaxed) => {
            respond(Error::new(Kind::Tunnel), shape)
        }
        _ => answer,
    }
}
