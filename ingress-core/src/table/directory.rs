//! From a host to its routes.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::shard::{Host, Shard};
use super::visit::Level;

/// A hash table cut into shards, so that a change copies one of them and clones share the others.
///
/// The hash is seeded anew whenever the table is laid out anew, since names are other people's text.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    hasher: RandomState,
    /// There are `1 << bits` shards.
    bits: u32,
    len: usize,
    /// In rows of `1 << bits / 2`: a change copies one row and the list of rows.
    rows: Arc<[Arc<[Shard]>]>,
}

/// Hosts in a shard, on average: below and above these the table is laid out anew, with so many.
const FEW: usize = 12;
const WANTED: usize = 48;
const MANY: usize = 96;

impl Directory {
    /// Lays all hosts out; each comes once.
    pub(super) fn new(hosts: &[Host<'_>]) -> Self {
        let bits = hosts.len().div_ceil(WANTED).next_power_of_two().ilog2();
        let mut directory = Self { bits, len: hosts.len(), ..Self::default() };
        let mut shards: Vec<Vec<(u32, Host<'_>)>> = vec![Vec::new(); 1 << bits];
        for &host in hosts {
            let (shard, tag) = directory.place(host.level(), host.name());
            shards[shard].push((tag, host));
        }
        let rows = shards.chunks(1 << (bits / 2));
        directory.rows = rows.map(|row| row.iter().map(|hosts| Shard::new(hosts)).collect()).collect();
        directory
    }

    #[inline(always)]
    pub(super) fn get(&self, level: Level, name: &[u8]) -> Option<Host<'_>> {
        let (shard, tag) = self.place(level, name);
        let (row, column) = self.row(shard);
        self.rows.get(row)?.get(column)?.get(tag, level, name)
    }

    /// Makes `routes` the routes of a host, or takes it out.
    pub(super) fn set(&mut self, level: Level, name: &[u8], routes: Option<Host<'_>>) {
        if self.rows.is_empty() {
            *self = Self::new(&[]);
        }
        let (shard, tag) = self.place(level, name);
        let (row, column) = self.row(shard);
        let shard = &mut Arc::make_mut(&mut Arc::make_mut(&mut self.rows)[row])[column];
        let mut hosts: Vec<_> = shard.iter().filter(|(_, host)| !host.block().is(level, name)).collect();
        let had = shard.iter().count() - hosts.len();
        hosts.extend(routes.map(|host| (tag, host)));
        self.len = self.len + usize::from(routes.is_some()) - had;
        *shard = Shard::new(&hosts);
        let average = self.len >> self.bits;
        if average > MANY || (average < FEW && self.bits > 0) {
            *self = Self::new(&self.iter().collect::<Vec<_>>());
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All hosts, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Host<'_>> {
        self.rows.iter().flat_map(|row| row.iter()).flat_map(Shard::iter).map(|(_, host)| host)
    }

    /// The shard, and the tag inside it.
    #[inline(always)]
    fn place(&self, level: Level, name: &[u8]) -> (usize, u32) {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(name);
        let hash = hasher.finish() ^ (level as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((hash >> 32 << self.bits >> 32) as usize, hash as u32)
    }

    #[inline]
    fn row(&self, shard: usize) -> (usize, usize) {
        let bits = self.bits / 2;
        (shard >> bits, shard & ((1 << bits) - 1))
    }
}
