//! The gateway as its operator meets it: flags, messages, the admin listener, the end.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;
use support::client::Connection;
use support::{Gateway, client, command, manifests, services};

/// Runs the program to its end: exit status and what it wrote to stderr.
fn ended(arguments: &[&str]) -> (Option<i32>, String) {
    let output = command(arguments).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn one_web(directory: &Path) {
    manifests::write(directory, "web.yaml", &manifests::served("web", services::start("web")));
}

#[test]
fn what_cannot_start_says_why_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let missing = format!("{path}/missing");
    let (status, text) = ended(&["run", "--manifests", &missing]);
    assert_eq!((status, text.lines().count()), (Some(2), 1), "{text}");
    assert!(text.contains(&missing), "{text}");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--http", "--admin"] {
        let other = if flag == "--http" { "--admin" } else { "--http" };
        let (status, text) = ended(&["run", "--manifests", path, flag, &address, other, "127.0.0.1:0"]);
        assert_eq!((status, text.lines().count()), (Some(1), 1), "{text}");
        assert!(text.contains(&address) && text.contains(flag), "{text}");
    }

    let (status, text) = ended(&["run", "--manifests", path, "--default-backend-service", "errors"]);
    assert_eq!((status, text.lines().count()), (Some(2), 1), "{text}");
    assert!(text.contains("--default-backend-service") && text.contains("NAMESPACE/NAME"), "{text}");

    for (arguments, want) in [
        (&["run"][..], "no cluster is known"),
        (&["run", "--kubeconfig", &missing], &missing),
        (&["run", "--manifests", path, "--retries", "many"], "--retries"),
    ] {
        let (status, text) = ended(arguments);
        assert_eq!((status, text.lines().count()), (Some(2), 1), "{text}");
        assert!(text.contains(want), "{text}");
    }
    for arguments in [&["run", "--manifests", path, "--workers", "0"][..], &["--nonsense"]] {
        assert_eq!(ended(arguments).0, Some(2), "{arguments:?}");
    }
}

/// Without its policy every host would be anybody's, so there is no gateway at all.
#[test]
fn hosts_belong_to_their_owners_or_nothing_is_served() {
    let directory = tempfile::tempdir().unwrap();
    one_web(directory.path());
    let theirs = manifests::served("bank", services::start("not the bank"));
    manifests::write(directory.path(), "bank.yaml", &theirs);
    let file = tempfile::NamedTempFile::new().unwrap();
    let owners =
        "owners:\n- {host: web.example, namespaces: [default]}\n- {host: bank.example, namespaces: [bank]}\n";
    std::fs::write(file.path(), owners).unwrap();
    let policy = file.path().to_str().unwrap();

    let gateway = Gateway::run(directory.path(), &["--host-ownership", policy]);
    assert_eq!(client::get(gateway.http, "web.example", "/").body, "web");
    assert_eq!(client::get(gateway.http, "bank.example", "/").status, 404);
    let logged = gateway.seen.iter().find(|line| line["code"] == "ING021").unwrap();
    assert!(logged["message"].as_str().unwrap().contains("bank.example belongs to bank"), "{logged}");

    std::fs::write(
        file.path(),
        "owners:\n- host: web.example\n  namespaces: [web]\n- host: a b\n  namespaces: [web]\n",
    )
    .unwrap();
    let path = directory.path().to_str().unwrap();
    for (named, says) in [(policy, "line 4: owners[1].host: "), ("nowhere.yaml", "cannot be read"), ("", "")]
    {
        let (status, text) = ended(&["run", "--manifests", path, "--host-ownership", named]);
        assert_eq!(status, Some(2), "{text}");
        assert!(text.contains("--host-ownership") && text.contains(says), "{text}");
        let mut command = command(&["run", "--manifests", path]);
        let output = command.env("INGRESS_HOST_OWNERSHIP", named).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{named:?}");
    }
}

#[test]
fn a_gateway_that_serves_nothing_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let gateway = Gateway::run(directory.path(), &[]);
    let warned = |gateway: &Gateway, text: &str| {
        gateway.seen.iter().any(|line| line["message"].as_str().is_some_and(|message| message.contains(text)))
    };
    assert!(warned(&gateway, "holds no manifest"), "{:#?}", gateway.seen);

    let class = serde_json::json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
        "metadata": { "name": "other" }, "spec": { "controller": "example.com/other" },
    });
    let mut ingress = manifests::ingress("web", "web.example", "/", "web");
    ingress["spec"]["ingressClassName"] = "other".into();
    manifests::write(directory.path(), "other.yaml", &[class, ingress]);
    let gateway = Gateway::run(directory.path(), &[]);
    assert!(warned(&gateway, "--controller-class"), "{:#?}", gateway.seen);
}

#[test]
fn help_is_complete() {
    let output = command(&["run", "--help"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for flag in [
        "--manifests",
        "--http",
        "--admin",
        "--ingress-class",
        "--controller-class",
        "--watch-ingress-without-class",
        "--upstream",
        "--default-backend-service",
        "--host-ownership",
        "--host-fallthrough",
        "--ambiguous-paths",
        "--allow-external-name",
        "--workers",
        "--shutdown-grace-period",
        "INGRESS_MANIFESTS",
        "127.0.0.1:8080",
        "127.0.0.1:10254",
    ] {
        assert!(text.contains(flag), "{flag} is not in the help:\n{text}");
    }
}

#[test]
fn flags_can_come_from_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    one_web(directory.path());
    let mut command = command(&["run"]);
    command.env("INGRESS_MANIFESTS", directory.path()).env("INGRESS_HTTP", "127.0.0.1:0");
    command.env("INGRESS_ADMIN", "127.0.0.1:0").env("INGRESS_WORKERS", "1");
    // Templates leave names empty; a switch can be any word for yes or no.
    command.env("INGRESS_DEFAULT_BACKEND_SERVICE", "");
    command.env("INGRESS_CLASS", "").env("INGRESS_CONTROLLER_CLASS", "");
    command.env("INGRESS_WATCH_INGRESS_WITHOUT_CLASS", "1");
    let gateway = Gateway::start(command);
    assert_eq!(client::get(gateway.http, "web.example", "/").body, "web");
    assert_eq!(gateway.seen.last().unwrap()["workers"], 1);
}

#[test]
fn the_admin_listener_tells_what_is_served() {
    let directory = tempfile::tempdir().unwrap();
    one_web(directory.path());
    let gateway = Gateway::run(directory.path(), &[]);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(client::get(gateway.admin, "admin", path).status, 200, "{path}");
    }
    let dump = gateway.config_dump();
    assert_eq!(dump["generation"], 1);
    assert_eq!(dump["routes"][0]["host"], "web.example");
    assert_eq!(dump["routes"][0]["source"]["name"], "web");
    assert_eq!(dump["backends"][0]["backend"], "default/web:80");
    let published = gateway.seen.iter().find(|line| line["message"] == "table published").unwrap();
    for count in ["objects", "rules", "routes", "backends", "endpoints", "diagnostics", "generation"] {
        assert!(published[count].is_u64(), "{count} in {published}");
    }
}

#[test]
fn bad_objects_are_named_and_cost_only_themselves() {
    let directory = tempfile::tempdir().unwrap();
    one_web(directory.path());
    let bad = [
        ("not-yaml.yaml", "a: [b\n", "ING001"),
        (
            "wrong-type.yaml",
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: x\nspec:\n  ports: 80\n",
            "ING002",
        ),
    ];
    for (file, text, _) in bad {
        manifests::write_text(directory.path(), file, text);
    }
    let mut host = manifests::ingress("bad-host", "web.example:80", "/", "web");
    manifests::write(directory.path(), "host.yaml", &[host.clone()]);
    host["metadata"]["name"] = "bad-path".into();
    host["spec"]["rules"][0]["host"] = "other.example".into();
    host["spec"]["rules"][0]["http"]["paths"][0]["path"] = "no-slash".into();
    manifests::write(directory.path(), "path.yaml", &[host]);
    manifests::write(
        directory.path(),
        "nobody.yaml",
        &[manifests::ingress("nobody", "nobody.example", "/", "nobody")],
    );

    let gateway = Gateway::run(directory.path(), &[]);
    assert_eq!(client::get(gateway.http, "web.example", "/").body, "web");
    assert_eq!(client::get(gateway.http, "nobody.example", "/").status, 503);
    let dump = gateway.config_dump();
    for (code, file, names) in [
        ("ING001", "not-yaml.yaml", "not-yaml.yaml"),
        ("ING002", "wrong-type.yaml", "Service"),
        ("ING003", "host.yaml", "spec.rules[0].host"),
        ("ING004", "path.yaml", "spec.rules[0].http.paths[0].path"),
        ("ING007", "nobody.yaml", "spec.rules[0].http.paths[0].backend.service.name"),
    ] {
        let logged = gateway.seen.iter().find(|line| line["code"] == code);
        let text = logged.and_then(|line| line["message"].as_str()).unwrap_or_default();
        assert!(text.contains(file) && text.contains(names), "{code}: {text:?}");
        let dumped = dump["diagnostics"].as_array().unwrap().iter().find(|finding| finding["code"] == code);
        let help = dumped.and_then(|finding| finding["help"].as_str()).unwrap_or_default();
        assert!(!help.is_empty(), "{code} has no help: {dumped:?}");
    }
}

#[test]
fn a_request_in_flight_survives_sigterm_and_readiness_ends_first() {
    let directory = tempfile::tempdir().unwrap();
    let slow = TcpListener::bind("127.0.0.1:0").unwrap();
    manifests::write(directory.path(), "slow.yaml", &manifests::served("slow", slow.local_addr().unwrap()));
    let mut gateway = Gateway::run(directory.path(), &["--shutdown-grace-period", "15s"]);
    let mut client = Connection::open(gateway.http).unwrap();
    client.send("GET / HTTP/1.1\r\nHost: slow.example\r\n\r\n").unwrap();
    // The request is at the service, which answers only after the signal.
    let (mut stream, _) = slow.accept().unwrap();
    let mut head = [0; 1024];
    assert!(std::io::Read::read(&mut stream, &mut head).unwrap() > 0);
    gateway.terminate();
    gateway.wait_for_log(|line| line["message"] == "stopping");
    let ready = client::try_get(gateway.admin, "admin", "/readyz").unwrap();
    assert_eq!(ready.status, 503);
    std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow").unwrap();
    let answer = client.answer().unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "slow"));
    assert!(gateway.wait().success());
    assert!(Connection::open(gateway.http).is_err());
}

#[test]
fn new_connections_are_served_during_the_delay_after_sigterm() {
    let directory = tempfile::tempdir().unwrap();
    one_web(directory.path());
    let mut gateway = Gateway::run(directory.path(), &["--shutdown-delay", "1h"]);
    gateway.terminate();
    gateway.wait_for_log(|line| line["message"] == "stopping");
    assert_eq!(client::try_get(gateway.admin, "admin", "/readyz").unwrap().status, 503);
    let mut client = Connection::open(gateway.http).unwrap();
    client.send("GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n").unwrap();
    let answer = client.answer().unwrap();
    assert_eq!((answer.status, answer.head.contains("close")), (404, false));
    gateway.terminate();
    assert!(gateway.wait().success());
}

#[test]
fn more_connections_than_the_flag_allows_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    one_web(directory.path());
    let gateway = Gateway::run(directory.path(), &["--max-connections", "1"]);
    let get = "GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n";
    let mut first = Connection::open(gateway.http).unwrap();
    first.send(get).unwrap();
    assert_eq!(first.answer().unwrap().status, 404);
    let mut second = Connection::open(gateway.http).unwrap();
    assert_eq!(second.answer().unwrap().status, 503);
    first.send(get).unwrap();
    assert_eq!(first.answer().unwrap().status, 404);
}

#[test]
fn the_gateway_outlives_the_lack_of_descriptors() {
    let directory = tempfile::tempdir().unwrap();
    one_web(directory.path());
    let more = ["--max-connections", "1000", "--workers", "1"];
    let mut gateway = Gateway::run_with_descriptors(60, directory.path(), &more);
    let mut many: Vec<_> = (0..100).map(|_| Connection::open(gateway.http).unwrap()).collect();
    gateway.wait_for_log(|line| line["message"].as_str().is_some_and(|text| text.contains("accept")));
    many.drain(..90);
    for mut client in many {
        let answer = client.get("web.example", "/").unwrap();
        assert_eq!((answer.status, answer.body.trim()), (200, "web"), "{}", answer.head);
    }
}

#[test]
fn a_request_that_does_not_end_is_cut_at_the_grace_period() {
    let directory = tempfile::tempdir().unwrap();
    let stuck = TcpListener::bind("127.0.0.1:0").unwrap();
    manifests::write(
        directory.path(),
        "stuck.yaml",
        &manifests::served("stuck", stuck.local_addr().unwrap()),
    );
    let mut gateway = Gateway::run(directory.path(), &["--shutdown-grace-period", "200ms"]);
    let mut client = Connection::open(gateway.http).unwrap();
    client.send("GET / HTTP/1.1\r\nHost: stuck.example\r\n\r\n").unwrap();
    let _stream = stuck.accept().unwrap();
    gateway.terminate();
    let cut = gateway.wait_for_log(|line| line["cut"].is_u64());
    assert_eq!(cut["cut"], 1, "{cut}");
    assert!(gateway.wait().success());
}

#[test]
fn the_class_decides_what_is_served() {
    let directory = tempfile::tempdir().unwrap();
    one_web(directory.path());
    let mut named = manifests::ingress("named", "named.example", "/", "web");
    named["spec"]["ingressClassName"] = "edge".into();
    let class = serde_json::json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
        "metadata": { "name": "edge" }, "spec": { "controller": "example.com/edge" },
    });
    manifests::write(directory.path(), "class.yaml", &[class, named]);
    let status = |gateway: &Gateway, host: &str| client::get(gateway.http, host, "/").status;

    let gateway = Gateway::run(directory.path(), &["--controller-class", "example.com/edge"]);
    assert_eq!((status(&gateway, "named.example"), status(&gateway, "web.example")), (200, 404));
    let gateway = Gateway::run(
        directory.path(),
        &["--controller-class", "example.com/edge", "--watch-ingress-without-class"],
    );
    assert_eq!((status(&gateway, "named.example"), status(&gateway, "web.example")), (200, 200));
    let gateway = Gateway::run(directory.path(), &[]);
    assert_eq!(status(&gateway, "named.example"), 404);
}

#[test]
fn requests_can_go_to_the_cluster_ip() {
    let directory = tempfile::tempdir().unwrap();
    let (by_ip, by_slice) = (services::start("by-ip"), services::start("by-slice"));
    let mut service = manifests::service("default", "web");
    service["spec"]["clusterIP"] = "127.0.0.1".into();
    service["spec"]["ports"][0]["port"] = by_ip.port().into();
    let mut ingress = manifests::ingress("web", "web.example", "/", "web");
    let backend: &mut Value = &mut ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"];
    backend["service"]["port"]["number"] = by_ip.port().into();
    let slice = manifests::slice("default", "web", Some(by_slice));
    manifests::write(directory.path(), "web.yaml", &[service, ingress, slice]);
    for (upstream, want) in [("endpoints", "by-slice"), ("cluster-ip", "by-ip")] {
        let gateway = Gateway::run(directory.path(), &["--upstream", upstream]);
        assert_eq!(client::get(gateway.http, "web.example", "/").body, want);
    }
}
