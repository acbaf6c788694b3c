//! From a host to its routes.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::host::HostRoutes;
use super::radix::Radix;
use super::visit::Level;

/// A hash table cut into shards of a few dozen hosts, so that a change copies one of them and clones share the others.
///
/// The hash is seeded anew whenever the table is laid out anew, since names are other people's text.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    hasher: RandomState,
    /// There are `1 << bits` shards.
    bits: u32,
    len: usize,
    shards: Radix<Shard>,
}

/// Slots by linear probing; their number is a power of two, and at least one is free. Without a host there is none.
type Shard = Arc<[Slot]>;

#[derive(Clone, Debug, Default)]
struct Slot {
    tag: u32,
    host: Option<HostRoutes>,
}

/// Hosts in a shard, on average, where it is laid out; and when it is laid out anew.
const FEW: usize = 8;
const WANTED: usize = 24;
const MANY: usize = 48;

impl Directory {
    /// Lays all hosts out; each comes once.
    pub(super) fn new(hosts: Vec<HostRoutes>) -> Self {
        let bits = hosts.len().div_ceil(WANTED).next_power_of_two().ilog2();
        let mut directory = Self { bits, len: hosts.len(), ..Self::default() };
        let mut shards: Vec<Vec<Slot>> = vec![Vec::new(); 1 << bits];
        for host in hosts {
            let (shard, tag) = directory.place(host.level(), host.name());
            shards[shard].push(Slot { tag, host: Some(host) });
        }
        for (number, slots) in shards.into_iter().enumerate() {
            directory.shards.set(number, lay_out(slots));
        }
        directory
    }

    #[inline]
    pub(super) fn get(&self, level: Level, name: &[u8]) -> Option<&HostRoutes> {
        let (shard, tag) = self.place(level, name);
        let slots = &**self.shards.get(shard)?;
        let mask = slots.len().checked_sub(1)?;
        let mut at = tag as usize & mask;
        loop {
            let slot = &slots[at];
            let host = slot.host.as_ref()?;
            if slot.tag == tag && host.is(level, name) {
                return Some(host);
            }
            at = (at + 1) & mask;
        }
    }

    /// Makes `routes` the routes of a host, or takes it out.
    pub(super) fn set(&mut self, level: Level, name: &[u8], routes: Option<HostRoutes>) {
        let (number, tag) = self.place(level, name);
        let shard = self.shards.slot(number);
        let (before, added) = (shard.len(), usize::from(routes.is_some()));
        let mut slots: Vec<Slot> = Vec::with_capacity(before);
        let others = shard.iter().filter(|slot| slot.host.as_ref().is_some_and(|host| !host.is(level, name)));
        slots.extend(others.cloned());
        let had = shard.iter().filter(|slot| slot.host.is_some()).count() - slots.len();
        slots.extend(routes.map(|host| Slot { tag, host: Some(host) }));
        *shard = lay_out(slots);
        self.len = self.len + added - had;
        let average = self.len >> self.bits;
        if average > MANY || (average < FEW && self.bits > 0) {
            *self = Self::new(self.iter().cloned().collect());
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All hosts, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &HostRoutes> {
        self.shards.iter().flat_map(|shard| shard.iter()).filter_map(|slot| slot.host.as_ref())
    }

    /// The shard, and the tag inside it.
    #[inline]
    fn place(&self, level: Level, name: &[u8]) -> (usize, u32) {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(name);
        let hash = hasher.finish() ^ (level as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((hash >> 32 << self.bits >> 32) as usize, hash as u32)
    }
}

fn lay_out(entries: Vec<Slot>) -> Shard {
    if entries.is_empty() {
        return Shard::default();
    }
    let count = (entries.len() + entries.len() / 3 + 1).next_power_of_two();
    let mut slots = vec![Slot::default(); count];
    for entry in entries {
        let mut at = entry.tag as usize & (count - 1);
        while slots[at].host.is_some() {
            at = (at + 1) & (count - 1);
        }
        slots[at] = entry;
    }
    slots.into()
}
