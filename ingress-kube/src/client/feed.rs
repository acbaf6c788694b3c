//! One watch: a list, and what changes after it, for as long as the program runs.
//!
//! The watcher of `kube` does the work. Around it stands what it leaves to its users: a pause after failures, also of
//! lists; an end to lists that nobody answers; a new watcher where the server refuses to go on from where the old one
//! was; and lists where it refuses to stream them.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::PartialObjectMeta;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, DefaultBackoff, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;
use tokio::task::AbortHandle;

use super::guard::{self, Guarded};
use super::status::Seen;
use super::watched::{Watched, explain};
use crate::Object;

/// For how long a list may make no progress.
const LIST: Duration = Duration::from_secs(30);

/// What one watch is about: a resource, in one namespace or in all, and one object of it or all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FeedId {
    pub(super) watched: Watched,
    pub(super) namespace: Option<Arc<str>>,
    pub(super) name: Option<Arc<str>>,
}

/// How all watches are made.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) streaming: bool,
    pub(super) timeout: Duration,
    pub(super) ingress_selector: Option<String>,
    pub(super) namespace_selector: Option<String>,
}

/// What a watch says.
#[derive(Debug)]
pub(super) enum News {
    /// These are all.
    Listed(Vec<Item>),
    Applied(Item),
    Deleted(Item),
    /// It goes on, after a pause.
    Failed(String),
}

/// An object, or what is known of it.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
    /// `metadata.resourceVersion`, which grows with each change of any object.
    pub(super) version: u64,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    /// And what `status` of an Ingress says.
    Object(Object, Seen),
    /// It cannot be read, and why.
    Broken(String),
    /// Only its metadata was asked for.
    Unread,
}

/// Begins a watch, which lasts until it is aborted.
pub(super) fn spawn(
    client: &Client,
    id: &FeedId,
    settings: &Settings,
    sender: &Sender<(FeedId, News)>,
) -> AbortHandle {
    let mut config = watcher::Config::default().timeout(settings.timeout.as_secs().clamp(1, 290) as u32);
    let labels = match id.watched {
        Watched::Ingresses => settings.ingress_selector.as_deref(),
        Watched::Namespaces => settings.namespace_selector.as_deref(),
        _ => None,
    };
    config.label_selector = labels.map(str::to_owned);
    config.field_selector = id.name.as_ref().map(|name| format!("metadata.name={name}"));
    if settings.streaming {
        config = config.streaming_lists();
    }
    let (id, sender, client) = (id.clone(), sender.clone(), client.clone());
    let namespace = id.namespace.clone();
    let future = async move {
        match id.watched {
            Watched::IngressClasses => {
                follow(Api::<Guarded<IngressClass>>::all(client), config, id, sender, guard::item).await;
            }
            Watched::Namespaces => {
                follow(Api::<PartialObjectMeta<Namespace>>::all(client), config, id, sender, unread).await;
            }
            Watched::Ingresses => {
                follow(api::<Guarded<Ingress>>(client, namespace), config, id, sender, guard::item).await;
            }
            Watched::Services => {
                follow(api::<Guarded<Service>>(client, namespace), config, id, sender, guard::item).await;
            }
            Watched::EndpointSlices => {
                let api = api::<Guarded<EndpointSlice>>(client, namespace);
                follow(api, config, id, sender, guard::item).await;
            }
            Watched::ConfigMaps => {
                follow(api::<Guarded<ConfigMap>>(client, namespace), config, id, sender, guard::item).await;
            }
            Watched::Secrets => {
                let api = api::<PartialObjectMeta<Secret>>(client, namespace);
                follow(api, config, id, sender, unread).await;
            }
        }
    };
    tokio::spawn(future).abort_handle()
}

fn api<K>(client: Client, namespace: Option<Arc<str>>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client, &namespace),
        None => Api::all(client),
    }
}

fn unread<K>(object: PartialObjectMeta<K>) -> Item {
    Item::new(&object.metadata, Content::Unread)
}

impl Item {
    pub(super) fn new(metadata: &ObjectMeta, content: Content) -> Self {
        Self {
            namespace: metadata.namespace.as_deref().unwrap_or_default().into(),
            name: metadata.name.as_deref().unwrap_or_default().into(),
            version: metadata.resource_version.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0),
            content,
        }
    }
}

/// Follows the objects until nobody listens.
async fn follow<K>(
    api: Api<K>,
    mut config: watcher::Config,
    id: FeedId,
    sender: Sender<(FeedId, News)>,
    read: fn(K) -> Item,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut backoff = DefaultBackoff::default();
    let say = async |news: News| sender.send((id.clone(), news)).await.is_ok();
    loop {
        let mut events = std::pin::pin!(watcher(api.clone(), config.clone()));
        let mut list: Option<Vec<Item>> = Some(Vec::new());
        // Each round is one event; the loop ends where a new watcher is needed.
        loop {
            let next = events.next();
            let next = match &list {
                Some(_) => tokio::time::timeout(LIST, next).await,
                None => Ok(next.await),
            };
            let news = match next {
                Err(_) => {
                    let text = format!("no list of {} came within {} s", id.watched, LIST.as_secs());
                    if !say(News::Failed(text)).await {
                        return;
                    }
                    break;
                }
                Ok(None) => break,
                Ok(Some(Ok(Event::Init))) => {
                    list = Some(Vec::new());
                    continue;
                }
                Ok(Some(Ok(Event::InitApply(object)))) => {
                    list.get_or_insert_default().push(read(object));
                    continue;
                }
                Ok(Some(Ok(Event::InitDone))) => News::Listed(list.take().unwrap_or_default()),
                Ok(Some(Ok(Event::Apply(object)))) => News::Applied(read(object)),
                Ok(Some(Ok(Event::Delete(object)))) => News::Deleted(read(object)),
                Ok(Some(Err(error))) => {
                    if !say(News::Failed(failure(&error, &id))).await {
                        return;
                    }
                    if refuses_streams(&error, &config) {
                        config.initial_list_strategy = watcher::InitialListStrategy::default();
                        break;
                    }
                    if is_stuck(&error) {
                        break;
                    }
                    pause(&mut backoff).await;
                    continue;
                }
            };
            backoff.reset();
            if !say(news).await {
                return;
            }
        }
        pause(&mut backoff).await;
    }
}

async fn pause(backoff: &mut DefaultBackoff) {
    tokio::time::sleep(backoff.next().unwrap_or(LIST)).await;
}

/// A watch that is refused because its version is too old is refused for ever: the watcher does not list again.
fn is_stuck(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 410)
}

/// Whether the server cannot list by a stream, as before Kubernetes 1.34 by default.
fn refuses_streams(error: &watcher::Error, config: &watcher::Config) -> bool {
    let streaming = config.initial_list_strategy != watcher::InitialListStrategy::default();
    let watcher::Error::WatchStartFailed(kube::Error::Api(status)) = error else { return false };
    streaming && (status.code == 400 || status.code == 422)
}

fn failure(error: &watcher::Error, id: &FeedId) -> String {
    match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) => {
            explain(error, "get, list and watch", id.watched.resource(), id.namespace.as_deref())
        }
        watcher::Error::WatchError(status) => {
            format!("the API server ended the watch: {} {}", status.code, status.message)
        }
        error => crate::causes(error),
    }
}
