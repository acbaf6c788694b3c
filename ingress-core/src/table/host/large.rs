//! A host with many paths: a hash table of their texts.
//!
//! Only the prefixes that end at a border of the path and are as long as some entry are looked up. Each is hashed anew,
//! which costs less than to go on from one border to the next, as entries have up to `Borders::MAX` bytes. The tags of
//! all slots lie close together, so that what is not there is found out in one or two lines of memory.

use std::hash::{BuildHasher, Hasher};
use std::ops::ControlFlow;

use foldhash::fast::RandomState;

use super::block::{Block, Entries, Entry};
use crate::path::MarkedPath;
use crate::table::same::same;

/// Stands for no entry.
const NONE: u32 = u32::MAX;
/// The slash at the end of a Prefix, beside the place of its record.
const SLASH: u32 = 1 << 31;
/// In front of a record's text: its length, the Exact entry and the first Prefix entry with this text.
const RECORD: usize = 9;

/// Where things are in a large block: the place of each entry's record; tags of two bytes; a record's place for each
/// slot; records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Large<'b> {
    block: Block<'b>,
    places_at: usize,
    tags_at: usize,
    slots_at: usize,
    /// Places of records count from here.
    records_at: usize,
    mask: usize,
}

impl<'b> Large<'b> {
    #[inline]
    pub(super) fn new(block: Block<'b>) -> Self {
        let count = (block.exact() + block.prefixes()) as usize;
        let slots = 1 << block.shape()[0];
        let places_at = block.entries_at();
        let tags_at = places_at + 4 * count;
        let slots_at = tags_at + 2 * slots;
        Self { block, places_at, tags_at, slots_at, records_at: slots_at + 4 * slots, mask: slots - 1 }
    }

    /// The binary logarithm of the number of slots.
    pub(super) fn shape(entries: &Entries<'_>) -> [u8; 2] {
        [(2 * entries.len()).next_power_of_two().ilog2() as u8, 0]
    }

    /// Appends the entries to a block.
    pub(super) fn write(entries: &Entries<'_>, hasher: &RandomState, bytes: &mut Vec<u8>) {
        let [slots_log2, _] = Self::shape(entries);
        let slots = 1 << slots_log2;
        let (mut places, mut tags, mut slot_places) = (Vec::new(), vec![0u16; slots], vec![NONE; slots]);
        let mut records: Vec<u8> = Vec::new();
        for (number, entry) in entries.iter().enumerate() {
            let is_exact = number < entries.exact.len();
            let text = entry.text.as_bytes();
            let hash = hash(text, hasher);
            let mut at = hash as usize & (slots - 1);
            let place = loop {
                let place = slot_places[at] as usize;
                if tags[at] == 0 {
                    (tags[at], slot_places[at]) = (tag(hash), records.len() as u32);
                    records.push(text.len() as u8);
                    records.extend([0xff; RECORD - 1]);
                    records.extend(text);
                    break slot_places[at] as usize;
                }
                if tags[at] == tag(hash)
                    && records[place + RECORD..].get(..text.len()) == Some(text)
                    && usize::from(records[place]) == text.len()
                {
                    break place;
                }
                at = (at + 1) & (slots - 1);
            };
            let own = place + if is_exact { 1 } else { 5 };
            if records[own..own + 4] == NONE.to_le_bytes() {
                records[own..own + 4].copy_from_slice(&(number as u32).to_le_bytes());
            }
            places.push(place as u32 | if entry.slash { SLASH } else { 0 });
        }
        places.iter().for_each(|place| bytes.extend(place.to_le_bytes()));
        tags.iter().for_each(|tag| bytes.extend(tag.to_le_bytes()));
        slot_places.iter().for_each(|place| bytes.extend(place.to_le_bytes()));
        bytes.extend(records);
    }

    #[inline]
    pub(super) fn exact(self, path: MarkedPath<'_>, hasher: &RandomState) -> Option<u32> {
        if !self.block.exact_lengths().has(path.text.len()) {
            return None;
        }
        let record = self.record(path.text.as_bytes(), hasher)?;
        Some(self.block.u32(record + 1)).filter(|&entry| entry != NONE)
    }

    /// The prefixes that take the path, the longest first.
    #[inline]
    pub(super) fn prefixes<R>(
        self,
        path: MarkedPath<'_>,
        hasher: &RandomState,
        mut visit: impl FnMut(u32) -> ControlFlow<R>,
    ) -> ControlFlow<R> {
        let mut common = path.borders.and(self.block.prefix_lengths());
        while let Some(len) = common.take_longest() {
            let Some(record) = self.record(&path.text.as_bytes()[..len], hasher) else { continue };
            let entry = self.block.u32(record + 5);
            if entry != NONE {
                visit(entry)?;
                // With and without the slash they have one record, and stand side by side.
                if self.place(entry + 1) == Some(record) {
                    visit(entry + 1)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// The place of the record with this text.
    #[inline]
    fn record(self, text: &[u8], hasher: &RandomState) -> Option<usize> {
        let hash = hash(text, hasher);
        let mut at = hash as usize & self.mask;
        loop {
            match self.block.u16(self.tags_at + 2 * at) {
                0 => return None,
                found if found == tag(hash) => {
                    let record = self.records_at + self.block.u32(self.slots_at + 4 * at) as usize;
                    let len = usize::from(self.block.bytes[record]);
                    if same(&self.block.bytes[record + RECORD..][..len], text) {
                        return Some(record);
                    }
                }
                _ => {}
            }
            at = (at + 1) & self.mask;
        }
    }

    #[inline]
    fn place(self, entry: u32) -> Option<usize> {
        let count = self.block.exact() + self.block.prefixes();
        let place = (entry < count).then(|| self.block.u32(self.places_at + 4 * entry as usize))?;
        Some(self.records_at + (place & !SLASH) as usize)
    }

    pub(super) fn entry(self, number: u32) -> Entry<'b> {
        let place = self.block.u32(self.places_at + 4 * number as usize);
        let record = self.records_at + (place & !SLASH) as usize;
        let text = &self.block.bytes[record + RECORD..][..usize::from(self.block.bytes[record])];
        Entry { text: std::str::from_utf8(text).expect("a text was written"), slash: place & SLASH != 0 }
    }
}

#[inline]
fn hash(text: &[u8], hasher: &RandomState) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(text);
    hasher.finish()
}

/// Of the bits that do not choose the slot; never 0.
#[inline]
fn tag(hash: u64) -> u16 {
    (hash >> 48) as u16 | 1
}
