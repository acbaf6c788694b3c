//! A host with a handful of paths: their texts, one after another, the longer before the shorter.
//!
//! The bits of the lengths say which prefixes of a request's path can be entries at all. Few of them are left, and the
//! number of longer lengths is the place of the group of entries that are so long: mostly one.

use std::ops::{ControlFlow, Range};

use super::block::{Block, Entries, Entry};
use crate::path::{Borders, MarkedPath};
use crate::table::same::same;

/// Where things are in a small block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Small<'b> {
    block: Block<'b>,
    /// Bit `n`: a slash is at the end of entry `n`; then the groups, each four bytes: the first entry, the number of
    /// entries, and the place of their texts (2 bytes).
    slashes_at: usize,
    texts_at: usize,
}

/// Entries of one kind and length.
#[derive(Clone, Copy, Debug)]
struct Group {
    first: u8,
    count: u8,
    place: u16,
}

impl<'b> Small<'b> {
    /// The size of the bits.
    pub(super) const SLASHES: usize = 8;
    /// The size of a group.
    pub(super) const GROUP: usize = 4;

    #[inline]
    pub(super) fn new(block: Block<'b>) -> Self {
        let slashes_at = block.entries_at();
        let [exact, prefixes] = block.shape();
        let groups = usize::from(exact) + usize::from(prefixes);
        Self { block, slashes_at, texts_at: slashes_at + Self::SLASHES + Self::GROUP * groups }
    }

    /// How many groups Exact and Prefix entries have.
    pub(super) fn shape(entries: &Entries<'_>) -> [u8; 2] {
        [entries.exact_lengths(), entries.prefix_lengths()].map(|lengths| lengths.count() as u8)
    }

    /// Appends the entries to a block.
    pub(super) fn write(entries: &Entries<'_>, bytes: &mut Vec<u8>) {
        let slash = |(number, entry): (usize, Entry<'_>)| u64::from(entry.slash) << number;
        bytes.extend(entries.iter().enumerate().map(slash).sum::<u64>().to_le_bytes());
        let (mut first, mut place) = (0, 0);
        for kind in [&entries.exact, &entries.prefixes] {
            for group in kind.chunk_by(|a, b| a.text.len() == b.text.len()) {
                let count = group.len() as u8;
                bytes.extend(Group { first, count, place }.to_bytes());
                first += count;
                place += u16::from(count) * group[0].text.len() as u16;
            }
        }
        entries.iter().for_each(|entry| bytes.extend(entry.text.as_bytes()));
    }

    #[inline(always)]
    pub(super) fn exact(self, path: MarkedPath<'_>) -> Option<u32> {
        let (lengths, len) = (self.block.exact_lengths(), path.text.len());
        if !lengths.has(len) {
            return None;
        }
        let group = self.group(lengths.longer_than(len));
        group
            .entries()
            .zip(self.texts(group, len))
            .find(|(_, text)| same(text, path.text.as_bytes()))
            .map(|(entry, _)| entry)
    }

    /// The prefixes that take the path, the longest first.
    #[inline(always)]
    pub(super) fn prefixes<R>(
        self,
        path: MarkedPath<'_>,
        mut visit: impl FnMut(u32) -> ControlFlow<R>,
    ) -> ControlFlow<R> {
        let own = self.block.prefix_lengths();
        let exact_groups = usize::from(self.block.shape()[0]);
        let mut common = path.borders.and(own);
        while let Some(len) = common.take_longest() {
            let group = self.group(exact_groups + own.longer_than(len));
            let prefix = &path.text.as_bytes()[..len];
            for (entry, text) in group.entries().zip(self.texts(group, len)) {
                if same(text, prefix) {
                    visit(entry)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    #[inline]
    fn group(self, number: usize) -> Group {
        Group::from_bytes(self.block.array(self.slashes_at + Self::SLASHES + Self::GROUP * number))
    }

    /// `len` is the length of each.
    #[inline]
    fn texts(self, group: Group, len: usize) -> impl Iterator<Item = &'b [u8]> {
        let texts = &self.block.bytes[self.texts_at + usize::from(group.place)..];
        (0..usize::from(group.count)).map(move |number| &texts[number * len..(number + 1) * len])
    }

    pub(super) fn entry(self, number: u32) -> Entry<'b> {
        let lengths = [self.block.exact_lengths(), self.block.prefix_lengths()];
        let lengths = lengths.into_iter().flat_map(Borders::longest_first);
        let groups = lengths.enumerate().map(|(group, len)| (self.group(group), len));
        let found = groups.flat_map(|(group, len)| group.entries().zip(self.texts(group, len)));
        let text = found.skip(number as usize).map(|(_, text)| text).next().unwrap_or_default();
        let slash = u64::from_le_bytes(self.block.array(self.slashes_at)) >> number & 1 == 1;
        Entry { text: std::str::from_utf8(text).expect("a text was written"), slash }
    }
}

impl Group {
    fn to_bytes(self) -> [u8; Small::GROUP] {
        let [low, high] = self.place.to_le_bytes();
        [self.first, self.count, low, high]
    }

    #[inline]
    fn from_bytes([first, count, low, high]: [u8; Small::GROUP]) -> Self {
        Self { first, count, place: u16::from_le_bytes([low, high]) }
    }

    #[inline]
    fn entries(self) -> Range<u32> {
        u32::from(self.first)..u32::from(self.first) + u32::from(self.count)
    }
}
