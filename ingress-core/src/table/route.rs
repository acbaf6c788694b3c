//! One compiled rule, and what a lookup hands out.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::condition::Unmet;
use crate::split::Split;
use crate::{Backend, Conditions, HostMatch, PathMatch, RequestHead, RequestPath, Rule, Source};

/// The compiled form of one rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    host: HostMatch,
    path: PathMatch,
    /// Most routes have none.
    conditions: Option<Box<Conditions>>,
    /// The number of a backend, or past these of a split.
    backend: u32,
    /// No further route of the host takes the same paths.
    pub(super) last: bool,
    source: Option<Source>,
}

/// A route's place in its table, and its backend's or split's, which spares a lookup reading the route itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RouteId {
    pub(super) route: u32,
    pub(super) backend: u32,
}

/// The route that takes a request, and its backends.
#[derive(Clone, Copy, Debug)]
pub struct RouteMatch<'t> {
    /// The route.
    pub route: &'t Route,
    target: Target<'t>,
}

#[derive(Clone, Copy, Debug)]
enum Target<'t> {
    One(&'t Arc<Backend>),
    Split(&'t Split),
}

// ===== impl Route =====

impl Route {
    /// `backend` is the number of what serves it.
    pub(super) fn new(rule: Rule, backend: u32, last: bool) -> Self {
        let Rule { host, path, conditions, source, .. } = rule;
        let conditions = (!conditions.is_empty()).then(|| Box::new(conditions));
        Self { host, path, conditions, backend, last, source }
    }

    /// Its place, where it is the `number`th of its table.
    pub(super) fn id(&self, number: u32) -> RouteId {
        RouteId { route: number, backend: self.backend }
    }

    /// Whether the request meets the conditions.
    pub(super) fn check(&self, head: &RequestHead<'_>) -> Result<(), Unmet<'_>> {
        self.conditions.as_ref().map_or(Ok(()), |conditions| conditions.check(head))
    }

    /// Whether both take the same requests of a host.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.path.takes_same(&other.path) && self.conditions == other.conditions
    }

    /// The path, and what else it asks for.
    pub(super) fn what(&self) -> String {
        match &self.conditions {
            Some(conditions) => format!("{} ({conditions})", self.path),
            None => self.path.to_string(),
        }
    }

    /// The order of routes of one host by what they take.
    pub(super) fn region(&self) -> impl Ord + '_ {
        (self.path.precedence(), self.conditions(), self.path.as_str())
    }

    /// Which hosts it takes.
    pub fn host(&self) -> &HostMatch {
        &self.host
    }

    /// Which paths of these hosts it takes.
    pub fn path(&self) -> &PathMatch {
        &self.path
    }

    /// What a request must meet besides.
    pub fn conditions(&self) -> &Conditions {
        const NONE: &Conditions = &Conditions::NONE;
        self.conditions.as_deref().unwrap_or(NONE)
    }

    /// The object and field that it stems from.
    pub fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }
}

impl fmt::Display for Route {
    /// Host, path and conditions: `shop.example Prefix /cart (method GET)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.host, self.what())
    }
}

// ===== impl RouteMatch =====

impl<'t> RouteMatch<'t> {
    #[inline]
    pub(super) fn new(
        route: &'t Route,
        number: u32,
        backends: &'t [Arc<Backend>],
        splits: &'t [Split],
    ) -> Self {
        let number = number as usize;
        let target = match backends.get(number) {
            Some(backend) => Target::One(backend),
            None => Target::Split(&splits[number - backends.len()]),
        };
        Self { route, target }
    }

    /// The backend that serves the request; shared, so that it can be kept beyond the table. `None` when
    /// several share the route's requests and none of them has any weight.
    ///
    /// Only where several share them, `ticket` is called, with a number for the split that no backend of the
    /// table has as its [`Backend::index`]. Tickets counted up by one for each such number give every
    /// backend exactly its weight's share of a period.
    #[inline]
    pub fn backend(&self, ticket: impl FnOnce(u32) -> u64) -> Option<&'t Arc<Backend>> {
        match self.target {
            Target::One(backend) => Some(backend),
            Target::Split(split) => split.pick(ticket(split.index)),
        }
    }

    /// All backends that may serve the route's requests, and their weights; a single one has weight 1.
    pub fn backends(&self) -> impl Iterator<Item = (&'t Arc<Backend>, u32)> + use<'t> {
        let (one, shares) = match self.target {
            Target::One(backend) => (Some((backend, 1)), &[][..]),
            Target::Split(split) => (None, &split.shares[..]),
        };
        one.into_iter().chain(shares.iter().map(|(backend, weight)| (backend, *weight)))
    }

    /// What the named parts of the route's path hold: the elements in braces of a
    /// [`PathMatch::Template`], the groups of a [`PathMatch::Regex`] (an unnamed one by its number).
    pub fn captures<'p>(&self, path: &'p RequestPath<'_>) -> Vec<(Cow<'t, str>, &'p str)> {
        self.route.path.captures(path)
    }
}
