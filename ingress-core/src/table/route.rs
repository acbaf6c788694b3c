//! One compiled rule, and what a lookup hands out.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::backends::{BackendTable, Serving};
use super::shard::{Host, Shard};
use crate::condition::Unmet;
use crate::{Backend, Conditions, HostMatch, PathMatch, Policy, RequestHead, RequestPath, Source, Turn};

/// The compiled form of one rule: a place in a table.
#[derive(Clone, Copy, Debug)]
pub struct Route<'t> {
    /// With `at`, its host; in so few bytes, a route is handed on in registers.
    shard: &'t Shard,
    at: u32,
    number: u32,
}

/// The route that takes a request, and its backends.
#[derive(Clone, Copy, Debug)]
pub struct RouteMatch<'t> {
    /// The route.
    pub route: Route<'t>,
    backends: &'t BackendTable,
}

// ===== impl Route =====

impl<'t> Route<'t> {
    #[inline]
    pub(super) fn new(host: Host<'t>, number: u32) -> Self {
        let (shard, at) = host.place();
        Self { shard, at, number }
    }

    #[inline]
    fn of_host(self) -> Host<'t> {
        self.shard.host(self.at)
    }

    /// Whether both are the same place of the same table.
    #[inline]
    pub(super) fn is(self, other: Self) -> bool {
        std::ptr::eq(self.shard, other.shard) && (self.at, self.number) == (other.at, other.number)
    }

    /// This route and those that follow it for the same paths.
    pub(super) fn same_paths(self) -> impl Iterator<Item = Self> {
        let next = |route: &Self| {
            let number = route.number + 1;
            (!route.of_host().is_last(route.number)).then_some(Self { number, ..*route })
        };
        std::iter::successors(Some(self), next)
    }

    /// Whether the request meets the conditions.
    pub(super) fn check(self, head: &RequestHead<'_>) -> Result<(), Unmet<'t>> {
        self.conditions().check(head)
    }

    /// Which hosts it takes. Hosts and paths are kept in one piece of memory, so this text is made by each call.
    pub fn host(self) -> HostMatch {
        self.of_host().host()
    }

    /// Which paths of these hosts it takes; made by each call.
    pub fn path(self) -> PathMatch {
        self.of_host().path(self.number)
    }

    /// What a request must meet besides.
    pub fn conditions(self) -> &'t Conditions {
        self.of_host().conditions(self.number)
    }

    /// How its requests are treated, if anything is said of that; shared, so that it can be kept beyond the table.
    #[inline]
    pub fn policy(self) -> Option<&'t Arc<Policy>> {
        self.of_host().policy(self.number)
    }

    /// The object and field that it stems from.
    pub fn source(self) -> Option<&'t Source> {
        self.of_host().source(self.number)
    }
}

impl PartialEq for Route<'_> {
    /// Whether both say the same, in one table or in two; who serves them does not count.
    fn eq(&self, other: &Self) -> bool {
        let parts = |route: &Self| {
            let said = (route.conditions().clone(), route.policy().cloned(), route.source().cloned());
            (route.host(), route.path(), said)
        };
        self.is(*other) || parts(self) == parts(other)
    }
}

impl Eq for Route<'_> {}

impl fmt::Display for Route<'_> {
    /// Host, path and conditions: `shop.example Prefix /cart (method GET)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.host(), self.path())?;
        match self.conditions() {
            none if none.is_empty() => Ok(()),
            conditions => write!(f, " ({conditions})"),
        }
    }
}

// ===== impl RouteMatch =====

impl<'t> RouteMatch<'t> {
    #[inline]
    pub(super) fn new(route: Route<'t>, backends: &'t BackendTable) -> Self {
        Self { route, backends }
    }

    #[inline]
    fn number(self) -> u32 {
        self.route.of_host().backend(self.route.number)
    }

    /// The backend that serves the request; shared, so that it can be kept beyond the table. `None` when
    /// several share the route's requests and none of them has any weight.
    ///
    /// Only where several share them, `turn` is called, with a number for the split that no backend of the
    /// table has as its [`Backend::index`], by which tickets may be counted.
    #[inline]
    pub fn backend(&self, turn: impl FnOnce(u32) -> Turn) -> Option<&'t Arc<Backend>> {
        match self.backends.get(self.number())? {
            Serving::Backend(backend) => Some(backend),
            Serving::Split(split) => self.backends.backend(split.pick(turn(split.index))?),
        }
    }

    /// All backends that may serve the route's requests, and their weights; a single one has weight 1.
    pub fn backends(&self) -> impl Iterator<Item = (&'t Arc<Backend>, u32)> + use<'t> {
        let table = self.backends;
        let (one, shares) = match table.get(self.number()) {
            Some(Serving::Backend(backend)) => (Some((backend, 1)), &[][..]),
            Some(Serving::Split(split)) => (None, &split.shares[..]),
            None => (None, &[][..]),
        };
        let shares = shares.iter().filter_map(|&(number, weight)| Some((table.backend(number)?, weight)));
        one.into_iter().chain(shares)
    }

    /// A number for what serves the route, equal for routes of one table with equal [`Backends`](crate::Backends). It comes
    /// without a look at the backends.
    #[inline]
    pub fn backend_number(&self) -> u32 {
        self.number()
    }

    /// What the named parts of the route's path hold: the elements in braces of a
    /// [`PathMatch::Template`], the groups of a [`PathMatch::Regex`] (an unnamed one by its number).
    pub fn captures<'p>(&self, path: &'p RequestPath<'_>) -> Vec<(Cow<'t, str>, &'p str)> {
        let own = self.route.of_host().special_path(self.route.number);
        own.map(|own| own.captures(path)).unwrap_or_default()
    }
}

/// Whether both routes say the same, and the same backends serve them by the same weights.
impl PartialEq for RouteMatch<'_> {
    fn eq(&self, other: &Self) -> bool {
        let shares = |found: &Self| -> Vec<_> {
            found.backends().map(|(backend, weight)| (backend.reference().clone(), weight)).collect()
        };
        self.route == other.route && shares(self) == shares(other)
    }
}
