//! The name of the global default backend.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ingress_core::PortRef;

/// A Service, and perhaps its port: `NAMESPACE/NAME[:PORT]`.
///
/// ```
/// use ingress_kube::DefaultBackendService;
///
/// let service: DefaultBackendService = "web/errors:http".parse()?;
/// assert_eq!(&*service.name, "errors");
/// # Ok::<(), ingress_kube::DefaultBackendServiceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DefaultBackendService {
    /// The Service's namespace.
    pub namespace: Arc<str>,
    /// The Service's name.
    pub name: Arc<str>,
    /// The port by number or by name; without one the Service's first TCP port.
    pub port: Option<PortRef>,
}

/// A text that is not `NAMESPACE/NAME[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not NAMESPACE/NAME or NAMESPACE/NAME:PORT, with a port number from 1 to 65535 or a port name"
)]
pub struct DefaultBackendServiceError(Box<str>);

impl FromStr for DefaultBackendService {
    type Err = DefaultBackendServiceError;

    fn from_str(text: &str) -> Result<Self, DefaultBackendServiceError> {
        let parse = || {
            let (namespace, rest) = text.split_once('/')?;
            let (name, port) = match rest.split_once(':') {
                Some((name, port)) => (name, Some(port.parse().ok()?)),
                None => (rest, None),
            };
            let named = |text: &str| !text.is_empty() && !text.contains(['/', ':', ' ']);
            (named(namespace) && named(name)).then(|| Self {
                namespace: namespace.into(),
                name: name.into(),
                port,
            })
        };
        parse().ok_or_else(|| DefaultBackendServiceError(text.into()))
    }
}

impl fmt::Display for DefaultBackendService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)?;
        match &self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_with_or_without_a_port() {
        for text in ["a/b", "a/b:80", "a/b:http"] {
            assert_eq!(text.parse::<DefaultBackendService>().map(|s| s.to_string()), Ok(text.into()));
        }
        for text in ["", "a", "a/", "/b", "a/b:", "a/b:0", "a/b:65536", "a/b/c", "a/b:80:80", "a /b"] {
            assert!(text.parse::<DefaultBackendService>().is_err(), "{text:?}");
        }
    }
}
