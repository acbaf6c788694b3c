//! Rules that were written and are not served, so that the table can say why.

use std::cmp::Ordering;
use std::fmt;

use crate::{Diagnostic, HostMatch, PathMatch, RequestHead};

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
    /// Whether it would take requests of this host and path.
    pub(super) fn concerns(&self, head: &RequestHead<'_>) -> bool {
        let host = self.host.as_ref().is_none_or(|host| host.takes(head.host()));
        host && self.path.as_ref().is_none_or(|path| path.takes(head.path().as_str()))
    }

    fn order(&self) -> impl Ord + '_ {
        let Self { host, path, finding } = self;
        ((host.is_none(), host), (path.is_none(), path), finding)
    }
}

impl Ord for UnservedRule {
    /// By host and path; what cannot be read comes last.
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for UnservedRule {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for UnservedRule {
    /// Host and path, as far as they can be read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{host}")?,
            None => f.write_str("(host not known)")?,
        }
        match &self.path {
            Some(path) => write!(f, " {path}"),
            None => f.write_str(" (path not known)"),
        }
    }
}
