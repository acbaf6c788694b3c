//! Edits of the manifests while requests keep coming.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::Value;
use support::client::Connection;
use support::{Gateway, client, manifests, services};

/// Clients on kept and on new connections see 100 edits of the routes and endpoints under them. No answer
/// may be wrong: the steady host always answers, the edited one with one of its two services.
#[test]
fn a_hundred_edits_under_load_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let [steady, blue, green] = ["steady", "blue", "green"].map(|name| (name, services::start(name)));
    let mut fixed = vec![manifests::ingress("steady", "steady.example", "/", "steady")];
    for (name, address) in [steady, blue, green] {
        fixed.push(manifests::service("default", name));
        fixed.push(manifests::slice("default", name, Some(address)));
    }
    manifests::write(directory.path(), "fixed.yaml", &fixed);
    write_edited(directory.path(), 0);
    let mut gateway = Gateway::run(directory.path(), &["--workers", "2"]);

    let stop = Arc::new(AtomicBool::new(false));
    let served = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..4)
        .map(|number| {
            let (stop, served, address) = (stop.clone(), served.clone(), gateway.http);
            std::thread::spawn(move || {
                let mut kept = Connection::open(address).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    if number % 2 == 1 {
                        kept = Connection::open(address).unwrap();
                    }
                    let answer = kept.get("steady.example", "/x").unwrap();
                    assert_eq!((answer.status, answer.body.as_str()), (200, "steady"));
                    let answer = kept.get("edited.example", "/x").unwrap();
                    assert!(
                        answer.status == 200 && ["blue", "green"].contains(&answer.body.as_str()),
                        "{answer:?}"
                    );
                    served.fetch_add(2, Ordering::Relaxed);
                }
            })
        })
        .collect();

    for edit in 1..=100 {
        write_edited(directory.path(), edit);
        let line = gateway.wait_for_table();
        assert!(line["changed"].as_str().unwrap().contains("Ingress default/edited"), "{line}");
        // The table is published, so from now on only its answer is right.
        let want = if edit % 2 == 0 { "blue" } else { "green" };
        assert_eq!(client::get(gateway.http, "edited.example", "/").body, want, "edit {edit}");
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    let served = served.load(Ordering::Relaxed);
    println!("{served} requests over 100 edits");
    assert!(served > 100, "{served}");
}

/// Clients that send each request when the one before is answered, while the gateway is told to stop: each
/// request that was sent on an open connection is answered.
#[test]
fn a_stop_under_load_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    manifests::write(directory.path(), "web.yaml", &manifests::served("web", services::start("web")));
    let mut gateway = Gateway::run(directory.path(), &["--workers", "2", "--shutdown-grace-period", "15s"]);
    let served = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..12)
        .map(|_| {
            let (address, served) = (gateway.http, served.clone());
            std::thread::spawn(move || {
                while let Ok(mut connection) = Connection::open(address) {
                    // A connection that the kernel took just before the listener closed may be reset.
                    let Ok(mut answer) = connection.get("web.example", "/") else { return };
                    while !answer.head.contains("connection: close") {
                        assert_eq!(answer.status, 200);
                        served.fetch_add(1, Ordering::Relaxed);
                        answer = connection.get("web.example", "/").unwrap();
                    }
                }
            })
        })
        .collect();
    while served.load(Ordering::Relaxed) < 200 {
        std::thread::yield_now();
    }
    gateway.terminate();
    for client in clients {
        client.join().unwrap();
    }
    assert!(gateway.wait().success());
}

fn write_edited(directory: &Path, edit: usize) {
    let service = if edit.is_multiple_of(2) { "blue" } else { "green" };
    manifests::write(
        directory,
        "edited.yaml",
        &[manifests::ingress("edited", "edited.example", "/", service)],
    );
}

/// A broken file keeps what it held, and everything else goes on; mended, it counts again.
#[test]
fn a_broken_edit_keeps_the_last_good_version() {
    let directory = tempfile::tempdir().unwrap();
    let [blue, green] = ["blue", "green"].map(|name| (name, services::start(name)));
    let mut fixed = Vec::new();
    for (name, address) in [blue, green] {
        fixed.extend([manifests::service("default", name), manifests::slice("default", name, Some(address))]);
    }
    manifests::write(directory.path(), "fixed.yaml", &fixed);
    manifests::write(directory.path(), "a.yaml", &[manifests::ingress("a", "a.example", "/", "blue")]);
    let mut gateway = Gateway::run(directory.path(), &[]);
    assert_eq!(client::get(gateway.http, "a.example", "/").body, "blue");

    manifests::write_text(directory.path(), "a.yaml", "kind: Ingress\n  bad: [indent\n");
    let error = gateway.wait_for_log(|line| line["level"] == "ERROR");
    assert!(error["message"].as_str().unwrap().contains("a.yaml:"), "{error}");
    gateway.wait_for_table();
    assert_eq!(client::get(gateway.http, "a.example", "/").body, "blue");
    let dump = gateway.config_dump();
    assert!(findings(&dump).iter().any(|finding| finding["code"] == "ING001"), "{dump:#}");

    manifests::write(directory.path(), "a.yaml", &[manifests::ingress("a", "a.example", "/", "green")]);
    gateway.wait_for_table();
    assert_eq!(client::get(gateway.http, "a.example", "/").body, "green");
    assert!(findings(&gateway.config_dump()).is_empty());

    std::fs::remove_file(directory.path().join("a.yaml")).unwrap();
    gateway.wait_for_table();
    assert_eq!(client::get(gateway.http, "a.example", "/").status, 404);
}

/// An unmounted directory is not an empty configuration.
#[test]
fn a_directory_that_vanishes_changes_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let (directory, aside) = (parent.path().join("manifests"), parent.path().join("aside"));
    std::fs::create_dir(&directory).unwrap();
    let address = services::start("web");
    manifests::write(&directory, "web.yaml", &manifests::served("web", address));
    let mut gateway = Gateway::run(&directory, &[]);
    std::fs::rename(&directory, &aside).unwrap();
    gateway.wait_for_log(|line| line["level"] == "ERROR");
    assert_eq!(client::get(gateway.http, "web.example", "/").body, "web");

    std::fs::rename(&aside, &directory).unwrap();
    manifests::write(&directory, "more.yaml", &[manifests::ingress("more", "more.example", "/", "web")]);
    gateway.wait_for_log(|line| {
        line["changed"].as_str().is_some_and(|text| text.contains("Ingress default/more"))
    });
    assert_eq!(client::get(gateway.http, "more.example", "/").body, "web");
}

fn findings(dump: &Value) -> &Vec<Value> {
    dump["diagnostics"].as_array().unwrap()
}
