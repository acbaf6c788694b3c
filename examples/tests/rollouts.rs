//! Pods that come and go, routes that change, and a stop, while requests keep coming.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use support::client::Connection;
use support::cluster::Cluster;
use support::services::Pod;
use support::{Gateway, client, manifests};

const CHANGES: usize = 200;
const PODS: usize = 10;
const REPLACED: usize = 5;

/// 200 changes of the table, in each of which half of the ten Pods terminate, are replaced, and then are gone, and one
/// route moves: 1,000 Pods in all. Then the gateway stops. No request fails.
#[test]
fn a_thousand_pods_are_replaced_and_no_request_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    replace_pods(
        Ipv4Addr::new(127, 1, 0, 0),
        |objects| manifests::write(directory.path(), "web.yaml", objects),
        |flags| Gateway::run(directory.path(), flags),
    );
}

#[test]
fn a_thousand_pods_of_a_cluster_are_replaced_and_no_request_is_lost() {
    let cluster = Cluster::start();
    replace_pods(
        Ipv4Addr::new(127, 2, 0, 0),
        |objects| cluster.server.apply_all(objects.iter().cloned()),
        |flags| Gateway::run_cluster(cluster.kubeconfig(), flags),
    );
}

fn replace_pods(network: Ipv4Addr, write: impl Fn(&[Value]), start: impl Fn(&[&str]) -> Gateway) {
    let mut rollout = Rollout::new(network);
    for _ in 0..PODS {
        rollout.add();
    }
    let write = |rollout: &Rollout, change: usize| {
        let path = format!("/{}", change % 2);
        write(&[
            manifests::ingress("web", "web.example", "/", "web"),
            manifests::ingress("moving", "moving.example", &path, "web"),
            manifests::service("default", "web"),
            rollout.slice(),
        ]);
    };
    write(&rollout, 0);
    // A Pod that ends resets the connections that it has not accepted yet. What was sent on such a one is repeated where
    // retries are asked for, and else answered with 502.
    let mut gateway = start(&["--workers", "2", "--shutdown-grace-period", "15s", "--retries", "1"]);

    let (served, stopping) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..4)
        .map(|number| {
            let (served, stopping, address) = (served.clone(), stopping.clone(), gateway.http);
            std::thread::spawn(move || load(address, number % 2 == 1, &served, &stopping))
        })
        .collect();
    for change in 1..=CHANGES {
        // What terminated at the last change is gone by now, and its processes have ended.
        rollout.terminating.clear();
        for _ in 0..REPLACED {
            rollout.replace();
        }
        write(&rollout, change);
        gateway.wait_for_changes(&["EndpointSlice default/web-1", "Ingress default/moving"]);
        rollout.terminating.iter().for_each(Pod::stop);
        let [here, there] = [change % 2, (change + 1) % 2]
            .map(|path| client::get(gateway.http, "moving.example", &format!("/{path}")).status);
        assert_eq!((here, there), (200, 404), "change {change}");
    }
    let before_the_stop = served.load(Ordering::Relaxed);
    stopping.store(true, Ordering::Relaxed);
    gateway.terminate();
    let failed: Vec<_> = clients.into_iter().filter_map(|client| client.join().unwrap().err()).collect();
    let served = served.load(Ordering::Relaxed);
    println!(
        "{served} requests, {} after the last change; {CHANGES} changes, {} Pods replaced, {} failures",
        served - before_the_stop,
        rollout.started - PODS,
        failed.len()
    );
    assert!(failed.is_empty(), "{failed:?}");
    assert!(gateway.wait().success());
    assert_eq!(rollout.started, PODS + CHANGES * REPLACED);
    assert!(served > CHANGES, "{served}");
}

/// Sends requests one after another, each on the same connection or on one of its own, until the gateway says that it
/// closes or takes no connection any more. Says what went wrong.
///
/// A client that says nothing for a second after the gateway was told to stop finds its connection closed, as after any
/// idle time (RFC 9112 section 9.5); on a busy machine this one may be such a client.
fn load(
    address: SocketAddr,
    new_connections: bool,
    served: &AtomicUsize,
    stopping: &AtomicBool,
) -> Result<(), String> {
    while let Ok(mut connection) = Connection::open(address) {
        // A connection that the kernel took just before the listener closed may be reset.
        let Ok(mut answer) = connection.get("web.example", "/") else { return Ok(()) };
        loop {
            if (answer.status, answer.body.as_str()) != (200, "web") {
                return Err(format!("{answer:?}"));
            }
            served.fetch_add(1, Ordering::Relaxed);
            if new_connections || answer.head.contains("connection: close") {
                break;
            }
            answer = match connection.get("web.example", "/") {
                Ok(answer) => answer,
                Err(_) if stopping.load(Ordering::Relaxed) => return Ok(()),
                Err(error) => return Err(error.to_string()),
            };
        }
    }
    Ok(())
}

/// The Pods of a Service, the oldest first. Each has an address of its own, and all have the same port.
struct Rollout {
    network: Ipv4Addr,
    port: u16,
    started: usize,
    ready: VecDeque<Pod>,
    terminating: Vec<Pod>,
}

impl Rollout {
    fn new(network: Ipv4Addr) -> Self {
        // A port that is free at the address of the first Pod is free at the others: nobody else listens there.
        let port = std::net::TcpListener::bind((network, 0)).unwrap().local_addr().unwrap().port();
        Self { network, port, started: 0, ready: VecDeque::new(), terminating: Vec::new() }
    }

    fn add(&mut self) {
        let [high, low] = u16::try_from(self.started).unwrap().to_be_bytes();
        let [a, b, _, _] = self.network.octets();
        let address = SocketAddr::from((Ipv4Addr::new(a, b, high, low), self.port));
        self.started += 1;
        self.ready.push_back(Pod::start(address, "web"));
    }

    fn replace(&mut self) {
        self.terminating.extend(self.ready.pop_front());
        self.add();
    }

    fn slice(&self) -> Value {
        let endpoint = |pod: &Pod, ready: bool| {
            let address: IpAddr = pod.address.ip();
            json!({
                "addresses": [address],
                "conditions": { "ready": ready, "serving": true, "terminating": !ready },
            })
        };
        let ready = self.ready.iter().map(|pod| endpoint(pod, true));
        let terminating = self.terminating.iter().map(|pod| endpoint(pod, false));
        let mut slice = manifests::slice("default", "web", None);
        slice["ports"][0]["port"] = self.port.into();
        slice["endpoints"] = ready.chain(terminating).collect();
        slice
    }
}
