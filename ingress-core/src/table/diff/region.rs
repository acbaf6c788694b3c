//! What a route takes, apart from its host.

use crate::{Conditions, PathMatch, Route};

/// A path and conditions.
#[derive(Clone, Debug)]
pub(super) struct Region<'t> {
    pub(super) path: PathMatch,
    pub(super) conditions: &'t Conditions,
}

impl<'t> Region<'t> {
    pub(super) fn of(route: Route<'t>) -> Self {
        Self { path: route.path(), conditions: route.conditions() }
    }

    /// Whether both take the same requests of a host.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.path.takes_same(&other.path) && self.conditions == other.conditions
    }

    /// The order by what is taken.
    pub(super) fn order(&self) -> impl Ord + '_ {
        (self.path.precedence(), self.conditions, self.path.as_str())
    }

    /// The path, and what else it asks for.
    pub(super) fn what(&self) -> String {
        match self.conditions {
            none if none.is_empty() => self.path.to_string(),
            conditions => format!("{} ({conditions})", self.path),
        }
    }
}
