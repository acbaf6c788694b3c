//! Secrets that cannot be read, that come late, or that are made anew, and what waits for them.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "client")]

mod cluster_support;

use std::time::{Duration, Instant};

use cluster_support::*;
use ingress_core::Certificate;
use ingress_kube::Config;
use ingress_kube::client::Watched;
use serde_json::{Value, json};
use test_apiserver::{ApiServer, Fault, FaultAction};

fn config() -> Config {
    Config::default().load_certificate(|data| Ok(Certificate::new(data.chain, [], ())))
}

/// An Ingress with a certificate in the Secret of its name, and that Secret.
fn with_certificate(name: &str) -> [Value; 4] {
    let [mut ingress, service, slice] = served("shop", name, "10.0.0.1");
    ingress["spec"]["tls"] = json!([{ "hosts": [format!("{name}.example")], "secretName": name }]);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": { "name": name, "namespace": "shop" }, "data": { "tls.crt": "AAAA", "tls.key": "AAAA" },
    });
    [ingress, service, slice, secret]
}

fn certificates(running: &Running) -> usize {
    running.reader.snapshot().certificates().count()
}

#[tokio::test]
async fn nothing_waits_for_a_secret_that_cannot_be_read() {
    let server = ApiServer::start().await;
    server.apply(class());
    server.apply_all(with_certificate("web"));
    let id = server.fault(Fault::on("get", "secrets").status(403));
    let running = Running::start(&server, config(), |cluster| cluster);
    let began = Instant::now();
    assert!(within("the first table", running.health.wait_until_ready()).await);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    running.wait_for_line("Secret shop/web cannot be read").await;
    let began = Instant::now();
    let slice = server.apply(slice("shop", "web", &["10.0.0.9"]));
    running.caught_up(Watched::EndpointSlices, &slice).await;
    assert!(began.elapsed() < Duration::from_millis(400), "{:?}", began.elapsed());
    server.clear_fault(id);
    running.wait_until("certificate", || (certificates(&running) == 1).then_some(())).await;
    running.stop().await;
}

#[tokio::test]
async fn the_first_table_has_all_certificates_however_long_they_take() {
    let server = ApiServer::start().await;
    server.apply(class());
    for number in 0..40 {
        server.apply_all(with_certificate(&format!("web{number}")));
    }
    server.fault(Fault::on("get", "secrets").action(FaultAction::SlowBytes));
    let running = Running::start(&server, config(), |cluster| cluster);
    assert!(within("the first table", running.health.wait_until_ready()).await);
    assert_eq!(certificates(&running), 40);
    running.stop().await;
}

#[tokio::test]
async fn a_secret_that_is_made_anew_while_it_is_asked_for_is_read() {
    let server = ApiServer::start().await;
    server.apply(class());
    server.apply_all(with_certificate("web"));
    // What is answered between its end and its new beginning.
    server.fault(Fault::on("get", "secrets").times(1).status(404));
    let running = Running::start(&server, config(), |cluster| cluster);
    assert!(within("the first table", running.health.wait_until_ready()).await);
    let [_, _, _, mut secret] = with_certificate("web");
    secret["data"]["tls.crt"] = "BBBB".into();
    server.delete("Secret", "shop", "web");
    server.apply(secret);
    running.wait_until("certificate", || (certificates(&running) == 1).then_some(())).await;
    running.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_no_secret_is_not_shown() {
    let server = ApiServer::start().await;
    server.apply(class());
    let [ingress, service, slice, mut secret] = with_certificate("web");
    secret["data"] = json!(["SECRETKEY"]);
    server.apply_all([ingress, service, slice, secret]);
    let running = Running::start(&server, config(), |cluster| cluster);
    assert!(within("the first table", running.health.wait_until_ready()).await);
    let line = running.wait_for_line("Secret shop/web cannot be read").await;
    assert!(line.contains("the answer is no Secret, at line 1") && !line.contains("SECRETKEY"), "{line}");
    running.stop().await;
}
