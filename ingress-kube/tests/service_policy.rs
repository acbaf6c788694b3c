//! What annotations of a Service say of how requests for it are treated.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use std::time::Duration;

use common::findings;
use ingress_core::{Policy, Protocol, RouteTable, Timeout, Trust};
use ingress_kube::manifests::parse_manifests;
use ingress_kube::{Config, IngressController};
use serde_json::json;

const INGRESS: &str = "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
";

/// A Service with these annotations.
fn service(spec: &str, pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("ingress.gateway/{name}: {}", json!(value)));
    let pairs = pairs.collect::<Vec<_>>().join(", ");
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: web, annotations: {{{pairs}}}}}\nspec: {{{spec}}}\n"
    )
}

fn secret(pem: &str) -> String {
    format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: ca}}\nstringData: {{ca.crt: {pem}}}\n")
}

fn config() -> Config {
    Config::default().allow_external_name(true).load_trust(|pem| match pem {
        b"bad" => Err("it is no PEM".into()),
        pem => Ok(Trust::new(pem, ())),
    })
}

fn policy(table: &RouteTable) -> Policy {
    table.backends().next().unwrap().policy().map(|policy| (**policy).clone()).unwrap_or_default()
}

#[test]
fn what_is_said_and_what_is_wrong() {
    let set = |set: fn(&mut Policy)| {
        let mut policy = Policy::default();
        set(&mut policy);
        policy
    };
    let at = "error[ING023]: Service default/web metadata.annotations[ingress.gateway/";
    let plain = "clusterIP: 10.0.0.1, ports: [{port: 80, appProtocol: h2c}]";
    let external = "type: ExternalName, externalName: api.example, ports: [{port: 80}]";
    for (spec, pairs, want, finding) in [
        (plain, &[][..], Policy::default(), None),
        (
            plain,
            &[("backend-protocol", "HTTPS"), ("backend-verify", "true")][..],
            set(|policy| (policy.protocol, policy.tls.verify) = (Some(Protocol::Https), Some(true))),
            None,
        ),
        (
            external,
            &[("backend-protocol", "https"), ("backend-server-name", "own.example")],
            set(|policy| {
                (policy.protocol, policy.tls.server_name) = (Some(Protocol::Https), Some("own.example".into()));
            }),
            None,
        ),
        (
            plain,
            &[("response-timeout", "2s"), ("idle-timeout", "0")],
            set(|policy| {
                policy.response_timeout = Some(Timeout::After(Duration::from_secs(2)));
                policy.idle_timeout = Some(Timeout::Never);
            }),
            None,
        ),
        (
            plain,
            &[("backend-ca-secret", "ca")],
            set(|policy| policy.tls.trust = Some(Trust::new(*b"good", ()))),
            None,
        ),
        (
            plain,
            &[("backend-ca-secret", "cb")],
            set(|policy| policy.tls.trust = Some(Trust::none())),
            Some(format!(
                "{at}backend-ca-secret]: Secret default/cb does not exist, so no endpoint is trusted; add the Secret to this namespace, with ca.crt in it"
            )),
        ),
        (
            plain,
            &[("backend-ca-secret", "other/ca")],
            set(|policy| policy.tls.trust = Some(Trust::none())),
            Some(format!(
                "{at}backend-ca-secret]: the Secret must be in the same namespace: \"other/ca\", so no endpoint is trusted; write just its name"
            )),
        ),
        (
            plain,
            &[("backend-verify", "on")],
            set(|policy| policy.tls.verify = Some(true)),
            Some(format!(
                "{at}backend-verify]: \"on\" is neither true nor false, so certificates are checked; write true or false"
            )),
        ),
        (
            plain,
            &[("backend-protocol", "fcgi")],
            Policy::default(),
            Some(format!(
                "{at}backend-protocol]: \"fcgi\" is no protocol, so it has no effect; write http, https, h2c, grpc, grpcs, ws or wss"
            )),
        ),
        (
            plain,
            &[("retries", "2")],
            Policy::default(),
            Some(format!(
                "{at}retries]: ingress.gateway/retries is about routes, so a Service cannot have it; write it on the Ingress"
            )),
        ),
        (
            plain,
            &[("conect-timeout", "2s")],
            Policy::default(),
            Some(
                "warning[ING024]: Service default/web metadata.annotations[ingress.gateway/conect-timeout]: there is no annotation \"ingress.gateway/conect-timeout\", so it has no effect; write ingress.gateway/connect-timeout".into(),
            ),
        ),
    ] {
        let table = common::table(&[INGRESS, &service(spec, pairs), &secret("good")].concat(), &config());
        assert_eq!(policy(&table), want, "{pairs:?}");
        assert_eq!(findings(&table), finding.into_iter().collect::<Vec<_>>(), "{pairs:?}");
    }
}

#[test]
fn a_service_follows_the_secret_that_it_names() {
    let (reader, writer) = ingress_core::table(RouteTable::default());
    let mut controller = IngressController::new(config(), writer);
    let mut apply = |text: &str| {
        for manifest in parse_manifests(text, "a.yaml").0 {
            controller.apply(manifest.object, Some(manifest.origin));
        }
        controller.publish();
        policy(&reader.snapshot()).tls.trust
    };
    let plain = "clusterIP: 10.0.0.1, ports: [{port: 80}]";
    let service = |pairs: &[(&str, &str)]| service(plain, pairs);
    assert_eq!(apply(&(INGRESS.to_owned() + &service(&[("backend-ca-secret", "ca")]))), Some(Trust::none()));
    assert_eq!(apply(&secret("one")), Some(Trust::new(*b"one", ())));
    assert_eq!(apply(&secret("two")), Some(Trust::new(*b"two", ())));
    assert_eq!(apply(&secret("bad")), Some(Trust::none()));
    assert_eq!(apply(&service(&[])), None);
    assert_eq!(apply(&secret("three")), None);
}
