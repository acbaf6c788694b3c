//! The short examples run and do what they say.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Receiver;

use support::{PATIENCE, client, lines, services};

/// A running example, killed when dropped.
struct Example {
    child: Child,
    stdin: ChildStdin,
    stdout: Receiver<String>,
    address: SocketAddr,
}

impl Example {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(program(name))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let (stdin, stdout) = (child.stdin.take().unwrap(), lines(child.stdout.take().unwrap()));
        let line = stdout.recv_timeout(PATIENCE).unwrap();
        let address = line.strip_prefix("listening on ").unwrap().parse().unwrap();
        Self { child, stdin, stdout, address }
    }

    fn body(&self, host: &str, path: &str) -> String {
        client::get(self.address, host, path).body
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Cargo builds examples with the tests, beside the folder of the test programs.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(|deps| deps.parent()).unwrap().join("examples").join(name);
    assert!(program.exists(), "{} is not built; run the whole package's tests", program.display());
    program
}

#[test]
fn axum() {
    let example = Example::start("axum", &["127.0.0.1:0"]);
    assert_eq!(example.body("any.example", "/healthz"), "ok");
    assert_eq!(example.body("any.example", "/api"), "the api answers");
    assert_eq!(client::get(example.address, "any.example", "/other").status, 404);
}

#[test]
fn hyper() {
    let example = Example::start("hyper", &["127.0.0.1:0", &services::start("web").to_string()]);
    assert_eq!(example.body("shop.example", "/any"), "web");
    assert_eq!(client::get(example.address, "other.example", "/").status, 404);
}

#[test]
fn custom_source() {
    let mut example = Example::start("custom_source", &["127.0.0.1:0"]);
    assert_eq!(client::get(example.address, "shop.example", "/").status, 404);
    let (web, api) = (services::start("web"), services::start("api"));
    let rules = format!("shop.example / {web}\nshop.example /api {api}\nnonsense\n\n");
    example.stdin.write_all(rules.as_bytes()).unwrap();
    assert_eq!(example.stdout.recv_timeout(PATIENCE).unwrap(), "line 3: no path");
    assert_eq!(example.stdout.recv_timeout(PATIENCE).unwrap(), "generation 1");
    assert_eq!(example.body("shop.example", "/"), "web");
    assert_eq!(example.body("shop.example", "/api/x"), "api");
}

#[test]
fn resource_backend() {
    let example = Example::start("resource_backend", &["127.0.0.1:0"]);
    let finding = example.stdout.recv_timeout(PATIENCE).unwrap();
    let want = "error[ING018]: resource_backend.yaml:22: Ingress default/site \
        spec.rules[0].http.paths[2].backend.resource: ";
    assert!(finding.starts_with(want), "{finding}");
    assert!(example.body("any.example", "/").contains("This page is a file."));
    assert_eq!(example.body("any.example", "/hello/you"), "hello you\n");
    assert_eq!(client::get(example.address, "any.example", "/nothing.html").status, 404);
    assert_eq!(client::get(example.address, "any.example", "/bucket/a.png").status, 503);
}

#[test]
fn policy() {
    let example = Example::start("policy", &["127.0.0.1:0"]);
    let finding = example.stdout.recv_timeout(PATIENCE).unwrap();
    let want = "error[ING023]: policy.rs:5: Ingress default/typo metadata.annotations[example.com/keys]: \
        nobody is called \"patrons\"; ";
    assert!(finding.starts_with(want), "{finding}");
    let ask = |host: &str, key: &str| {
        let mut connection = client::Connection::open(example.address).unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nX-Api-Key: {key}\r\n\r\n");
        connection.send(&request).unwrap();
        let answer = connection.answer().unwrap();
        (answer.status, answer.body)
    };
    assert_eq!(ask("any.example", "winter"), (403, "no key\n".into()));
    assert_eq!(ask("any.example", "spring"), (200, "hello\n".into()));
    assert_eq!(ask("typo.example", "spring").0, 503);
}
