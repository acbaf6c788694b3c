//! A few dozen hosts in one piece of memory.

use std::sync::Arc;

use super::host::{Block, Extra};
use super::visit::Level;

/// Hosts, found by name. All that an ordinary lookup reads is in `bytes`: slots by linear probing, each the tag of a
/// host and its place, and then the hosts' blocks. Hosts lie close together, and a change copies the shard.
#[derive(Clone, Debug, Default)]
pub(super) struct Shard {
    bytes: Arc<[u8]>,
    /// The number of slots less one; it is a power of two, and at least one slot is free.
    mask: u32,
    /// What is not in `bytes`, by the blocks' numbers.
    rest: Option<Arc<[Rest]>>,
}

/// What is kept apart from a shard's bytes.
#[derive(Clone, Debug, Default)]
struct Rest {
    extra: Option<Arc<Extra>>,
    /// A block that is too large to be copied with its neighbours.
    block: Option<Arc<[u8]>>,
}

/// One host of a shard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Host<'t> {
    shard: &'t Shard,
    at: u32,
    block: Block<'t>,
}

/// In place of a block's place: it is in `rest`, at the number beside this bit.
const APART: u32 = 1 << 31;
/// Larger blocks are kept apart.
const MAX_SHARED: usize = 4096;
/// Tag and place.
const SLOT: usize = 8;

// ===== impl Shard =====

impl Shard {
    /// A shard of one host, which is found by [`Shard::only`].
    pub(super) fn single(block: Vec<u8>, extra: Option<Arc<Extra>>) -> Self {
        let rest = extra.map(|extra| [Rest { extra: Some(extra), block: None }].into());
        Self { bytes: block.into(), mask: 0, rest }
    }

    /// The host of a shard that was made for one.
    #[inline]
    pub(super) fn only(&self) -> Host<'_> {
        self.host(0)
    }

    /// Lays hosts out, each with its tag; each comes once.
    pub(super) fn new(hosts: &[(u32, Host<'_>)]) -> Self {
        if hosts.is_empty() {
            return Self::default();
        }
        let count = (hosts.len() + hosts.len() / 2 + 1).next_power_of_two();
        let size: usize = hosts.iter().map(|(_, host)| host.block().own_bytes().len()).sum();
        let mut bytes = Vec::with_capacity(SLOT * count + size);
        bytes.resize(SLOT * count, 0);
        let mut rest: Vec<Rest> = Vec::new();
        for &(tag, host) in hosts {
            let block = host.block().own_bytes();
            let mut own = Rest { extra: host.shared_extra().cloned(), block: None };
            let is_apart = block.len() > MAX_SHARED;
            if is_apart {
                own.block = Some(host.shared_block().unwrap_or_else(|| block.into()));
            }
            let place = if is_apart { APART | rest.len() as u32 } else { bytes.len() as u32 };
            let number = if own.extra.is_some() || is_apart { rest.len() as u32 } else { Block::NO_NUMBER };
            if !is_apart {
                bytes.extend(block);
                Block::set_number(&mut bytes[place as usize..], number);
            }
            if number != Block::NO_NUMBER {
                rest.push(own);
            }
            let mut at = tag as usize & (count - 1);
            while bytes[SLOT * at + 4..SLOT * at + 8] != [0; 4] {
                at = (at + 1) & (count - 1);
            }
            bytes[SLOT * at..SLOT * at + 4].copy_from_slice(&tag.to_le_bytes());
            bytes[SLOT * at + 4..SLOT * at + 8].copy_from_slice(&place.to_le_bytes());
        }
        let rest = (!rest.is_empty()).then(|| rest.into());
        Self { bytes: bytes.into(), mask: count as u32 - 1, rest }
    }

    #[inline(always)]
    pub(super) fn get(&self, tag: u32, level: Level, name: &[u8]) -> Option<Host<'_>> {
        let mut at = (tag & self.mask) as usize;
        loop {
            let (found, place) = self.slot(at)?;
            if found == tag {
                let host = self.host(place);
                if host.block.is(level, name) {
                    return Some(host);
                }
            }
            at = (at + 1) & self.mask as usize;
        }
    }

    /// The host at a [`Host::place`].
    #[inline]
    pub(super) fn host(&self, at: u32) -> Host<'_> {
        let block = if at & APART == 0 { &self.bytes[at as usize..] } else { self.block_apart(at) };
        Host { shard: self, at, block: Block::new(block) }
    }

    fn block_apart(&self, at: u32) -> &[u8] {
        let rest = self.rest.as_ref().and_then(|rest| rest.get((at ^ APART) as usize));
        rest.and_then(|rest| rest.block.as_deref()).expect("a block that is apart was written")
    }

    /// All hosts and their tags, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, Host<'_>)> {
        let slots = (0..=self.mask as usize).filter_map(|at| self.slot(at));
        slots.map(|(tag, at)| (tag, self.host(at)))
    }

    /// Tag and place in a slot; `None` when it is free.
    #[inline]
    fn slot(&self, at: usize) -> Option<(u32, u32)> {
        let slot = self.bytes.get(SLOT * at..SLOT * (at + 1))?.first_chunk::<SLOT>()?;
        let both = u64::from_le_bytes(*slot);
        let place = (both >> 32) as u32;
        // The slots themselves are at place 0.
        (place != 0).then_some((both as u32, place))
    }
}

// ===== impl Host =====

impl<'t> Host<'t> {
    /// Where it is: for [`Shard::host`].
    #[inline]
    pub(super) fn place(self) -> (&'t Shard, u32) {
        (self.shard, self.at)
    }

    #[inline]
    pub(super) fn block(self) -> Block<'t> {
        self.block
    }

    fn shared_block(self) -> Option<Arc<[u8]>> {
        let number = (self.at & APART != 0).then_some((self.at ^ APART) as usize)?;
        self.shard.rest.as_ref()?.get(number)?.block.clone()
    }

    fn shared_extra(self) -> Option<&'t Arc<Extra>> {
        let number = match (self.at & APART != 0, self.at) {
            (true, at) => at ^ APART,
            // A shard that was made for one host has no other.
            (false, 0) => 0,
            (false, _) => self.block.number(),
        };
        self.shard.rest.as_ref()?.get(number as usize)?.extra.as_ref()
    }

    pub(super) fn extra(self) -> Option<&'t Extra> {
        self.shared_extra().map(|extra| &**extra)
    }
}
