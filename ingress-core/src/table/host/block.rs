//! The bytes of one host: its name, its plain paths, and which backend each route has.
//!
//! They are one piece of memory, so that a lookup that leaves the processor's caches waits for the memory once or
//! twice. Integers are little-endian and need no alignment.
//!
//! | bytes | what they hold |
//! |---|---|
//! | 1 | level |
//! | 1 | length of the name |
//! | 1 | flags |
//! | 1 | binary logarithm of the number of slots, in the large shape |
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

use crate::path::Borders;
use crate::table::visit::Level;
use crate::{HostMatch, HostName};

/// What is in front of the name.
const HEADER: usize = 40;
const LENGTH: usize = 32;
const NUMBER: usize = 36;

/// Routes have conditions.
pub(super) const CONDITIONAL: u8 = 1;
/// Entries are not all, or do not have the numbers of their routes: see `Special`.
pub(super) const SPECIAL: u8 = 2;
/// The last route is the default backend.
pub(super) const DEFAULT: u8 = 4;
/// The entries are in the large shape.
pub(super) const LARGE: u8 = 8;

/// A host's bytes, read; others may follow them.
#[derive(Clone, Copy, Debug)]
pub(in crate::table) struct Block<'b>(pub(in crate::table) &'b [u8]);

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
    pub(super) fn level(self) -> Level {
        match self.0[0] {
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
        self.0[0] == level as u8
            && usize::from(self.0[1]) == len
            && self.0.get(HEADER..HEADER + len).is_some_and(|own| own == name)
    }

    #[inline]
    pub(super) fn name(self) -> &'b str {
        let name = &self.0[HEADER..HEADER + usize::from(self.0[1])];
        std::str::from_utf8(name).expect("a name was written")
    }

    /// Without what follows them.
    pub(in crate::table) fn own_bytes(self) -> &'b [u8] {
        &self.0[..self.u32(LENGTH) as usize]
    }

    pub(in crate::table) fn number(self) -> u32 {
        self.u32(NUMBER)
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
        self.0[2]
    }

    #[inline]
    pub(super) fn slots_log2(self) -> u8 {
        self.0[3]
    }

    #[inline]
    pub(super) fn routes(self) -> u32 {
        self.u32(4)
    }

    #[inline]
    pub(super) fn exact(self) -> u32 {
        self.u32(8)
    }

    #[inline]
    pub(super) fn prefixes(self) -> u32 {
        self.u32(12)
    }

    #[inline]
    pub(super) fn exact_lengths(self) -> Borders {
        Borders(u64::from_le_bytes(self.array(16)))
    }

    #[inline]
    pub(super) fn prefix_lengths(self) -> Borders {
        Borders(u64::from_le_bytes(self.array(24)))
    }

    #[inline]
    fn backends_at(self) -> usize {
        HEADER + usize::from(self.0[1])
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
    pub(super) fn u16(self, at: usize) -> u16 {
        u16::from_le_bytes(self.array(at))
    }

    #[inline]
    pub(super) fn u32(self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    #[inline]
    fn array<const N: usize>(self, at: usize) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(&self.0[at..at + N]);
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
    slots_log2: u8,
    entries: &Entries<'_>,
    backends: &[u32],
) -> Vec<u8> {
    let (level, name) = Level::of(host);
    // A small host is all that most tables have: its bytes are about this many.
    let texts: usize = entries.iter().map(|entry| entry.text.len() + 3).sum();
    let mut bytes = Vec::with_capacity(HEADER + name.len() + 4 * backends.len() + texts);
    bytes.extend([level as u8, name.len() as u8, flags, slots_log2]);
    for count in [backends.len(), entries.exact.len(), entries.prefixes.len()] {
        bytes.extend((count as u32).to_le_bytes());
    }
    bytes.extend(lengths(&entries.exact).0.to_le_bytes());
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
