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
           a whole number is expected here; write digits only"],
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
            "error[ING002]: x.yaml:1: Ingres default/web kind: there is no kind \"Ingres\"; \
             write kind: Ingress or kind: IngressClass",
        ),
        (
            "apiVersion: v1\nkind: service\nmetadata:\n  name: web\n".into(),
            "error[ING002]: x.yaml:1: service default/web kind: there is no kind \"service\"; write kind: Service",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {}\n".into(),
            "error[ING002]: x.yaml:1: Service metadata.name: the object has no name; write metadata.name",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata:\n  generateName: a-\n".into(),
            "error[ING002]: x.yaml:1: Service metadata.name: the object has no name; \
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
        &["error[ING002]: x.json:5: Service default/b: invalid type: string \"80\", expected i32; \
           see `kubectl explain` for what the field holds"],
    );
    check("", "x.json", &[], &[]);
    check(
        "{",
        "x.json",
        &[],
        &["error[ING001]: x.json:1: EOF while parsing an object; \
           look at this line and the one before: indentation by spaces, quotes, brackets"],
    );
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
