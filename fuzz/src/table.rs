//! The table against the naive oracle, over rules and requests made from bytes.

use arbitrary::{Arbitrary, Result, Unstructured};
use ingress_core::{BackendRef, PathMatch, RequestHead, RequestHost, RequestPath, RouteTable, Rule};

use crate::oracle::{self, OracleRule, Type};

const RULE_HOSTS: [&str; 6] = ["", "x", "a.x", "b.x", "*.x", "*.a.x"];
const REQUEST_HOSTS: [&str; 8] = ["", "x", "a.x", "b.x", "c.x", "a.a.x", "b.a.x", "10.0.0.1"];
const SEGMENTS: [&str; 6] = ["a", "b", "ab", "A", "{a}", "*"];
const KINDS: [Type; 3] = [Type::Exact, Type::Prefix, Type::Default];

/// Rules and requests.
///
/// Every choice takes one byte, counted modulo the number of choices, so that seeds can be written by hand:
/// the number of rules (of 0 to 40), for each its host, its kind and its path; the number of requests (of 0
/// to 20), for each its host and its path. A path is the number of its segments (of 0 to 4), the segments, and
/// whether a slash follows.
#[derive(Debug)]
pub struct Case {
    rules: Vec<OracleRule>,
    requests: Vec<(&'static str, String)>,
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(data: &mut Unstructured<'a>) -> Result<Self> {
        let count = data.int_in_range(0..=40u8)?;
        let rules = (0..count).map(|_| rule(data)).collect::<Result<_>>()?;
        let count = data.int_in_range(0..=20u8)?;
        let requests =
            (0..count).map(|_| Ok((choose(data, &REQUEST_HOSTS)?, path(data)?))).collect::<Result<_>>()?;
        Ok(Self { rules: oracle::without_conflicts(rules), requests })
    }
}

impl Case {
    /// How many of the requests a rule takes.
    pub fn taken(&self) -> usize {
        self.requests.iter().filter(|(host, path)| oracle::find(&self.rules, host, path).is_some()).count()
    }

    fn check(&self) {
        let mut builder = RouteTable::builder();
        for (number, rule) in self.rules.iter().enumerate() {
            builder.rule(core_rule(number, rule));
        }
        let table = builder.build().0;
        for (host, path) in &self.requests {
            let request_host = RequestHost::parse(host).expect("a host of the list above");
            let request_path = RequestPath::parse(path).expect("a path of segments of the list above");
            let found = table
                .lookup(&RequestHead::new(&request_host, &request_path))
                .expect("no segment is ambiguous");
            let found = found.map(|found| {
                number(
                    found.backend(|_| ingress_core::Turn::Ticket(0)).expect("no rule is split").reference(),
                )
            });
            assert_eq!(found, oracle::find(&self.rules, host, path), "{host:?} {path:?} in {:?}", self.rules);
        }
    }
}

/// Whether the table gives the oracle's answers.
pub fn table_oracle(data: &[u8]) {
    if let Ok(case) = Case::arbitrary(&mut Unstructured::new(data)) {
        case.check();
    }
}

fn choose<T: Copy>(data: &mut Unstructured<'_>, choices: &[T]) -> Result<T> {
    Ok(choices[data.int_in_range(0..=choices.len() as u8 - 1)? as usize])
}

fn rule(data: &mut Unstructured<'_>) -> Result<OracleRule> {
    let (host, kind, path) = (choose(data, &RULE_HOSTS)?, choose(data, &KINDS)?, path(data)?);
    let path = if kind == Type::Default { String::new() } else { path };
    Ok(OracleRule { host: host.into(), path, kind, ..OracleRule::default() })
}

fn path(data: &mut Unstructured<'_>) -> Result<String> {
    let count = data.int_in_range(0..=4u8)?;
    let segments = (0..count).map(|_| choose(data, &SEGMENTS)).collect::<Result<Vec<_>>>()?;
    let slash = if choose(data, &[false, true])? && count > 0 { "/" } else { "" };
    Ok(format!("/{}{slash}", segments.join("/")))
}

fn core_rule(number: usize, rule: &OracleRule) -> Rule {
    let path = match rule.kind {
        Type::Exact => PathMatch::exact(&rule.path),
        Type::Template => PathMatch::template(&rule.path),
        Type::Prefix => PathMatch::prefix(&rule.path),
        Type::Default => Ok(PathMatch::Default),
    };
    let backend = format!("default/{number}:80").parse().expect("a Service port");
    let host = rule.host.parse().expect("a host of the list above");
    Rule::new(host, path.expect("a path of segments of the list above"), backend)
}

fn number(backend: &BackendRef) -> usize {
    match backend {
        BackendRef::Service(service) => service.name.parse().expect("made above"),
        BackendRef::Resource(_) => unreachable!("made above"),
    }
}
