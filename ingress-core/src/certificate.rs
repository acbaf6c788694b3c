//! Certificates, as a table holds them for the server that presents them.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::{HostMatch, RequestHost};

/// A certificate with its private key, in the form that the program's TLS library takes. Clones are one certificate.
///
/// What it is made of is none of this crate's business: `ingress_tower` makes it from PEM for rustls, and a program with
/// another TLS library can hold its own.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    id: Box<[u8]>,
    names: Box<[HostMatch]>,
    key: Box<dyn Any + Send + Sync>,
}

impl Certificate {
    /// A certificate for hosts with these names. `id` tells it from others, as the chain and whatever else is presented
    /// do; `key` is what a TLS library presents it with.
    pub fn new<K: Any + Send + Sync>(
        id: impl Into<Box<[u8]>>,
        names: impl IntoIterator<Item = HostMatch>,
        key: K,
    ) -> Self {
        let names = names.into_iter().collect();
        Self(Arc::new(Inner { id: id.into(), names, key: Box::new(key) }))
    }

    /// What it was made with, if that is of this type.
    pub fn key<K: Any>(&self) -> Option<&K> {
        self.0.key.downcast_ref()
    }

    /// The hosts that it is for. A wildcard is for names with one more label (RFC 6125 section 6.4.3).
    pub fn names(&self) -> &[HostMatch] {
        &self.0.names
    }

    /// Whether it is for the host of a request.
    pub fn covers(&self, host: &RequestHost<'_>) -> bool {
        self.names().iter().any(|name| name.takes(host))
    }

    /// Whether it is for all hosts that a rule takes.
    pub fn covers_all(&self, hosts: &HostMatch) -> bool {
        self.names().iter().any(|name| name.takes_all(hosts))
    }
}

/// Two are equal when they have one `id`.
impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.id == other.0.id
    }
}

impl Eq for Certificate {}

/// Never shows the key.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("names", &self.0.names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_covers() {
        let names = ["shop.example", "*.team.example"].map(|name| name.parse().unwrap());
        let certificate = Certificate::new(*b"chain", names, "the key");
        assert_eq!(certificate.key::<&str>(), Some(&"the key"));
        assert_eq!(certificate.key::<u8>(), None);
        for (host, covered) in [
            ("shop.example", true),
            ("SHOP.example.:443", true),
            ("a.shop.example", false),
            ("a.team.example", true),
            ("a.b.team.example", false),
            ("team.example", false),
            ("192.0.2.1", false),
            ("", false),
        ] {
            assert_eq!(certificate.covers(&RequestHost::parse(host).unwrap()), covered, "{host}");
        }
        for (hosts, covered) in [
            ("shop.example", true),
            ("a.team.example", true),
            ("*.team.example", true),
            ("*.shop.example", false),
            ("*.a.team.example", false),
            ("", false),
        ] {
            assert_eq!(certificate.covers_all(&hosts.parse().unwrap()), covered, "{hosts}");
        }
        assert!(!format!("{certificate:?}").contains("the key"));
    }
}
