//! What an embedding program decides about a cluster.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;

use super::elected::Writers;
use super::feed::Settings;
use super::follow::Follower;
use super::health::HealthWriter;
use super::{Address, Election, Health, Watched};
use crate::{IngressController, Report};

/// A cluster to follow.
pub struct Cluster {
    pub(super) client: Client,
    pub(super) namespaces: Namespaces,
    pub(super) settings: Settings,
    pub(super) publish: Option<Publish>,
    pub(super) remove_status: bool,
    pub(super) events: bool,
    pub(super) election: Option<Election>,
    pub(super) health: HealthWriter,
    watched_health: Health,
}

/// Which namespaces are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Namespaces {
    /// All, which needs a ClusterRole.
    #[default]
    All,
    /// These, which needs a Role in each. IngressClasses are of the whole cluster all the same.
    Named(Vec<String>),
    /// Those whose labels match this selector, such as `team=shop`. Half a second after a namespace is selected its rules
    /// are served, even if some of its objects are not listed by then.
    Selected(String),
}

/// Where Ingresses can be reached, which is written into their status.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Publish {
    /// Where this Service can be reached: the one in front of the gateway.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// These addresses.
    Addresses(Vec<Address>),
}

/// What happened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ClusterEvent<'a> {
    /// A table was published.
    Published(&'a Report),
    /// A watch does not work. It is tried again; what was seen before is served.
    Failing {
        /// What is watched.
        watched: Watched,
        /// In which namespace, or in all.
        namespace: Option<&'a str>,
        /// Why, and what to do where something can be done.
        reason: &'a str,
    },
    /// A watch works again.
    Recovered {
        /// What is watched.
        watched: Watched,
        /// In which namespace, or in all.
        namespace: Option<&'a str>,
    },
    /// This process writes status and Events from now on, or not any more.
    Leading(bool),
    /// Something could not be written or fetched. It is tried again, unless it says otherwise.
    Trouble(&'a str),
}

impl Cluster {
    /// Follows everything, and writes nothing.
    ///
    /// Calls of the client that hang are given up by themselves; its own retries ([`kube::Config::default_retry`]) are best
    /// switched off, for they hide failures for minutes.
    pub fn new(client: Client) -> Self {
        let (health, watched_health) = Health::new();
        let settings = Settings {
            streaming: false,
            timeout: Duration::from_secs(60),
            ingress_selector: None,
            namespace_selector: None,
            recovered: Arc::default(),
        };
        Self {
            client,
            namespaces: Namespaces::All,
            settings,
            publish: None,
            remove_status: false,
            events: false,
            election: None,
            health,
            watched_health,
        }
    }

    /// Sets which namespaces are served. Default: all.
    #[must_use]
    pub fn namespaces(mut self, namespaces: Namespaces) -> Self {
        self.settings.namespace_selector = match &namespaces {
            Namespaces::Selected(selector) => Some(selector.clone()),
            _ => None,
        };
        self.namespaces = namespaces;
        self
    }

    /// Serves only Ingresses whose labels match this selector, such as `tier=public`.
    #[must_use]
    pub fn ingress_selector(mut self, selector: impl Into<String>) -> Self {
        self.settings.ingress_selector = Some(selector.into());
        self
    }

    /// Lists by streams (KEP-3157), which costs the API server less memory. Where it refuses, lists are used. Default: no.
    #[must_use]
    pub fn streaming_lists(mut self, streaming: bool) -> Self {
        self.settings.streaming = streaming;
        self
    }

    /// How long one request of a watch lasts, from 1 s to 290 s; 5 s later a connection that is dead without a word is
    /// given up. Default: 60 s.
    #[must_use]
    pub fn watch_timeout(mut self, time: Duration) -> Self {
        self.settings.timeout = time;
        self
    }

    /// Writes into the status of Ingresses where they can be reached. Default: nothing.
    #[must_use]
    pub fn publish(mut self, publish: Publish) -> Self {
        self.publish = Some(publish);
        self
    }

    /// Takes the addresses back at the end, for a gateway that nobody replaces. Default: no.
    #[must_use]
    pub fn remove_status_at_shutdown(mut self, remove: bool) -> Self {
        self.remove_status = remove;
        self
    }

    /// Writes Events on Ingresses about what was found in them. Default: no.
    #[must_use]
    pub fn events(mut self, write: bool) -> Self {
        self.events = write;
        self
    }

    /// Lets only the holder of a Lease write. Default: everybody writes, which is right for a single process.
    #[must_use]
    pub fn election(mut self, election: Election) -> Self {
        self.election = Some(election);
        self
    }

    /// How the watches fare.
    pub fn health(&self) -> Health {
        self.watched_health.clone()
    }

    /// Follows the cluster until `shutdown` is, and then ends what it began: status is taken back where that is wanted,
    /// and the Lease given back. It does not fail: what does not work is reported and tried again.
    pub async fn run<F>(
        self,
        controller: IngressController,
        mut on_event: F,
        shutdown: impl Future<Output = ()>,
    ) where
        F: FnMut(ClusterEvent<'_>),
    {
        let (writers, mut notes) = Writers::start(&self, controller.config());
        if self.publish.is_some() || self.events {
            self.health.leading(self.election.is_none());
        }
        let Self { client, namespaces, settings, health, .. } = self;
        let mut follower = Follower::new(client, namespaces, settings, controller, health, writers);
        follower.run(&mut on_event, &mut notes, shutdown).await;
        follower.end(&mut on_event, &mut notes).await;
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("namespaces", &self.namespaces)
            .field("publish", &self.publish)
            .field("election", &self.election)
            .finish_non_exhaustive()
    }
}

impl Publish {
    /// An address, or a name.
    pub fn address(text: &str) -> Address {
        Address::of(text)
    }
}

impl fmt::Display for ClusterEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |namespace: Option<&str>| namespace.map(|name| format!(" in {name}")).unwrap_or_default();
        match self {
            Self::Published(report) => write!(f, "table {} with {} routes", report.generation, report.routes),
            Self::Failing { watched, namespace, reason } => {
                write!(f, "{watched}{} cannot be watched: {reason}", place(*namespace))
            }
            Self::Recovered { watched, namespace } => {
                write!(f, "{watched}{} can be watched again", place(*namespace))
            }
            Self::Leading(true) => f.write_str("this process writes status and Events now"),
            Self::Leading(false) => f.write_str("another process writes status and Events now"),
            Self::Trouble(text) => f.write_str(text),
        }
    }
}

/// The names of namespaces.
impl Namespaces {
    pub(super) fn fixed(&self) -> Vec<Option<Arc<str>>> {
        match self {
            Self::All => vec![None],
            Self::Named(names) => names.iter().map(|name| Some(name.as_str().into())).collect(),
            Self::Selected(_) => Vec::new(),
        }
    }
}
