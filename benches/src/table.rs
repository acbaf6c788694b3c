//! Rules as `ingress-core` takes them, and tables of them.

use ingress_core::{BackendRef, HostMatch, PathMatch, PortRef, RouteTable, RouteTableBuilder, Rule};

use crate::workload::BenchRule;

/// Which Service a rule points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Services {
    /// Each Service has so many rules that follow each other.
    Each(usize),
    /// One of so many.
    Of(usize),
}

/// The rule of this number.
pub fn rule(number: usize, rule: &BenchRule, services: Services) -> Rule {
    let path = if rule.exact { PathMatch::exact(&rule.path) } else { PathMatch::prefix(&rule.path) };
    let service = match services {
        Services::Each(rules) => number / rules,
        Services::Of(count) => number % count,
    };
    Rule::new(host(rule), path.expect("generated paths are valid"), service_ref(service))
}

/// The host of the rule.
pub fn host(rule: &BenchRule) -> HostMatch {
    rule.host.parse().expect("generated hosts are valid")
}

/// The Service of this number.
pub fn service_ref(number: usize) -> BackendRef {
    BackendRef::service("bench", number.to_string(), PortRef::Number(80))
}

/// All rules, numbered from 0.
pub fn rules(rules: &[BenchRule], services: Services) -> Vec<Rule> {
    rules.iter().enumerate().map(|(number, bench)| rule(number, bench, services)).collect()
}

/// A builder that has the rules.
pub fn builder(rules: impl IntoIterator<Item = Rule>) -> RouteTableBuilder {
    let mut builder = RouteTable::builder();
    for rule in rules {
        builder.rule(rule);
    }
    builder
}
