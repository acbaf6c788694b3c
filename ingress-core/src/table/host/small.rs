//! A host with a handful of paths: their lengths, their ends and their texts, one after another.
//!
//! The bits of the lengths say which prefixes of a request's path can be entries at all; few of them are left, and
//! each is compared with the one or two entries of that length.

use std::ops::ControlFlow;

use super::block::{Block, Entries, Entry};
use crate::path::MarkedPath;

/// The slash at the end of a Prefix, beside the place of its text.
const SLASH: u16 = 1 << 15;

/// Where things are in a small block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Small<'b> {
    block: Block<'b>,
    exact: usize,
    /// One byte for each entry.
    lengths: &'b [u8],
    places_at: usize,
    texts: &'b [u8],
}

impl<'b> Small<'b> {
    #[inline]
    pub(super) fn new(block: Block<'b>) -> Self {
        let (exact, prefixes) = (block.exact() as usize, block.prefixes() as usize);
        let at = block.entries_at();
        let count = exact + prefixes;
        Self {
            block,
            exact,
            lengths: &block.0[at..at + count],
            places_at: at + count,
            texts: &block.0[at + 3 * count..],
        }
    }

    /// Appends the entries to a block.
    pub(super) fn write(entries: &Entries<'_>, bytes: &mut Vec<u8>) {
        bytes.extend(entries.iter().map(|entry| entry.text.len() as u8));
        let mut place = 0;
        for entry in entries.iter() {
            bytes.extend((place | if entry.slash { SLASH } else { 0 }).to_le_bytes());
            place += entry.text.len() as u16;
        }
        entries.iter().for_each(|entry| bytes.extend(entry.text.as_bytes()));
    }

    #[inline]
    pub(super) fn exact(self, path: MarkedPath<'_>) -> Option<u32> {
        if !self.block.exact_lengths().has(path.text.len()) {
            return None;
        }
        let text = path.text.as_bytes();
        self.of_length(0..self.exact, text.len())
            .find(|&entry| self.text(entry, text.len()) == text)
            .map(|at| at as u32)
    }

    /// The prefixes that take the path, the longest first.
    #[inline]
    pub(super) fn prefixes<R>(
        self,
        path: MarkedPath<'_>,
        mut visit: impl FnMut(u32) -> ControlFlow<R>,
    ) -> ControlFlow<R> {
        let mut lengths = path.borders.0 & self.block.prefix_lengths().0;
        while lengths != 0 {
            let len = 63 - lengths.leading_zeros() as usize;
            lengths ^= 1 << len;
            let text = &path.text.as_bytes()[..len];
            for entry in self.of_length(self.exact..self.lengths.len(), len) {
                if self.text(entry, len) == text {
                    visit(entry as u32)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// The entries of a length; they stand side by side.
    #[inline]
    fn of_length(self, range: std::ops::Range<usize>, len: usize) -> impl Iterator<Item = usize> {
        let lengths = &self.lengths[range.clone()];
        let first = lengths.iter().position(|&other| usize::from(other) == len).unwrap_or(lengths.len());
        let same = lengths[first..].iter().take_while(move |&&other| usize::from(other) == len);
        (range.start + first..).zip(same).map(|(entry, _)| entry)
    }

    #[inline]
    fn text(self, entry: usize, len: usize) -> &'b [u8] {
        let place = usize::from(self.block.u16(self.places_at + 2 * entry) & !SLASH);
        &self.texts[place..place + len]
    }

    pub(super) fn entry(self, number: u32) -> Entry<'b> {
        let number = number as usize;
        let text = self.text(number, usize::from(self.lengths[number]));
        let slash = self.block.u16(self.places_at + 2 * number) & SLASH != 0;
        Entry { text: std::str::from_utf8(text).expect("a text was written"), slash }
    }
}
