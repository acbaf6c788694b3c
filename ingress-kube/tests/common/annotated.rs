//! An Ingress with annotations, and a class with parameters.

use std::fmt::Write as _;

use ingress_core::RouteTable;
use ingress_kube::{Config, DEFAULT_CONTROLLER};
use serde_json::json;

use super::{routes, table};

pub(crate) const NONE: [&str; 0] = [];

/// An Ingress for one path, of a class if one is given. Lines of a value are separated by `|`.
pub(crate) fn ingress(pairs: &[(&str, &str)], path: (&str, &str), class: Option<&str>) -> String {
    let mut text =
        String::from("---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\n");
    if !pairs.is_empty() {
        text += "  annotations:\n";
    }
    for (name, value) in pairs {
        writeln!(text, "    ingress.gateway/{name}: {}", json!(value.replace('|', "\n"))).unwrap();
    }
    let class = class.map_or(String::new(), |class| format!("ingressClassName: {class}, "));
    let (kind, path) = path;
    text + &format!(
        "spec: {{{class}rules: [{{host: a.example, http: {{paths: [{{path: {}, pathType: {kind}, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}}}]}}\n",
        json!(path)
    )
}

pub(crate) fn services() -> String {
    let service = |(number, name): (usize, &str)| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{clusterIP: 10.0.0.{number}, ports: [{{port: 80}}]}}\n"
        )
    };
    (1..).zip(["web", "next"]).map(service).collect()
}

pub(crate) fn class(parameters: &str) -> String {
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {{name: public}}\nspec: {{controller: {DEFAULT_CONTROLLER}, parameters: {parameters}}}\n"
    )
}

pub(crate) fn config_map(data: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings, namespace: gateway}}\n{data}\n"
    )
}

pub(crate) fn ours(text: &str) -> RouteTable {
    table(text, &Config::default())
}

/// Routes with their conditions.
pub(crate) fn shown(table: &RouteTable) -> Vec<String> {
    let conditions = table.routes().map(|found| found.route.conditions().to_string());
    let line = |(route, conditions): (String, String)| match conditions.is_empty() {
        true => route,
        false => format!("{route} if {conditions}"),
    };
    routes(table).into_iter().zip(conditions).map(line).collect()
}
