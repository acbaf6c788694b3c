//! Cases with conditions and shares as Ingress objects, which say them with annotations.

use serde_json::Value;

use crate::cases::{Ingress, Kind, Rule, ValueMatch};

/// One object for each rule, since an annotation is for all rules of its object. Their names are in the order of the
/// rules, so that of two rules for the same requests the same one wins.
pub(crate) fn ingresses(whole: &Ingress) -> Vec<Value> {
    let part = |(number, rule): (usize, &Rule)| {
        let mut part = Ingress { name: format!("{}-{number:02}", whole.name), ..whole.clone() };
        part.rules = vec![rule.clone()];
        part.default_backend = None;
        if part.rules[0].backend.is_empty() {
            // The Service whose requests the others share.
            part.rules[0].backend = rule.backends.keys().next().cloned().unwrap_or_default();
        }
        let mut object = super::ingress(&part);
        for (name, value) in annotations(rule, &part.rules[0].backend) {
            object["metadata"]["annotations"][format!("ingress.gateway/{name}")] = value.into();
        }
        object
    };
    assert_eq!(whole.default_backend, None, "{}: a default backend has no conditions", whole.name);
    whole.rules.iter().enumerate().map(part).collect()
}

fn annotations(rule: &Rule, backend: &str) -> Vec<(&'static str, String)> {
    let mut annotations = Vec::new();
    match rule.kind {
        Kind::Template => annotations.push(("path-syntax", "template".into())),
        Kind::Regex => annotations.push(("path-syntax", "regex".into())),
        Kind::Exact | Kind::Prefix | Kind::ImplementationSpecific | Kind::Default => {}
    }
    annotations.extend(rule.method.clone().map(|method| ("match-method", method)));
    for (name, conditions) in [("match-header", &rule.headers), ("match-query", &rule.query)] {
        let lines: Vec<_> = conditions.iter().map(line).collect();
        if !lines.is_empty() {
            annotations.push((name, lines.join("\n")));
        }
    }
    if !rule.backends.is_empty() {
        let shares: Vec<_> = rule.backends.iter().map(|(name, weight)| format!("{name}={weight}")).collect();
        annotations.push(("split", format!("{backend}: {}", shares.join(", "))));
    }
    annotations
}

fn line((name, value): (&String, &ValueMatch)) -> String {
    match value {
        ValueMatch::Exact(text) => format!("{name} = {text}"),
        ValueMatch::Pattern { pattern } => format!("{name} ~ {pattern}"),
        ValueMatch::Present { .. } => name.clone(),
    }
}
