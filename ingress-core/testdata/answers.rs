//! Who may answer a request of the matching cases, and whether what came back is right.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Group, Request};

/// One endpoint of a Service, with the conditions of `discovery.k8s.io/v1`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EndpointState {
    pub ready: Option<bool>,
    pub serving: Option<bool>,
    pub terminating: Option<bool>,
    /// Whether requests may go there.
    pub used: bool,
    /// Whether it refuses connections.
    pub dead: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Expect {
    /// No Service answers: 400, 404 or 503.
    Status(u16),
    /// The Service of this name answers; if asked often, each of its endpoints does.
    Service(String),
    /// These Services answer so many of a hundred requests, give or take five.
    Shares(BTreeMap<String, u32>),
}

/// What came back for a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// Not 200.
    Status(u16),
    /// 200, and the body.
    Body(String),
}

/// One endpoint of a Service.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// What it answers: the Service's name and its own number.
    pub answer: String,
    pub state: EndpointState,
}

// ===== impl Group =====

impl Group {
    /// The endpoints of a Service; a single ready one unless the group says otherwise.
    pub fn endpoints(&self, service: &str) -> Vec<Endpoint> {
        let none = [&self.missing, &self.empty].iter().any(|list| list.iter().any(|name| name == service));
        let states = match self.endpoints.get(service) {
            _ if none => Vec::new(),
            Some(states) => states.clone(),
            None => vec![EndpointState::default()],
        };
        let endpoint = |(number, state)| Endpoint { answer: format!("{service}#{number}"), state };
        states.into_iter().enumerate().map(endpoint).collect()
    }

    /// Those to which requests may go: for whoever knows no conditions.
    pub fn used_endpoints(&self, service: &str) -> Vec<Endpoint> {
        let mut endpoints = self.endpoints(service);
        endpoints.retain(|endpoint| endpoint.state.used);
        endpoints
    }

    /// What is wrong with the answers to a request that was sent as often as it says.
    pub fn fault(&self, request: &Request, answers: &[Answer]) -> Option<String> {
        assert_eq!(answers.len(), request.times);
        let from = |service: &str| {
            let alive = self.used_endpoints(service).into_iter().filter(|endpoint| !endpoint.state.dead);
            alive.map(|endpoint| Answer::Body(endpoint.answer)).collect::<Vec<_>>()
        };
        let right = match &request.expect {
            Expect::Status(status) => answers.iter().all(|answer| *answer == Answer::Status(*status)),
            Expect::Service(name) => {
                let wanted = from(name);
                answers.iter().all(|answer| wanted.contains(answer))
                    && (request.times == 1 || wanted.iter().all(|answer| answers.contains(answer)))
            }
            Expect::Shares(shares) => {
                let count = |name| answers.iter().filter(|answer| from(name).contains(answer)).count();
                let counts: Vec<_> = shares.iter().map(|(name, share)| (count(name), *share)).collect();
                let close = |&(count, share): &(usize, u32)| {
                    let percent = (count * 100) as f64 / answers.len() as f64;
                    (percent - f64::from(share)).abs() <= if share == 0 { 0.0 } else { 5.0 }
                };
                counts.iter().all(close)
                    && counts.iter().map(|(count, _)| count).sum::<usize>() == answers.len()
            }
        };
        let mut found: BTreeMap<&Answer, usize> = BTreeMap::new();
        answers.iter().for_each(|answer| *found.entry(answer).or_default() += 1);
        let label = format!("{}.yaml: {}: {:?}", self.file, self.name, request);
        (!right).then(|| format!("{label}: got {found:?}"))
    }
}

// ===== impl EndpointState =====

impl Default for EndpointState {
    fn default() -> Self {
        Self { ready: None, serving: None, terminating: None, used: true, dead: false }
    }
}
