//! Names and passwords.

use std::fmt;
use std::sync::Arc;

/// That a client sends a name and its password (RFC 7617).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BasicAuth {
    /// What clients are told that the password is for.
    pub realm: Box<str>,
    /// Who may.
    pub users: Users,
}

/// Names and hashes of passwords, as `htpasswd` writes them. Neither is shown by `Debug` or written out.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Users(Arc<[(Box<str>, Box<str>)]>);

impl Users {
    /// The hash of a user's password.
    pub fn hash_of(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, hash)| &**hash)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Users {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{} users", self.len()))
    }
}
