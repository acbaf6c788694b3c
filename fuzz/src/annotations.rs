//! An Ingress with any annotations: nothing panics, nothing is opened, and what cannot be read becomes what is said of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use ingress_core::{Code, Policy, RouteTable, Trust};
use ingress_kube::manifests::parse_manifests;
use ingress_kube::{Annotation, Config, IngressController, Object, Store, Unreadable, translate};

const DOMAIN: &str = "ingress.gateway/";
/// Whom the base list does not have.
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const BASE: (&str, &str) = ("allow-source-range", "10.0.0.0/8");
/// More would only be slower.
const MAX: usize = 24;

/// The Ingress without annotations comes first. Of the Secrets some have what an annotation needs, and one has it all wrong.
const OBJECTS: &str = r#"
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web}, spec: {rules: [{host: a.example, http: {paths: [
  {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}},
  {path: "/items/{id}", pathType: ImplementationSpecific, backend: {service: {name: next, port: {number: 80}}}}]}}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: next}, spec: {clusterIP: 10.0.0.2, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Secret, metadata: {name: ca}, stringData: {ca.crt: good}}
---
{apiVersion: v1, kind: Secret, metadata: {name: users}, stringData: {auth: "ada:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="}}
---
{apiVersion: v1, kind: Secret, metadata: {name: keys}, stringData: {jwks.json: '{"keys":[]}'}}
---
{apiVersion: v1, kind: Secret, metadata: {name: wrong}, stringData: {ca.crt: bad, auth: ada, jwks.json: bad, other: good}}
---
{apiVersion: v1, kind: Secret, metadata: {name: empty}}
"#;

static PARSED: LazyLock<Vec<Object>> = LazyLock::new(|| {
    let (manifests, findings) = parse_manifests(OBJECTS, "fuzz.yaml");
    assert!(findings.is_empty(), "{findings:?}");
    manifests.into_iter().map(|manifest| manifest.object).collect()
});

/// A text of blocks: a line `@NAME`, or `@NUMBER` for the annotation with that number, and lines of its value. An `@` alone
/// begins a line of a value that begins with one.
pub fn annotations(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut said = read(text);
    let has_list = said.contains_key(BASE.0);
    said.entry(BASE.0.into()).or_insert_with(|| BASE.1.into());
    let table = build(PARSED[1..].iter().cloned().chain([ingress(&said)]));

    for finding in table.diagnostics() {
        let text = finding.to_string();
        assert!(!finding.message.is_empty() && !finding.help.is_empty() && !text.contains('\n'), "{text:?}");
    }
    let policies = policies(&table);
    let is_any = said.get("access-require").is_some_and(|text| text.trim().eq_ignore_ascii_case("any"));
    for policy in &policies {
        assert!(has_list || !policy.access.admits(Some(STRANGER)), "{said:?} lets in {STRANGER}");
        assert!(is_any || policy.authentication.any != Some(true), "{said:?}: one is enough");
    }
    check_unreadable(&table, &policies, &said);

    // Whether it was always so, or came bit by bit and in whatever order, makes no difference.
    let (reader, writer) = ingress_core::table(RouteTable::default());
    let mut controller = IngressController::new(config(), writer);
    let mut grown = BTreeMap::new();
    let half = said.len() / 2;
    for (at, (name, value)) in said.iter().rev().enumerate() {
        grown.insert(name.clone(), value.clone());
        if at + 1 == half || at + 1 == said.len() {
            controller.apply(ingress(&grown), None);
            controller.publish();
        }
    }
    for object in PARSED[1..].iter().rev() {
        controller.apply(object.clone(), None);
    }
    controller.publish();
    assert!(*reader.snapshot() == table, "{said:?}: the order makes a difference");
}

/// What annotations say, by their names.
fn read(text: &str) -> BTreeMap<String, String> {
    let known = ingress_kube::annotations();
    let mut said = BTreeMap::<String, String>::new();
    let mut name: Option<String> = None;
    for line in text.lines() {
        match (line.strip_prefix('@'), &name) {
            (Some(head), _) if !head.is_empty() && said.len() < MAX => {
                let number = head.parse::<usize>().ok().and_then(|number| known.get(number % known.len()));
                let own = number.map_or(head, |known| known.name).to_owned();
                said.insert(own.clone(), String::new());
                name = Some(own);
            }
            (head, Some(name)) => {
                let value = said.entry(name.clone()).or_default();
                if !value.is_empty() {
                    value.push('\n');
                }
                value.push_str(head.unwrap_or(line));
            }
            (_, None) => {}
        }
    }
    said
}

fn config() -> Config {
    Config::default()
        .load_trust(|pem| match pem {
            b"good" => Ok(Trust::new(pem, ())),
            _ => Err("it is no PEM".into()),
        })
        .check_keys(|json| match json {
            b"bad" => Err("it has no key".into()),
            _ => Ok(()),
        })
}

fn ingress(said: &BTreeMap<String, String>) -> Object {
    let mut object = PARSED[0].clone();
    if let Object::Ingress(ingress) = &mut object {
        let pairs = said.iter().map(|(name, value)| (format!("{DOMAIN}{name}"), value.clone()));
        ingress.metadata.annotations = Some(pairs.collect());
    }
    object
}

fn build(objects: impl Iterator<Item = Object>) -> RouteTable {
    let mut store = Store::default();
    for object in objects {
        store.apply(object, None);
    }
    translate(&store, &config()).build().0
}

/// The policies of all routes, and of hosts that are not decrypted.
fn policies(table: &RouteTable) -> Vec<Policy> {
    let routes = table.routes().map(|found| found.route.policy());
    let passed = table.passthroughs().map(|(_, passed)| passed.policy);
    routes.chain(passed).map(|policy| policy.map(|policy| (**policy).clone()).unwrap_or_default()).collect()
}

/// What is found to be unusable has become what its annotation says.
fn check_unreadable(table: &RouteTable, policies: &[Policy], said: &BTreeMap<String, String>) {
    let unusable = table.diagnostics().iter().filter(|finding| finding.code == Code::InvalidAnnotation);
    let fields = unusable.filter_map(|finding| finding.source.as_ref().map(|source| &*source.field));
    for field in fields {
        let own = field.strip_prefix("metadata.annotations[").and_then(|rest| rest.strip_prefix(DOMAIN));
        let Some(name) = own.and_then(|rest| rest.strip_suffix(']')) else { continue };
        let Some(known) = find(name) else { continue };
        // How somebody is asked matters only where somebody is.
        let is_idle = name.starts_with("external-auth-") && !said.contains_key("external-auth");
        match known.unreadable {
            Unreadable::Never => panic!("{name} can always be read: {said:?}"),
            Unreadable::Closed if !is_idle => {
                let is_closed = |policy: &Policy| {
                    let unproved = policy.authentication.is_needed() || !policy.client_limits.is_default();
                    policy.access.closed || (name == "tls-passthrough" && unproved)
                };
                assert!(policies.iter().all(is_closed), "{name} does not close: {said:?}");
            }
            Unreadable::NotServed if name != "path-syntax" => {
                assert!(policies.is_empty(), "{name} is served: {said:?}");
            }
            _ => {}
        }
    }
}

fn find(name: &str) -> Option<&'static Annotation> {
    ingress_kube::annotations().iter().find(|known| known.name == name)
}
