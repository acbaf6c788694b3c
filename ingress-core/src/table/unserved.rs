//! Rules that were written and are not served, so that the table can say why.

use crate::{Diagnostic, HostMatch, PathMatch};

/// A rule that is not served, and the finding about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnservedRule {
    /// Which hosts it would take; `None` when its host cannot be read.
    pub host: Option<HostMatch>,
    /// Which paths it would take; `None` when its path cannot be read.
    pub path: Option<PathMatch>,
    /// Why it is not served, and the object and field that it stems from.
    pub finding: Diagnostic,
}

impl UnservedRule {
    /// The order in a table, whatever the order in which they were found.
    pub(super) fn order(&self) -> impl Ord + '_ {
        let Diagnostic { source, code, message, .. } = &self.finding;
        ((self.host.is_none(), &self.host), (self.path.is_none(), &self.path), (source, code, message))
    }
}
