//! The policy as a YAML file.

use std::path::Path;

use serde::Deserialize;
use serde_saphyr::Spanned;

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
    /// An entry makes no sense.
    #[error("line {line}: {field}: {reason}")]
    Entry {
        /// The line of the field, counted from 1.
        line: u64,
        /// The field, such as `owners[0].host`.
        field: Box<str>,
        /// What is wrong with it, and what to write instead.
        reason: Box<str>,
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
    host: Spanned<String>,
    namespaces: Vec<Spanned<String>>,
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
            let fault = |at: &Spanned<String>, field: &str, reason: String| {
                let field = format!("owners[{index}].{field}").into();
                HostOwnershipError::Entry { line: at.referenced.line(), field, reason: reason.into() }
            };
            let text = &*host.value;
            let pattern: HostPattern =
                text.parse().map_err(|error| fault(&host, "host", format!("{error}: {text:?}")))?;
            if policy.owners.contains_key(&pattern) {
                let reason = format!("{pattern} has an entry already; write all its namespaces into one");
                return Err(fault(&host, "host", reason));
            }
            if let Some(name) = namespaces.iter().find(|name| !is_namespace(&name.value)) {
                let reason = format!("{:?} is no namespace; write a name, or \"*\" for all", name.value);
                return Err(fault(name, "namespaces", reason));
            }
            policy = policy.owner(pattern, namespaces.into_iter().map(|name| name.value));
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
            ("owners:\n- {host: a b, namespaces: [a]}", "line 2: owners[0].host: "),
            (
                "owners:\n- {host: a.example, namespaces: [a]}\n- {host: A.example, namespaces: [b]}",
                "line 3: owners[1].host: a.example has",
            ),
            (
                "owners:\n- {host: a.example, namespaces: [Team]}",
                "line 2: owners[0].namespaces: \"Team\" is no namespace",
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
