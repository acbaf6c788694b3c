//! The visitor that notes what a lookup meets, and breaks off nothing.

use std::ops::ControlFlow;

use super::{HostStep, HostVerdict, Verdict};
use crate::RequestHead;
use crate::table::route::Route;
use crate::table::shard::Host;
use crate::table::visit::{Level, Visitor};

/// What one lookup met.
pub(super) struct Watch<'t, 'h> {
    head: &'h RequestHead<'h>,
    /// The route that takes the request.
    pub(super) taken: Option<Route<'t>>,
    /// The routes that take the path, in the order in which they were met.
    pub(super) steps: Vec<(Route<'t>, Verdict)>,
    /// By level.
    hosts: [(HostVerdict, Option<Host<'t>>); 3],
}

impl<'t, 'h> Watch<'t, 'h> {
    pub(super) fn new(head: &'h RequestHead<'h>) -> Self {
        Self { head, taken: None, steps: Vec::new(), hosts: [(HostVerdict::NotAsked, None); 3] }
    }

    /// The routes of hosts that are asked but take other paths.
    pub(super) fn others(&self) -> impl Iterator<Item = Route<'t>> {
        let asked = self.hosts.iter().filter(|(verdict, _)| *verdict == HostVerdict::Asked);
        let routes = asked.filter_map(|(_, routes)| *routes).flat_map(Host::routes);
        routes.filter(|route| self.steps.iter().all(|(seen, _)| !seen.is(*route)))
    }

    pub(super) fn host_steps(&self) -> Vec<HostStep> {
        let host = self.head.host();
        let parent = host.parent().map(String::from_utf8_lossy);
        let name = Some(host.as_str()).filter(|name| !name.is_empty());
        let texts =
            [name.map(Into::into), parent.map(|parent| format!("*.{parent}").into()), Some("*".into())];
        let steps = texts.into_iter().zip(self.hosts);
        steps.filter_map(|(host, (verdict, _))| Some(HostStep { host: host?, verdict })).collect()
    }
}

impl<'t> Visitor<'t> for Watch<'t, '_> {
    fn host(&mut self, level: Level, verdict: HostVerdict, routes: Option<Host<'t>>) {
        self.hosts[level as usize] = (verdict, routes);
    }

    fn candidate(&mut self, first: Route<'t>, _conditional: bool) -> ControlFlow<Route<'t>> {
        for route in first.same_paths() {
            let verdict = match route.check(self.head) {
                Err(unmet) => Verdict::Unmet(unmet.to_string().into()),
                Ok(()) if self.taken.is_some() => Verdict::Weaker,
                Ok(()) => {
                    self.taken = Some(route);
                    Verdict::Takes
                }
            };
            self.steps.push((route, verdict));
        }
        ControlFlow::Continue(())
    }
}
