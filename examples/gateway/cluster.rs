//! `gateway run` without a directory: the objects of a Kubernetes cluster.

use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use ingress_kube::IngressController;
use ingress_kube::client::{Cluster, ClusterEvent, Election, Health, Namespaces, Publish};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::Failure;
use crate::report::Reporter;
use crate::run::chain;

/// Which cluster is followed, and what is written there.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Without --manifests")]
pub(crate) struct ClusterOptions {
    /// File that says how to reach the cluster [default: the ServiceAccount in a Pod, else KUBECONFIG or
    /// ~/.kube/config]
    #[arg(long, env = "INGRESS_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Context of that file [default: its current one]
    #[arg(long, env = "INGRESS_CONTEXT", value_name = "NAME")]
    context: Option<String>,

    /// Serve only Ingresses in these namespaces [default: all]
    #[arg(long, env = "INGRESS_WATCH_NAMESPACE", value_name = "NAME,...", value_delimiter = ',')]
    watch_namespace: Vec<String>,

    /// Serve only Ingresses in namespaces with these labels, such as team=shop
    #[arg(long, env = "INGRESS_WATCH_NAMESPACE_SELECTOR", value_name = "SELECTOR")]
    watch_namespace_selector: Option<String>,

    /// Serve only Ingresses with these labels, such as tier=public
    #[arg(long, env = "INGRESS_INGRESS_SELECTOR", value_name = "SELECTOR")]
    ingress_selector: Option<String>,

    /// Service in front of the gateway, whose addresses are written into the status of Ingresses
    #[arg(
        long,
        env = "INGRESS_PUBLISH_SERVICE",
        value_name = "NAMESPACE/NAME",
        conflicts_with = "publish_status_address"
    )]
    publish_service: Option<String>,

    /// Addresses, or names, that are written into the status of Ingresses
    #[arg(long, env = "INGRESS_PUBLISH_STATUS_ADDRESS", value_name = "ADDRESS,...", value_delimiter = ',')]
    publish_status_address: Vec<String>,

    /// Take the addresses back when the gateway that writes them stops, for one that nobody replaces
    #[arg(long, env = "INGRESS_UPDATE_STATUS_ON_SHUTDOWN", value_parser = FalseyValueParser::new())]
    update_status_on_shutdown: bool,

    /// Name of the Lease, in the Pod's namespace, whose holder writes status and Events
    #[arg(long, env = "INGRESS_ELECTION_ID", value_name = "NAME", default_value = "ingress-gateway-leader")]
    election_id: String,

    /// After how long without a word from the holder of the Lease another gateway takes over
    #[arg(long, env = "INGRESS_ELECTION_TTL", value_name = "TIME", default_value = "15s",
          value_parser = humantime::parse_duration)]
    election_ttl: Duration,

    /// Write status and Events without a Lease, as the only gateway that does
    #[arg(long, env = "INGRESS_DISABLE_LEADER_ELECTION", value_parser = FalseyValueParser::new())]
    disable_leader_election: bool,

    /// List by streams, which costs the API server less memory (Kubernetes 1.34 and later)
    #[arg(long, env = "INGRESS_STREAMING_LISTS", value_parser = FalseyValueParser::new())]
    streaming_lists: bool,
}

/// A cluster that can be followed.
#[derive(Debug)]
pub(crate) struct Connection {
    runtime: Runtime,
    cluster: Cluster,
}

/// A cluster that is followed on a thread of its own.
#[derive(Debug)]
pub(crate) struct Following {
    pub(crate) health: Health,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Following {
    /// Ends it: status is taken back where that is wanted, and the Lease given back.
    pub(crate) fn stop(self) {
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("following the cluster had failed");
        }
    }
}

impl Connection {
    /// Begins to follow the cluster.
    pub(crate) fn follow(self, controller: IngressController) -> Result<Following, Failure> {
        let Self { runtime, cluster } = self;
        let health = cluster.health();
        let (stop, stopped) = oneshot::channel::<()>();
        let mut reporter = Reporter::of_a_cluster();
        let on_event = move |event: ClusterEvent<'_>| match event {
            ClusterEvent::Published(report) => reporter.report(report),
            ClusterEvent::Failing { .. } | ClusterEvent::Trouble(_) => tracing::warn!("{event}"),
            other => tracing::info!("{other}"),
        };
        let follow =
            move || runtime.block_on(cluster.run(controller, on_event, async { drop(stopped.await) }));
        let thread = std::thread::Builder::new().name("cluster".into()).spawn(follow);
        let thread = thread.map_err(|error| Failure::System(format!("cannot start: {error}")))?;
        Ok(Following { health, stop, thread })
    }
}

impl ClusterOptions {
    /// Finds out how to reach the cluster; nothing is sent yet.
    pub(crate) fn connect(&self) -> Result<Connection, Failure> {
        let publish = self.publish().map_err(Failure::Usage)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::System(format!("cannot start: {error}")))?;
        let config = runtime.block_on(self.config()).map_err(Failure::Usage)?;
        let namespace = config.default_namespace.clone();
        let entered = runtime.enter();
        let client = kube::Client::try_from(config)
            .map_err(|error| Failure::Usage(format!("the cluster cannot be reached: {}", chain(&error))))?;
        drop(entered);
        let namespaces = self.namespaces().map_err(Failure::Usage)?;
        Ok(Connection { cluster: self.cluster(client, namespaces, publish, &namespace), runtime })
    }

    /// Which namespaces are served. An empty text, as templates of Deployments leave it, is none.
    fn namespaces(&self) -> Result<Namespaces, String> {
        let named = self.watch_namespace.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
        let named: Vec<_> = named.map(str::to_owned).collect();
        let selector = self.watch_namespace_selector.as_deref().map(str::trim).unwrap_or_default();
        match (named.is_empty(), selector.is_empty()) {
            (true, true) => Ok(Namespaces::All),
            (false, true) => Ok(Namespaces::Named(named)),
            (true, false) => Ok(Namespaces::Selected(selector.into())),
            (false, false) => {
                Err("--watch-namespace and --watch-namespace-selector: write one of them".into())
            }
        }
    }

    fn cluster(
        &self,
        client: kube::Client,
        namespaces: Namespaces,
        publish: Option<Publish>,
        namespace: &str,
    ) -> Cluster {
        let mut cluster = Cluster::new(client)
            .namespaces(namespaces)
            .streaming_lists(self.streaming_lists)
            .remove_status_at_shutdown(self.update_status_on_shutdown)
            .events(true);
        if let Some(selector) = self.ingress_selector.as_ref().filter(|selector| !selector.is_empty()) {
            cluster = cluster.ingress_selector(selector);
        }
        if let Some(publish) = publish {
            cluster = cluster.publish(publish);
        }
        if !self.disable_leader_election {
            let of_pod = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
            let identity = of_pod("POD_NAME").unwrap_or_else(unique_name);
            let namespace = of_pod("POD_NAMESPACE").unwrap_or_else(|| namespace.to_owned());
            let mut election = Election::new(namespace, &self.election_id, identity);
            election.duration = self.election_ttl.clamp(Duration::from_secs(1), Duration::from_secs(3600));
            election.deadline = election.duration * 2 / 3;
            election.retry = election.duration * 2 / 15;
            cluster = cluster.election(election);
        }
        cluster
    }

    fn publish(&self) -> Result<Option<Publish>, String> {
        if let Some(text) = self.publish_service.as_ref().filter(|text| !text.is_empty()) {
            let (namespace, name) =
                text.split_once('/').filter(|(_, name)| !name.is_empty() && !name.contains('/')).ok_or_else(
                    || format!("--publish-service: {text:?} is not NAMESPACE/NAME, as in ingress/gateway"),
                )?;
            return Ok(Some(Publish::Service { namespace: namespace.into(), name: name.into() }));
        }
        let addresses = self.publish_status_address.iter().filter(|text| !text.is_empty());
        let addresses: Vec<_> = addresses.map(|text| Publish::address(text)).collect();
        Ok((!addresses.is_empty()).then_some(Publish::Addresses(addresses)))
    }

    /// How to reach the cluster: as a file says that is named, as the Pod that this process is in, or as the usual file
    /// says.
    async fn config(&self) -> Result<kube::Config, String> {
        let named = self.kubeconfig.as_ref().filter(|path| !path.as_os_str().is_empty());
        let context = self.context.clone().filter(|name| !name.is_empty());
        let in_pod = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
        let mut config = if named.is_none() && context.is_none() && in_pod {
            tracing::info!("using the cluster that this Pod is in");
            kube::Config::incluster()
                .map_err(|error| format!("the cluster of this Pod cannot be used: {}", chain(&error)))?
        } else {
            let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
            let file = match named {
                Some(path) => Kubeconfig::read_from(path),
                None => Kubeconfig::read(),
            };
            let help = "--kubeconfig names a file, --manifests a directory to serve instead of a cluster";
            let file = file.map_err(|error| format!("no cluster is known: {}; {help}", chain(&error)))?;
            let config = kube::Config::from_custom_kubeconfig(file, &options).await;
            let config =
                config.map_err(|error| format!("the kubeconfig cannot be used: {}", chain(&error)))?;
            tracing::info!(server = %config.cluster_url, "using the cluster of the kubeconfig");
            config
        };
        // What fails is to be reported at once, and is tried again all the same.
        config.default_retry = false;
        Ok(config)
    }
}

/// What no other process is called: in containers all process ids are alike.
fn unique_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    // Each is seeded at random.
    let random = std::hash::RandomState::new().build_hasher().finish();
    format!("gateway-{}-{random:016x}", host.trim())
}
