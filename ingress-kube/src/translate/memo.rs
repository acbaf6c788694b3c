//! What is remembered of each Ingress.

use std::sync::Arc;

use ingress_core::{HostMatch, ServiceRef};

use super::class::Owner;
use super::defaults::Rank;
use super::key::Key;
use super::tls::Want;

/// Sums over all Ingresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Rules, those of the overall default backend not included.
    pub(super) rules: usize,
    /// Ingresses of other controllers.
    pub(crate) foreign: usize,
    /// Ingresses that nobody serves, with a finding each.
    pub(crate) unserved: usize,
}

/// What is remembered of one Ingress: where it took part.
#[derive(Debug)]
pub(super) struct Memo {
    pub(super) owner: Owner,
    pub(super) rules: usize,
    pub(super) hosts: Box<[Arc<HostMatch>]>,
    pub(super) uses: Box<[Arc<ServiceRef>]>,
    pub(super) default: Option<Rank>,
    pub(super) secrets: Box<[Key]>,
    pub(super) wants: Box<[Want]>,
}

impl Totals {
    pub(super) fn add(&mut self, memo: &Memo) {
        self.rules += memo.rules;
        self.foreign += usize::from(memo.owner == Owner::Other);
        self.unserved += usize::from(memo.owner == Owner::Nobody);
    }

    pub(super) fn subtract(&mut self, memo: &Memo) {
        self.rules -= memo.rules;
        self.foreign -= usize::from(memo.owner == Owner::Other);
        self.unserved -= usize::from(memo.owner == Owner::Nobody);
    }
}
