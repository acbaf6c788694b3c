//! Annotations of the embedding program's own.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use common::annotated::{NONE, services};
use common::{findings, table};
use ingress_core::{Policy, RouteTable};
use ingress_kube::Config;
use serde_json::json;

const KEY: &str = "example.com/api-key";
/// Its domain has a word that makes it look like a controller's.
const TEAM: &str = "ingress.example.com/team";

fn config() -> Config {
    let is_word = |text: &str| match text {
        "" => Err("no key is named".to_owned()),
        text if text.contains(' ') => Err(format!("{text:?} is no word")),
        _ => Ok(()),
    };
    Config::default().custom_annotation(KEY, is_word).custom_annotation(TEAM, |_| Ok(()))
}

fn ingress(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = pairs.iter().map(|(name, text)| format!("{name}: {}", json!(text))).collect();
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: web, annotations: {{{}}}}}\n\
         spec: {{rules: [{{http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}}}]}}\n",
        pairs.join(", ")
    )
}

fn of(pairs: &[(&str, &str)]) -> RouteTable {
    table(&(services() + &ingress(pairs)), &config())
}

fn policy(table: &RouteTable) -> Policy {
    table.routes().next().unwrap().route.policy().map(|policy| (**policy).clone()).unwrap_or_default()
}

#[test]
fn they_become_policies_under_their_names() {
    let table = of(&[(KEY, "partners"), (TEAM, " checkout\n")]);
    let mut want = Policy::default();
    want.custom.set(KEY, "partners");
    want.custom.set(TEAM, " checkout\n");
    assert_eq!((policy(&table), findings(&table)), (want, vec![]));
    let plain = of(&[]);
    assert_eq!((policy(&plain), findings(&plain)), (Policy::default(), vec![]));
    // Who does not know them ignores them.
    let unknown = common::table(&(services() + &ingress(&[(KEY, ""), (TEAM, "x")])), &Config::default());
    assert_eq!(policy(&unknown), Policy::default());
    let ignored = format!(
        "warning[ING016]: Ingress default/web metadata.annotations[{TEAM}]: the annotation has no effect; leave it out once you do not need what it does elsewhere"
    );
    assert_eq!(findings(&unknown), [ignored]);
}

#[test]
fn what_is_invalid_closes_the_paths() {
    for (text, why) in [("", "no key is named"), ("a b", "\"a b\" is no word")] {
        let table = of(&[(KEY, text), (TEAM, "checkout")]);
        let want = format!(
            "error[ING023]: Ingress default/web metadata.annotations[{KEY}]: {why}; write what {KEY} can be; until then these paths answer 503"
        );
        assert_eq!(findings(&table), [want]);
        assert!(policy(&table).access.closed);
        let custom = policy(&table).custom;
        assert_eq!(custom.iter().collect::<Vec<_>>(), [(TEAM, "checkout")]);
    }
}

#[test]
fn the_last_word_about_a_name_counts() {
    let config = config().custom_annotation(KEY, |_| Err("never".into()));
    assert_eq!(config.custom_annotations.iter().map(|custom| custom.name()).collect::<Vec<_>>(), [TEAM, KEY]);
    assert_eq!(format!("{:?}", config.custom_annotations[1]), "CustomAnnotation(\"example.com/api-key\")");
    let closed = table(&(services() + &ingress(&[(KEY, "x")])), &config);
    assert!(policy(&closed).access.closed);
}

/// A name of this crate's own may be taken over.
#[test]
fn they_come_before_names_of_this_crate() {
    let config = Config::default().custom_annotation("ingress.gateway/retries", |_| Ok(()));
    let table = table(&(services() + &ingress(&[("ingress.gateway/retries", "often")])), &config);
    assert_eq!((policy(&table).retries, findings(&table)), (None, NONE.map(str::to_owned).to_vec()));
    assert_eq!(policy(&table).custom.get("ingress.gateway/retries"), Some("often"));
}
