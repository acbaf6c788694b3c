//! Which host gets the certificate of which Secret (`spec.tls`, ruling R13).
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use common::pretended::{self, chain};
use ingress_core::{RouteTable, table};
use ingress_kube::{Config, HostOwnership, IngressController};

fn config() -> Config {
    Config::default().load_certificate(pretended::load)
}

/// An Ingress with rules for these hosts; `age` is a year.
fn ingress(name: &str, age: u16, hosts: &[&str], tls: &str) -> String {
    let path = format!(
        "{{path: /{name}, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}"
    );
    let rule = |host: &&str| {
        let host = if host.is_empty() { String::new() } else { format!("host: \"{host}\", ") };
        format!("{{{host}http: {{paths: [{path}]}}}}")
    };
    let rules: Vec<_> = hosts.iter().map(rule).collect();
    format!(
        "---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}, creationTimestamp: \"{age}-01-01T00:00:00Z\"}}
spec: {{tls: [{tls}], rules: [{}]}}
",
        rules.join(", ")
    )
}

fn secret(name: &str, names: &str) -> String {
    let chain = chain(names);
    format!(
        "---
apiVersion: v1
kind: Secret
metadata: {{name: {name}}}
type: kubernetes.io/tls
stringData: {{tls.crt: \"{chain}\", tls.key: key}}
"
    )
}

const SERVICE: &str = "---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}
";

/// `host=names` of each certificate.
fn presented(table: &RouteTable) -> Vec<String> {
    let names = |certificate: &ingress_core::Certificate| {
        let key: &String = certificate.key().unwrap();
        key.trim_start_matches("-----BEGIN CERTIFICATE-----").trim().to_owned()
    };
    table.certificates().map(|(host, certificate)| format!("{host}={}", names(certificate))).collect()
}

struct Case {
    what: &'static str,
    objects: String,
    presented: &'static [&'static str],
    findings: &'static [&'static str],
}

fn cases() -> Vec<Case> {
    let case = |what, objects: &[String], presented, findings| Case {
        what,
        objects: objects.concat() + SERVICE,
        presented,
        findings,
    };
    let shop = || secret("shop", "shop.example");
    vec![
        case(
            "a named host",
            &[ingress("a", 2020, &["shop.example"], "{hosts: [SHOP.example], secretName: shop}"), shop()],
            &["shop.example=shop.example"],
            &[],
        ),
        case(
            "no hosts: those of the rules that the certificate is for",
            &[ingress("a", 2020, &["shop.example", "b.example"], "{secretName: shop}"), shop()],
            &["shop.example=shop.example"],
            &[],
        ),
        case(
            "no hosts, and the certificate is for none of them",
            &[ingress("a", 2020, &["b.example"], "{secretName: shop}"), shop()],
            &[],
            &[
                "warning[ING028]: Ingress default/a spec.tls[0].secretName: the certificate is for shop.example, and not for b.example, so clients refuse it; name the Secret of another certificate, or have this one issued with the names of the hosts",
            ],
        ),
        case(
            "a named wildcard takes the rules below it",
            &[
                ingress("a", 2020, &["a.x", "b.x", "c.y"], "{hosts: [\"*.x\"], secretName: x}"),
                secret("x", "*.x"),
            ],
            &["a.x=*.x", "b.x=*.x"],
            &[],
        ),
        case(
            "a name below a rule's wildcard, and below a rule for all hosts",
            &[
                ingress("a", 2020, &["*.x"], "{hosts: [a.x], secretName: x}"),
                ingress("b", 2020, &[""], "{hosts: [shop.example], secretName: shop}"),
                secret("x", "*.x"),
                shop(),
            ],
            &["a.x=*.x", "shop.example=shop.example", "*.x=*.x"],
            &[],
        ),
        case(
            "a host that no rule takes gets nothing",
            &[ingress("a", 2020, &["b.example"], "{hosts: [shop.example], secretName: shop}"), shop()],
            &[],
            &[
                "warning[ING016]: Ingress default/a spec.tls[0].hosts[0]: no rule of the Ingress takes \"shop.example\", so no certificate is presented for it; write a rule with this host, or a host of a rule here",
                "warning[ING028]: Ingress default/a spec.tls[0].secretName: the certificate is for shop.example, and not for b.example, so clients refuse it; name the Secret of another certificate, or have this one issued with the names of the hosts",
            ],
        ),
        case(
            "the oldest Ingress decides, and what it names before what may fit",
            &[
                ingress("a", 2021, &["shop.example"], "{hosts: [shop.example], secretName: late}"),
                ingress(
                    "b",
                    2020,
                    &["shop.example"],
                    "{secretName: guess}, {hosts: [shop.example], secretName: shop}",
                ),
                secret("late", "shop.example late"),
                secret("guess", "shop.example guess"),
                shop(),
            ],
            &["shop.example=shop.example"],
            &[],
        ),
        case(
            "a Secret that is missing leaves the host to the next one",
            &[
                ingress("a", 2021, &["shop.example"], "{hosts: [shop.example], secretName: shop}"),
                ingress("b", 2020, &["shop.example"], "{hosts: [shop.example], secretName: shp}"),
                shop(),
            ],
            &["shop.example=shop.example"],
            &[
                "warning[ING026]: Ingress default/b spec.tls[0].secretName: Secret default/shp does not exist, so another certificate is presented; add the Secret, of type kubernetes.io/tls, to the namespace of the Ingress",
            ],
        ),
        case(
            "a Secret that is broken",
            &[
                ingress("a", 2021, &["shop.example"], "{hosts: [shop.example], secretName: shop}"),
                shop().replace("tls.key: key", "tls.key: none"),
            ],
            &[],
            &[
                "error[ING027]: Ingress default/a spec.tls[0].secretName: Secret default/shop: there is no private key in the PEM, so another certificate is presented; write the chain into tls.crt and its private key into tls.key, both as PEM",
            ],
        ),
        case(
            "a Secret of something else",
            &[
                ingress("a", 2021, &["shop.example"], "{hosts: [shop.example], secretName: shop}"),
                shop().replace("tls.crt", "password"),
            ],
            &[],
            &[
                "error[ING027]: Ingress default/a spec.tls[0].secretName: Secret default/shop: there is no tls.crt in it, so another certificate is presented; write the chain into tls.crt and its private key into tls.key, both as PEM",
            ],
        ),
        case(
            "a certificate that does not name the host is presented nevertheless",
            &[ingress("a", 2021, &["a.x", "b.x"], "{hosts: [a.x, b.x], secretName: shop}"), shop()],
            &["a.x=shop.example", "b.x=shop.example"],
            &[
                "warning[ING028]: Ingress default/a spec.tls[0].secretName: the certificate is for shop.example, and not for a.x, b.x, so clients refuse it; name the Secret of another certificate, or have this one issued with the names of the hosts",
            ],
        ),
        case(
            "no Secret: the default certificate",
            &[ingress("a", 2021, &["shop.example"], "{hosts: [shop.example]}")],
            &[],
            &[],
        ),
        case(
            "hosts that are none",
            &[ingress("a", 2021, &["shop.example"], "{hosts: [\"\", \"a:1\"], secretName: shop}"), shop()],
            &["shop.example=shop.example"],
            &[
                "error[ING003]: Ingress default/a spec.tls[0].hosts[0]: the host is empty; write a host of a rule, or leave the item out",
                "error[ING003]: Ingress default/a spec.tls[0].hosts[1]: the host names a port: \"a:1\"; write just the name: a",
            ],
        ),
    ]
}

#[test]
fn the_table_presents_what_the_ingresses_say() {
    for case in cases() {
        let table = common::table(&case.objects, &config());
        assert_eq!(presented(&table), case.presented, "{}", case.what);
        assert_eq!(common::findings(&table), case.findings, "{}", case.what);
    }
}

#[test]
fn nobody_presents_a_certificate_for_the_host_of_another() {
    let owners = HostOwnership::default().owner("shop.example".parse().unwrap(), ["shop"]);
    let objects = ingress("a", 2020, &[""], "{hosts: [shop.example], secretName: shop}")
        + &secret("shop", "shop.example")
        + SERVICE;
    let table = common::table(&objects, &config().host_ownership(owners));
    assert_eq!(presented(&table), [""; 0]);
    let findings = common::findings(&table);
    assert!(
        findings[0].starts_with("error[ING021]: Ingress default/a spec.tls[0].hosts[0]: "),
        "{findings:?}"
    );
}

#[test]
fn the_default_certificate_is_that_of_the_configuration() {
    let config = config().default_certificate("default", "shop");
    let table = common::table(&secret("shop", "shop.example"), &config);
    assert_eq!(presented(&table), ["*=shop.example"]);
    let table = common::table("", &config);
    assert_eq!(presented(&table), [""; 0]);
    assert_eq!(
        common::findings(&table),
        [
            "warning[ING026]: the default certificate, default/shop: Secret default/shop does not exist, so another certificate is presented; add the Secret, of type kubernetes.io/tls, to the namespace of the Ingress"
        ]
    );
}

#[test]
fn a_secret_that_changes_is_followed_and_what_is_in_it_is_not_shown() {
    let (reader, writer) = table(RouteTable::default());
    let mut controller = IngressController::new(config(), writer);
    let ingress = ingress("a", 2020, &["shop.example"], "{hosts: [shop.example], secretName: shop}");
    let objects = |text: &str| {
        let (manifests, faults) = ingress_kube::manifests::parse_manifests(text, "x.yaml");
        assert_eq!(faults, []);
        manifests.into_iter().map(|manifest| manifest.object).collect::<Vec<_>>()
    };
    for object in objects(&(ingress + SERVICE)) {
        controller.apply(object, None);
    }
    let mut states = Vec::new();
    for names in
        [None, Some("shop.example"), Some("shop.example b"), Some("not/a/host"), Some("shop.example")]
    {
        for object in names.map(|names| objects(&secret("shop", names))).into_iter().flatten() {
            assert!(!format!("{object:?}").contains("key: "), "{object:?}");
            controller.apply(object, None);
        }
        controller.publish();
        let table = reader.snapshot();
        states.push((presented(&table).concat(), table.diagnostics().len()));
    }
    let state = |presented: &str, findings| (presented.to_owned(), findings);
    let want = [
        state("", 1),
        state("shop.example=shop.example", 0),
        state("shop.example=shop.example b", 0),
        state("", 1),
        state("shop.example=shop.example", 0),
    ];
    assert_eq!(states, want);
    let gone = objects(&secret("shop", ""))[0].key();
    controller.delete(&gone);
    controller.publish();
    assert_eq!(presented(&reader.snapshot()), [""; 0]);
}
