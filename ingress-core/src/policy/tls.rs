//! Whom endpoints that speak TLS must be.

use std::any::Any;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// How the certificates of endpoints are checked, where they speak TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct UpstreamTls {
    /// The name that is asked for (SNI) and that the certificate must have. `None` is the name of the endpoint, and for an
    /// address `service.namespace.svc`.
    pub server_name: Option<Box<str>>,
    /// Who may have issued the certificate; `None` is whom the client trusts.
    pub trust: Option<Trust>,
    /// Whether certificates are checked; `None` is yes.
    pub verify: Option<bool>,
}

/// Authorities whose certificates are trusted, in the form that the program's TLS library takes. Clones are one and the
/// same.
#[derive(Clone)]
pub struct Trust(Arc<TrustInner>);

struct TrustInner {
    id: Box<[u8]>,
    /// Of the id, which may be long, while pools of connections ask for it with each request.
    hash: u64,
    roots: Box<dyn Any + Send + Sync>,
}

// ===== impl UpstreamTls, Trust =====

impl UpstreamTls {
    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Trust {
    /// Authorities that `id` tells from others, as their certificates do. `roots` is what a TLS library needs of them.
    pub fn new<R: Any + Send + Sync>(id: impl Into<Box<[u8]>>, roots: R) -> Self {
        let id = id.into();
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        Self(Arc::new(TrustInner { id, hash: hasher.finish(), roots: Box::new(roots) }))
    }

    /// Nobody: no certificate is accepted.
    pub fn none() -> Self {
        Self::new([], ())
    }

    /// What it was made with, if that is of this type.
    pub fn roots<R: Any>(&self) -> Option<&R> {
        self.0.roots.downcast_ref()
    }
}

impl PartialEq for Trust {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.id == other.0.id
    }
}

impl Eq for Trust {}

impl Hash for Trust {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash.hash(state);
    }
}

impl Ord for Trust {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.id.cmp(&other.0.id)
    }
}

impl PartialOrd for Trust {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("bytes", &self.0.id.len()).finish_non_exhaustive()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Trust {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{} bytes of certificates", self.0.id.len()))
    }
}
