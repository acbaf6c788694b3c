//! Certificates of clients: whatever is said and cannot be used keeps everybody out.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use common::annotated::{NONE, ingress, services};
use common::findings;
use ingress_core::{ClientCertificate, RouteTable, Trust};
use ingress_kube::manifests::parse_manifests;
use ingress_kube::{Config, IngressController};

const PREFIX: (&str, &str) = ("Prefix", "/a");
const AT: &str = "Ingress default/web metadata.annotations[ingress.gateway/";

fn config() -> Config {
    Config::default().load_trust(|pem| match pem {
        b"bad" => Err("it is no PEM".into()),
        pem => Ok(Trust::new(pem, ())),
    })
}

fn secret(namespace: &str, data: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: ca, namespace: {namespace}}}\nstringData: {{{data}}}\n"
    )
}

/// What the one route wants, and whether it is closed.
fn wanted(table: &RouteTable) -> (Option<ClientCertificate>, bool) {
    let policy = table.routes().next().unwrap().route.policy().cloned().unwrap_or_default();
    (policy.authentication.certificate.clone(), policy.access.closed)
}

fn good(optional: bool, forwarded: bool) -> Option<ClientCertificate> {
    let mut wanted = ClientCertificate::new(Trust::new(*b"good", ()));
    (wanted.optional, wanted.forwarded) = (optional, forwarded);
    Some(wanted)
}

#[test]
fn the_secret_says_whose_certificates_and_the_words_how() {
    for (pairs, want) in [
        (&[("client-ca-secret", "ca")][..], good(false, true)),
        (&[("client-ca-secret", "ca"), ("client-certificate", "required")], good(false, true)),
        (&[("client-ca-secret", "ca"), ("client-certificate", "optional")], good(true, true)),
        (&[("client-ca-secret", "ca"), ("client-certificate-headers", "false")], good(false, false)),
    ] {
        let text = services() + &ingress(pairs, PREFIX, None) + &secret("default", "ca.crt: good");
        let table = common::table(&text, &config());
        assert_eq!(wanted(&table), (want, false), "{pairs:?}");
        assert_eq!(findings(&table), NONE);
        assert!(table.wants_certificate(Some("a.example")) && !table.wants_certificate(Some("b.example")));
    }
}

#[test]
fn a_secret_that_cannot_be_used_closes_the_paths() {
    let here = |data| secret("default", data);
    for (secret, name, said) in [
        (String::new(), "ca", "Secret default/ca does not exist"),
        (secret("other", "ca.crt: good"), "ca", "Secret default/ca does not exist"),
        (here("ca.crt: bad"), "ca", "Secret default/ca: it is no PEM"),
        (here("tls.crt: good"), "ca", "Secret default/ca: there is no ca.crt in it"),
        (here("ca.crt: good"), "", "no Secret is named"),
        (here("ca.crt: good"), "other/ca", "the Secret must be in the same namespace: \"other/ca\""),
    ] {
        let pairs = [("client-ca-secret", name), ("client-certificate", "optional")];
        let table = common::table(&(services() + &ingress(&pairs, PREFIX, None) + &secret), &config());
        assert_eq!(wanted(&table), (None, true), "{said}");
        let found = findings(&table);
        let start = format!("error[ING023]: {AT}client-ca-secret]: {said}");
        assert!(found.len() == 1 && found[0].starts_with(&start), "{found:?}");
        assert!(found[0].contains("these paths answer 503"), "{found:?}");
    }
}

#[test]
fn words_that_cannot_be_used_open_nothing() {
    let ca = ("client-ca-secret", "ca");
    for (pairs, want, closed, finding) in [
        (
            &[ca, ("client-certificate", "off")][..],
            good(false, true),
            false,
            "error[ING023]: {AT}client-certificate]: \"off\" is neither required nor optional, so certificates are required; write required or optional",
        ),
        (
            &[ca, ("client-certificate-headers", "no")],
            good(false, true),
            false,
            "error[ING023]: {AT}client-certificate-headers]: \"no\" is neither true nor false, so it has no effect; write true or false",
        ),
        (
            &[("client-certificate", "required")],
            None,
            true,
            "warning[ING016]: {AT}client-certificate]: the annotation has no effect: nothing says who may issue certificates, so these paths answer 503; write ingress.gateway/client-ca-secret, too",
        ),
        (
            &[("client-certificate", "optional")],
            None,
            false,
            "warning[ING016]: {AT}client-certificate]: the annotation has no effect: nothing says who may issue certificates; write ingress.gateway/client-ca-secret, too",
        ),
        (
            &[("client-certificate-headers", "false")],
            None,
            false,
            "warning[ING016]: {AT}client-certificate-headers]: the annotation has no effect: nothing says who may issue certificates; write ingress.gateway/client-ca-secret, too",
        ),
    ] {
        let text = services() + &ingress(pairs, PREFIX, None) + &secret("default", "ca.crt: good");
        let table = common::table(&text, &config());
        assert_eq!(wanted(&table), (want, closed), "{pairs:?}");
        assert_eq!(findings(&table), [finding.replace("{AT}", AT)], "{pairs:?}");
    }
}

#[test]
fn routes_follow_the_secret() {
    let (reader, writer) = ingress_core::table(RouteTable::default());
    let mut controller = IngressController::new(config(), writer);
    let mut apply = |text: &str| {
        for manifest in parse_manifests(text, "a.yaml").0 {
            controller.apply(manifest.object, Some(manifest.origin));
        }
        controller.publish();
        let (certificate, closed) = wanted(&reader.snapshot());
        (certificate.map(|certificate| certificate.trust), closed)
    };
    let text = services() + &ingress(&[("client-ca-secret", "ca")], PREFIX, None);
    assert_eq!(apply(&text), (None, true));
    assert_eq!(apply(&secret("default", "ca.crt: one")), (Some(Trust::new(*b"one", ())), false));
    assert_eq!(apply(&secret("default", "ca.crt: two")), (Some(Trust::new(*b"two", ())), false));
    assert_eq!(apply(&secret("default", "ca.crt: bad")), (None, true));
}
