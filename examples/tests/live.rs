//! The gateway on a real cluster:
//!
//! ```sh
//! LIVE_KUBECONFIG=FILE cargo test -p examples --test live -- --ignored
//! ```
//!
//! It makes a namespace and an IngressClass of its own and removes them at the end. The endpoints are in this process, at
//! an address of this machine that is no loopback address, for those the API server refuses.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use support::{Gateway, client, manifests, services};
use tokio::runtime::Runtime;

/// How long a change may take on a real cluster.
const SOON: Duration = Duration::from_secs(60);

struct Live {
    runtime: Runtime,
    client: kube::Client,
    namespace: String,
}

impl Live {
    fn connect(kubeconfig: &PathBuf) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let client = runtime.block_on(async {
            let file = Kubeconfig::read_from(kubeconfig).unwrap();
            let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
            kube::Client::try_from(config.unwrap()).unwrap()
        });
        let live = Self { runtime, client, namespace: format!("ingress-gateway-{}", std::process::id()) };
        live.apply(
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": live.namespace } }),
        );
        live.apply(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": { "name": live.namespace },
            "spec": { "controller": format!("ingress-gateway.io/{}", live.namespace) },
        }));
        live
    }

    fn api(&self, object: &Value) -> Api<DynamicObject> {
        let text = |name: &str| object[name].as_str().unwrap().to_owned();
        let (version, kind) = (text("apiVersion"), text("kind"));
        let (group, version) = version.split_once('/').unwrap_or(("", &version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
        match object["metadata"]["namespace"].as_str() {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    fn apply(&self, mut object: Value) {
        if object["metadata"]["namespace"].is_string() {
            object["metadata"]["namespace"] = self.namespace.as_str().into();
        }
        if object["kind"] == "Ingress" {
            object["spec"]["ingressClassName"] = self.namespace.as_str().into();
        }
        let name = object["metadata"]["name"].as_str().unwrap();
        let params = PatchParams::apply("ingress-gateway-test").force();
        self.runtime.block_on(self.api(&object).patch(name, &params, &Patch::Apply(&object))).unwrap();
    }

    /// A field of an Ingress as it is in the cluster.
    fn ingress(&self, name: &str) -> Value {
        let kind = json!({ "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": { "namespace": self.namespace } });
        serde_json::to_value(self.runtime.block_on(self.api(&kind).get(name)).unwrap()).unwrap()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        for (version, kind) in [("networking.k8s.io/v1", "IngressClass"), ("v1", "Namespace")] {
            let kind = json!({ "apiVersion": version, "kind": kind });
            let _ = self.runtime.block_on(self.api(&kind).delete(&self.namespace, &DeleteParams::default()));
        }
    }
}

fn soon<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(began.elapsed() < SOON, "no {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
#[ignore = "needs a cluster"]
fn a_real_cluster() {
    let kubeconfig =
        PathBuf::from(std::env::var_os("LIVE_KUBECONFIG").expect("LIVE_KUBECONFIG names a kubeconfig"));
    let live = Live::connect(&kubeconfig);
    // No packet is sent: it asks which address others would be sent from.
    let probe = UdpSocket::bind("0.0.0.0:0").unwrap();
    probe.connect("192.0.2.1:9").unwrap();
    let own: IpAddr = probe.local_addr().unwrap().ip();
    let serve = |name: &str| services::start_at(SocketAddr::new(own, 0), name);
    let [blue, green] = ["blue", "green"].map(|name| (name, serve(name)));
    for (name, address) in [blue, green] {
        live.apply(manifests::service("default", name));
        live.apply(manifests::slice("default", name, Some(address)));
    }
    live.apply(manifests::ingress("web", "web.example", "/", "blue"));
    live.apply(manifests::ingress("broken", "broken.example", "/", "nobody"));
    let controller = format!("ingress-gateway.io/{}", live.namespace);
    let flags = [
        "--workers",
        "1",
        "--watch-namespace",
        &live.namespace,
        "--controller-class",
        &controller,
        "--publish-status-address",
        "203.0.113.1",
        "--disable-leader-election",
    ];
    let gateway = Gateway::run_cluster(&kubeconfig, &flags);
    assert_eq!(client::get(gateway.http, "web.example", "/").body, "blue");
    soon("status", || {
        let ingress = live.ingress("web");
        (ingress["status"]["loadBalancer"]["ingress"][0]["ip"] == "203.0.113.1").then_some(())
    });
    live.apply(manifests::ingress("web", "web.example", "/", "green"));
    soon("change", || (client::get(gateway.http, "web.example", "/").body == "green").then_some(()));
    live.apply(manifests::slice("default", "green", Some(blue.1)));
    soon("other endpoint", || (client::get(gateway.http, "web.example", "/").body == "blue").then_some(()));
    let kind = json!({ "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "namespace": live.namespace } });
    soon("Event", || {
        let events = live.runtime.block_on(live.api(&kind).list(&kube::api::ListParams::default())).unwrap();
        events.items.iter().any(|event| event.data["reason"] == "MissingService").then_some(())
    });
}
