//! The demo keeps its word: every request that it prints has the printed answer.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::path::Path;

use support::{Gateway, PATIENCE, client, command};

#[test]
fn every_printed_request_has_the_printed_answer() {
    let shop = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("shop")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), shop.path().join(entry.file_name())).unwrap();
    }
    let directory = shop.path().to_str().unwrap();
    let arguments = ["demo", "--manifests", directory, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let mut gateway = Gateway::start(command(&arguments));
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
    let ingress = shop.path().join("ingress.yaml");
    let edited = std::fs::read_to_string(&ingress).unwrap().replace("shop.example", "store.example");
    std::fs::write(&ingress, edited).unwrap();
    gateway.wait_for_log(|line| line["changed"].as_str().is_some_and(|text| text.contains("storefront")));
    assert_eq!(client::get(gateway.http, "store.example", "/").body, "web answers GET store.example/\n");
    gateway.terminate();
    assert!(gateway.wait().success());
}
