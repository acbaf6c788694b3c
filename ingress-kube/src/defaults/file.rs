//! The policy as a YAML file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{Defaults, DefaultsError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    policy: BTreeMap<String, Spanned<String>>,
}

impl Defaults {
    /// Reads a gateway's settings:
    ///
    /// ```yaml
    /// policy:
    ///   connect-timeout: 2s
    ///   retries: 2
    ///   retry-on: reset, timeout, 503
    ///   max-body-size: 10MiB
    /// ```
    ///
    /// # Errors
    ///
    /// See [`DefaultsError`]. A file is read as a whole or not at all.
    pub fn from_yaml(text: &str) -> Result<Self, DefaultsError> {
        let file: File = serde_saphyr::from_str(text)
            .map_err(|error| DefaultsError::Syntax(error.without_snippet().to_string().into()))?;
        let mut defaults = Self::default();
        for (name, value) in &file.policy {
            defaults.set(name, &value.value).map_err(|error| match error {
                DefaultsError::Value { name, message, help, .. } => {
                    let line = Some(value.referenced.line());
                    DefaultsError::Value { line, name, message, help }
                }
                other => other,
            })?;
        }
        Ok(defaults)
    }

    /// Reads a gateway's settings from a file.
    ///
    /// # Errors
    ///
    /// As [`Defaults::from_yaml`], and when the file cannot be read.
    pub fn read(path: &Path) -> Result<Self, DefaultsError> {
        Self::from_yaml(&std::fs::read_to_string(path).map_err(DefaultsError::Unreadable)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files() {
        let text =
            "policy:\n  retries: 2\n  backend-verify: false\n  connect-timeout: 2s\n  max-body-size: 1000\n";
        let policy = Defaults::from_yaml(text).unwrap().policy().unwrap();
        assert_eq!(policy.retries.unwrap().attempts, 2);
        assert_eq!((policy.tls.verify, policy.max_body_size), (Some(false), Some(1000)));
        let text =
            "policy: {outlier-success-rate: 1.9, slow-start-minimum: 20, retry-budget: 5%, max-requests: 9}";
        let policy = Defaults::from_yaml(text).unwrap().policy().unwrap();
        assert_eq!((policy.outlier.success_rate, policy.slow_start.minimum), (Some(1900), Some(20)));
        assert_eq!((policy.limits.retry_budget, policy.limits.max_requests), (Some(5), Some(9)));
        for (text, want) in [
            ("policy: [", "line 1"),
            ("polices: {}", "polices"),
            ("policy: {retries: 1, retries: 2}", "retries"),
            ("policy:\n  retries: 2\n  idle-timeout: 30\n", "line 3: idle-timeout: the duration has no unit"),
            ("policy:\n  timeout: 2s\n", "line 2: timeout: there is no policy"),
            ("policy:\n  retries: [1]\n", "line 2"),
        ] {
            let error = Defaults::from_yaml(text).unwrap_err().to_string();
            assert!(error.contains(want) && !error.contains('\n'), "{text:?}: {error}");
        }
        assert!(Defaults::from_yaml("{}").unwrap().policy().unwrap().is_empty());
        assert!(Defaults::read(Path::new("/nonexistent/gateway.yaml")).is_err());
    }
}
