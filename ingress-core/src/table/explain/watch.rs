//! The visitor that notes what a lookup meets, and breaks off nothing.

use std::ops::ControlFlow;

use super::{HostStep, HostVerdict, Verdict};
use crate::table::route::{Route, RouteId};
use crate::table::visit::{Level, Visitor};
use crate::{HostMatch, RequestHead};

/// What one lookup met.
pub(super) struct Watch<'t> {
    routes: &'t [Route],
    head: &'t RequestHead<'t>,
    /// The route that takes the request.
    pub(super) taken: Option<RouteId>,
    /// The routes that take the path, by number, in the order in which they were met.
    pub(super) steps: Vec<(u32, Verdict)>,
    /// By level.
    hosts: [HostVerdict; 3],
}

impl<'t> Watch<'t> {
    pub(super) fn new(routes: &'t [Route], head: &'t RequestHead<'t>) -> Self {
        Self { routes, head, taken: None, steps: Vec::new(), hosts: [HostVerdict::NotAsked; 3] }
    }

    pub(super) fn is_asked(&self, host: &HostMatch) -> bool {
        let level = match host {
            HostMatch::Exact(_) => Level::Exact,
            HostMatch::Wildcard(_) => Level::Wildcard,
            HostMatch::Any => Level::Any,
        };
        host.takes(self.head.host()) && self.hosts[level as usize] == HostVerdict::Asked
    }

    pub(super) fn host_steps(&self) -> Vec<HostStep> {
        let host = self.head.host();
        let parent = host.parent().map(String::from_utf8_lossy);
        let name = Some(host.as_str()).filter(|name| !name.is_empty());
        let texts =
            [name.map(Into::into), parent.map(|parent| format!("*.{parent}").into()), Some("*".into())];
        let steps = texts.into_iter().zip(self.hosts);
        steps.filter_map(|(host, verdict)| Some(HostStep { host: host?, verdict })).collect()
    }
}

impl Visitor for Watch<'_> {
    fn host(&mut self, level: Level, verdict: HostVerdict) {
        self.hosts[level as usize] = verdict;
    }

    fn candidate(&mut self, first: RouteId) -> ControlFlow<RouteId> {
        for (number, route) in (first.route..).zip(&self.routes[first.route as usize..]) {
            let verdict = match route.check(self.head) {
                Err(unmet) => Verdict::Unmet(unmet.to_string().into()),
                Ok(()) if self.taken.is_some() => Verdict::Weaker,
                Ok(()) => {
                    self.taken = Some(route.id(number));
                    Verdict::Takes
                }
            };
            self.steps.push((number, verdict));
            if route.last {
                break;
            }
        }
        ControlFlow::Continue(())
    }
}
