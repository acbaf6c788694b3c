//! A followed cluster whose API server is a double, and its objects.
#![allow(dead_code, unreachable_pub, reason = "each test uses what it needs")]

pub mod followed;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ingress_core::{RequestHead, RequestHost, RequestPath, RouteTable, TableReader, Turn};
use ingress_kube::client::{Cluster, ClusterEvent, Health, HealthState, Watched};
use ingress_kube::{Config, IngressController};
use serde_json::{Value, json};
use test_apiserver::ApiServer;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Nothing that a test waits for takes longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} took too long"),
    }
}

/// A client that does not retry by itself.
pub fn client(server: &ApiServer) -> kube::Client {
    let mut config = kube::Config::new(server.url().parse().expect("a URI"));
    config.default_retry = false;
    kube::Client::try_from(config).expect("a client")
}

/// A process that follows the cluster.
pub struct Running {
    pub health: Health,
    pub reader: TableReader,
    log: Arc<Mutex<Vec<String>>>,
    led: Arc<Mutex<Vec<(Instant, bool)>>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    pub fn start(server: &ApiServer, config: Config, set: impl FnOnce(Cluster) -> Cluster) -> Self {
        let (reader, writer) = ingress_core::table(RouteTable::default());
        let cluster = set(Cluster::new(client(server)));
        let (health, log) = (cluster.health(), Arc::<Mutex<Vec<String>>>::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let led = Arc::<Mutex<Vec<(Instant, bool)>>>::default();
        let (lines, leads) = (log.clone(), led.clone());
        let on_event = move |event: ClusterEvent<'_>| {
            if let ClusterEvent::Leading(leading) = event {
                leads.lock().expect("no test panics with it").push((Instant::now(), leading));
            }
            let line = match event {
                ClusterEvent::Published(report) => format!("published {}", report.changed.join(", ")),
                other => other.to_string(),
            };
            lines.lock().expect("no test panics with it").push(line);
        };
        let controller = IngressController::new(config, writer);
        let task = tokio::spawn(cluster.run(controller, on_event, async { drop(stopped.await) }));
        Self { health, reader, log, led, stop, task }
    }

    /// Starts it, and waits until its first table is served.
    pub async fn ready(server: &ApiServer) -> Self {
        Self::ready_with(server, |cluster| cluster).await
    }

    pub async fn ready_with(server: &ApiServer, set: impl FnOnce(Cluster) -> Cluster) -> Self {
        let running = Self::start(server, Config::default(), set);
        assert!(within("the first table", running.health.wait_until_ready()).await);
        running
    }

    /// Waits until all that was written to the server is served.
    pub async fn caught_up(&self, watched: Watched, object: &Value) {
        let version = object["metadata"]["resourceVersion"].as_str().expect("a version");
        let version = version.parse().expect("a number");
        assert!(within("a change", self.health.wait_for(watched, version)).await);
    }

    /// What was reported so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().expect("no test panics with it").clone()
    }

    /// Waits for a reported line that begins so.
    pub async fn wait_for_line(&self, start: &str) -> String {
        self.wait_until(start, || self.log().into_iter().find(|line| line.starts_with(start))).await
    }

    /// The reported lines that contain this.
    pub fn lines_with(&self, part: &str) -> Vec<String> {
        self.log().into_iter().filter(|line| line.contains(part)).collect()
    }

    /// When it was reported that this process leads, and that it does not.
    pub fn led(&self) -> Vec<(Instant, bool)> {
        self.led.lock().expect("no test panics with it").clone()
    }

    pub fn leads(&self) -> bool {
        self.led().last().is_some_and(|(_, leads)| *leads)
    }

    /// Waits until no watch fails.
    pub async fn all_work(&self) {
        let works = |health: HealthState| health.watches.iter().all(|watch| watch.failing.is_none());
        self.wait_until("end of the outage", || works(self.health.now()).then_some(())).await;
    }

    pub fn generation(&self) -> u64 {
        self.reader.snapshot().generation()
    }

    /// Waits until there is something.
    pub async fn wait_until<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let wait = async {
            loop {
                if let Some(found) = found() {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(found) => found,
            Err(_) => panic!("no {what}; reported: {:#?}", self.log()),
        }
    }

    /// The endpoints of whoever serves the path, or nothing.
    pub fn serves(&self, host: &str, path: &str) -> Option<Vec<String>> {
        serves(&self.reader.snapshot(), host, path)
    }

    pub fn dump(&self) -> String {
        let mut dump = serde_json::to_value(self.reader.snapshot().dump()).expect("JSON");
        dump["generation"] = 0.into();
        dump.to_string()
    }

    pub async fn stop(self) {
        let _ = self.stop.send(());
        within("the end", self.task).await.expect("it does not panic");
    }

    /// Ends it without a word, as a node that fails.
    pub fn kill(self) {
        self.task.abort();
    }
}

/// Looks at the served table again and again, from a thread of its own.
pub struct Looking {
    ended: Arc<AtomicBool>,
    thread: thread::JoinHandle<Result<usize, String>>,
}

impl Looking {
    /// Each of the hosts is served by somebody in every table.
    pub fn for_hosts(running: &Running, hosts: &'static [&'static str]) -> Self {
        Self::for_what(running, move |table| {
            let missed = hosts.iter().find(|host| serves(table, host, "/").is_none_or(|all| all.is_empty()));
            missed.map_or(Ok(()), |host| Err(format!("{host} is not served")))
        })
    }

    pub fn for_what(
        running: &Running,
        check: impl Fn(&RouteTable) -> Result<(), String> + Send + 'static,
    ) -> Self {
        let (reader, ended) = (running.reader.clone(), Arc::<AtomicBool>::default());
        let end = ended.clone();
        let thread = thread::spawn(move || {
            let mut looks = 0;
            while !end.load(Ordering::Relaxed) {
                let table = reader.snapshot();
                check(&table).map_err(|why| format!("table {}: {why}", table.generation()))?;
                looks += 1;
                thread::sleep(Duration::from_micros(500));
            }
            Ok(looks)
        });
        Self { ended, thread }
    }

    /// Ends it; nothing was missed.
    pub fn end(self) {
        self.ended.store(true, Ordering::Relaxed);
        let looks = self.thread.join().expect("it does not panic").expect("nothing is missed");
        assert!(looks > 0);
    }
}

pub fn serves(table: &RouteTable, host: &str, path: &str) -> Option<Vec<String>> {
    let (host, path) = (RequestHost::parse(host).ok()?, RequestPath::parse(path).ok()?);
    let found = table.lookup(&RequestHead::new(&host, &path)).ok()??;
    let backend = found.backend(|_| Turn::Ticket(0))?;
    Some(backend.endpoints().as_slice().iter().map(|endpoint| endpoint.authority().to_string()).collect())
}

// ===== objects =====

/// A server with a class of ours, and `web.example` with one endpoint.
pub async fn shop() -> ApiServer {
    let server = ApiServer::start().await;
    server.apply(class());
    server.apply_all(served("shop", "web", "10.0.0.1"));
    server
}

pub fn class() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
        "metadata": { "name": "ours" },
        "spec": { "controller": ingress_kube::DEFAULT_CONTROLLER },
    })
}

/// An Ingress `NAME` for `NAME.example`, and the Service of that name with one endpoint.
pub fn served(namespace: &str, name: &str, address: &str) -> [Value; 3] {
    [
        ingress(namespace, name, &format!("{name}.example")),
        service(namespace, name),
        slice(namespace, name, &[address]),
    ]
}

pub fn ingress(namespace: &str, name: &str, host: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": name, "namespace": namespace },
        "spec": { "ingressClassName": "ours", "rules": [{ "host": host, "http": { "paths": [{
            "path": "/", "pathType": "Prefix", "backend": { "service": { "name": name, "port": { "number": 80 } } },
        }] } }] },
    })
}

pub fn service(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": name, "namespace": namespace },
        "spec": { "ports": [{ "port": 80 }] },
    })
}

pub fn slice(namespace: &str, service: &str, addresses: &[&str]) -> Value {
    let endpoints: Vec<_> = addresses.iter().map(|address| json!({ "addresses": [address] })).collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{service}-1"), "namespace": namespace,
            "labels": { "kubernetes.io/service-name": service },
        },
        "addressType": "IPv4", "ports": [{ "port": 8080 }], "endpoints": endpoints,
    })
}

pub fn namespace(name: &str, labels: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels } })
}
