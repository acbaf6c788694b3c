//! Objects to routes, endpoints and findings, as tables.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "manifests")]

mod common;

use common::{findings, routes, table};
use ingress_core::ResourceRef;
use ingress_kube::{Config, Upstream};

const NONE: [&str; 0] = [];

fn ingress(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}}}\nspec: {spec}\n"
    )
}

fn annotated(name: &str, annotation: &str, value: &str, spec: &str) -> String {
    ingress(name, spec).replace(
        &format!("{{name: {name}}}"),
        &format!("{{name: {name}, annotations: {{{annotation}: \"{value}\"}}}}"),
    )
}

fn class(name: &str, controller: &str, default: Option<&str>) -> String {
    let default = default.map_or(String::new(), |created| {
        format!(", creationTimestamp: {created}, annotations: {{ingressclass.kubernetes.io/is-default-class: \"true\"}}")
    });
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {{name: {name}{default}}}\nspec: {{controller: {controller}}}\n"
    )
}

fn service(name: &str, spec: &str) -> String {
    format!("---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

fn slice(name: &str, service: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {name}, labels: {{kubernetes.io/service-name: {service}}}}}\n{rest}\n"
    )
}

/// One Ingress with one path to `backend`.
fn to(backend: &str) -> String {
    ingress(
        "web",
        &format!("{{rules: [{{http: {{paths: [{{path: /, pathType: Prefix, backend: {backend}}}]}}}}]}}"),
    )
}

fn web() -> String {
    service("web", "{clusterIP: 10.0.0.1, ports: [{port: 80, name: http}]}")
}

const TO_WEB: &str = "{service: {name: web, port: {number: 80}}}";

fn default_to(name: &str) -> String {
    format!("{{service: {{name: {name}, port: {{number: 80}}}}}}")
}

/// Ruling R11: every row of the table in the module `class`.
#[test]
fn which_ingresses_are_served() {
    let spec = |class: Option<&str>| {
        let class = class.map_or(String::new(), |class| format!(", ingressClassName: {class}"));
        format!("{{defaultBackend: {TO_WEB}{class}}}")
    };
    let plain = || ingress("i", &spec(None));
    let field = |class| ingress("i", &spec(Some(class)));
    let both = |annotation, class| annotated("i", "kubernetes.io/ingress.class", annotation, &spec(class));
    let ours = || class("ours", ingress_kube::DEFAULT_CONTROLLER, None);
    let theirs = || class("theirs", "example.com/other", None);
    let any = Config::default;
    let named = || Config::default().ingress_class("ours");
    let watch = || Config::default().watch_ingress_without_class(true);
    let default = |name, created| class(name, ingress_kube::DEFAULT_CONTROLLER, Some(created));
    let foreign_default = |created| class("theirs", "example.com/other", Some(created));
    let (old, new) = ("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z");
    // Objects, configuration, served, findings of unknown classes.
    let cases = [
        (both("ours", None), named(), true, 0),
        (both("ours", Some("theirs")) + &theirs(), named(), true, 0),
        (both("theirs", Some("ours")) + &ours(), named(), false, 0),
        (both("theirs", Some("ours")) + &ours(), any(), false, 1),
        (both("", Some("ours")) + &ours(), any(), true, 0),
        (field("ours") + &ours(), any(), true, 0),
        (field("ours") + &ours(), named(), true, 0),
        (field("theirs") + &theirs(), any(), false, 0),
        (field("second") + &class("second", ingress_kube::DEFAULT_CONTROLLER, None), named(), false, 0),
        (field("ours"), named(), true, 0),
        (field("theirs"), named(), false, 0),
        (field("nginx"), any(), false, 1),
        (field("nginx") + &ours(), any(), false, 1),
        (field("nginx"), watch(), false, 1),
        (field("ours") + &class("ours", "example.com/other", None), named(), false, 1),
        (plain(), any(), true, 0),
        (plain(), named(), false, 1),
        (plain() + &ours(), any(), false, 1),
        (plain() + &theirs(), any(), false, 1),
        (plain() + &theirs(), watch(), true, 0),
        (plain(), watch(), true, 0),
        (plain() + &default("ours", old), any(), true, 0),
        (plain() + &foreign_default(old), any(), false, 0),
        (plain() + &foreign_default(old), watch(), true, 0),
        (plain() + &foreign_default(old) + &default("ours", new), any(), true, 0),
        (plain() + &foreign_default(new) + &default("ours", old), any(), false, 0),
        (plain() + &foreign_default(old) + &default("ours", old), any(), true, 0),
    ];
    for (text, config, served, unknown) in cases {
        let table = table(&(text.clone() + &web()), &config);
        let found = findings(&table).iter().filter(|finding| finding.contains("ING013")).count();
        assert_eq!(
            (table.routes().len() == 1, found),
            (served, unknown),
            "{config:?}\n{text}{:?}",
            findings(&table)
        );
    }
}

/// Ingresses of other controllers are no reason to worry; those that nobody serves are one.
#[test]
fn foreign_and_unserved_ingresses_are_counted_apart() {
    let spec = |class: &str| format!("{{defaultBackend: {TO_WEB}, ingressClassName: {class}}}");
    let text = ingress("a", &spec("theirs"))
        + &ingress("b", &spec("theirs"))
        + &ingress("c", &spec("nowhere"))
        + &ingress("d", &spec("ours"))
        + &class("theirs", "example.com/other", None)
        + &class("ours", ingress_kube::DEFAULT_CONTROLLER, None);
    let (_, writer) = ingress_core::table(ingress_core::RouteTable::default());
    let mut controller = ingress_kube::IngressController::new(Config::default(), writer);
    for manifest in ingress_kube::manifests::parse_manifests(&text, "x.yaml").0 {
        controller.apply(manifest.object, Some(manifest.origin));
    }
    let report = controller.publish();
    assert_eq!((report.foreign, report.unserved, report.routes), (2, 1, 1));
}

/// A rule with an unknown field is no rule without paths, and gives its Ingress no wider default backend.
#[test]
fn a_withheld_rule_says_nothing_more() {
    let spec = format!(
        "{{defaultBackend: {TO_WEB}, rules: [{{hosts: a.b, http: {{paths: [{{path: /, pathType: Prefix, backend: {TO_WEB}}}]}}}}, {{host: c.d}}]}}"
    );
    let (manifests, diagnostics) =
        ingress_kube::manifests::parse_manifests(&(ingress("web", &spec) + &web()), "x.yaml");
    assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
    let mut store = ingress_kube::Store::default();
    for manifest in manifests {
        store.apply(manifest.object, Some(manifest.origin));
    }
    let (table, _) = ingress_kube::translate(&store, &Config::default()).build();
    assert_eq!(
        findings(&table),
        [
            "warning[ING019]: x.yaml:2: Ingress default/web spec.rules[1]: host \"c.d\" has no paths and takes the default backend only; write http.paths, for example a Prefix / with a backend"
        ]
    );
    assert!(routes(&table).iter().all(|route| route.contains("default")), "{:?}", routes(&table));
}

#[test]
fn class_findings_name_the_fix() {
    let spec = format!("{{defaultBackend: {TO_WEB}, ingressClassName: nginx}}");
    let table_of = |text: String, config: Config| findings(&table(&text, &config));
    assert_eq!(
        table_of(ingress("i", &spec), Config::default()),
        [
            "warning[ING013]: Ingress default/i spec.ingressClassName: IngressClass \"nginx\" does not exist, so this \
          Ingress is not served; start the gateway with --ingress-class nginx, or add an IngressClass nginx with \
          spec.controller: ingress-gateway.io/gateway"
        ]
    );
    assert_eq!(
        table_of(
            ingress("i", &format!("{{defaultBackend: {TO_WEB}}}"))
                + &class("public", ingress_kube::DEFAULT_CONTROLLER, None),
            Config::default()
        ),
        [
            "warning[ING013]: Ingress default/i spec.ingressClassName: it names no class and no IngressClass is the \
          default, so this Ingress is not served; write spec.ingressClassName: public, or start the gateway with \
          --watch-ingress-without-class"
        ]
    );
    assert_eq!(
        table_of(class("nginx", "k8s.io/ingress-nginx", None), Config::default().ingress_class("nginx")),
        [
            "warning[ING013]: IngressClass nginx spec.controller: the gateway is configured to serve this class, but \
          its controller is \"k8s.io/ingress-nginx\" and not \"ingress-gateway.io/gateway\"; start the gateway with \
          --controller-class k8s.io/ingress-nginx, or change spec.controller"
        ]
    );
}

#[test]
fn default_backends() {
    let services: String = ["a", "b", "c"]
        .iter()
        .map(|name| service(name, "{clusterIP: 10.0.0.1, ports: [{port: 80}]}"))
        .collect();
    let path = format!("http: {{paths: [{{path: /x, pathType: Exact, backend: {}}}]}}", default_to("c"));
    let ruled = |name: &str, host: &str, default: &str| {
        ingress(name, &format!("{{defaultBackend: {}, rules: [{{{host}{path}}}]}}", default_to(default)))
    };
    let ruleless =
        |name: &str, default: &str| ingress(name, &format!("{{defaultBackend: {}}}", default_to(default)));
    let short = |lines: Vec<String>| {
        lines
            .into_iter()
            .filter(|l| l.contains(" default "))
            .map(|l| l.replace(" [10.0.0.1:80]", ""))
            .collect::<Vec<_>>()
    };
    let cases: [(String, &[&str], usize); 5] = [
        (ruled("i", "host: h, ", "a"), &["h default -> default/a:80", "* default -> default/a:80"], 0),
        (
            ruled("i", "host: h, ", "a") + &ruleless("z", "b"),
            &["h default -> default/a:80", "* default -> default/b:80"],
            0,
        ),
        (
            ruled("i", "host: h, ", "a") + &ruled("z", "", "b"),
            &["h default -> default/a:80", "* default -> default/b:80"],
            0,
        ),
        (ruled("i", "", "a") + &ruleless("z", "b"), &["* default -> default/b:80"], 1),
        (ruleless("x", "a") + &ruleless("z", "b"), &["* default -> default/a:80"], 1),
    ];
    for (text, want, shadowed) in cases {
        let table = table(&(text.clone() + &services), &Config::default());
        assert_eq!(short(routes(&table)), want, "{text}");
        assert_eq!(
            findings(&table).iter().filter(|f| f.contains("ING009")).count(),
            shadowed,
            "{:?}",
            findings(&table)
        );
    }
}

/// What an Ingress may say, and what is answered.
#[test]
fn findings_of_ingresses() {
    let rule = |rule: &str| ingress("web", &format!("{{rules: [{{{rule}}}]}}"));
    let path = |path: &str| rule(&format!("http: {{paths: [{{{path}, backend: {TO_WEB}}}]}}"));
    let cases = [
        (
            ingress("web", "{}"),
            "error[ING011]: Ingress default/web spec: it has neither rules nor a default backend; write spec.rules, or a spec.defaultBackend that takes every request",
        ),
        (
            rule("host: 10.0.0.1"),
            "error[ING003]: Ingress default/web spec.rules[0].host: the host is an IP address: \"10.0.0.1\"; write a DNS name, or leave the host out to take every host",
        ),
        (
            rule("host: 'https://shop.example/x'"),
            "error[ING003]: Ingress default/web spec.rules[0].host: the host names a port: \"https://shop.example/x\"; write just the name: shop.example",
        ),
        (
            rule("host: 'a.b:80'"),
            "error[ING003]: Ingress default/web spec.rules[0].host: the host names a port: \"a.b:80\"; write just the name: a.b",
        ),
        (
            rule("host: '*'"),
            "error[ING003]: Ingress default/web spec.rules[0].host: '*' is only allowed as the whole first label, in front of a name: \"*\"; write *.NAME for exactly one more label, or leave the host out to take every host",
        ),
        (
            rule("host: a_b"),
            "error[ING003]: Ingress default/web spec.rules[0].host: the host holds a character that no DNS name has: \"a_b\"; a host has letters, digits, '-' and '.'; write other letters as punycode (xn--...)",
        ),
        (
            rule("host: a.b"),
            "warning[ING019]: Ingress default/web spec.rules[0]: host \"a.b\" has no paths and there is no default backend, so the rule takes nothing; write http.paths, for example a Prefix / with a backend",
        ),
        (
            path("path: /a"),
            "error[ING005]: Ingress default/web spec.rules[0].http.paths[0].pathType: pathType is missing; write Exact, Prefix or ImplementationSpecific",
        ),
        (
            path("path: /a, pathType: prefix"),
            "error[ING005]: Ingress default/web spec.rules[0].http.paths[0].pathType: pathType \"prefix\" is unknown; write Prefix",
        ),
        (
            path("pathType: Prefix"),
            "error[ING004]: Ingress default/web spec.rules[0].http.paths[0].path: the path is missing; write /, or another path that starts with it",
        ),
        (
            path("path: a, pathType: Exact"),
            "error[ING004]: Ingress default/web spec.rules[0].http.paths[0].path: the path does not start with '/': \"a\"; write /a",
        ),
        (
            path("path: /a//b, pathType: Exact"),
            "error[ING004]: Ingress default/web spec.rules[0].http.paths[0].path: the path holds '//': \"/a//b\"; write /a/b",
        ),
        (
            path("path: /a%2Fb, pathType: Prefix"),
            "error[ING004]: Ingress default/web spec.rules[0].http.paths[0].path: the path holds an escaped slash ('%2F'): \"/a%2Fb\"; pathType ImplementationSpecific takes it as it is",
        ),
        (
            rule(""),
            "warning[ING019]: Ingress default/web spec.rules[0]: a rule without a host has no paths and there is no default backend, so the rule takes nothing; write http.paths, for example a Prefix / with a backend",
        ),
        (
            path("path: '/a?b=c', pathType: Exact"),
            "error[ING004]: Ingress default/web spec.rules[0].http.paths[0].path: no request's path has the character ? or #: \"/a?b=c\"; write /a, since the query takes no part; or write the character as %3F or %23",
        ),
        (
            path("path: '/a#b', pathType: Prefix"),
            "error[ING004]: Ingress default/web spec.rules[0].http.paths[0].path: no request's path has the character ? or #: \"/a#b\"; write /a, since the query takes no part; or write the character as %3F or %23",
        ),
        (
            path("path: '/x/(.*)', pathType: Exact"),
            "warning[ING015]: Ingress default/web spec.rules[0].http.paths[0].path: the path \"/x/(.*)\" looks like a pattern but is compared literally; write the plain path, or pathType ImplementationSpecific and the annotation ingress.gateway/path-syntax: regex or template",
        ),
        (
            path("path: '/foo*', pathType: Prefix"),
            "warning[ING015]: Ingress default/web spec.rules[0].http.paths[0].path: the path \"/foo*\" looks like a pattern but is compared literally; write the plain path, or pathType ImplementationSpecific and the annotation ingress.gateway/path-syntax: regex or template",
        ),
        (
            slice("s", "web", "addressType: IPv4").replace("service-name: web", "service-nam: web")
                + &rule(&format!("http: {{paths: [{{path: /c++, pathType: Prefix, backend: {TO_WEB}}}]}}")),
            "warning[ING016]: EndpointSlice default/s metadata.labels: without the label kubernetes.io/service-name the EndpointSlice has no effect; write kubernetes.io/service-name: NAME, with the name of its Service",
        ),
        (
            path("path: '/a(.*)', pathType: ImplementationSpecific"),
            "warning[ING015]: Ingress default/web spec.rules[0].http.paths[0].path: the path \"/a(.*)\" looks like a pattern but is compared literally, as a Prefix; write the plain path, or the annotation ingress.gateway/path-syntax: regex or template",
        ),
        (
            annotated(
                "web",
                "nginx.ingress.kubernetes.io/rewrite-target",
                "/",
                &format!("{{defaultBackend: {TO_WEB}}}"),
            ),
            "warning[ING016]: Ingress default/web metadata.annotations[nginx.ingress.kubernetes.io/rewrite-target]: the annotation has no effect; leave it out once you do not need what it does elsewhere",
        ),
        (
            ingress("web", &format!("{{defaultBackend: {TO_WEB}, tls: [{{hosts: [a.b]}}]}}")),
            "warning[ING016]: Ingress default/web spec.tls: the field has no effect; HTTPS is not served here; end it in front of the gateway, or leave the field out",
        ),
    ];
    for (text, want) in cases {
        assert_eq!(findings(&table(&(text.clone() + &web()), &Config::default())), [want], "{text}");
    }
    for silent in ["cert-manager.io/issuer", "kubernetes.io/description", "example.com/x", "plain"] {
        let text = annotated("web", silent, "x", &format!("{{defaultBackend: {TO_WEB}}}")) + &web();
        assert_eq!(findings(&table(&text, &Config::default())), NONE, "{silent}");
    }
}

/// Ruling R7: whatever is wrong with a backend, the route stays.
#[test]
fn findings_of_backends() {
    let at = "error[ING0";
    let cases = [
        (
            "{}",
            "06]: Ingress default/web spec.rules[0].http.paths[0].backend: neither a service nor a resource is given; write exactly one, such as service: {name: NAME, port: {number: 80}}",
        ),
        (
            "{service: {name: web, port: {number: 80}}, resource: {kind: K, name: r}}",
            "06]: Ingress default/web spec.rules[0].http.paths[0].backend: both a service and a resource are given; write exactly one, such as service: {name: NAME, port: {number: 80}}",
        ),
        (
            "{service: {port: {number: 80}}}",
            "06]: Ingress default/web spec.rules[0].http.paths[0].backend.service.name: the Service's name is missing; write the name of a Service in this namespace",
        ),
        (
            "{service: {name: web}}",
            "06]: Ingress default/web spec.rules[0].http.paths[0].backend.service.port: the port is missing; write its number or its name, such as number: 80",
        ),
        (
            "{service: {name: web, port: {number: 80, name: http}}}",
            "06]: Ingress default/web spec.rules[0].http.paths[0].backend.service.port: both a name and a number are given; write one of the two",
        ),
        (
            "{service: {name: web, port: {number: 65536}}}",
            "06]: Ingress default/web spec.rules[0].http.paths[0].backend.service.port.number: 65536 is no port number; write a number from 1 to 65535",
        ),
        (
            "{service: {name: web, port: {number: 8080}}}",
            "08]: Ingress default/web spec.rules[0].http.paths[0].backend.service.port.number: Service web has no port 8080; its ports are 80 (http)",
        ),
        (
            "{service: {name: web, port: {name: https}}}",
            "08]: Ingress default/web spec.rules[0].http.paths[0].backend.service.port.name: Service web has no port \"https\"; its ports are 80 (http)",
        ),
        (
            "{service: {name: dns, port: {number: 53}}}",
            "08]: Ingress default/web spec.rules[0].http.paths[0].backend.service.port.number: port 53 of Service dns speaks UDP, not TCP; it has no TCP port; add one to spec.ports of the Service",
        ),
        (
            "{service: {name: wbe, port: {number: 80}}}",
            "07]: Ingress default/web spec.rules[0].http.paths[0].backend.service.name: Service default/wbe does not exist; add the Service; namespace default has dns, out, web",
        ),
        (
            "{service: {name: webs, port: {number: 80}}}",
            "07]: Ingress default/web spec.rules[0].http.paths[0].backend.service.name: Service default/webs does not exist; write web, or add the Service",
        ),
        (
            "{service: {name: faraway, port: {number: 80}}}",
            "07]: Ingress default/web spec.rules[0].http.paths[0].backend.service.name: Service default/faraway does not exist; a Service of that name is in namespace shop, but a backend is in the Ingress's own namespace",
        ),
        (
            "{service: {name: web, port: {name: HTTP}}}",
            "08]: Ingress default/web spec.rules[0].http.paths[0].backend.service.port.name: Service web has no port \"HTTP\"; write http",
        ),
        (
            "{service: {name: web, port: {name: '80'}}}",
            "08]: Ingress default/web spec.rules[0].http.paths[0].backend.service.port.name: Service web has no port \"80\"; write number: 80 instead of a name",
        ),
        (
            "{service: {name: out, port: {number: 80}}}",
            "14]: Ingress default/web spec.rules[0].http.paths[0].backend.service.name: Service default/out is of type ExternalName (example.com), which is not followed; point at a Service with a selector, or with EndpointSlices of its own, or start the gateway with --allow-external-name",
        ),
        (
            "{resource: {apiGroup: example.com, kind: Bucket, name: static}}",
            "18]: Ingress default/web spec.rules[0].http.paths[0].backend.resource: nothing in this process answers for default/Bucket.example.com/static; write a service instead, or register the resource in the embedding program",
        ),
    ];
    let services = web()
        + &service("dns", "{clusterIP: 10.0.0.2, ports: [{port: 53, protocol: UDP}]}")
        + &service("out", "{type: ExternalName, externalName: example.com}")
        + &service("faraway", "{}").replace("{name: faraway}", "{name: faraway, namespace: shop}");
    for (backend, want) in cases {
        let table = table(&(to(backend) + &services), &Config::default());
        assert_eq!(findings(&table), [format!("{at}{want}")], "{backend}");
        assert_eq!(table.routes().len(), 1, "{backend}");
        assert!(routes(&table)[0].ends_with("[]"), "{:?}", routes(&table));
    }
    let resource = ResourceRef {
        namespace: "default".into(),
        api_group: "example.com".into(),
        kind: "Bucket".into(),
        name: "static".into(),
    };
    let text = to("{resource: {apiGroup: example.com, kind: Bucket, name: static}}");
    assert_eq!(findings(&table(&text, &Config::default().resource(resource))), NONE);
}

/// Ruling R12.
#[test]
fn endpoints_of_a_service() {
    let port = |port: &str| format!("addressType: IPv4\nports: [{port}]\n");
    let with = |rest: &str| port("{name: http, port: 8080}") + "endpoints: [" + rest + "]";
    let one = "{addresses: [10.1.0.1, 10.1.0.9]}";
    let conditions =
        |address: &str, conditions: &str| format!("{{addresses: [{address}], conditions: {{{conditions}}}}}");
    let cases: Vec<(Vec<String>, &str, usize)> = vec![
        // No slice: the clusterIP. A slice without endpoints: nobody.
        (vec![], "10.0.0.1:80", 0),
        (vec![with("")], "", 0),
        (vec!["addressType: IPv4".into()], "", 0),
        (vec![with(one)], "10.1.0.1:8080", 0),
        (
            vec![with(one), with("{addresses: [10.1.0.2]}, {addresses: [10.1.0.1]}")],
            "10.1.0.1:8080 10.1.0.2:8080",
            0,
        ),
        // Ports go by name and protocol, and need a number.
        (vec![port("{name: other, port: 1}") + "endpoints: [" + one + "]"], "", 1),
        (vec![port("{port: 1}") + "endpoints: [" + one + "]"], "", 1),
        (vec![port("{name: http, port: 1, protocol: UDP}") + "endpoints: [" + one + "]"], "", 1),
        (vec![port("{name: http}") + "endpoints: [" + one + "]"], "", 1),
        (vec![port("{name: http, port: 0}") + "endpoints: [" + one + "]"], "", 2),
        (
            vec![
                port("{name: x, port: 1}, {name: http, port: 2, protocol: TCP}") + "endpoints: [" + one + "]",
            ],
            "10.1.0.1:2",
            0,
        ),
        // Conditions: nil is ready, serving and not terminating.
        (vec![with(&conditions("10.1.0.1", ""))], "10.1.0.1:8080", 0),
        (vec![with(&conditions("10.1.0.1", "ready: false"))], "", 0),
        (vec![with(&conditions("10.1.0.1", "ready: true, serving: false"))], "10.1.0.1:8080", 0),
        (
            vec![with(&conditions("10.1.0.1", "ready: false, serving: true, terminating: true"))],
            "10.1.0.1:8080",
            0,
        ),
        (vec![with(&conditions("10.1.0.1", "ready: false, terminating: true"))], "10.1.0.1:8080", 0),
        (vec![with(&conditions("10.1.0.1", "ready: false, serving: false, terminating: true"))], "", 0),
        (
            vec![with(
                &(conditions("10.1.0.1", "ready: false, terminating: true") + ", {addresses: [10.1.0.2]}"),
            )],
            "10.1.0.2:8080",
            0,
        ),
        // Addresses.
        (vec![with("{addresses: [127.0.0.1]}")], "127.0.0.1:8080", 0),
        (vec![with("{addresses: ['2001:db8::1']}").replace("IPv4", "IPv6")], "[2001:db8::1]:8080", 0),
        (vec![with("{addresses: [a.example]}").replace("IPv4", "FQDN")], "", 1),
        (vec![with("{addresses: [a.example]}, {addresses: []}")], "", 2),
        (
            vec![with(
                "{addresses: [169.254.169.254]}, {addresses: [0.0.0.0]}, {addresses: [224.0.0.1]}, {addresses: ['::ffff:169.254.0.1']}",
            )],
            "",
            4,
        ),
    ];
    for (slices, want, found) in cases {
        let slices: String =
            slices.iter().enumerate().map(|(i, rest)| slice(&format!("s{i}"), "web", rest)).collect();
        let table = table(&(to(TO_WEB) + &web() + &slices), &Config::default());
        assert_eq!(routes(&table), [format!("* Prefix / -> default/web:80 [{want}]")], "{slices}");
        assert_eq!(findings(&table).len(), found, "{slices}{:?}", findings(&table));
        assert!(
            findings(&table)
                .iter()
                .all(|finding| finding.starts_with("error[ING017]: EndpointSlice default/s0 "))
        );
    }
}

#[test]
fn names_numbers_and_unnamed_ports_lead_to_the_same_endpoints() {
    let slices = slice(
        "s",
        "web",
        "addressType: IPv4\nports: [{name: '', port: 8080}, {name: m, port: 9090}]\nendpoints: [{addresses: [10.1.0.1]}]",
    );
    let web = service("web", "{ports: [{port: 80, targetPort: 1}, {port: 81, name: m}]}");
    for (port, want) in [
        ("number: 80", "default/web:80 [10.1.0.1:8080]"),
        ("number: 81", "default/web:81 [10.1.0.1:9090]"),
        ("name: m", "default/web:m [10.1.0.1:9090]"),
    ] {
        let text = to(&format!("{{service: {{name: web, port: {{{port}}}}}}}")) + &web + &slices;
        let table = table(&text, &Config::default());
        assert_eq!(routes(&table), [format!("* Prefix / -> {want}")]);
        assert_eq!(findings(&table), NONE);
    }
}

#[test]
fn cluster_ip() {
    let slices =
        slice("s", "web", "addressType: IPv4\nports: [{port: 8080}]\nendpoints: [{addresses: [10.1.0.1]}]");
    let service = |ip: &str| service("web", &format!("{{{ip}ports: [{{port: 80}}]}}"));
    let nobody = "error[ING017]: Service default/web spec.clusterIP: the Service has neither an EndpointSlice nor a \
                  clusterIP, so its routes answer 503; add an EndpointSlice with the label \
                  kubernetes.io/service-name: web, or write spec.clusterIP";
    let cases: [(&str, bool, Upstream, &str, Option<&str>); 9] = [
        ("clusterIP: 10.0.0.1, ", true, Upstream::Endpoints, "10.1.0.1:8080", None),
        ("clusterIP: 10.0.0.1, ", true, Upstream::ClusterIp, "10.0.0.1:80", None),
        ("clusterIP: 10.0.0.1, ", false, Upstream::Endpoints, "10.0.0.1:80", None),
        ("clusterIPs: ['fd00::1'], ", false, Upstream::Endpoints, "[fd00::1]:80", None),
        ("clusterIP: None, ", true, Upstream::ClusterIp, "10.1.0.1:8080", None),
        ("clusterIP: None, ", false, Upstream::ClusterIp, "", Some(nobody)),
        ("clusterIP: '', ", false, Upstream::Endpoints, "", Some(nobody)),
        ("", false, Upstream::Endpoints, "", Some(nobody)),
        (
            "clusterIP: x, ",
            false,
            Upstream::Endpoints,
            "",
            Some(
                "error[ING017]: Service default/web spec.clusterIP: the address is no IP address: \"x\"; \
                  write the address and port at which the Service can be reached",
            ),
        ),
    ];
    for (ip, sliced, upstream, want, finding) in cases {
        let text = to(TO_WEB) + &service(ip) + if sliced { &slices } else { "" };
        let table = table(&text, &Config::default().upstream(upstream));
        assert_eq!(routes(&table), [format!("* Prefix / -> default/web:80 [{want}]")], "{ip}{upstream:?}");
        assert_eq!(findings(&table), finding.into_iter().collect::<Vec<_>>(), "{ip}{upstream:?}");
    }
}

/// One bad rule or path costs itself only, and of two equal paths the first in the file wins.
#[test]
fn faults_stay_alone() {
    let paths: String = (0..12)
        .map(|i| {
            format!(
                "{{path: /p, pathType: Exact, backend: {{service: {{name: s{i}, port: {{number: 80}}}}}}}},"
            )
        })
        .collect();
    let text = ingress(
        "web",
        &format!(
            "{{rules: [{{host: 'bad host', http: {{paths: []}}}}, {{host: a, http: {{paths: [{{path: x, pathType: Exact, backend: {TO_WEB}}}, {paths}]}}}}]}}"
        ),
    );
    let table = table(&(text + &web()), &Config::default());
    assert_eq!(routes(&table), ["a Exact /p -> default/s0:80 []"]);
}
