//! Which clients are asked for a certificate.

use rpds::RedBlackTreeMapSync;

use super::hosts::HostIndex;
use super::visit::Level;
use crate::{HostMatch, RequestHost};

/// The hosts with a rule that wants certificates of clients. Clones share what was not changed since.
#[derive(Clone, Debug)]
pub(super) struct Asking(RedBlackTreeMapSync<HostMatch, ()>);

impl Asking {
    pub(super) fn set(&mut self, host: &HostMatch, asks: bool) {
        match asks {
            true => self.0.insert_mut(host.clone(), ()),
            false => _ = self.0.remove_mut(host),
        }
    }

    /// Whether requests for this name may come to such a rule. A wildcard's rules take none of a name that has its own,
    /// unless `fallthrough` says so. Who asks for no name may mean any.
    pub(super) fn asks(&self, server_name: Option<&str>, hosts: &HostIndex, fallthrough: bool) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let Some(name) = server_name.and_then(|name| RequestHost::parse(name).ok()) else { return true };
        let has = |host: HostMatch| self.0.contains_key(&host);
        let exact = name.as_str().parse().ok();
        if has(HostMatch::Any) || exact.is_some_and(|exact| has(HostMatch::Exact(exact))) {
            return true;
        }
        let is_owned = !fallthrough && hosts.has(Level::Exact, name.as_bytes());
        let parent = name.as_str().split_once('.').and_then(|(_, parent)| parent.parse().ok());
        !is_owned && parent.is_some_and(|parent| has(HostMatch::Wildcard(parent)))
    }
}

impl Default for Asking {
    fn default() -> Self {
        Self(RedBlackTreeMapSync::new_sync())
    }
}
