//! Backends that only policies name: they are in the table as long as a rule with such a policy is.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use ingress_core::{
    BackendRef, Callee, CalleeAddress, Conditions, Endpoint, ExternalAuth, HostMatch, Jwt, JwtKeys, Mirror,
    PathMatch, Policy, RouteTable, Rule, TableEditor,
};
use proptest::prelude::*;
use proptest::sample::select;

fn backend(number: u8) -> BackendRef {
    format!("default/b{number}:80").parse().unwrap()
}

fn endpoints(count: u8) -> Vec<Endpoint> {
    (0..count).map(|i| Endpoint::new(SocketAddr::from(([10, 0, 0, i], 80)))).collect()
}

/// What a policy names, in each of the ways in which it can.
#[derive(Clone, Copy, Debug, Default)]
struct Names {
    mirror: Option<u8>,
    external: Option<u8>,
    keys: Option<u8>,
    pages: Option<u8>,
}

impl Names {
    fn policy(self) -> Option<Policy> {
        let mut policy = Policy::default();
        let callee = |number| Callee::new(CalleeAddress::Backend(backend(number)), "/".parse().unwrap());
        policy.mirror = self.mirror.map(|number| Mirror::to(backend(number)));
        policy.authentication.external = self.external.map(|number| ExternalAuth::new(callee(number)));
        policy.authentication.jwt = self.keys.map(|number| Jwt::new(JwtKeys::At(callee(number))));
        policy.error_pages.backend = self.pages.map(backend);
        Some(policy).filter(|policy| !policy.is_empty())
    }
}

/// A rule: its path, its backend, and what its policy names. Of two with one path the second has a condition, or is shadowed.
type Said = (&'static str, u8, bool, Names);

fn rule(host: &HostMatch, (path, number, condition, names): Said) -> Rule {
    let rule = Rule::new(host.clone(), PathMatch::prefix(path).unwrap(), backend(number));
    let rule = match condition {
        true => rule.with_conditions(Conditions::default().method(&http::Method::PUT)),
        false => rule,
    };
    match names.policy() {
        Some(policy) => rule.with_policy(policy),
        None => rule,
    }
}

#[derive(Clone, Debug)]
enum Step {
    Host(HostMatch, Vec<Said>),
    Endpoints(u8, u8),
    /// The policy of a backend, which keeps nothing in the table.
    Policy(u8, Names),
    Build,
}

#[derive(Debug, Default)]
struct Model {
    hosts: BTreeMap<HostMatch, Vec<Said>>,
    endpoints: BTreeMap<u8, u8>,
    policies: BTreeMap<u8, Names>,
}

impl Model {
    fn take(&mut self, step: Step, editor: &mut TableEditor) {
        match step {
            Step::Host(host, rules) => {
                editor.set_host(host.clone(), rules.iter().map(|said| rule(&host, *said)).collect());
                self.hosts.insert(host, rules);
            }
            Step::Endpoints(number, count) => {
                editor.set_endpoints(backend(number), endpoints(count));
                self.endpoints.insert(number, count);
            }
            Step::Policy(number, names) => {
                editor.set_backend_policy(backend(number), names.policy().map(Arc::new));
                self.policies.insert(number, names);
            }
            Step::Build => {}
        }
    }

    /// The same at once, from the last to the first.
    fn fresh(&self) -> RouteTable {
        let mut builder = RouteTable::builder();
        for (host, rules) in self.hosts.iter().rev() {
            rules.iter().for_each(|said| _ = builder.rule(rule(host, *said)));
        }
        for (number, names) in self.policies.iter().rev() {
            if let Some(policy) = names.policy() {
                builder.backend_policy(backend(*number), policy);
            }
        }
        for (number, count) in self.endpoints.iter().rev() {
            builder.endpoints(backend(*number), endpoints(*count));
        }
        builder.build().0
    }

    fn check(&self, table: &RouteTable) -> Result<(), TestCaseError> {
        // What is served, since shadowed rules keep nothing.
        let served: Vec<_> = table.routes().collect();
        let policies = served.iter().filter_map(|found| found.route.policy());
        let named: BTreeSet<_> = policies.flat_map(|policy| policy.backends().cloned()).collect();
        let pointed =
            served.iter().flat_map(|found| found.backends()).map(|(backend, _)| backend.reference());
        let all: BTreeSet<_> = pointed.chain(&named).cloned().collect();
        let there: BTreeSet<_> = table.backends().map(|backend| backend.reference().clone()).collect();
        prop_assert_eq!(there, all);
        for number in 0..BACKENDS {
            let reference = backend(number);
            let found = table.backend(&reference);
            prop_assert_eq!(found.is_some(), named.contains(&reference), "{}", reference);
            let Some(found) = found else { continue };
            prop_assert_eq!(found.reference(), &reference);
            let count = self.endpoints.get(&number).copied().unwrap_or_default();
            prop_assert_eq!(found.endpoints().as_slice().len(), usize::from(count));
            let policy = self.policies.get(&number).and_then(|names| names.policy());
            prop_assert_eq!(found.policy().map(|policy| &**policy), policy.as_ref());
        }
        Ok(())
    }
}

const BACKENDS: u8 = 6;

fn names() -> impl Strategy<Value = Names> {
    let name = || prop::option::weighted(0.3, 0..BACKENDS);
    (name(), name(), name(), name()).prop_map(|(mirror, external, keys, pages)| Names {
        mirror,
        external,
        keys,
        pages,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let host = select(vec!["", "a.x", "b.x", "*.x"]).prop_map(|text| text.parse().unwrap());
    let said = (select(vec!["/", "/a", "/b"]), 0..BACKENDS, any::<bool>(), names());
    prop_oneof![
        6 => (host, prop::collection::vec(said, 0..4)).prop_map(|(host, rules)| Step::Host(host, rules)),
        3 => (0..BACKENDS, 0u8..3).prop_map(|(number, count)| Step::Endpoints(number, count)),
        1 => (0..BACKENDS, names()).prop_map(|(number, names)| Step::Policy(number, names)),
        3 => Just(Step::Build),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn they_are_there_as_long_as_a_rule_is(steps in prop::collection::vec(step(), 1..25)) {
        let (mut editor, mut model) = (TableEditor::new(), Model::default());
        let mut earlier = Vec::new();
        for step in steps.into_iter().chain([Step::Build]) {
            if let Step::Build = step {
                let table = editor.build().0;
                model.check(&table)?;
                let fresh = model.fresh();
                model.check(&fresh)?;
                prop_assert_eq!(&table, &fresh);
                earlier.push((table, fresh));
            } else {
                model.take(step, &mut editor);
            }
        }
        // What came later has not changed them.
        for (table, fresh) in &earlier {
            prop_assert_eq!(table, fresh);
            for number in 0..BACKENDS {
                let count = |table: &RouteTable| {
                    table.backend(&backend(number)).map(|backend| backend.endpoints().as_slice().len())
                };
                prop_assert_eq!(count(table), count(fresh));
            }
        }
        // Without rules nothing is left.
        for host in model.hosts.keys() {
            editor.set_host(host.clone(), Vec::new());
        }
        let table = editor.build().0;
        prop_assert_eq!((table.backend_count(), table.endpoint_count()), (0, 0));
        prop_assert!((0..BACKENDS).all(|number| table.backend(&backend(number)).is_none()));
    }
}

/// Two rules share what both name; the second to go takes it along.
#[test]
fn the_last_rule_takes_it_along() {
    let names = Names { mirror: Some(1), external: Some(1), ..Names::default() };
    let hosts: [HostMatch; 2] = ["a.x", "b.x"].map(|host| host.parse().unwrap());
    let mut editor = TableEditor::new();
    editor.set_endpoints(backend(1), endpoints(1));
    for host in &hosts {
        editor.set_host(host.clone(), vec![rule(host, ("/", 0, false, names))]);
    }
    let both = editor.build().0;
    let count =
        |table: &RouteTable| table.backend(&backend(1)).map(|backend| backend.endpoints().as_slice().len());
    editor.set_host(hosts[0].clone(), Vec::new());
    editor.set_endpoints(backend(1), endpoints(2));
    let one = editor.build().0;
    // The rule stays, and its policy names it no more.
    editor.set_host(hosts[1].clone(), vec![rule(&hosts[1], ("/", 0, false, Names::default()))]);
    let none = editor.build().0;
    assert_eq!([&both, &one, &none].map(count), [Some(1), Some(2), None]);
    assert_eq!(none.backends().count(), 1);
}
