//! The demo keeps its word: every request that it prints, or that the README tells of it, has the answer that is said.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use support::client::{Answer, Connection};
use support::{Gateway, PATIENCE, client, command};

/// Held by whoever runs a demo: its services have ports of their own.
static PORTS: Mutex<()> = Mutex::new(());

/// Starts a demo of the manifests on free ports.
fn demo(shop: &Path) -> Gateway {
    let directory = shop.to_str().unwrap();
    Gateway::start(command(&[
        "demo",
        "--manifests",
        directory,
        "--http",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ]))
}

fn shop() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/shop"))
}

#[test]
fn every_printed_request_has_the_printed_answer() {
    let _ports = PORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(shop()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let mut gateway = demo(copy.path());
    let stdout = gateway.stdout();

    let mut request = None;
    let mut checked = Vec::new();
    loop {
        let line = stdout.recv_timeout(PATIENCE).unwrap();
        if let Some(rest) = line.trim().strip_prefix("curl -s -H 'Host: ") {
            let (host, rest) = rest.split_once('\'').unwrap();
            let path = rest.split_once(&gateway.http.to_string()).unwrap().1;
            request = Some((host.to_owned(), path.to_owned()));
        } else if let Some(want) = line.trim().strip_prefix("# ") {
            let (host, path) = request.take().unwrap();
            let answer = client::get(gateway.http, &host, &path);
            assert_eq!(answer.body.trim_end(), want, "{host}{path}");
            checked.push(want.to_owned());
        } else if line.starts_with("Stop with") {
            break;
        }
    }
    for needed in ["web answers", "api answers", "cart answers", "tenants answers", "404", "503"] {
        assert!(checked.iter().any(|want| want.starts_with(needed)), "{needed} in {checked:?}");
    }

    // The demo follows edits of its manifests.
    let ingress = copy.path().join("ingress.yaml");
    let edited = std::fs::read_to_string(&ingress).unwrap().replace("shop.example", "store.example");
    std::fs::write(&ingress, edited).unwrap();
    gateway.wait_for_log(|line| line["changed"].as_str().is_some_and(|text| text.contains("storefront")));
    assert_eq!(client::get(gateway.http, "store.example", "/").body, "web answers GET store.example/\n");
    gateway.terminate();
    assert!(gateway.wait().success());
}

#[test]
fn every_request_of_the_readme_has_the_answer_below_it() {
    let _ports = PORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let gateway = demo(shop());
    let readme = std::fs::read_to_string(shop().join("../../README.md")).unwrap();
    let (_, section) = readme.split_once("\n## Put policies in front\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let mut checked = 0;
    for block in section.split("```console\n").skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        for (line, want) in block.split("$ curl ").skip(1).map(|exchange| exchange.split_once('\n').unwrap())
        {
            assert_eq!(curl(gateway.http, line, want), want, "curl {line}");
            checked += 1;
        }
    }
    assert!(checked >= 9, "{checked}");
}

/// What curl would print, of the fields of answers those that are wanted: the rest is about each answer.
fn curl(gateway: SocketAddr, line: &str, want: &str) -> String {
    let (mut method, mut fields, mut target, mut has_head) = ("GET", String::new(), None, false);
    let words = words(line);
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "-s" => {}
            "-i" => has_head = true,
            "-X" => method = words.next().unwrap(),
            "-H" => fields += &format!("{}\r\n", words.next().unwrap()),
            "-u" => fields += &format!("Authorization: Basic {}\r\n", STANDARD.encode(words.next().unwrap())),
            url => target = Some(url.strip_prefix("http://127.0.0.1:8080").unwrap()),
        }
    }
    // `[1-4]` asks four times.
    let target = target.unwrap();
    let targets = match target.split_once('[').map(|(before, rest)| (before, rest.split_once(']').unwrap())) {
        None => vec![target.to_owned()],
        Some((before, (range, after))) => {
            let (from, to) = range.split_once('-').unwrap();
            (from.parse::<u32>().unwrap()..=to.parse().unwrap())
                .map(|n| format!("{before}{n}{after}"))
                .collect()
        }
    };
    let mut printed = String::new();
    for target in targets {
        let mut connection = Connection::open(gateway).unwrap();
        connection.send(&format!("{method} {target} HTTP/1.1\r\n{fields}\r\n")).unwrap();
        let answer = connection.answer().unwrap();
        if has_head {
            printed += &head(&answer, want);
        }
        printed += &answer.body;
    }
    printed
}

/// The status line, those fields that are wanted, and the empty line.
fn head(answer: &Answer, want: &str) -> String {
    let reason = StatusCode::from_u16(answer.status).unwrap();
    let wanted = want.lines().skip(1).take_while(|line| !line.is_empty());
    let fields: Vec<_> =
        wanted.filter(|line| answer.head.lines().any(|field| field == line.to_lowercase())).collect();
    let fields: String = fields.iter().map(|line| format!("{line}\n")).collect();
    format!("HTTP/1.1 {reason}\n{fields}\n")
}

/// The words of a line of a shell that quotes with `'` alone.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (at, part) in line.split('\'').enumerate() {
        let is_quoted = at % 2 == 1;
        for (number, piece) in part.split(if is_quoted { '\n' } else { ' ' }).enumerate() {
            if number > 0 {
                words.push(String::new());
            }
            *words.last_mut().unwrap() += piece;
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
