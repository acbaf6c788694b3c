//! Which certificate a server presents.

use rpds::RedBlackTreeMapSync;

use crate::{Certificate, HostMatch, RequestHost};

/// A certificate for each host that has one; that of [`HostMatch::Any`] is for all others. Clones share what was not
/// changed since.
#[derive(Clone, Debug)]
pub(super) struct Certificates(RedBlackTreeMapSync<HostMatch, Certificate>);

impl Certificates {
    pub(super) fn set(&mut self, host: HostMatch, certificate: Option<Certificate>) {
        match certificate {
            Some(certificate) => self.0.insert_mut(host, certificate),
            None => _ = self.0.remove_mut(&host),
        }
    }

    /// The certificate for a name that a client asks for; one that asks for none gets the default.
    pub(super) fn find(&self, server_name: Option<&str>) -> Option<&Certificate> {
        let named = server_name.and_then(|name| self.named(&RequestHost::parse(name).ok()?));
        named.or_else(|| self.0.get(&HostMatch::Any))
    }

    fn named(&self, host: &RequestHost<'_>) -> Option<&Certificate> {
        let exact = host.as_str().parse().ok().and_then(|name| self.0.get(&HostMatch::Exact(name)));
        exact.or_else(|| {
            let (_, parent) = host.as_str().split_once('.')?;
            self.0.get(&HostMatch::Wildcard(parent.parse().ok()?))
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&HostMatch, &Certificate)> {
        self.0.iter()
    }
}

impl Default for Certificates {
    fn default() -> Self {
        Self(RedBlackTreeMapSync::new_sync())
    }
}

impl PartialEq for Certificates {
    fn eq(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0) || self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_then_wildcard_then_default() {
        let mut all = Certificates::default();
        for host in ["shop.example", "*.shop.example", ""] {
            all.set(host.parse().unwrap(), Some(Certificate::new(host.as_bytes(), [], host)));
        }
        let before = all.clone();
        let table = [
            (Some("shop.example"), "shop.example"),
            (Some("SHOP.EXAMPLE"), "shop.example"),
            (Some("a.shop.example"), "*.shop.example"),
            (Some("a.b.shop.example"), ""),
            (Some("example"), ""),
            (Some("not a name"), ""),
            (None, ""),
        ];
        for (name, want) in table {
            assert_eq!(all.find(name).and_then(Certificate::key::<&str>), Some(&want), "{name:?}");
        }
        all.set(HostMatch::Any, None);
        assert_eq!(all.find(None), None);
        assert_eq!(all.find(Some("other.example")), None);
        assert!(all != before && before.find(None).is_some());
    }
}
