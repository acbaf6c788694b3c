//! The gateway asks endpoints whether they are well, and tells what it has found.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use support::{Gateway, client, manifests, services};

const PATIENCE: Duration = Duration::from_secs(20);

/// Defends against a gateway that takes settings of health checks and makes none.
#[test]
fn an_endpoint_that_is_not_well_is_left_out_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let mut objects = manifests::served("web", services::start("web")).to_vec();
    // Connections to it are made, and nothing is said.
    let frozen = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut slice = manifests::slice("default", "web", Some(frozen.local_addr().unwrap()));
    slice["metadata"]["name"] = "web-2".into();
    objects.push(slice);
    manifests::write(directory.path(), "web.yaml", &objects);
    let flags = [
        ["--health-check-path", "/healthz"],
        ["--health-check-interval", "1s"],
        ["--health-check-timeout", "1s"],
        ["--health-check-failures", "2"],
    ];
    let gateway = Gateway::run(directory.path(), flags.as_flattened());
    let deadline = Instant::now() + PATIENCE;
    let states = ["usable", "unhealthy"]
        .map(|state| format!(r#"ingress_backend_endpoints{{backend="default/web:80",state="{state}"}} 1"#));
    loop {
        let metrics = client::get(gateway.admin, "admin", "/metrics").body;
        if states.iter().all(|line| metrics.contains(line)) {
            assert!(metrics.contains("ingress_endpoints_unhealthy 1"), "{metrics}");
            break;
        }
        assert!(Instant::now() < deadline, "{metrics}");
        std::thread::yield_now();
    }
    for _ in 0..20 {
        assert_eq!(client::get(gateway.http, "web.example", "/").body, "web");
    }
}
