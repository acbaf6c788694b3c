//! Who is asked about each route that could take a request, the strongest first.

use std::ops::ControlFlow;

use super::explain::HostVerdict;
use super::route::Route;
use super::shard::Host;
use crate::{HostMatch, RequestHead};

/// A kind of host, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Exact,
    Wildcard,
    Any,
}

/// Sees the routes whose host and path fit, in order of precedence, until it breaks.
pub(super) trait Visitor<'t> {
    /// What part the hosts of a level play, and their routes.
    #[inline]
    fn host(&mut self, _level: Level, _verdict: HostVerdict, _routes: Option<Host<'t>>) {}

    /// `first` is the first of the routes for one path; those that follow it differ in conditions.
    /// `conditional`: routes of the host may have any.
    fn candidate(&mut self, first: Route<'t>, conditional: bool) -> ControlFlow<Route<'t>>;
}

/// Takes the first route whose conditions are met.
#[derive(Debug)]
pub(super) struct Find<'h>(pub(super) &'h RequestHead<'h>);

impl Level {
    /// The level of a host, and the name that it has there.
    pub(super) fn of(host: &HostMatch) -> (Self, &str) {
        match host {
            HostMatch::Exact(name) => (Self::Exact, name.as_str()),
            HostMatch::Wildcard(suffix) => (Self::Wildcard, suffix.as_str()),
            HostMatch::Any => (Self::Any, ""),
        }
    }
}

impl<'t> Visitor<'t> for Find<'_> {
    #[inline]
    fn candidate(&mut self, first: Route<'t>, conditional: bool) -> ControlFlow<Route<'t>> {
        if conditional { self.check(first) } else { ControlFlow::Break(first) }
    }
}

impl Find<'_> {
    fn check<'t>(&self, first: Route<'t>) -> ControlFlow<Route<'t>> {
        match first.same_paths().find(|route| route.check(self.0).is_ok()) {
            Some(route) => ControlFlow::Break(route),
            None => ControlFlow::Continue(()),
        }
    }
}
