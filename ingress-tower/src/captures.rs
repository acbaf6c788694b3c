//! What the named parts of a route's path held in a request.

use std::sync::Arc;

use ingress_core::{RequestPath, RouteMatch};

/// The named parts of a path: elements in braces of a template (`/users/{id}`), groups of a regular
/// expression.
///
/// It is in the extensions of a request that a route with such a path takes, on its way to a resource's service
/// or to the client. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captures(Arc<[(Box<str>, Box<str>)]>);

impl Captures {
    /// `None` where the route's path has no such parts.
    pub(crate) fn of(found: &RouteMatch<'_>, path: &RequestPath<'_>) -> Option<Self> {
        let captures = found.captures(path);
        let owned = |(name, value): (std::borrow::Cow<'_, str>, &str)| (name.into(), value.into());
        (!captures.is_empty()).then(|| Self(captures.into_iter().map(owned).collect()))
    }

    /// What the part with this name held: normalised, escapes left as they are. A group without a name has its
    /// number, from 1.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// All names and what they held, in the order of the path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}
