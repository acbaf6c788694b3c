//! One watch: a list, and what changes after it, for as long as the program runs.
//!
//! The watcher of `kube` does the work. Around it stands what it leaves to its users: a pause after failures, also of
//! lists; an end to lists that nobody answers; a new watcher where the server refuses to go on from where the old one
//! was, or where a change was lost; and lists where it refuses to stream them.

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
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::guard::{self, Guarded};
use super::status::Seen;
use super::watched::{Watched, explain};
use super::wire;
use crate::Object;

/// For how long a list may make no progress.
const LIST: Duration = Duration::from_secs(30);
/// A watch that was accepted and did not fail for so long works.
const SETTLED: Duration = Duration::from_secs(1);

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
    /// Told when a watch works again: others need not wait for the end of their pauses.
    pub(super) recovered: Arc<Notify>,
}

/// A task that ends with its owner.
#[derive(Debug)]
pub(super) struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
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
    /// It failed, and works now, also where nothing has changed.
    Works,
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

/// Begins a watch, which lasts as long as what is returned.
pub(super) fn spawn(
    client: &Client,
    id: &FeedId,
    settings: &Settings,
    sender: &Sender<(FeedId, News)>,
) -> Task {
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
    let (client, accepted) = wire::client(client, settings.timeout);
    let namespace = id.namespace.clone();
    let course = Course {
        id: id.clone(),
        sender: sender.clone(),
        accepted,
        recovered: settings.recovered.clone(),
        backoff: DefaultBackoff::default(),
        failing: false,
        settles: None,
    };
    let watched = id.watched;
    let future = async move {
        match watched {
            Watched::IngressClasses => {
                follow(Api::<Guarded<IngressClass>>::all(client), config, course, guard::item).await;
            }
            Watched::Namespaces => {
                follow(Api::<PartialObjectMeta<Namespace>>::all(client), config, course, unread).await;
            }
            Watched::Ingresses => {
                follow(api::<Guarded<Ingress>>(client, namespace), config, course, guard::item).await;
            }
            Watched::Services => {
                follow(api::<Guarded<Service>>(client, namespace), config, course, guard::item).await;
            }
            Watched::EndpointSlices => {
                let api = api::<Guarded<EndpointSlice>>(client, namespace);
                follow(api, config, course, guard::item).await;
            }
            Watched::ConfigMaps => {
                follow(api::<Guarded<ConfigMap>>(client, namespace), config, course, guard::item).await;
            }
            Watched::Secrets => {
                let api = api::<PartialObjectMeta<Secret>>(client, namespace);
                follow(api, config, course, unread).await;
            }
        }
    };
    Task(tokio::spawn(future).abort_handle())
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

/// How one watch fares, and who is told.
struct Course {
    id: FeedId,
    sender: Sender<(FeedId, News)>,
    accepted: watch::Receiver<()>,
    recovered: Arc<Notify>,
    backoff: DefaultBackoff,
    failing: bool,
    /// When a watch that was accepted counts as one that works.
    settles: Option<Instant>,
}

/// Nobody listens any more.
struct Unheard;

impl Course {
    async fn say(&self, news: News) -> Result<(), Unheard> {
        self.sender.send((self.id.clone(), news)).await.map_err(|_| Unheard)
    }

    async fn failed(&mut self, why: String) -> Result<(), Unheard> {
        self.failing = true;
        self.settles = None;
        self.accepted.mark_unchanged();
        self.say(News::Failed(why)).await
    }

    async fn pause(&mut self) {
        let pause = self.backoff.next().unwrap_or(LIST);
        let _ = tokio::time::timeout(pause, self.recovered.notified()).await;
    }

    /// Returns whether it failed before.
    fn works(&mut self) -> bool {
        self.settles = None;
        self.backoff.reset();
        let failed = std::mem::take(&mut self.failing);
        if failed {
            self.recovered.notify_waiters();
        }
        failed
    }

    /// Waits until a watch that was accepted works.
    async fn settled(&mut self) {
        loop {
            match self.settles {
                Some(settles) => return tokio::time::sleep_until(settles).await,
                None if self.accepted.changed().await.is_ok() => {
                    self.settles = Some(Instant::now() + SETTLED);
                }
                None => std::future::pending().await,
            }
        }
    }
}

/// Follows the objects until nobody listens.
async fn follow<K>(api: Api<K>, mut config: watcher::Config, mut course: Course, read: fn(K) -> Item)
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    while follow_once(&api, &mut config, &mut course, read).await.is_ok() {
        course.pause().await;
    }
}

/// Follows the objects until a new watcher is needed.
async fn follow_once<K>(
    api: &Api<K>,
    config: &mut watcher::Config,
    course: &mut Course,
    read: fn(K) -> Item,
) -> Result<(), Unheard>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut events = std::pin::pin!(watcher(api.clone(), config.clone()));
    let mut list: Option<Vec<Item>> = Some(Vec::new());
    loop {
        let next = tokio::select! {
            biased;
            next = events.next() => next,
            () = course.settled(), if list.is_none() => {
                if course.works() {
                    course.say(News::Works).await?;
                }
                continue;
            }
            () = tokio::time::sleep(LIST), if list.is_some() => {
                let text = format!("no list of {} came within {} s", course.id.watched, LIST.as_secs());
                return course.failed(text).await;
            }
        };
        let news = match next {
            None => return Ok(()),
            Some(Ok(Event::Init)) => {
                list = Some(Vec::new());
                continue;
            }
            Some(Ok(Event::InitApply(object))) => {
                list.get_or_insert_default().push(read(object));
                continue;
            }
            // Whether it can be watched as well is to be seen.
            Some(Ok(Event::InitDone)) => {
                course.say(News::Listed(list.take().unwrap_or_default())).await?;
                continue;
            }
            Some(Ok(Event::Apply(object))) => News::Applied(read(object)),
            Some(Ok(Event::Delete(object))) => News::Deleted(read(object)),
            Some(Err(error)) => {
                course.failed(failure(&error, &course.id)).await?;
                if refuses_streams(&error, config) {
                    config.initial_list_strategy = watcher::InitialListStrategy::default();
                    return Ok(());
                }
                if needs_list(&error) {
                    return Ok(());
                }
                course.pause().await;
                continue;
            }
        };
        course.works();
        course.say(news).await?;
    }
}

/// Whether only a new list helps, and the watcher does not make one.
fn needs_list(error: &watcher::Error) -> bool {
    match error {
        // A watch that is refused because its version is too old is refused for ever.
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 410,
        // What the line said is lost.
        watcher::Error::WatchFailed(kube::Error::SerdeError(_)) => true,
        _ => false,
    }
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
