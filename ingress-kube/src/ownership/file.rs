//! The policy as a YAML file.

use std::path::Path;

use ingress_core::HostError;
use serde::Deserialize;

use super::{HostOwnership, HostPattern};

/// Why a text or file is not a policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostOwnershipError {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[source] std::io::Error),
    /// Not YAML, or not of the expected form; says where and why.
    #[error("{0}")]
    Syntax(Box<str>),
    /// A host is no pattern.
    #[error("owners[{index}].host: {reason}: {host:?}")]
    Host {
        /// The entry, counted from 0.
        index: usize,
        /// What stands there.
        host: Box<str>,
        /// What is wrong with it.
        reason: HostError,
    },
    /// Two entries are about the same hosts.
    #[error("owners[{index}].host: {host} has an entry already; write all its namespaces into one")]
    Repeated {
        /// The second of the entries, counted from 0.
        index: usize,
        /// Their pattern.
        host: HostPattern,
    },
    /// A text that no namespace can be called.
    #[error("owners[{index}].namespaces: {name:?} is no namespace; write a name, or \"*\" for all")]
    Namespace {
        /// The entry, counted from 0.
        index: usize,
        /// What stands there.
        name: Box<str>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    owners: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    host: String,
    namespaces: Vec<String>,
}

impl HostOwnership {
    /// Reads a policy:
    ///
    /// ```yaml
    /// owners:
    /// - host: shop.example              # this host
    ///   namespaces: [shop]
    /// - host: "*.team-a.example"        # all names below, at any depth
    ///   namespaces: [team-a, team-a-staging]
    /// - host: "*.try.example"           # whoever likes
    ///   namespaces: ["*"]
    /// - host: "*"                       # all other hosts, and rules without a host
    ///   namespaces: [platform]
    /// ```
    ///
    /// # Errors
    ///
    /// See [`HostOwnershipError`]. A policy is read as a whole or not at all.
    pub fn from_yaml(text: &str) -> Result<Self, HostOwnershipError> {
        let file: File = serde_saphyr::from_str(text)
            .map_err(|error| HostOwnershipError::Syntax(error.without_snippet().to_string().into()))?;
        let mut policy = Self::default();
        for (index, Entry { host, namespaces }) in file.owners.into_iter().enumerate() {
            let pattern: HostPattern = host.parse().map_err(|reason| HostOwnershipError::Host {
                index,
                host: host.into(),
                reason,
            })?;
            if policy.owners.contains_key(&pattern) {
                return Err(HostOwnershipError::Repeated { index, host: pattern });
            }
            if let Some(name) = namespaces.iter().find(|name| !is_namespace(name)) {
                return Err(HostOwnershipError::Namespace { index, name: name.as_str().into() });
            }
            policy = policy.owner(pattern, namespaces);
        }
        Ok(policy)
    }

    /// Reads a policy from a file.
    ///
    /// # Errors
    ///
    /// As [`HostOwnership::from_yaml`], and when the file cannot be read.
    pub fn read(path: &Path) -> Result<Self, HostOwnershipError> {
        let text = std::fs::read_to_string(path).map_err(HostOwnershipError::Unreadable)?;
        Self::from_yaml(&text)
    }
}

/// `*`, or what the API server takes for a namespace's name (RFC 1123 label).
fn is_namespace(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let label = (1..=63).contains(&name.len())
        && name.bytes().all(allowed)
        && !name.starts_with('-')
        && !name.ends_with('-');
    label || name == "*"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_policy() {
        let table = [
            ("", "line 1"),
            ("owners: {}", "line 1"),
            ("owners:\n- host: a.example\n  namespace: [a]", "namespace"),
            ("owners:\n- host: a.example", "namespaces"),
            ("owners:\n- {host: a b, namespaces: [a]}", "owners[0].host: "),
            (
                "owners:\n- {host: a.example, namespaces: [a]}\n- {host: A.example, namespaces: [b]}",
                "owners[1].host: a.example has",
            ),
            (
                "owners:\n- {host: a.example, namespaces: [Team]}",
                "owners[0].namespaces: \"Team\" is no namespace",
            ),
            ("owners: [", "line 1"),
        ];
        for (text, want) in table {
            let error = HostOwnership::from_yaml(text).unwrap_err().to_string();
            assert!(error.contains(want) && !error.contains('\n'), "{text:?}: {error}");
        }
        assert_eq!(HostOwnership::from_yaml("owners: []").unwrap(), HostOwnership::default());
        assert!(HostOwnership::read(Path::new("/nonexistent/policy.yaml")).is_err());
    }

    #[test]
    fn a_policy() {
        let text = "owners:\n- {host: '*.a.example', namespaces: [a, b]}\n- {host: '*', namespaces: []}\n";
        let want = HostOwnership::default()
            .owner("*.a.example".parse().unwrap(), ["a", "b"])
            .owner(HostPattern::All, [""; 0]);
        assert_eq!(HostOwnership::from_yaml(text).unwrap(), want);
    }
}
