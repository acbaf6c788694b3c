//! The global default backend, beside those of Ingresses.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use common::{findings, routes, table};
use ingress_kube::Config;

const SERVICES: &str = "---
apiVersion: v1
kind: Service
metadata: {name: errors, namespace: infra}
spec: {clusterIP: 10.0.0.9, ports: [{port: 53, protocol: UDP}, {port: 8080, name: http}, {port: 8081}]}
---
apiVersion: v1
kind: Service
metadata: {name: dns, namespace: infra}
spec: {clusterIP: 10.0.0.8, ports: [{port: 53, protocol: UDP}]}
---
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}
";

fn ingress(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}}}\nspec: {spec}\n"
    )
}

fn config(service: &str) -> Config {
    Config::default().default_backend_service(service.parse().unwrap())
}

/// Whoever says so most plainly: no rules, host-less rules, the option, the oldest Ingress.
#[test]
fn the_order_of_defaults() {
    const A: &str = "{service: {name: a, port: {number: 80}}}";
    let path = format!("http: {{paths: [{{path: /x, pathType: Exact, backend: {A}}}]}}");
    let global = "* default -> infra/errors:8080 [10.0.0.9:8080]";
    let own = "* default -> default/a:80 [10.0.0.1:80]";
    let cases = [
        (String::new(), vec![global]),
        (ingress("i", &format!("{{rules: [{{host: h, {path}}}]}}")), vec![global]),
        (
            ingress("i", &format!("{{defaultBackend: {A}, rules: [{{host: h, {path}}}]}}")),
            vec!["h default -> default/a:80 [10.0.0.1:80]", global],
        ),
        (ingress("i", &format!("{{defaultBackend: {A}, rules: [{{{path}}}]}}")), vec![own]),
        (ingress("i", &format!("{{defaultBackend: {A}}}")), vec![own]),
    ];
    for (text, want) in cases {
        let table = table(&(text.clone() + SERVICES), &config("infra/errors"));
        let defaults: Vec<_> =
            routes(&table).into_iter().filter(|route| route.contains(" default ")).collect();
        assert_eq!(defaults, want, "{text}");
        assert_eq!(findings(&table), [""; 0], "{text}");
    }
}

/// Ruling R7: the rule stays, and the finding names the option.
#[test]
fn a_default_backend_that_does_not_exist_answers_503() {
    let start = "error[ING025]: the global default backend, --default-backend-service";
    let cases = [
        ("infra/errors:8081", "* default -> infra/errors:8081 [10.0.0.9:8081]", None),
        ("infra/errors:http", "* default -> infra/errors:http [10.0.0.9:8080]", None),
        (
            "infra/nothing",
            "* default -> infra/nothing:0 []",
            Some(
                "infra/nothing: Service infra/nothing does not exist; add the Service, or start the gateway with the name of another one",
            ),
        ),
        (
            "infra/errors:80",
            "* default -> infra/errors:80 []",
            Some("infra/errors:80: Service errors has no port 80; its ports are 8080 (http), 8081"),
        ),
        (
            "infra/dns",
            "* default -> infra/dns:0 []",
            Some("infra/dns: Service infra/dns has no TCP port; add a port to spec.ports of the Service"),
        ),
    ];
    for (service, route, finding) in cases {
        let table = table(SERVICES, &config(service));
        assert_eq!(routes(&table), [route], "{service}");
        let finding = finding.map(|finding| format!("{start} {finding}"));
        assert_eq!(findings(&table), finding.into_iter().collect::<Vec<_>>(), "{service}");
        let dump = serde_json::to_value(table.dump()).unwrap();
        assert!(dump["routes"][0].get("source").is_none(), "{dump}");
    }
}
