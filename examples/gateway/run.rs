//! `gateway run`: manifests, listeners and workers put together.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use ingress_core::{RouteTable, TableReader};
use ingress_kube::IngressController;
use ingress_kube::manifests::{ManifestDir, WatchHandle};
use ingress_tower::{HealthChecker, IngressLayer};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Failure;
use crate::access_log::{AccessLog, GatewayService};
use crate::admin::Admin;
use crate::args::{ListenOptions, RunOptions};
use crate::certificate;
use crate::cluster::{Connection, Following};
use crate::report::Reporter;
use crate::workers::{Port, Workers};

/// What is known once traffic is served.
#[derive(Debug)]
pub(crate) struct Started {
    /// Where traffic is served; the port is the real one if 0 was asked for.
    pub(crate) http: SocketAddr,
    /// Where the admin listener is.
    pub(crate) admin: SocketAddr,
    /// The table that is served.
    pub(crate) table: TableReader,
}

/// Where the objects will come from.
enum Objects {
    Manifests(ManifestDir),
    Cluster(Box<Connection>),
}

/// Where the objects come from.
#[derive(Debug)]
enum Source {
    Manifests(WatchHandle),
    Cluster(Following),
}

impl Source {
    /// Waits for an end that nobody asked for. A followed directory has none.
    async fn ended(&self) {
        match self {
            Self::Manifests(_) => std::future::pending().await,
            Self::Cluster(following) => following.health.ended().await,
        }
    }

    fn failed() -> Failure {
        Failure::System("following the cluster has failed".into())
    }

    fn stop(self) {
        match self {
            Self::Manifests(watching) => drop(watching),
            Self::Cluster(following) => following.stop(),
        }
    }
}

/// Serves until a signal says stop. `started` is called once, when the first table is being served.
pub(crate) fn run(options: &RunOptions, started: impl FnOnce(&Started)) -> Result<(), Failure> {
    let config = options.translation.config().map_err(Failure::Usage)?;
    let (reader, writer) = ingress_core::table(RouteTable::default());
    let layer = options.listen.layer(IngressLayer::new(reader)).map_err(Failure::Usage)?;
    let open = |path: &PathBuf| ManifestDir::open(path).map_err(|error| Failure::Usage(chain(&error)));
    let objects = match &options.manifests {
        Some(path) => Objects::Manifests(open(path)?),
        None => Objects::Cluster(Box::new(options.cluster.connect()?)),
    };
    // Whoever connects before anything is served is to be refused, but an address that is taken is said at once.
    bind("--http", options.listen.http)?;
    options.listen.https.map(|address| bind("--https", address)).transpose()?;
    let admin = bind("--admin", options.listen.admin)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::System(format!("cannot start: {error}")))?;
    let controller = IngressController::new(config, writer);
    let access_log = AccessLog::start(&options.listen.access_log)?;
    let service = access_log.service(layer);
    let ended = runtime.block_on(serve(options, objects, controller, service, admin, started));
    access_log.finish();
    ended
}

async fn serve(
    options: &RunOptions,
    objects: Objects,
    controller: IngressController,
    service: GatewayService,
    (admin_listener, admin_addr): (TcpListener, SocketAddr),
    started: impl FnOnce(&Started),
) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let reader = controller.reader();
    let admin = Admin::new(reader.clone());
    let mut serve_admin = tokio::spawn(admin.clone().serve(admin_listener));
    let source = match objects {
        Objects::Manifests(manifests) => Source::Manifests(load(manifests, controller).await?),
        Objects::Cluster(connection) => {
            let following = connection.follow(controller)?;
            admin.set_watches(following.health.clone());
            tokio::select! {
                ready = following.health.wait_until_ready() => if !ready { return Err(Source::failed()) },
                signal = signals.next() => {
                    tracing::info!(signal, "stopping before everything was listed");
                    let _ = tokio::task::spawn_blocking(|| following.stop()).await;
                    return Ok(());
                }
            }
            Source::Cluster(following)
        }
    };

    let server = options.listen.limits.server().proxy_protocol(options.listen.proxy_protocol.clone());
    let server = server.drain_limit(options.listen.shutdown_grace_period);
    let (listener, http_addr) = bind("--http", options.listen.http)?;
    let mut ports = vec![Port { listener, tls: None }];
    let https = options.listen.https.map(|address| bind("--https", address)).transpose()?;
    let https_addr = https.as_ref().map(|(_, address)| *address);
    if let Some((listener, _)) = https {
        let tls = certificate::tls(reader.clone(), options.listen.tls_min_version)?;
        let policy = options.listen.policies.policy().map_err(Failure::Usage)?;
        let tls = tls.passthrough_policy(policy);
        ports.push(Port { listener, tls: Some(tls) });
    }
    check_health(&options.listen, reader.clone())?;
    let count = options.listen.workers();
    let workers = Workers::start(count, &ports, &service, &server)?;
    drop(ports);
    admin.set_ready(true);
    let https = https_addr.map(tracing::field::display);
    tracing::info!(http = %http_addr, https, admin = %admin_addr, workers = count, "serving");
    started(&Started { http: http_addr, admin: admin_addr, table: reader });

    let ended = tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal, "stopping");
            Ok(())
        }
        () = source.ended() => Err(Source::failed()),
        ended = &mut serve_admin => Err(Failure::System(format!("the admin listener failed: {ended:?}"))),
    };
    admin.set_ready(false);
    if ended.is_ok() {
        delay(options.listen.shutdown_delay, &mut signals).await;
    }
    stop(workers, source, &options.listen, &mut signals).await;
    ended
}

/// Asks endpoints whether they are well, until the process ends.
fn check_health(options: &ListenOptions, table: TableReader) -> Result<(), Failure> {
    let policy = options.policies.policy().map_err(Failure::Usage)?;
    tokio::spawn(HealthChecker::new(table).policy(policy).run());
    Ok(())
}

/// Reads and publishes everything, and follows it from then on. Many files take a while, in which the admin
/// listener answers.
async fn load(manifests: ManifestDir, controller: IngressController) -> Result<WatchHandle, Failure> {
    let mut reporter = Reporter::default();
    let watch = move || manifests.watch(controller, move |report| reporter.report(report));
    match tokio::task::spawn_blocking(watch).await {
        Ok(watching) => watching.map_err(|error| Failure::System(chain(&error))),
        Err(panicked) => Err(Failure::System(format!("reading the manifests failed: {panicked}"))),
    }
}

/// Goes on serving. A second signal ends it.
async fn delay(time: Duration, signals: &mut Signals) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        signal = signals.next() => tracing::warn!(signal, "stopping without the rest of the delay"),
    }
}

async fn stop(workers: Workers, source: Source, options: &ListenOptions, signals: &mut Signals) {
    let grace = humantime::format_duration(options.shutdown_grace_period);
    let drained = tokio::task::spawn_blocking(|| {
        let cut = workers.stop();
        source.stop();
        cut
    });
    tokio::select! {
        cut = drained => match cut.unwrap_or(0) {
            0 => tracing::info!("all requests finished"),
            cut => tracing::warn!(cut, "connections were still busy after {grace} and were cut"),
        },
        signal = signals.next() => {
            tracing::warn!(signal, "stopping now");
            // Worker threads may be in the middle of requests; nothing waits for them any more.
            std::process::exit(1);
        }
    }
}

fn bind(flag: &str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let bind = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|error: std::io::Error| {
        Failure::System(format!(
            "cannot listen on {address} ({flag}): {error}; choose another address with {flag}"
        ))
    })
}

/// An error with its causes, in one line. Some errors say themselves what caused them.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// The signals that stop the process. SIGHUP is caught and has no effect: there is nothing to reload by hand.
#[derive(Debug)]
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    _hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let signal =
            |kind| signal(kind).map_err(|error| Failure::System(format!("cannot catch signals: {error}")));
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            _hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
