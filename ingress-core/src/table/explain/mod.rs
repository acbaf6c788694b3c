//! Why a request goes where it goes: the lookup itself, watched.

mod text;
mod watch;

use std::sync::Arc;

use super::{Route, RouteTable, UnservedRule};
use crate::{
    BackendRef, Diagnostic, Endpoint, EndpointSet, EndpointState, Policy, Protocol, RequestHead, Source,
};
use watch::Watch;

/// What [`RouteTable::lookup`] does with a request, and why.
///
/// Its text is for people; with the feature `serde` it serialises for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub struct Explanation {
    /// The request's method.
    pub method: Box<str>,
    /// The host as it is compared; empty for a request without one.
    pub host: Box<str>,
    /// The path as it is compared and forwarded.
    pub path: Box<str>,
    /// How else application servers read the path (ruling R5), each text once; empty for nearly all paths.
    pub readings: Vec<ReadingStep>,
    /// The hosts that could own the request, the strongest first (ruling R3).
    pub hosts: Vec<HostStep>,
    /// The rules of these hosts: first those that take the path, in the order in which they are asked, then
    /// those that are not served, then those with other paths.
    pub rules: Vec<RuleStep>,
    /// What comes of it.
    pub outcome: Outcome,
}

/// One way to read an ambiguous path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub struct ReadingStep {
    /// The path that a server may see; `None` when it would climb above `/`, or when there are more readings
    /// than one request may cost.
    pub path: Option<Box<str>>,
    /// Whether it leads where the path as it is written leads.
    pub agrees: bool,
}

/// One host that could own the request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub struct HostStep {
    /// The host of rules; `*` for rules without one.
    pub host: Box<str>,
    /// Its part in the lookup.
    pub verdict: HostVerdict,
}

/// A host's part in a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum HostVerdict {
    /// No rule is for this host.
    Absent,
    /// Its rules are asked.
    Asked,
    /// No rule is for this host, and it is reserved, so that wider ones do not take it.
    Reserved,
    /// Of its rules only the default backend is asked, since a stronger host owns the request.
    OnlyDefault,
    /// A stronger host owns the request, or it is reserved.
    NotAsked,
}

/// One rule and its part in a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub struct RuleStep {
    /// Its host and path, and what else it asks for.
    pub rule: Box<str>,
    /// Its backends and their weights; nothing for a rule that is not served.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serialize_shares"))]
    pub backends: Vec<(BackendRef, u32)>,
    /// How its requests are treated, if anything is said of that; a policy may answer before any endpoint is asked.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "serialize_policy", skip_serializing_if = "Option::is_none")
    )]
    pub policy: Option<Arc<Policy>>,
    /// The object and field that it stems from.
    pub source: Option<Source>,
    /// Its part in the lookup.
    pub verdict: Verdict,
}

/// A rule's part in a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Verdict {
    /// It takes the request.
    Takes,
    /// It would take the request if no stronger rule did.
    Weaker,
    /// It takes the path, but the request does not meet this condition.
    Unmet(Box<str>),
    /// It takes other paths of a host that is asked.
    OtherPath,
    /// It is not served: hidden by another rule ([`Code::ShadowedRule`](crate::Code::ShadowedRule)), or refused.
    Unserved(Diagnostic),
}

/// What comes of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Outcome {
    /// A route takes the request. Several backends share its requests.
    Route(Vec<BackendStep>),
    /// No route does: 404, or the inner service of a layer.
    NoRoute,
    /// The readings of the path lead to different routes: 400.
    Ambiguous,
}

/// A backend that may serve the request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub struct BackendStep {
    /// The backend.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serialize_text"))]
    pub backend: BackendRef,
    /// Its share of the route's requests.
    pub weight: u32,
    /// Its endpoints, those that may be chosen first.
    pub endpoints: Vec<EndpointStep>,
}

/// One endpoint, and whether it may be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub struct EndpointStep {
    /// Address or name, and port.
    pub address: Box<str>,
    /// Its share of the backend's requests.
    pub weight: u32,
    /// What its EndpointSlice says.
    pub state: EndpointState,
    /// What it speaks.
    pub protocol: Protocol,
    /// Whether it may be chosen: it is ready, or no endpoint is and it still serves; and it has a weight.
    pub eligible: bool,
}

#[cfg(feature = "serde")]
pub(super) fn serialize_text<S: serde::Serializer>(
    value: &impl std::fmt::Display,
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

#[cfg(feature = "serde")]
fn serialize_shares<S: serde::Serializer>(shares: &[(BackendRef, u32)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(shares.iter().map(|(backend, weight)| (backend.to_string(), weight)))
}

#[cfg(feature = "serde")]
fn serialize_policy<S: serde::Serializer>(policy: &Option<Arc<Policy>>, to: S) -> Result<S::Ok, S::Error> {
    serde::Serialize::serialize(&policy.as_deref(), to)
}

// ===== impl Explanation =====

impl Explanation {
    /// Replaces the lines of the rules' objects by those of their fields, where `locate` knows them.
    pub fn locate(&mut self, mut locate: impl FnMut(&Source) -> Option<u32>) {
        self.rules
            .iter_mut()
            .filter_map(|rule| rule.source.as_mut())
            .for_each(|source| source.locate(&mut locate));
    }
}

// ===== impl RuleStep =====

impl RuleStep {
    fn unserved(rule: &UnservedRule) -> Self {
        Self {
            rule: rule.to_string().into(),
            backends: Vec::new(),
            policy: None,
            source: rule.finding.source.clone(),
            verdict: Verdict::Unserved(rule.finding.clone()),
        }
    }
}

/// The endpoints of a set, those that may be chosen first.
pub(super) fn endpoint_steps(set: &EndpointSet) -> impl Iterator<Item = EndpointStep> {
    let step = move |(endpoint, usable): (&Endpoint, bool)| EndpointStep {
        address: endpoint.authority().as_str().into(),
        weight: endpoint.weight(),
        state: endpoint.state(),
        protocol: endpoint.protocol(),
        eligible: usable && endpoint.weight() > 0,
    };
    let usable = set.as_slice().len();
    set.all().enumerate().map(move |(place, endpoint)| step((endpoint, place < usable)))
}

// ===== impl RouteTable =====

impl RouteTable {
    /// What [`RouteTable::lookup`] does with a request, and why. It is the same walk through the table, which
    /// goes on past the route that takes the request; it allocates, and is not meant for the request path.
    pub fn explain(&self, head: &RequestHead<'_>) -> Explanation {
        let mut watch = Watch::new(head);
        let _ = self.visit(head, head.path().marked(), &mut watch);
        let readings = self.reading_steps(head, watch.taken);
        let outcome = match watch.taken {
            found if head.path().is_ambiguous() && !self.takes_ambiguous(head, found) => Outcome::Ambiguous,
            Some(route) => Outcome::Route(self.backend_steps(route)),
            None => Outcome::NoRoute,
        };
        let others = watch.others().map(|route| self.rule_step(route, Verdict::OtherPath));
        let taking = watch.steps.iter().map(|(route, verdict)| self.rule_step(*route, verdict.clone()));
        let unserved = self.unserved.iter().filter(|rule| rule.concerns(head));
        let rules = taking.chain(unserved.map(RuleStep::unserved)).chain(others).collect();
        Explanation {
            method: head.method_str().into(),
            host: head.host().as_str().into(),
            path: head.path().as_str().into(),
            readings,
            hosts: watch.host_steps(),
            rules,
            outcome,
        }
    }

    fn rule_step(&self, route: Route<'_>, verdict: Verdict) -> RuleStep {
        let shares = self.route_match(route).backends();
        RuleStep {
            rule: route.to_string().into(),
            backends: shares.map(|(backend, weight)| (backend.reference().clone(), weight)).collect(),
            policy: route.policy().cloned(),
            source: route.source().cloned(),
            verdict,
        }
    }

    fn reading_steps(&self, head: &RequestHead<'_>, found: Option<Route<'_>>) -> Vec<ReadingStep> {
        let mut steps: Vec<ReadingStep> = Vec::new();
        for path in head.path().readings() {
            let path: Option<Box<str>> = path.map(Into::into);
            if !steps.iter().any(|step| step.path == path) {
                let agrees = path.as_ref().is_some_and(|path| self.reaches(head, path, found));
                steps.push(ReadingStep { path, agrees });
            }
        }
        steps
    }

    fn backend_steps(&self, route: Route<'_>) -> Vec<BackendStep> {
        let backends = self.route_match(route).backends().map(|(backend, weight)| {
            let endpoints = endpoint_steps(backend.endpoints()).collect();
            BackendStep { backend: backend.reference().clone(), weight, endpoints }
        });
        backends.collect()
    }
}
