//! A table made step by step is the one that is made at once, and earlier ones stay as they were.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use ingress_core::{
    Algorithm, BackendRef, Backends, Conditions, Diagnostic, Endpoint, Hints, HostMatch, Locality, PathMatch,
    Policy, RouteTable, Rule, Source, TableEditor, Turn, UnservedRule,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

#[derive(Clone, Debug)]
enum Step {
    Host(HostMatch, Vec<Rule>),
    Endpoints(BackendRef, u8),
    Policy(BackendRef, Option<Algorithm>),
    Zone(Option<u8>),
    Reserve(Vec<HostMatch>, Option<BackendRef>),
    Finding(Vec<u32>),
    Unserved(Vec<u32>),
    Build,
}

/// What was set last.
#[derive(Clone, Debug, Default)]
struct Model {
    hosts: BTreeMap<HostMatch, Vec<Rule>>,
    endpoints: BTreeMap<BackendRef, u8>,
    policies: BTreeMap<BackendRef, Option<Arc<Policy>>>,
    locality: Locality,
    reserved: (Vec<HostMatch>, Option<BackendRef>),
    findings: Vec<u32>,
    unserved: Vec<u32>,
}

fn backend(number: u8) -> BackendRef {
    format!("default/b{number}:80").parse().unwrap()
}

fn endpoints(count: u8) -> Vec<Endpoint> {
    let endpoint = |i| {
        let hints = Hints::new(vec![zone(i % 2)], Vec::new());
        Endpoint::new(SocketAddr::from(([10, 0, 0, i], 80))).with_hints(Arc::new(hints))
    };
    (0..count).map(endpoint).collect()
}

fn zone(number: u8) -> Arc<str> {
    format!("zone-{number}").into()
}

fn finding(number: u32) -> Diagnostic {
    let object = ingress_core::ObjectRef { name: number.to_string().into(), ..Default::default() };
    let source = Source::new(std::sync::Arc::new(object), "spec");
    Diagnostic::new(ingress_core::Code::InvalidHost, source, format!("number {number}"), "")
}

fn unserved(number: u32) -> UnservedRule {
    UnservedRule { host: None, path: None, finding: finding(number) }
}

impl Model {
    fn take(&mut self, step: Step, editor: &mut TableEditor) {
        match step {
            Step::Host(host, rules) => {
                editor.set_host(host.clone(), rules.clone());
                self.hosts.insert(host, rules);
            }
            Step::Endpoints(backend, count) => {
                editor.set_endpoints(backend.clone(), endpoints(count));
                self.endpoints.insert(backend, count);
            }
            Step::Policy(backend, algorithm) => {
                let policy = algorithm.map(|algorithm| {
                    let mut policy = Policy::default();
                    policy.load_balance = Some(algorithm);
                    Arc::new(policy)
                });
                editor.set_backend_policy(backend.clone(), policy.clone());
                self.policies.insert(backend, policy);
            }
            Step::Zone(zone) => {
                self.locality = Locality::new(zone.map(self::zone), None);
                editor.set_locality(self.locality.clone());
            }
            Step::Reserve(hosts, default) => {
                editor.set_reserved(hosts.clone(), default.clone());
                self.reserved = (hosts, default);
            }
            Step::Finding(numbers) => {
                numbers.iter().for_each(|&number| editor.add_diagnostic(finding(number)));
                let before = std::mem::replace(&mut self.findings, numbers);
                before.into_iter().for_each(|number| editor.remove_diagnostic(&finding(number)));
            }
            Step::Unserved(numbers) => {
                numbers.iter().for_each(|&number| editor.add_unserved(unserved(number)));
                let before = std::mem::replace(&mut self.unserved, numbers);
                before.into_iter().for_each(|number| editor.remove_unserved(&unserved(number)));
            }
            Step::Build => {}
        }
    }

    fn fresh(&self) -> RouteTable {
        let mut builder = RouteTable::builder();
        builder.locality(self.locality.clone());
        for rule in self.hosts.values().flatten() {
            builder.rule(rule.clone());
        }
        for (backend, count) in &self.endpoints {
            builder.endpoints(backend.clone(), endpoints(*count));
        }
        for (backend, policy) in &self.policies {
            if let Some(policy) = policy {
                builder.backend_policy(backend.clone(), policy.clone());
            }
        }
        for host in &self.reserved.0 {
            builder.reserve(host.clone());
        }
        if let Some(default) = &self.reserved.1 {
            builder.reserve_default(default.clone());
        }
        for &number in &self.findings {
            builder.diagnostic(finding(number));
        }
        for &number in &self.unserved {
            builder.unserved(unserved(number));
        }
        builder.build().0
    }
}

/// Paths that have no room among the short ones of a host.
const LONG: &str = "/a/b/one-element-that-is-so-long-that-it-alone-has-more-than-sixty-two-bytes";
const LONGER: &str = "/a/b/one-element-that-is-so-long-that-it-alone-has-more-than-sixty-two-bytes/c";

fn host() -> impl Strategy<Value = HostMatch> {
    select(vec!["", "a.x", "b.x", "c.x", "*.x", "*.a.x"]).prop_map(|text| text.parse().unwrap())
}

fn rules(host: HostMatch) -> impl Strategy<Value = Vec<Rule>> {
    let path = select(vec!["", "/", "/a", "/a/", "/a/b", "/b", "/c/{x}", LONG, LONGER]);
    let rule = (path, any::<bool>(), 0u8..4, 0u8..6, any::<bool>());
    let one_host = host.clone();
    let rule = rule.prop_map(move |(path, exact, one, other, condition)| {
        let path = match path {
            "" => PathMatch::Default,
            path if path.contains('{') => PathMatch::template(path).unwrap(),
            path if exact => PathMatch::exact(path).unwrap(),
            path => PathMatch::prefix(path).unwrap(),
        };
        let host = &one_host;
        let backends: Backends = match other {
            0..3 => Backends::split([(backend(one), 1), (backend(other), u32::from(other))]),
            _ => backend(one).into(),
        };
        let rule = Rule::with_backends(host.clone(), path, backends);
        let source = finding(u32::from(one)).source.unwrap();
        match condition {
            true => {
                rule.with_conditions(Conditions::default().method(&http::Method::PUT)).with_source(source)
            }
            false => rule,
        }
    });
    // More paths than fit into a small host.
    let many = move |count: usize| -> Vec<_> {
        let path = |number| PathMatch::prefix(&format!("/many/{number}")).unwrap();
        (0..count).map(|number| Rule::new(host.clone(), path(number), backend(number as u8 % 4))).collect()
    };
    let counts = prop_oneof![4 => Just(0), 1 => 30usize..90];
    (prop::collection::vec(rule, 0..8), counts).prop_map(move |(mut rules, count)| {
        rules.extend(many(count));
        rules
    })
}

fn step() -> impl Strategy<Value = Step> {
    let algorithm = || select(vec![Algorithm::RoundRobin, Algorithm::Random]);
    let hosts: Vec<HostMatch> = ["a.x", "c.x", "*.a.x"].map(|host| host.parse().unwrap()).into();
    prop_oneof![
        8 => host().prop_flat_map(|host| rules(host.clone()).prop_map(move |rules| Step::Host(host.clone(), rules))),
        4 => (0u8..5, 0u8..4).prop_map(|(number, count)| Step::Endpoints(backend(number), count)),
        1 => (0u8..5, prop::option::of(algorithm()))
            .prop_map(|(number, algorithm)| Step::Policy(backend(number), algorithm)),
        1 => prop::option::of(0u8..3).prop_map(Step::Zone),
        2 => (subsequence(hosts, 0..=3), prop::option::of((0u8..5).prop_map(backend)))
            .prop_map(|(hosts, default)| Step::Reserve(hosts, default)),
        1 => prop::collection::vec(0u32..4, 0..3).prop_map(Step::Finding),
        1 => prop::collection::vec(0u32..4, 0..3).prop_map(Step::Unserved),
        4 => Just(Step::Build),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn history_makes_no_difference(steps in prop::collection::vec(step(), 1..30)) {
        let (mut editor, mut model) = (TableEditor::new(), Model::default());
        let mut tables = Vec::new();
        for step in steps.into_iter().chain([Step::Build]) {
            if let Step::Build = step {
                tables.push((editor.build().0, model.fresh()));
            } else {
                model.take(step, &mut editor);
            }
        }
        // Earlier tables are compared last: what came later has not changed them.
        for (table, fresh) in &tables {
            prop_assert_eq!(table, fresh);
            #[cfg(feature = "serde")]
            prop_assert_eq!(
                serde_json::to_string(&table.dump()).unwrap(),
                serde_json::to_string(&fresh.dump()).unwrap()
            );
            let counts = |table: &RouteTable| {
                (table.route_count(), table.backend_count(), table.endpoint_count(), table.host_count())
            };
            prop_assert_eq!(counts(table), counts(fresh));
            prop_assert_eq!(table.route_count(), table.routes().len());
            prop_assert_eq!(table.backend_count(), table.backends().len());
            let numbers: BTreeSet<_> = table.backends().map(|backend| backend.index()).collect();
            prop_assert_eq!(numbers.len(), table.backend_count());
        }
    }

    /// As many hosts as make the directory grow and shrink.
    #[test]
    fn many_hosts_come_and_go(counts in prop::collection::vec(0usize..600, 1..6)) {
        let mut editor = TableEditor::new();
        let mut present = 0;
        for count in counts {
            for number in 0..count.max(present) {
                let host: HostMatch = format!("h{number}.x").parse().unwrap();
                let rule = Rule::new(host.clone(), PathMatch::prefix("/").unwrap(), backend(number as u8));
                editor.set_host(host, if number < count { vec![rule] } else { Vec::new() });
            }
            present = count;
            let table = editor.build().0;
            prop_assert_eq!((table.host_count(), table.routes().len()), (count, count));
            for number in 0..700 {
                let host = format!("h{number}.x");
                let host = ingress_core::RequestHost::parse(&host).unwrap();
                let path = ingress_core::RequestPath::parse("/x").unwrap();
                let found = table.lookup(&ingress_core::RequestHead::new(&host, &path)).unwrap();
                let found = found.map(|found| found.backend(|_| Turn::Ticket(0)).unwrap().reference().clone());
                prop_assert_eq!(found, (number < count).then(|| backend(number as u8)));
            }
        }
    }
}
