//! The gateway on a cluster whose API server is a double: what it may do, what happens when the server is away, and two
//! gateways at once.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::client::Connection;
use support::cluster::Cluster;
use support::{Gateway, PATIENCE, client, manifests, services};
use test_apiserver::{Allowed, Fault, FaultAction};

/// All files of a directory of manifests.
fn documents(directory: &str) -> Vec<Value> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|end| end == "yaml"));
    let texts = texts.map(|path| std::fs::read_to_string(path).unwrap());
    texts.flat_map(|text| serde_saphyr::from_multiple::<Value>(&text).unwrap()).collect()
}

/// What a role allows, in one namespace or in all.
fn rules(role: &Value, namespace: Option<&str>) -> Vec<Allowed> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut allowed = Vec::new();
    for rule in role["rules"].as_array().unwrap() {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    let rule = Allowed::new(verb, &*group, &*resource);
                    allowed.push(match namespace {
                        Some(namespace) => rule.in_namespace(namespace),
                        None => rule,
                    });
                }
            }
        }
    }
    allowed
}

/// An Ingress with a certificate and a fault, so that everything has something to do.
fn busy_cluster() -> Cluster {
    let cluster = Cluster::start();
    let mut objects: Vec<_> = manifests::served("web", services::start("web")).into();
    objects[0]["spec"]["tls"] = json!([{ "hosts": ["web.example"], "secretName": "web" }]);
    objects.push(manifests::ingress("broken", "broken.example", "/", "nobody"));
    objects.push(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": { "name": "web", "namespace": "default" }, "data": { "tls.crt": "", "tls.key": "" },
    }));
    cluster.server.apply_all(objects);
    cluster
}

#[test]
fn the_role_of_the_base_is_enough_and_no_more() {
    let cluster = busy_cluster();
    let roles = documents("deploy/kustomize/base");
    let of_kind = |kind: &str| roles.iter().find(|object| object["kind"] == kind).unwrap();
    let mut allowed = rules(of_kind("ClusterRole"), None);
    allowed.extend(rules(of_kind("Role"), Some("ingress")));
    let granted: BTreeSet<_> = allowed.iter().map(|one| (one.verb.clone(), one.resource.clone())).collect();
    cluster.server.allow_only(allowed);
    let flags = ["--publish-status-address", "203.0.113.1", "--workers", "1"];
    let mut gateway = Gateway::run_cluster(cluster.kubeconfig(), &flags);
    let used = || -> BTreeSet<_> {
        let requests = cluster.server.requests().into_iter();
        let used = requests.filter_map(|one| {
            assert_ne!(one.status, Some(403), "{one:?}");
            let resource = one.resource?;
            let resource = one.subresource.map_or(resource.clone(), |sub| format!("{resource}/{sub}"));
            Some((one.verb.to_owned(), resource))
        });
        used.collect()
    };
    let deadline = Instant::now() + PATIENCE;
    let written = ["ingresses/status", "events", "leases"];
    while !written.iter().all(|written| used().iter().any(|(verb, name)| verb != "get" && name == written)) {
        assert!(Instant::now() < deadline, "{:?}", used());
        std::thread::yield_now();
    }
    gateway.terminate();
    assert!(gateway.wait().success());
    let used = used();
    assert!(used.is_subset(&granted), "{:?}", used.difference(&granted));
    // Of what is watched, objects may be read, too, as kubectl's own roles have it; and an Event or a Lease may be patched.
    let unused: Vec<_> =
        granted.difference(&used).filter(|(verb, _)| verb != "get" && verb != "patch").collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn a_missing_right_is_named_and_waited_for() {
    let cluster = busy_cluster();
    let all = ["ingresses", "ingressclasses", "endpointslices", "secrets", "leases", "events"];
    let groups = ["", "networking.k8s.io", "discovery.k8s.io", "coordination.k8s.io", "events.k8s.io"];
    let rules = all.iter().flat_map(|resource| groups.map(|group| Allowed::new("*", group, *resource)));
    cluster.server.allow_only(rules.collect());
    let kubeconfig = cluster.kubeconfig().to_str().unwrap();
    let mut command = support::command(&["run", "--kubeconfig", kubeconfig, "--http", "127.0.0.1:0"]);
    let admin = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    command.args(["--admin", &admin.to_string()]);
    let started = std::thread::spawn(move || Gateway::start(command));
    let deadline = Instant::now() + PATIENCE;
    let body = loop {
        assert!(Instant::now() < deadline);
        let answer = client::try_get(admin, "admin", "/readyz?verbose").ok();
        if let Some(answer) = answer.filter(|answer| answer.body.contains("services failing")) {
            assert_eq!(answer.status, 503);
            break answer.body;
        }
        std::thread::yield_now();
    };
    for want in [
        "may not get, list and watch services in all namespaces",
        "ClusterRole",
        "[+]secrets ok",
        "not ready",
    ] {
        assert!(body.contains(want), "{body}");
    }
    let metrics = client::get(admin, "admin", "/metrics").body;
    let failing = r#"ingress_watch_failing{resource="services",watched_namespace="",name=""} 1"#;
    assert!(metrics.contains(failing) && metrics.contains("ingress_ready 0"), "{metrics}");
    cluster.server.allow_all();
    let gateway = started.join().unwrap();
    assert_eq!(client::get(gateway.http, "web.example", "/").body, "web");
}

/// The API server restarts, freezes and fails in every way while requests keep coming: none of them notices, and what
/// changed meanwhile is served afterwards.
#[test]
fn no_request_notices_that_the_api_server_fails() {
    let cluster = Cluster::start();
    let server = &cluster.server;
    let [blue, green] = ["blue", "green"].map(|name| (name, services::start(name)));
    server.apply_all(manifests::served("steady", services::start("steady")));
    for (name, address) in [blue, green] {
        server.apply(manifests::service("default", name));
        server.apply(manifests::slice("default", name, Some(address)));
    }
    let edit = |number: usize| {
        let service = if number.is_multiple_of(2) { "blue" } else { "green" };
        server.apply(manifests::ingress("edited", "edited.example", "/", service));
        service
    };
    edit(0);
    let gateway = Gateway::run_cluster(cluster.kubeconfig(), &["--workers", "2"]);
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..2)
        .map(|_| {
            let (stop, served, address) = (stop.clone(), served.clone(), gateway.http);
            std::thread::spawn(move || {
                let mut connection = Connection::open(address).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let steady = connection.get("steady.example", "/").unwrap();
                    assert_eq!((steady.status, &*steady.body), (200, "steady"));
                    let edited = connection.get("edited.example", "/").unwrap();
                    assert!(edited.status == 200 && ["blue", "green"].contains(&&*edited.body), "{edited:?}");
                    served.fetch_add(2, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let serves = |want: &str| {
        let began = Instant::now();
        while client::get(gateway.http, "edited.example", "/").body != want {
            assert!(began.elapsed() < Duration::from_secs(90), "{want} is not served");
            std::thread::sleep(Duration::from_millis(20));
        }
        began.elapsed()
    };
    let mut number = 0;
    let mut next = |what: &str, hurt: &dyn Fn(), mend: &dyn Fn()| {
        hurt();
        number += 1;
        let want = edit(number);
        mend();
        println!("{what}: served after {:?}", serves(want));
        server.clear_faults();
    };
    let expire = || {
        server.compact();
        server.disconnect();
    };
    next("nothing fails", &|| (), &|| ());
    next("410 Gone in the watch", &expire, &|| ());
    next("restarted with a newer version", &|| server.restart(), &|| ());
    for (what, action) in [
        ("429", FaultAction::Status { code: 429, reason: "TooManyRequests", retry_after: Some(1) }),
        ("500", FaultAction::status(500)),
        ("503", FaultAction::status(503)),
        ("garbage", FaultAction::GarbageLine),
        ("410 as the status", FaultAction::ExpiredAsStatus),
    ] {
        let fault = Fault::on_all().times(8).action(action);
        let hurt = || {
            server.fault(fault.clone());
            expire();
        };
        next(what, &hurt, &|| ());
    }
    let a_second = || std::thread::sleep(Duration::from_secs(1));
    let back = || {
        a_second();
        cluster.runtime.block_on(server.up());
    };
    next("down for a second", &|| cluster.runtime.block_on(server.down()), &back);
    let thawed = || {
        a_second();
        server.unfreeze();
    };
    next("frozen for a second", &|| server.freeze(), &thawed);
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    println!("{} requests, none failed", served.load(Ordering::Relaxed));
    assert_eq!(client::get(gateway.admin, "admin", "/readyz").status, 200);
}

fn leads(line: &Value) -> bool {
    line["message"].as_str().is_some_and(|text| text.starts_with("this process writes"))
}

/// Both route, one writes; when it is killed, the other one does.
#[test]
fn two_gateways_on_one_cluster() {
    let cluster = busy_cluster();
    let flags = ["--publish-status-address", "203.0.113.1", "--workers", "1", "--election-ttl", "3s"];
    let mut first = Gateway::run_cluster(cluster.kubeconfig(), &flags);
    first.wait_until_logged(leads);
    let mut second = Gateway::run_cluster(cluster.kubeconfig(), &flags);
    let table = |gateway: &Gateway| {
        let mut dump = gateway.config_dump();
        dump["generation"] = 0.into();
        dump
    };
    assert_eq!(table(&first), table(&second));
    for gateway in [&first, &second] {
        assert_eq!(client::get(gateway.http, "web.example", "/").body, "web");
    }
    // No end that gives the Lease back.
    drop(first);
    let killed = Instant::now();
    second.wait_until_logged(leads);
    let took = killed.elapsed();
    println!("the leader was killed: another one leads after {took:?}");
    assert!(took > Duration::from_secs(1), "{took:?}");
    cluster.server.apply(manifests::ingress("later", "later.example", "/", "web"));
    let address = || {
        let later = cluster.server.get("Ingress", "default", "later").unwrap();
        later["status"]["loadBalancer"]["ingress"][0]["ip"].as_str().map(str::to_owned)
    };
    let deadline = Instant::now() + PATIENCE;
    while address().as_deref() != Some("203.0.113.1") {
        assert!(Instant::now() < deadline, "nobody writes the status");
        std::thread::yield_now();
    }
}
