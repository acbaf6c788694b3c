//! Who is asked about each route that could take a request, the strongest first.

use std::ops::ControlFlow;

use super::explain::HostVerdict;
use super::route::{Route, RouteId};
use crate::RequestHead;

/// A kind of host, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Exact,
    Wildcard,
    Any,
}

/// Sees the routes whose host and path fit, in order of precedence, until it breaks.
pub(super) trait Visitor {
    /// What part the hosts of a level play.
    #[inline]
    fn host(&mut self, _level: Level, _verdict: HostVerdict) {}

    /// `first` is the first of the routes for one path; those that follow it differ in conditions.
    fn candidate(&mut self, first: RouteId) -> ControlFlow<RouteId>;
}

/// Takes the first route whose conditions are met.
#[derive(Debug)]
pub(super) struct Find<'t> {
    pub(super) routes: &'t [Route],
    pub(super) head: &'t RequestHead<'t>,
    /// Some route of the table has conditions. Without any, no route needs to be read.
    pub(super) conditional: bool,
}

impl Visitor for Find<'_> {
    #[inline]
    fn candidate(&mut self, first: RouteId) -> ControlFlow<RouteId> {
        if self.conditional { self.check(first) } else { ControlFlow::Break(first) }
    }
}

impl Find<'_> {
    fn check(&self, first: RouteId) -> ControlFlow<RouteId> {
        for (number, route) in (first.route..).zip(&self.routes[first.route as usize..]) {
            if route.check(self.head).is_ok() {
                return ControlFlow::Break(route.id(number));
            }
            if route.last {
                break;
            }
        }
        ControlFlow::Continue(())
    }
}
