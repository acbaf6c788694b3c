//! Names of objects of one kind.

use std::sync::Arc;

use crate::ObjectKey;
use crate::store::Stored;

/// Namespace and name. The empty key is nobody's: an object without a name is not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
}

impl Key {
    pub(crate) fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    pub(crate) fn of<T>(stored: &Stored<T>) -> Self {
        Self { namespace: stored.namespace.clone(), name: stored.name.clone() }
    }
}

impl From<&ObjectKey> for Key {
    fn from(key: &ObjectKey) -> Self {
        Self { namespace: key.namespace.clone(), name: key.name.clone() }
    }
}
