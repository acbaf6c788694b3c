//! What the gateway's tests share: the program as a process, services that say their name, a small client.
#![allow(dead_code, unreachable_pub, reason = "each test uses what it needs")]

pub mod client;
pub mod cluster;
pub mod manifests;
pub mod services;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Nothing that a test waits for takes longer, or the test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running gateway, killed when dropped.
pub struct Gateway {
    child: Child,
    log: Receiver<String>,
    /// All log lines seen so far.
    pub seen: Vec<Value>,
    pub http: SocketAddr,
    pub admin: SocketAddr,
}

/// The gateway's program with any free ports and a JSON log.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Reads a pipe line by line into a channel, so that waiting can have a limit.
pub fn lines(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

impl Gateway {
    /// Starts `gateway run` on a directory and waits until it serves.
    pub fn run(manifests: &Path, more: &[&str]) -> Self {
        Self::start(command(&Self::arguments(manifests, more)))
    }

    /// The same, with so many file descriptors at most.
    pub fn run_with_descriptors(count: u32, manifests: &Path, more: &[&str]) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(format!("ulimit -n {count}; exec \"$0\" \"$@\""));
        shell.arg(env!("CARGO_BIN_EXE_gateway")).args(Self::arguments(manifests, more));
        shell.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::start(shell)
    }

    fn arguments<'a>(manifests: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
        let directory = manifests.to_str().expect("a path in UTF-8");
        let mut arguments =
            vec!["run", "--manifests", directory, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        arguments.extend(more);
        arguments
    }

    /// Starts `gateway run` on a cluster and waits until it serves.
    pub fn run_cluster(kubeconfig: &Path, more: &[&str]) -> Self {
        let kubeconfig = kubeconfig.to_str().expect("a path in UTF-8");
        let listen = ["--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        Self::start(command(&[&["run", "--kubeconfig", kubeconfig], &listen[..], more].concat()))
    }

    /// Starts the program and waits until it serves.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the gateway starts");
        let log = lines(child.stderr.take().expect("stderr is piped"));
        let any = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut gateway = Self { child, log, seen: Vec::new(), http: any, admin: any };
        let serving = gateway.wait_for_log(|line| line["message"] == "serving");
        let address =
            |name: &str| serving[name].as_str().and_then(|text| text.parse().ok()).expect("an address");
        (gateway.http, gateway.admin) = (address("http"), address("admin"));
        gateway
    }

    /// The process's standard output, once.
    pub fn stdout(&mut self) -> Receiver<String> {
        lines(self.child.stdout.take().expect("stdout is piped"))
    }

    /// Waits for a log line that comes from now on.
    pub fn wait_for_log(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = match self.log.recv_timeout(left) {
                Ok(line) => line,
                Err(error) => panic!("no such log line ({error}); seen: {:#?}", self.seen),
            };
            let value: Value = serde_json::from_str(&line).unwrap_or(Value::String(line));
            self.seen.push(value.clone());
            if wanted(&value) {
                return value;
            }
        }
    }

    /// Waits for a log line, unless it has come already.
    pub fn wait_until_logged(&mut self, wanted: impl Fn(&Value) -> bool) {
        if !self.seen.iter().any(&wanted) {
            self.wait_for_log(wanted);
        }
    }

    /// Waits for the next published table.
    pub fn wait_for_table(&mut self) -> Value {
        self.wait_for_log(|line| line["message"] == "table published")
    }

    /// Waits until all of these are in published tables. What is written together may be seen one by one.
    pub fn wait_for_changes(&mut self, objects: &[&str]) {
        let mut left = objects.to_vec();
        while !left.is_empty() {
            let table = self.wait_for_table();
            let changed = table["changed"].as_str().unwrap_or_default();
            left.retain(|object| !changed.contains(object));
        }
    }

    /// `/config_dump` as JSON.
    pub fn config_dump(&self) -> Value {
        let answer = client::get(self.admin, "admin", "/config_dump");
        assert_eq!(answer.status, 200);
        serde_json::from_str(&answer.body).expect("the dump is JSON")
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Waits for the process to end by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the process can be asked") {
                return status;
            }
            assert!(Instant::now() < deadline, "the gateway does not end");
            std::thread::yield_now();
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
