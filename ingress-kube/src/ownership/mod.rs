//! Which namespaces may claim which hosts.

#[cfg(feature = "manifests")]
mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ingress_core::{HostError, HostMatch, HostName};

#[cfg(feature = "manifests")]
pub use file::HostOwnershipError;

/// Which namespaces may claim which hosts. Kubernetes has no such thing: there every namespace may name every
/// host in an Ingress.
///
/// Of the patterns that cover a host the most specific one decides; the namespaces of the others have no say. A
/// host that no pattern covers may be claimed by everyone, unless there is a pattern for all hosts.
///
/// A rule for a host that its namespace may not claim is not served. A host with owners is also kept from the
/// wildcards and host-less rules of all namespaces, its owners' included: it is served by rules that name it, by
/// wildcards for a part of an owned `*.` pattern, and by the global default backend.
///
/// ```
/// use ingress_kube::HostOwnership;
///
/// let policy = HostOwnership::default()
///     .owner("*.team-a.example".parse()?, ["team-a"])
///     .owner("*.try.team-a.example".parse()?, ["*"]);
/// assert!(policy.may_claim("team-a", &"web.team-a.example".parse()?));
/// assert!(!policy.may_claim("team-b", &"*.team-a.example".parse()?));
/// assert!(policy.may_claim("team-b", &"web.try.team-a.example".parse()?));
/// assert!(policy.may_claim("team-b", &"web.team-b.example".parse()?));
/// # Ok::<(), ingress_core::HostError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostOwnership {
    owners: BTreeMap<HostPattern, Owners>,
}

/// Hosts that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// Just this host.
    Exact(HostName),
    /// `*.` and this name: all names below it, with any number of labels in front, and wildcards for them.
    Below(HostName),
    /// `*`: every host, and rules and default backends without a host.
    All,
}

/// The namespaces of one pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owners {
    pub(crate) namespaces: BTreeSet<Arc<str>>,
    /// `*` is among them.
    anyone: bool,
}

// ===== impl HostOwnership =====

impl HostOwnership {
    /// Gives hosts to namespaces; `*` stands for every namespace, and no namespace at all means that nobody may
    /// claim these hosts. What was said of the same pattern before is forgotten.
    #[must_use]
    pub fn owner<N: Into<Arc<str>>>(
        mut self,
        hosts: HostPattern,
        namespaces: impl IntoIterator<Item = N>,
    ) -> Self {
        let namespaces: BTreeSet<Arc<str>> = namespaces.into_iter().map(Into::into).collect();
        let anyone = namespaces.contains("*");
        self.owners.insert(hosts, Owners { namespaces, anyone });
        self
    }

    /// Whether an Ingress of this namespace may have a rule for this host.
    pub fn may_claim(&self, namespace: &str, host: &HostMatch) -> bool {
        self.deciding(host).is_none_or(|(_, owners)| owners.may(namespace))
    }

    /// The most specific pattern that covers a host, and its owners.
    pub(crate) fn deciding(&self, host: &HostMatch) -> Option<(&HostPattern, &Owners)> {
        let exact = match host {
            HostMatch::Exact(name) => self.owners.get_key_value(&HostPattern::Exact(name.clone())),
            _ => None,
        };
        let mut above = match host {
            HostMatch::Exact(name) => parent(name.as_str()),
            HostMatch::Wildcard(suffix) => Some(suffix.as_str()),
            HostMatch::Any => None,
        };
        let mut below = None;
        while let Some(name) = above.filter(|_| exact.is_none() && below.is_none()) {
            let pattern = name.parse().ok().map(HostPattern::Below);
            below = pattern.and_then(|pattern| self.owners.get_key_value(&pattern));
            above = parent(name);
        }
        exact.or(below).or_else(|| self.owners.get_key_value(&HostPattern::All))
    }

    /// The hosts that wider rules must not take.
    pub(crate) fn reserved(&self) -> impl Iterator<Item = HostMatch> {
        self.owners.iter().filter(|(_, owners)| !owners.anyone).filter_map(|(pattern, _)| match pattern {
            HostPattern::Exact(name) => Some(HostMatch::Exact(name.clone())),
            HostPattern::Below(suffix) => Some(HostMatch::Wildcard(suffix.clone())),
            HostPattern::All => None,
        })
    }
}

impl Owners {
    fn may(&self, namespace: &str) -> bool {
        self.anyone || self.namespaces.contains(namespace)
    }
}

fn parent(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, parent)| parent)
}

// ===== impl HostPattern =====

impl FromStr for HostPattern {
    type Err = HostError;

    /// Reads a DNS name, `*.` and a DNS name, or `*`.
    fn from_str(text: &str) -> Result<Self, HostError> {
        match text.strip_prefix('*') {
            Some("") => Ok(Self::All),
            Some(rest) => Ok(Self::Below(rest.strip_prefix('.').ok_or(HostError::Wildcard)?.parse()?)),
            None => Ok(Self::Exact(text.parse()?)),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => write!(f, "{name}"),
            Self::Below(suffix) => write!(f, "*.{suffix}"),
            Self::All => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_pattern_decides() {
        let policy = HostOwnership::default()
            .owner("shop.example".parse().unwrap(), ["shop"])
            .owner("*.example".parse().unwrap(), ["platform", "ops"])
            .owner("*.open.example".parse().unwrap(), ["*"])
            .owner("*.a.b.example".parse().unwrap(), [""; 0])
            .owner("*".parse().unwrap(), ["edge"]);
        let table = [
            ("shop.example", "shop"),
            ("x.shop.example", "ops platform"),
            ("web.example", "ops platform"),
            ("*.example", "ops platform"),
            ("*.web.example", "ops platform"),
            ("*.open.example", "edge ops platform shop"),
            ("a.b.open.example", "edge ops platform shop"),
            ("open.example", "ops platform"),
            ("x.a.b.example", ""),
            ("a.b.example", "ops platform"),
            ("example", "edge"),
            ("other.test", "edge"),
            ("", "edge"),
        ];
        for (host, want) in table {
            let host: HostMatch = host.parse().unwrap();
            let may =
                ["edge", "ops", "platform", "shop"].into_iter().filter(|ns| policy.may_claim(ns, &host));
            assert_eq!(may.collect::<Vec<_>>().join(" "), want, "{host}");
        }
        let reserved: Vec<_> = policy.reserved().map(|host| host.to_string()).collect();
        assert_eq!(reserved, ["shop.example", "*.a.b.example", "*.example"]);
        assert!(HostOwnership::default().may_claim("any", &HostMatch::Any));
    }

    #[test]
    fn patterns() {
        for text in ["a.example", "*.a.example", "*"] {
            assert_eq!(text.parse::<HostPattern>().unwrap().to_string(), text);
        }
        for text in ["", "*a.example", "*.*.example", "a.*.example", "10.0.0.1", "a:80"] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }
}
