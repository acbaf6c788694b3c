//! Texts to objects and findings, as tables.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "manifests")]

use ingress_kube::manifests::parse_manifests;

fn read(text: &str, file: &str) -> (Vec<String>, Vec<String>) {
    let (manifests, diagnostics) = parse_manifests(text, file);
    let objects = manifests.iter().map(|m| format!("{} {}:{}", m.object.key(), m.origin.file, m.origin.line));
    (objects.collect(), diagnostics.iter().map(ToString::to_string).collect())
}

fn check(text: &str, file: &str, objects: &[&str], diagnostics: &[&str]) {
    let (got_objects, got_diagnostics) = read(text, file);
    assert_eq!(got_objects, objects, "{text}");
    assert_eq!(got_diagnostics, diagnostics, "{text}");
}

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: ";

#[test]
fn every_document_stands_alone_and_knows_its_line() {
    let text = format!(
        "# shop\n---\n{SERVICE}a\n  namespace: shop\n---\n\n# nothing\n---\n{SERVICE}b\nspec:\n  ports:\n  - port: 80\n  - port: eighty\n--- # last\n{SERVICE}c\n...\n"
    );
    check(
        &text,
        "shop.yaml",
        &["Service shop/a shop.yaml:3", "Service default/c shop.yaml:21"],
        &["error[ING002]: shop.yaml:19: Service default/b spec.ports[1].port: \
           a whole number is expected here; write digits only, without quotes"],
    );
}

#[test]
fn faults_name_line_object_field_and_fix() {
    let ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\n";
    let cases = [
        (
            format!("{ingress}  annotations:\n    example.com/on: true\n"),
            "error[ING002]: x.yaml:6: Ingress default/web metadata.annotations[example.com/on]: \
             true is not read as a text, but the field holds one; write it in quotes: \"true\"",
        ),
        (
            format!("{ingress}spec:\n  rules: shop.example\n"),
            "error[ING002]: x.yaml:6: Ingress default/web spec.rules: \
             a list is expected here; write each item behind a '- '",
        ),
        (
            format!(
                "{ingress}spec:\n  rules:\n  - host: a\n    http:\n      paths:\n      - path: /\n        backend: web\n"
            ),
            "error[ING002]: x.yaml:11: Ingress default/web spec.rules[0].http.paths[0].backend: \
             a mapping is expected here; write key: value",
        ),
        (
            format!("{ingress}  name: other\n"),
            "error[ING002]: x.yaml:5: Ingress default/other metadata.name: \
             duplicate mapping key: name; keep one of the two",
        ),
        (
            "apiVersion: networking.k8s.io/v1beta1\nkind: Ingress\nmetadata:\n  name: old\n".into(),
            "error[ING002]: x.yaml:1: Ingress default/old apiVersion: \
             apiVersion networking.k8s.io/v1beta1 of Ingress is not read; \
             write apiVersion: networking.k8s.io/v1, and the fields as that version has them",
        ),
        (
            "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata:\n  name: old\n".into(),
            "error[ING002]: x.yaml:1: Ingress default/old apiVersion: \
             apiVersion extensions/v1beta1 of Ingress is not read; \
             write apiVersion: networking.k8s.io/v1, and the fields as that version has them",
        ),
        (
            "kind: Ingress\nmetadata:\n  name: web\n".into(),
            "error[ING002]: x.yaml:1: Ingress default/web apiVersion: Ingress has no apiVersion; \
             write apiVersion: networking.k8s.io/v1, and the fields as that version has them",
        ),
        (
            "metadata:\n  name: web\n".into(),
            "error[ING002]: x.yaml:1: default/web kind: the object has no kind; \
             write kind and apiVersion, such as kind: Ingress",
        ),
        (
            "apiVersion: networking.k8s.io/v1\nkind: Ingres\nmetadata:\n  name: web\n".into(),
            "error[ING002]: x.yaml:2: Ingres default/web kind: there is no kind \"Ingres\"; \
             write kind: Ingress",
        ),
        (
            "apiVersion: v1\nkind: Servce\nmetadata:\n  name: web\n".into(),
            "error[ING002]: x.yaml:2: Servce default/web kind: there is no kind \"Servce\"; write kind: Service",
        ),
        (
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlices\nmetadata:\n  name: web\n".into(),
            "error[ING002]: x.yaml:2: EndpointSlices default/web kind: there is no kind \"EndpointSlices\"; write kind: EndpointSlice",
        ),
        (
            "apiVersion: v1\nkind: service\nmetadata:\n  name: web\n".into(),
            "error[ING002]: x.yaml:2: service default/web kind: there is no kind \"service\"; write kind: Service",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {}\n".into(),
            "error[ING002]: x.yaml:3: Service metadata.name: the object has no name; write metadata.name",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata:\n  generateName: a-\n".into(),
            "error[ING002]: x.yaml:3: Service metadata.name: the object has no name; \
             generateName needs an API server; write metadata.name",
        ),
        ("hello world".into(), "error[ING001]: x.yaml:1: a mapping is expected here; write key: value"),
        (
            "{\"kind\": [".into(),
            "error[ING001]: x.yaml:1: unclosed bracket '['; \
             look at this line and the one before: indentation by spaces, quotes, brackets",
        ),
        (
            format!("{ingress}\tspec: {{}}\n"),
            "error[ING001]: x.yaml:4: Ingress default/web: \
             while scanning a plain scalar, found a tab; indent this line or the next one by spaces, not tabs",
        ),
    ];
    for (text, want) in cases {
        check(&text, "x.yaml", &[], &[want]);
    }
}

/// The findings of an Ingress with this spec (from line 6), and how many of its rules have paths; nothing
/// when it is not served.
fn unknown(spec: &str) -> (Vec<String>, Option<usize>) {
    let text =
        format!("apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\nspec:\n{spec}");
    let (manifests, diagnostics) = parse_manifests(&text, "x.yaml");
    let diagnostics = diagnostics.iter().map(|diagnostic| {
        let text = diagnostic.to_string();
        text.strip_prefix("error[ING002]: x.yaml:").unwrap().replace("Ingress default/web ", "")
    });
    let served = manifests.into_iter().next().map(|manifest| match manifest.object {
        ingress_kube::Object::Ingress(ingress) => {
            let rules = ingress.spec.unwrap().rules.unwrap_or_default();
            rules.iter().filter(|rule| rule.http.is_some()).count()
        }
        _ => unreachable!(),
    });
    (diagnostics.collect(), served)
}

/// A misspelt `host` would make a rule that takes every host.
#[test]
fn unknown_fields_cost_what_they_may_have_narrowed() {
    let path = "        - path: /\n          pathType: Prefix\n          backend:\n            service: {name: web, port: {number: 80}}\n";
    let rules = format!("  rules:\n    - host: a.example\n      http:\n        paths:\n{path}");
    let second = |rule: &str| format!("{rules}    - {rule}\n      http:\n        paths:\n{path}");
    let cases = [
        (second("host: b.example"), vec![], Some(2)),
        (
            second("hosts: b.example"),
            vec!["14: spec.rules[1].hosts: unknown field hosts, so its rule is not served; write host"],
            Some(1),
        ),
        (
            second("Host: b.example\n      htp: {}"),
            vec![
                "14: spec.rules[1].Host: unknown field Host, so its rule is not served; write host",
                "15: spec.rules[1].htp: unknown field htp, so its rule is not served; write http",
            ],
            Some(1),
        ),
        (
            rules.replace("{name: web, port: {number: 80}}", "{name: web, port: {numbr: 80}}"),
            vec![
                "13: spec.rules[0].http.paths[0].backend.service.port.numbr: \
                 unknown field numbr, so its rule is not served; write number",
            ],
            Some(0),
        ),
        (
            rules.replace(
                "service: {name: web, port: {number: 80}}",
                "serviceName: web\n            servicePort: 80",
            ),
            vec![
                "13: spec.rules[0].http.paths[0].backend.serviceName: \
                 unknown field serviceName, so its rule is not served; write service.name",
                "14: spec.rules[0].http.paths[0].backend.servicePort: unknown field servicePort, \
                 so its rule is not served; write service.port.number or service.port.name",
            ],
            Some(0),
        ),
        (
            format!("  backend: {{}}\n{rules}"),
            vec!["6: spec.backend: unknown field backend, which has no effect; write defaultBackend"],
            Some(1),
        ),
        (
            format!("{rules}  timeout: 3s\n"),
            vec![
                "14: spec.timeout: unknown field timeout, which has no effect; \
                 leave it out; the fields here are defaultBackend, ingressClassName, rules, tls",
            ],
            Some(1),
        ),
        (
            format!("{rules}  ingressClassname: nginx\n"),
            vec![
                "14: spec.ingressClassname: unknown field ingressClassname, so the object is not served; write ingressClassName",
            ],
            None,
        ),
        (
            format!("{rules}  class: nginx\n"),
            vec![
                "14: spec.class: unknown field class, so the object is not served; \
                 leave it out; the fields here are defaultBackend, ingressClassName, rules, tls",
            ],
            None,
        ),
        (
            format!("{rules}ingressClassName: nginx\n"),
            vec![
                "14: ingressClassName: unknown field ingressClassName, so the object is not served; \
                 leave it out; the fields here are apiVersion, kind, metadata, spec, status",
            ],
            None,
        ),
        (format!("{rules}status:\n  foo: bar\n"), vec![], Some(1)),
    ];
    for (spec, findings, served) in cases {
        assert_eq!(unknown(&spec), (findings.into_iter().map(str::to_owned).collect(), served), "{spec}");
    }
}

#[test]
fn unknown_fields_of_other_kinds_and_styles() {
    let service = format!("{SERVICE}a\n  whatever: x\nspec:\n  ports:\n  - port: 80\n    protocl: UDP\n");
    check(
        &service,
        "x.yaml",
        &["Service default/a x.yaml:1"],
        &["error[ING002]: x.yaml:9: Service default/a spec.ports[0].protocl: \
           unknown field protocl, which has no effect; write protocol"],
    );
    let slice = "{\"apiVersion\": \"discovery.k8s.io/v1\", \"kind\": \"EndpointSlice\", \"metadata\": {\"name\": \"a\"},\n\
                 \"addressType\": \"IPv4\", \"endpoints\": [{\"addresses\": [], \"condition\": {\"a\": 1}}]}";
    check(
        slice,
        "x.json",
        &["EndpointSlice default/a x.json:1"],
        &["error[ING002]: x.json:2: EndpointSlice default/a endpoints[0].condition: \
           unknown field condition, which has no effect; write conditions"],
    );
    // Neither a merge key nor an alias is a field, and the item of a List that has one is read all the same.
    let merged = "kind: List\napiVersion: v1\nx: &x {port: 80}\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata: {name: a}\n  spec:\n    ports:\n    - {<<: *x, nme: b}\n";
    check(
        merged,
        "x.yaml",
        &["Service default/a x.yaml:5"],
        &["error[ING002]: x.yaml:5: Service default/a spec.ports[0].nme: \
           unknown field nme, which has no effect; write name"],
    );
    let list = "apiVersion: networking.k8s.io/v1\nkind: IngressClassList\nitems:\n- metadata: {name: a}\n  spec:\n    Controller: x\n";
    check(
        list,
        "x.yaml",
        &["IngressClass a x.yaml:4"],
        &["error[ING002]: x.yaml:6: IngressClass a spec.Controller: \
           unknown field Controller, which has no effect; write controller"],
    );
}

/// Of a fault's text, since a program's own notation helps nobody.
#[test]
fn numbers_are_written_as_numbers() {
    for (port, ok) in [("80", true), ("\"80\"", false), ("'80'", false), ("eighty", false), ("80.5", false)] {
        let yaml = format!("{SERVICE}a\nspec:\n  ports:\n  - port: {port}\n");
        let (objects, diagnostics) = read(&yaml, "x.yaml");
        let want = "error[ING002]: x.yaml:7: Service default/a spec.ports[0].port: \
                    a whole number is expected here; write digits only, without quotes";
        assert_eq!((objects.len(), diagnostics), if ok { (1, vec![]) } else { (0, vec![want.to_owned()]) });
        let json = format!(
            "{{\"apiVersion\": \"v1\", \"kind\": \"Service\", \"metadata\": {{\"name\": \"a\"}},\n\"spec\": {{\"ports\": [{{\"port\": {}}}]}}}}",
            port.replace('\'', "\"").replace("eighty", "\"eighty\"")
        );
        assert_eq!(read(&json, "x.json").0.len(), usize::from(ok), "{json} {:?}", read(&json, "x.json").1);
    }
}

#[test]
fn lists_are_taken_apart() {
    let text = "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata:\n    name: a\n\
                - apiVersion: v1\n  kind: Service\n  metadata: {name: b}\n  spec:\n    ports: 80\n\
                - {apiVersion: v1, kind: Service, metadata: {name: c}}\n\
                - apiVersion: apps/v1\n  kind: Deployment\n\
                - kind: List\n  apiVersion: v1\n\
                kind: List\nmetadata:\n  resourceVersion: \"\"\n";
    check(
        text,
        "x.yaml",
        &["Service default/a x.yaml:3", "Service default/c x.yaml:12"],
        &[
            "error[ING002]: x.yaml:11: Service default/b spec.ports: a list is expected here; \
             write each item behind a '- '",
            "error[ING002]: x.yaml:15: List kind: a List is inside another one; \
             write its items into the outer one",
        ],
    );
    let typed = "kind: ServiceList\napiVersion: v1\nitems:\n  - metadata:\n      name: a\n  - metadata: &m {name: b}\n    spec: {}\n  - metadata: *m\n";
    check(
        typed,
        "x.yaml",
        &["Service default/a x.yaml:4", "Service default/b x.yaml:6", "Service default/b x.yaml:8"],
        &[],
    );
}

#[test]
fn json_is_read_as_json() {
    let text = "{\n\t\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [\n\
                {\"apiVersion\": \"v1\", \"kind\": \"Service\", \"metadata\": {\"name\": \"a\"}},\n\
                {\"apiVersion\": \"v1\", \"kind\": \"Service\", \"metadata\": {\"name\": \"b\"},\n\
                \"spec\": {\"ports\": [{\"port\": \"80\"}]}}\n]}";
    check(
        text,
        "x.json",
        &["Service default/a x.json:3"],
        &["error[ING002]: x.json:5: Service default/b spec.ports[0].port: a whole number is expected here; \
           write digits only, without quotes"],
    );
    check("", "x.json", &[], &[]);
    check(
        "{",
        "x.json",
        &[],
        &["error[ING001]: x.json:1: EOF while parsing an object; \
           look at this line and the one before: commas, quotes, brackets"],
    );
}

/// As `kubectl get -o json | jq -c '.items[]'` writes it.
#[test]
fn json_values_may_follow_each_other() {
    let service = |name| {
        format!("{{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{{\"name\":\"{name}\"}}}}\n")
    };
    check(
        &format!("{}{}\n{}", service("a"), service("b"), service("c")),
        "x.json",
        &["Service default/a x.json:1", "Service default/b x.json:2", "Service default/c x.json:4"],
        &[],
    );
    check(
        &format!("{}{}\n{{\"kind\":]\n{}", service("a"), service("b"), service("c")),
        "x.json",
        &["Service default/a x.json:1", "Service default/b x.json:2"],
        &["error[ING001]: x.json:4: expected value; \
           look at this line and the one before: commas, quotes, brackets"],
    );
}

#[test]
fn limits_are_named_in_plain_words() {
    let deep = "[".repeat(1000) + &"]".repeat(1000);
    let json = format!(
        "{{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{{\"name\":\"a\",\"managedFields\":[{{\"fieldsV1\":{deep}}}]}}}}"
    );
    check(
        &json,
        "x.json",
        &[],
        &["error[ING002]: x.json:1: Service default/a: the values are nested too deeply to be read; \
           no object of Kubernetes nests as deeply"],
    );
    let many = format!("kind: List\napiVersion: v1\nitems:\n{}", "- a: [b, c, d, e]\n".repeat(300_000));
    let (_, diagnostics) = read(&many, "x.yaml");
    assert_eq!(diagnostics.len(), 1);
    let want = "the document is too large to be read; write its objects as documents of their own, with --- between them";
    assert!(diagnostics[0].ends_with(want), "{diagnostics:?}");
}

#[test]
fn what_is_not_ours_is_silent() {
    for text in [
        "",
        "# nothing",
        "---\n---\n",
        "%YAML 1.2\n---\n",
        "apiVersion: apps/v1\nkind: Deployment\nspec: [broken\n",
        "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata:\n  name: a\n",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n",
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: a\n",
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    kind: Ingress\n",
        "null",
    ] {
        check(text, "x.yaml", &[], &[]);
    }
}

#[test]
fn what_kubectl_takes_is_taken() {
    let cases = [
        "\u{feff}apiVersion: v1\r\nkind: Service\r\nmetadata:\r\n  name: a\r\n",
        "{apiVersion: v1, kind: Service, metadata: {name: a}}",
        "\"apiVersion\": \"v1\"\n'kind': 'Service' # yes\nmetadata: {\"name\": \"a\"}\n",
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  unknownField: [1, {}]\nspec:\n  publishNotReadyAddresses: yes\n  ports:\n  - {port: 80, targetPort: http}\n  - {port: 81, targetPort: 8080}\n",
        "apiVersion: v1\nkind: Service\nmetadata:\n  creationTimestamp: null\n  name: a\nspec:\n  ports:\nstatus:\n  loadBalancer: {}\n",
    ];
    for text in cases {
        let (objects, diagnostics) = read(text, "x.yaml");
        assert_eq!((objects, diagnostics), (vec!["Service default/a x.yaml:1".to_owned()], vec![]), "{text}");
    }
}

/// A text that nests deeply must neither overflow the stack nor take long.
#[test]
fn deep_nesting_is_refused() {
    let deep = 100_000;
    let texts = [
        format!("kind: Service\napiVersion: v1\nspec: {}", "[".repeat(deep)),
        format!("kind: Service\napiVersion: v1\nspec: {}", "{a: ".repeat(deep)),
        format!("kind: Service\napiVersion: v1\nspec:\n  - {}", "- ".repeat(5_000)),
        format!("kind: List\napiVersion: v1\nitems:\n  - {}", "- ".repeat(5_000)),
        "a: &a [x, x]\n".to_owned() + &(1..40).map(|i| format!("b{i}: &b{i} [*a, *a]\n")).collect::<String>(),
    ];
    let run = move || texts.iter().map(|text| parse_manifests(text, "x.yaml").1.len()).collect::<Vec<_>>();
    let small = std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap();
    assert!(small.join().unwrap().iter().all(|&findings| findings == 1));
}
