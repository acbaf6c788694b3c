//! What holds for all requests of a gateway, where no object says anything else.

#[cfg(feature = "manifests")]
mod file;

use ingress_core::Policy;

use crate::translate::{Fault, Settings, Vain};

/// The policy of a gateway, in the names and values of annotations: each that has
/// [`Scope::has_gateways`](crate::Scope::has_gateways).
///
/// ```
/// use std::time::Duration;
/// use ingress_core::Timeout;
/// use ingress_kube::Defaults;
///
/// let mut defaults = Defaults::default();
/// defaults.set("connect-timeout", "2s")?;
/// assert_eq!(defaults.policy()?.connect_timeout, Some(Timeout::After(Duration::from_secs(2))));
/// # Ok::<(), ingress_kube::DefaultsError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Defaults(Settings<'static>);

/// Why a gateway's policy cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DefaultsError {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[source] std::io::Error),
    /// Not YAML, or not of the expected form; says where and why.
    #[error("{0}")]
    Syntax(Box<str>),
    /// A name that there is not, or a value that cannot be used.
    #[error("{}{name}: {message}; {help}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
    Value {
        /// The line of a file, counted from 1.
        line: Option<u64>,
        /// The name, as of an annotation.
        name: Box<str>,
        /// What is wrong.
        message: Box<str>,
        /// What to write instead.
        help: Box<str>,
    },
}

impl Defaults {
    /// Sets a value in the form of the annotation of this name, without `ingress.gateway/`. One that was set before is
    /// forgotten.
    ///
    /// # Errors
    ///
    /// [`DefaultsError::Value`]; then nothing is set.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), DefaultsError> {
        self.0.set_default(name, value).map_err(|fault| DefaultsError::of(name, fault))
    }

    /// The policy that all values make together.
    ///
    /// # Errors
    ///
    /// [`DefaultsError::Value`] if one of them has no effect for want of another.
    pub fn policy(&self) -> Result<Policy, DefaultsError> {
        let (policy, vain) = self.0.of_gateway();
        match vain.into_iter().next() {
            None => Ok(policy),
            Some(Vain { name, why, write }) => {
                let fault = Fault { message: why.into(), help: format!("set {write}") };
                Err(DefaultsError::of(name, fault))
            }
        }
    }
}

impl DefaultsError {
    fn of(name: &str, Fault { message, help }: Fault) -> Self {
        Self::Value { line: None, name: name.into(), message: message.into(), help: help.into() }
    }
}

#[cfg(test)]
mod tests {
    use ingress_core::{Retries, Timeout};

    use super::*;

    #[test]
    fn values_and_faults() {
        let mut defaults = Defaults::default();
        defaults.set("retry-on", "503").unwrap();
        let error = defaults.policy().unwrap_err().to_string();
        assert_eq!(error, "retry-on: there are no retries; set retries, too");
        defaults.set("retries", "2").unwrap();
        defaults.set("request-timeout", "0").unwrap();
        defaults.set("request-timeout", "soon").unwrap_err();
        let mut retries = Retries::up_to(2);
        (retries.reset, retries.timeout, retries.statuses) = (false, false, vec![(503, 503)]);
        let policy = defaults.policy().unwrap();
        assert_eq!((policy.retries, policy.request_timeout), (Some(retries), Some(Timeout::Never)));
        for (name, value, want) in [
            ("retrys", "1", "retrys: there is no policy \"retrys\"; write retries"),
            ("split", "a: b=1", "split: there is no policy \"split\"; "),
            ("backend-ca-secret", "a", "backend-ca-secret: there is no policy"),
            ("max-body-size", "big", "max-body-size: the size cannot be read: \"big\"; write bytes, or "),
        ] {
            let error = defaults.set(name, value).unwrap_err().to_string();
            assert!(error.starts_with(want), "{error}");
        }
    }
}
