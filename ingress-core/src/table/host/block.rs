//! The bytes of one host: its name, its plain paths, and which backend each route has.
//!
//! They are one piece of memory, so that a lookup that leaves the processor's caches waits for the memory once or
//! twice. Integers are little-endian and need no alignment.
//!
//! | bytes | what they hold |
//! |---|---|
//! | 1 | level, and flags |
//! | 1 | length of the name |
//! | 2 | of the shape: see `small` and `large` |
//! | 4 | number of routes |
//! | 4 | number of Exact entries |
//! | 4 | number of Prefix entries |
//! | 8 | bit `n`: some Exact entry has `n` bytes |
//! | 8 | bit `n`: some Prefix entry has `n` bytes, without the slash at its end |
//! | 4 | number of bytes in all |
//! | 4 | number of what is kept beside the block |
//! | | the name |
//! | 4 each | the backend of each route |
//! | | the entries, in the small or the large shape |
//!
//! An entry is one plain path, Exact before Prefix, the longer before the shorter: the order of precedence.

use super::small::Small;
use crate::path::Borders;
use crate::table::same::same;
use crate::table::visit::Level;
use crate::{HostMatch, HostName};

/// What is in front of the name.
const HEADER: usize = 40;
const LENGTH: usize = 32;
const NUMBER: usize = 36;

const LEVEL: u8 = 3;
/// Routes have conditions.
pub(super) const CONDITIONAL: u8 = 4;
/// Entries are not all, or do not have the numbers of their routes: see `Special`.
pub(super) const SPECIAL: u8 = 8;
/// The last route is the default backend.
pub(super) const DEFAULT: u8 = 16;
/// The entries are in the large shape.
pub(super) const LARGE: u8 = 32;

/// A host's bytes, read; others may follow them.
#[derive(Clone, Copy, Debug)]
pub(in crate::table) struct Block<'b> {
    header: &'b [u8; HEADER],
    pub(super) bytes: &'b [u8],
}

/// The entries of a host, not yet written.
#[derive(Debug, Default)]
pub(super) struct Entries<'r> {
    pub(super) exact: Vec<Entry<'r>>,
    pub(super) prefixes: Vec<Entry<'r>>,
}

/// One plain path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'r> {
    /// Of a Prefix without the slash at its end.
    pub(super) text: &'r str,
    /// A Prefix has a slash at its end.
    pub(super) slash: bool,
}

// ===== impl Block =====

impl<'b> Block<'b> {
    #[inline]
    pub(in crate::table) fn new(bytes: &'b [u8]) -> Self {
        Self { header: bytes.first_chunk().expect("a header was written"), bytes }
    }

    #[inline]
    pub(super) fn level(self) -> Level {
        match self.header[0] & LEVEL {
            0 => Level::Exact,
            1 => Level::Wildcard,
            _ => Level::Any,
        }
    }

    /// Stands for nothing beside the block.
    pub(in crate::table) const NO_NUMBER: u32 = u32::MAX;

    #[inline]
    pub(in crate::table) fn is(self, level: Level, name: &[u8]) -> bool {
        let len = name.len();
        self.header[0] & LEVEL == level as u8
            && usize::from(self.header[1]) == len
            && self.bytes.get(HEADER..HEADER + len).is_some_and(|own| same(own, name))
    }

    #[inline]
    pub(super) fn name(self) -> &'b str {
        let name = &self.bytes[HEADER..self.backends_at()];
        std::str::from_utf8(name).expect("a name was written")
    }

    /// Without what follows them.
    pub(in crate::table) fn own_bytes(self) -> &'b [u8] {
        &self.bytes[..self.field(LENGTH) as usize]
    }

    pub(in crate::table) fn number(self) -> u32 {
        self.field(NUMBER)
    }

    pub(in crate::table) fn set_number(bytes: &mut [u8], number: u32) {
        bytes[NUMBER..HEADER].copy_from_slice(&number.to_le_bytes());
    }

    pub(super) fn host(self) -> HostMatch {
        match self.level() {
            Level::Exact => HostMatch::Exact(HostName::known(self.name())),
            Level::Wildcard => HostMatch::Wildcard(HostName::known(self.name())),
            Level::Any => HostMatch::Any,
        }
    }

    #[inline]
    pub(super) fn flags(self) -> u8 {
        self.header[0]
    }

    #[inline]
    pub(super) fn shape(self) -> [u8; 2] {
        [self.header[2], self.header[3]]
    }

    #[inline]
    pub(super) fn routes(self) -> u32 {
        self.field(4)
    }

    #[inline]
    pub(super) fn exact(self) -> u32 {
        self.field(8)
    }

    #[inline]
    pub(super) fn prefixes(self) -> u32 {
        self.field(12)
    }

    #[inline]
    pub(super) fn exact_lengths(self) -> Borders {
        self.lengths(16)
    }

    #[inline]
    pub(super) fn prefix_lengths(self) -> Borders {
        self.lengths(24)
    }

    #[inline]
    fn backends_at(self) -> usize {
        HEADER + usize::from(self.header[1])
    }

    #[inline]
    pub(super) fn backend(self, route: u32) -> u32 {
        self.u32(self.backends_at() + 4 * route as usize)
    }

    #[inline]
    pub(super) fn entries_at(self) -> usize {
        self.backends_at() + 4 * self.routes() as usize
    }

    #[inline]
    fn field(self, at: usize) -> u32 {
        let mut field = [0; 4];
        field.copy_from_slice(&self.header[at..at + 4]);
        u32::from_le_bytes(field)
    }

    #[inline]
    fn lengths(self, at: usize) -> Borders {
        let mut lengths = [0; 8];
        lengths.copy_from_slice(&self.header[at..at + 8]);
        Borders(u64::from_le_bytes(lengths))
    }

    #[inline]
    pub(super) fn u16(self, at: usize) -> u16 {
        u16::from_le_bytes(self.array(at))
    }

    #[inline]
    pub(super) fn u32(self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    #[inline]
    pub(super) fn array<const N: usize>(self, at: usize) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes[at..at + N]);
        array
    }
}

// ===== impl Entries =====

impl<'r> Entries<'r> {
    pub(super) fn len(&self) -> usize {
        self.exact.len() + self.prefixes.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Entry<'r>> + '_ {
        self.exact.iter().chain(&self.prefixes).copied()
    }

    pub(super) fn exact_lengths(&self) -> Borders {
        lengths(&self.exact)
    }

    pub(super) fn prefix_lengths(&self) -> Borders {
        lengths(&self.prefixes)
    }
}

fn lengths(entries: &[Entry<'_>]) -> Borders {
    Borders(entries.iter().fold(0, |lengths, entry| lengths | 1 << entry.text.len()))
}

/// Everything in front of the entries.
pub(super) fn start(
    host: &HostMatch,
    flags: u8,
    shape: [u8; 2],
    entries: &Entries<'_>,
    backends: &[u32],
) -> Vec<u8> {
    let (level, name) = Level::of(host);
    // Most hosts are small: theirs are at most this many bytes.
    let entries_size: usize = entries.iter().map(|entry| entry.text.len() + Small::GROUP).sum();
    let size = HEADER + name.len() + 4 * backends.len() + Small::SLASHES + entries_size;
    let mut bytes = Vec::with_capacity(size);
    bytes.extend([level as u8 | flags, name.len() as u8, shape[0], shape[1]]);
    for count in [backends.len(), entries.exact.len(), entries.prefixes.len()] {
        bytes.extend((count as u32).to_le_bytes());
    }
    bytes.extend(entries.exact_lengths().0.to_le_bytes());
    bytes.extend(entries.prefix_lengths().0.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(Block::NO_NUMBER.to_le_bytes());
    bytes.extend(name.as_bytes());
    backends.iter().for_each(|backend| bytes.extend(backend.to_le_bytes()));
    bytes
}

/// Notes how many bytes there are, once all are written.
pub(super) fn end(bytes: &mut [u8]) {
    let len = bytes.len() as u32;
    bytes[LENGTH..NUMBER].copy_from_slice(&len.to_le_bytes());
}
