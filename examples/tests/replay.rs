//! `--access-log`, and `gateway replay` of what it says.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::Receiver;

use serde_json::{Value, json};
use support::client::Connection;
use support::{Gateway, PATIENCE, client, command, manifests, services};

const ALGORITHMS: [&str; 6] = ["round-robin", "random", "least-request", "peak-ewma", "maglev", "rendezvous"];

/// A Service with three endpoints for each algorithm, at a host of that name.
fn write(directory: &Path, endpoints: &[SocketAddr]) {
    let objects: Vec<Value> =
        ALGORITHMS.into_iter().flat_map(|name| with_endpoints(name, endpoints)).collect();
    manifests::write(directory, "services.yaml", &objects);
}

fn with_endpoints(name: &str, endpoints: &[SocketAddr]) -> Vec<Value> {
    let mut service = manifests::service("default", name);
    service["metadata"]["annotations"] = json!({ "ingress.gateway/load-balance": name });
    let slices = endpoints.iter().enumerate().map(|(at, &address)| {
        let mut slice = manifests::slice("default", name, Some(address));
        slice["metadata"]["name"] = json!(format!("{name}-{at}"));
        slice
    });
    let ingress = manifests::ingress(name, &format!("{name}.example"), "/", name);
    [ingress, service].into_iter().chain(slices).collect()
}

/// The next lines of the access log.
fn lines(log: &Receiver<String>, count: usize) -> Vec<String> {
    (0..count).map(|_| log.recv_timeout(PATIENCE).expect("a line of the access log")).collect()
}

fn json_of(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// Runs `gateway replay` on a log: exit status, stdout and stderr.
fn replay(directory: &Path, log: &str, more: &[&str]) -> (Option<i32>, String, String) {
    std::fs::write(directory.join("access.log"), log).unwrap();
    let (dump, log) = (directory.join("dump.json"), directory.join("access.log"));
    let mut arguments = vec!["replay", "--dump", dump.to_str().unwrap()];
    arguments.extend(if more.is_empty() { vec![log.to_str().unwrap()] } else { more.to_vec() });
    let mut command = command(&arguments);
    if more == ["-"] {
        command.stdin(Stdio::from(std::fs::File::open(&log).unwrap()));
    }
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn every_logged_choice_is_repeated_from_the_saved_table() {
    let directory = tempfile::tempdir().unwrap();
    let endpoints = ["a", "b", "c"].map(services::start);
    write(directory.path(), &endpoints);
    let mut gateway = Gateway::run(directory.path(), &["--access-log", "json"]);
    let log = gateway.stdout();
    let saved = tempfile::tempdir().unwrap();
    std::fs::write(saved.path().join("dump.json"), gateway.config_dump().to_string()).unwrap();

    let mut bodies = Vec::new();
    for name in ALGORITHMS {
        let mut connection = Connection::open(gateway.http).unwrap();
        for _ in 0..20 {
            bodies.push(connection.get(&format!("{name}.example"), "/").unwrap().body);
        }
    }
    let all = lines(&log, bodies.len());
    for (at, (line, body)) in all.iter().zip(&bodies).enumerate() {
        let line = json_of(line);
        let who = ["a", "b", "c"].iter().position(|name| name == body).unwrap();
        assert_eq!(line["endpoint"], endpoints[who].to_string(), "{line}");
        assert_eq!(line["algorithm"], ALGORITHMS[at / 20], "{line}");
    }
    let (status, out, err) = replay(saved.path(), &(all.join("\n") + "\n"), &[]);
    assert_eq!((status, err.as_str()), (Some(0), ""), "{out}");
    assert_eq!(out.matches(", as logged\n").count(), all.len());
    let generation = gateway.config_dump()["generation"].as_u64().unwrap();
    let end = format!("{0} choices in generation {generation}: {0} as logged\n", all.len());
    assert!(out.ends_with(&end), "{out}");

    // One endpoint that is not the one.
    let mut tampered = json_of(&all[7]);
    let other =
        endpoints.iter().map(ToString::to_string).find(|other| tampered["endpoint"] != **other).unwrap();
    tampered["endpoint"] = other.as_str().into();
    let three = format!("{}\n{tampered}\n{}\n", all[0], all[1]);
    let (status, out, _) = replay(saved.path(), &three, &["-"]);
    assert_eq!(status, Some(1), "{out}");
    assert!(out.lines().nth(1).unwrap().ends_with(&format!("but {other} was logged")), "{out}");
    assert!(out.ends_with(": 2 as logged, 1 not\n"), "{out}");

    // A single choice, as it is told on the command line.
    let line = json_of(&all[45]);
    let [backend, algorithm, choice] =
        ["backend", "algorithm", "choice"].map(|field| line[field].as_str().unwrap());
    let more = ["--backend", backend, "--algorithm", algorithm, "--choice", choice];
    let (status, out, err) = replay(saved.path(), "", &more);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    assert_eq!(out.trim_end(), line["endpoint"], "{line}");

    // Another table: its lines are not those of the saved one.
    write(directory.path(), &endpoints[..2]);
    gateway.wait_for_table();
    client::get(gateway.http, "random.example", "/");
    client::get(gateway.http, "nobody.example", "/");
    let others = lines(&log, 2).join("\n");
    let (status, out, _) = replay(saved.path(), &others, &[]);
    assert_eq!(status, Some(0));
    let end = format!(
        "0 choices in generation {generation}: 0 as logged; 1 of other generations; 1 without a choice\n"
    );
    assert_eq!(out, end);
}

#[test]
fn what_cannot_be_replayed() {
    let saved = tempfile::tempdir().unwrap();
    let (status, _, err) = replay(saved.path(), "", &[]);
    assert_eq!((status, err.lines().count()), (Some(2), 1), "{err}");
    assert!(err.contains("--dump") && err.contains("dump.json: the file cannot be read"), "{err}");

    std::fs::write(saved.path().join("dump.json"), r#"{"generation": 1, "backends": []}"#).unwrap();
    let line =
        r#"{"generation": 1, "backend": "a/b:1", "endpoint": "x:1", "algorithm": "random", "choice": "r1"}"#;
    for (log, want) in [
        ("{}\nnot a line\n", "access.log:2: this is no line of the access log"),
        (line, "access.log:1: the table has no backend \"a/b:1\""),
    ] {
        let (status, _, err) = replay(saved.path(), log, &[]);
        assert_eq!((status, err.lines().count()), (Some(2), 1), "{err}");
        assert!(err.contains(want), "{err}");
    }
    let missing = saved.path().join("missing.log");
    let single = ["--backend", "a/b:1", "--algorithm", "random", "--choice", "r1"];
    for more in [&[missing.to_str().unwrap()][..], &["--choice", "r1"], &["--backend", "a/b:1"], &single] {
        let (status, out, err) = replay(saved.path(), "", more);
        assert_eq!((status, out.as_str()), (Some(2), ""), "{err}");
    }
    let (status, out, _) = replay(saved.path(), "", &[]);
    assert_eq!((status, out.as_str()), (Some(0), "0 choices in generation 1: 0 as logged\n"));
}

/// Each request has its line, whatever becomes of it.
#[test]
fn a_line_says_what_became_of_a_request() {
    let directory = tempfile::tempdir().unwrap();
    let web = services::start("hello");
    manifests::write(directory.path(), "web.yaml", &manifests::served("web", web));
    let refusing = services::refusing();
    manifests::write(directory.path(), "down.yaml", &manifests::served("down", refusing));
    let mut gateway =
        Gateway::run(directory.path(), &["--access-log", "json", "--trusted-proxies", "127.0.0.1"]);
    let log = gateway.stdout();
    let mut connection = Connection::open(gateway.http).unwrap();
    let mut ask = |text: &str| {
        connection.send(text).unwrap();
        let answer = if text.starts_with("HEAD") { connection.answer_to_head() } else { connection.answer() };
        (answer.unwrap().status, json_of(&lines(&log, 1)[0]))
    };
    let fields = "X-Forwarded-For: 192.0.2.7\r\nX-Request-ID: abc\r\n\r\n";
    let (status, line) = ask(&format!("GET /cart?secret=1 HTTP/1.1\r\nHost: web.example\r\n{fields}"));
    assert_eq!(status, 200);
    for (field, want) in [
        ("client", json!("192.0.2.7")),
        ("method", json!("GET")),
        ("host", json!("web.example")),
        ("path", json!("/cart")),
        ("protocol", json!("HTTP/1.1")),
        ("status", json!(200)),
        ("bytes", json!(5)),
        ("request_id", json!("abc")),
        ("backend", json!("default/web:80")),
        ("endpoint", json!(web.to_string())),
        ("algorithm", json!("round-robin")),
        ("attempts", json!(1)),
        ("reason", Value::Null),
    ] {
        assert_eq!(line[field], want, "{field} of {line}");
    }
    assert!(line["choice"].as_str().unwrap().starts_with('t'), "{line}");
    assert!(line["duration_ms"].as_f64().is_some_and(|time| time > 0.0), "{line}");
    let time = line["time"].as_str().unwrap();
    assert!(time.len() == "2030-01-01T00:00:00.000Z".len() && time.ends_with('Z'), "{line}");

    let (status, line) = ask("HEAD / HTTP/1.1\r\nHost: web.example\r\n\r\n");
    assert_eq!((status, &line["bytes"], &line["reason"]), (200, &json!(0), &Value::Null), "{line}");
    let (status, line) = ask("GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n");
    assert_eq!((status, &line["status"], &line["reason"]), (404, &json!(404), &json!("no_route")), "{line}");
    assert!(line["bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{line}");
    let (status, line) = ask("GET / HTTP/1.1\r\nHost: down.example\r\n\r\n");
    assert_eq!((status, &line["reason"]), (502, &json!("connect_failed")), "{line}");
    assert_eq!((&line["endpoint"], &line["attempts"]), (&json!(refusing.to_string()), &json!(1)), "{line}");
}

/// A client that goes, and an endpoint that breaks off.
#[test]
fn what_is_broken_off_has_a_line_too() {
    let directory = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    manifests::write(directory.path(), "web.yaml", &manifests::served("web", listener.local_addr().unwrap()));
    let mut gateway = Gateway::run(directory.path(), &["--access-log", "json"]);
    let log = gateway.stdout();
    let accept = || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap() > 2 {}
        reader.into_inner()
    };
    let mut client = Connection::open(gateway.http).unwrap();
    client.send("GET /gone HTTP/1.1\r\nHost: web.example\r\n\r\n").unwrap();
    let endpoint = accept();
    drop(client);
    let line = json_of(&lines(&log, 1)[0]);
    assert_eq!((&line["path"], &line["reason"]), (&json!("/gone"), &json!("aborted")), "{line}");
    assert!(line.get("status").is_none(), "{line}");
    drop(endpoint);

    // Of an answer without a length the end is seen, too.
    let mut client = TcpStream::connect(gateway.http).unwrap();
    client.write_all(b"GET /whole HTTP/1.1\r\nHost: web.example\r\nConnection: close\r\n\r\n").unwrap();
    let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    accept().write_all(answer).unwrap();
    client.read_to_end(&mut Vec::new()).unwrap();
    let line = json_of(&lines(&log, 1)[0]);
    assert_eq!((&line["bytes"], &line["reason"]), (&json!(5), &Value::Null), "{line}");

    let mut client = Connection::open(gateway.http).unwrap();
    client.send("GET /half HTTP/1.1\r\nHost: web.example\r\n\r\n").unwrap();
    accept().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").unwrap();
    assert!(client.answer().is_err());
    let line = json_of(&lines(&log, 1)[0]);
    assert_eq!((&line["status"], &line["bytes"]), (&json!(200), &json!(4)), "{line}");
    assert_eq!(line["reason"], json!("answer_failed"), "{line}");
}

/// Lines that nobody reads cost no request anything, and the end comes all the same.
#[test]
fn nobody_waits_for_whoever_reads_the_log() {
    let directory = tempfile::tempdir().unwrap();
    manifests::write(directory.path(), "web.yaml", &manifests::served("web", services::start("web")));
    let mut gateway = Gateway::run(directory.path(), &["--access-log", "json", "--workers", "1"]);
    let mut connection = Connection::open(gateway.http).unwrap();
    // The pipe takes some hundred lines and the gateway some thousand.
    let path = format!("/{}", "x".repeat(1500));
    for _ in 0..4600 {
        assert_eq!(connection.get("web.example", &path).unwrap().status, 200);
    }
    drop(connection);
    gateway.terminate();
    let lost = gateway.wait_for_log(|line| line["lost"].is_number());
    assert!(lost["lost"].as_u64().is_some_and(|lost| (1..1000).contains(&lost)), "{lost}");
    assert!(gateway.wait().success());
}

#[test]
fn without_the_flag_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    manifests::write(directory.path(), "web.yaml", &manifests::served("web", services::start("web")));
    let mut gateway = Gateway::run(directory.path(), &[]);
    let log = gateway.stdout();
    assert_eq!(client::get(gateway.http, "web.example", "/").status, 200);
    gateway.terminate();
    assert!(gateway.wait().success());
    assert_eq!(log.iter().next(), None);
}
